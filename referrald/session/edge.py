"""The edge to Twisted's IMailbox and IMessage: what they give, turned into values of ours.

Any mailbox will do as far as its methods go: results may be values or Deferreds, text may be bytes
or str, and a message that cannot be opened as a file is put together from its header and body.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from twisted.mail.imap4 import IMessageFile, MessageSet

from referrald.errors import NotPossible
from referrald.mime import headers
from referrald.mime.dates import parse_date
from referrald.wire.arguments import SYSTEM_FLAGS

BATCH: Final = 100
"""Messages that are asked of a mailbox at a time."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

_FLAG = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_LINE_END = re.compile(rb"[\r\n]+[ \t]*")


async def ask(owner: Any, method: str, *arguments: Any) -> Any:
    """Call a method of an account, mailbox or message; wait for the result where need be."""
    function: Callable[..., Any] | None = getattr(owner, method, None)
    if function is None:
        raise NotPossible(f"{type(owner).__name__} has no {method}")
    result = function(*arguments)
    return await result if isinstance(result, Awaitable) else result


def message_set(wanted: Sequence[int]) -> Any:
    """Make a `MessageSet` of UIDs, which ascend; runs of them become ranges."""
    ranges: list[tuple[int, int]] = []
    for uid in wanted:
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return MessageSet(ranges)  # type: ignore[no-untyped-call]


async def messages(box: Any, wanted: Sequence[int]) -> list[Any]:
    """Give those of the messages with these UIDs that are still there, as IMessage, in order."""
    if not wanted:
        return []
    found = await ask(box, "fetch", message_set(wanted), True)
    return [message for _number, message in sorted(found, key=_number)]


async def uids(box: Any, first: int, count: int) -> list[int]:
    """Give the UIDs of the messages from number ``first`` to ``count``."""
    return [int(await ask(box, "getUID", message)) for message in range(first, count + 1)]


def _number(found: tuple[int, Any]) -> int:
    return found[0]


def batches(wanted: Sequence[int]) -> Iterable[Sequence[int]]:
    """Cut a list of UIDs into pieces of `BATCH`."""
    return (wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH))


def native(value: Any) -> str:
    """Give text that may be bytes as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def flag_names(flags: Iterable[Any]) -> tuple[str, ...]:
    """Give flags as str, each once; what cannot be one on the wire is left out."""
    names = (native(flag) for flag in flags)
    usual = (SYSTEM_FLAGS.get(name.lower(), name) for name in names)
    return tuple(name for name in dict.fromkeys(usual) if _FLAG.fullmatch(name))


# -- a message's bytes -----------------------------------------------------------------------


async def content(message: Any) -> bytes:
    """Give the bytes of a message."""
    if IMessageFile.providedBy(message):
        return await _read(await ask(message, "open"))
    return b"".join([part async for part in _rebuilt(message)])


async def size(message: Any) -> int:
    """Give the size of what `content` gives."""
    if IMessageFile.providedBy(message):
        return int(await ask(message, "getSize"))
    # getSize() need not be the size of what is put together here.
    return len(await content(message))


async def _read(file: Any) -> bytes:
    try:
        return bytes(file.read())
    finally:
        file.close()


async def _rebuilt(part: Any, depth: int = 0) -> Any:
    """Yield the pieces of a message or part that gives its header and body apart."""
    fields = [
        (native(name).encode("utf-8"), _field_value(value))
        for name, value in (await ask(part, "getHeaders", True)).items()
    ]
    declared = {name.lower(): value for name, value in fields}.get(b"content-type")
    inside = await ask(part, "isMultipart")
    single = headers.media_type(declared).is_(b"message")
    boundary = _boundary(fields, depth) if inside and not single else b""
    for name, value in fields:
        yield b"%b: %b\r\n" % (name, value)
    yield b"\r\n"
    if not inside:
        yield await _read(await ask(part, "getBodyFile"))
        return
    for child in await _children(part):
        yield b"--%b\r\n" % boundary if boundary else b""
        async for piece in _rebuilt(child, depth + 1):
            yield piece
        yield b"\r\n" if boundary else b""
    yield b"--%b--\r\n" % boundary if boundary else b""


async def _children(part: Any) -> list[Any]:
    found: list[Any] = []
    while True:
        try:
            found.append(await ask(part, "getSubPart", len(found)))
        except (IndexError, TypeError):
            return found


def _boundary(fields: list[tuple[bytes, bytes]], depth: int) -> bytes:
    """Find the boundary that a header tells; write one into it where there is none."""
    # The same message has to come out the same each time.
    made = blake2b(repr((depth, fields)).encode("ascii"), digest_size=12).hexdigest().encode()
    for at, (name, value) in enumerate(fields):
        if name.lower() == b"content-type":
            known = headers.media_type(value).parameter(b"boundary")
            if not known:
                fields[at] = (name, b'%b; boundary="%b"' % (value.rstrip(b"; \t"), made))
            return known or made
    fields.append((b"Content-Type", b'multipart/mixed; boundary="%b"' % made))
    return made


def _field_value(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return _LINE_END.sub(b"\r\n ", raw.strip())


# -- dates -----------------------------------------------------------------------------------


def moment(given: Any) -> datetime:
    """Read an internal date: a datetime, or text in the form of RFC 3501 or of RFC 5322."""
    if isinstance(given, datetime):
        return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
    return parse_date(native(given)) or EPOCH


def date_time(when: datetime) -> str:
    """Write a date as RFC 3501 does, without quotes (``date-time``)."""
    seconds = int((when.utcoffset() or timedelta()).total_seconds())
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    month = MONTHS[when.month - 1]
    return f"{when.day:02d}-{month}-{when.year:04d} {when:%H:%M:%S} {zone}"
