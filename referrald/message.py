"""Messages of a store as Twisted's IMessage: read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.generator import BytesGenerator
from email.message import Message as Parsed
from email.utils import parsedate_tz
from functools import cached_property
from io import BytesIO
from typing import IO, Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import IMessage, IMessageFile, IMessagePart
from zope.interface import implementer

from referrald.errors import ReferraldError
from referrald.mailmodel import StoredMessage

T = TypeVar("T")
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


class MessageGone(ReferraldError):
    """Somebody has removed the message in the meantime (RFC 5530)."""

    code = "EXPUNGEISSUED"
    public = "Some of the messages are gone."


@implementer(IMessagePart)
class Part:
    """A part of a message, taken apart by the standard library."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed

    def getHeaders(self, negate: bool, *names: Any) -> dict[str, str]:
        """Give the header fields named, or all others, by name in lower case.

        Of several fields of one name it is the first. Text that is not ASCII becomes ``?``: a stock
        server can send nothing else.
        """
        wanted = {as_text(name).lower() for name in names}
        found: dict[str, str] = {}
        for name, value in self._parsed.items():
            if (name.lower() in wanted) is not bool(negate):
                found.setdefault(_ascii(name).lower(), _ascii(str(value)))
        return found

    def getBodyFile(self) -> IO[bytes]:
        """Give what follows the header."""
        if self._parsed.is_multipart():
            return BytesIO(_body(_flat(self._parsed)))
        # Without this field the standard library gives the bytes as they are in the message.
        bare = copy(self._parsed)
        del bare["Content-Transfer-Encoding"]
        content: Any = bare.get_payload(decode=True)
        return BytesIO(content)

    def getSize(self) -> int:
        """Give the size of the body in bytes."""
        return len(self.getBodyFile().read())

    def isMultipart(self) -> bool:
        """Say whether there are parts, as in a multipart or in a message within the message."""
        return self._parsed.is_multipart()

    def getSubPart(self, part: int) -> Part:
        """Give a part by its place, from 0; raises IndexError where there is none."""
        payload = self._parsed.get_payload()
        if not isinstance(payload, list) or part < 0:
            raise IndexError(part)
        found: Any = payload[part]
        return Part(found)


def as_text(value: Any) -> str:
    """Give text that may be bytes as str."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")


def _flat(parsed: Parsed) -> bytes:
    file = BytesIO()
    generator = BytesGenerator(file, mangle_from_=False, maxheaderlen=0)
    generator.flatten(parsed, linesep="\r\n")
    return file.getvalue()


def _body(content: bytes) -> bytes:
    gap = b"\r\n\r\n" if b"\r\n" in content else b"\n\n"
    return content.partition(gap)[2]


@implementer(IMessage, IMessageFile)
class TwistedMessage:
    """One message.

    What is in it is read when it is asked for; until it has been read, methods that need it give
    Deferreds, which fail with `MessageGone` when the message is no longer there.
    """

    def __init__(self, stored: StoredMessage, folder: Any) -> None:
        self.stored = stored
        self._folder = folder
        self._content: bytes | None = None

    def getUID(self) -> int:
        """Give the UID."""
        return self.stored.uid

    def getFlags(self) -> tuple[str, ...]:
        """Give the flags as they were when the message was fetched."""
        return self.stored.flags

    def getInternalDate(self) -> str:
        """Give the time of arrival, such as ``17-Jul-1996 02:44:25 -0700``."""
        return date_time(self.stored.received)

    def getSize(self) -> int:
        """Give the size of the whole message in bytes."""
        return self.stored.size

    def getHeaders(self, negate: bool, *names: Any) -> Any:
        """Give the header fields named, or all others; see `Part.getHeaders`."""
        return self._loaded(lambda _: self._part.getHeaders(negate, *names))

    def getBodyFile(self) -> Any:
        """Give what follows the header."""
        return self._loaded(lambda content: BytesIO(_body(content)))

    def isMultipart(self) -> Any:
        """Say whether there are parts."""
        return self._loaded(lambda _: self._part.isMultipart())

    def getSubPart(self, part: int) -> Any:
        """Give a part by its place, from 0; raises IndexError where there is none."""
        return self._loaded(lambda _: self._part.getSubPart(part))

    def open(self) -> Any:
        """Give the whole message as a file."""
        return self._loaded(BytesIO)

    async def load(self) -> bytes:
        """Read the message, if it has not been; raises `MessageGone`."""
        if self._content is None:
            content: bytes | None = await self._folder.content(self.stored.uid)
            if content is None:
                raise MessageGone(f"message {self.stored.uid}")
            self._content = content
        return self._content

    def _loaded(self, use: Callable[[bytes], T]) -> T | Deferred[T]:
        if self._content is not None:
            return use(self._content)
        return Deferred.fromCoroutine(self.load()).addCallback(use)

    @cached_property
    def _part(self) -> Part:
        return Part(message_from_bytes(self._content or b""))


# -- dates -----------------------------------------------------------------------------------


def date_time(when: datetime) -> str:
    """Write a date as RFC 3501 does, which RFC 5322 parsers read too."""
    seconds = int((when.utcoffset() or timedelta()).total_seconds())
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    day = f"{when.day:02d}-{MONTHS[when.month - 1]}-{when.year:04d}"
    return f"{day} {when:%H:%M:%S} {sign}{minutes // 60:02d}{minutes % 60:02d}"


def moment(given: Any) -> datetime | None:
    """Read a date: a datetime, or text in the form of RFC 3501 or RFC 5322; None where it is none.

    A date without a zone is taken as UTC.
    """
    if isinstance(given, datetime):
        return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
    try:
        fields = parsedate_tz(as_text(given)) if given else None
        if fields is None:
            return None
        return datetime(*fields[:6], tzinfo=timezone(timedelta(seconds=fields[9] or 0)))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
