"""Status values and the one writer that turns values into bytes (RFC 3501 section 7).

Whatever the data, what is written stays what it was meant to be: one line of printable ASCII, apart
from literals, which only this module makes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from referrald.errors import WireError
from referrald.wire import names, tokens
from referrald.wire.sets import Spelling

Kind: TypeAlias = Literal["OK", "NO", "BAD", "BYE", "PREAUTH"]

MAX_TEXT: Final = 1000
"""Characters of a status text that are sent; the rest is cut off."""

_CODE_NAME = re.compile(rb"[" + tokens.ATOM + rb"]+")
_CODE_ARGS = re.compile(r"[!-\\^-~](?:[ -\\^-~]*[!-\\^-~])?")
_URL = re.compile(r"[!#-\\^-~]+")
_CLEAN_TEXT = re.compile(rf"[!-Z\\-~][ -~]{{0,{MAX_TEXT - 1}}}")
_UNCLEAN = re.compile(r"[^ -~]")
_CLEAN_PART = re.compile(rb"[ -~]+")
_ASTRING = re.compile(rb"[" + tokens.ASTRING + rb"]+")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")


@attrs.frozen
class Code:
    """A response code: what stands in ``[]`` before the text (RFC 3501 section 7.1, RFC 5530).

    Raises `ValueError` where the name is no atom or the arguments would break out of the brackets.
    """

    name: str
    args: str = ""

    def __attrs_post_init__(self) -> None:
        if not self.name.isascii() or not _CODE_NAME.fullmatch(self.name.encode("ascii")):
            raise ValueError("the name of a response code is an atom")
        if self.args and not _CODE_ARGS.fullmatch(self.args):
            raise ValueError("the arguments of a response code are printable ASCII without ']'")

    def __str__(self) -> str:
        return f"{self.name} {self.args}" if self.args else self.name


@attrs.frozen
class Status:
    """A status response without its tag; ``text`` may be anything, the writer cleans it."""

    kind: Kind
    text: str
    code: Code | None = None


class StatusError(Exception):
    """The answer to a command, as an exception."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.kind} {status.text}")
        self.status = status


def ok(text: str, code: Code | None = None) -> Status:
    """Make an ``OK``."""
    return Status("OK", text, code)


def no(text: str, code: Code | None = None) -> Status:
    """Make a ``NO``."""
    return Status("NO", text, code)


def bad(text: str, code: Code | None = None) -> Status:
    """Make a ``BAD``."""
    return Status("BAD", text, code)


def bye(text: str, code: Code | None = None) -> Status:
    """Make a ``BYE``."""
    return Status("BYE", text, code)


def referral(kind: Kind, urls: str | Sequence[str], text: str) -> Status:
    """Make a referral (RFC 2221 section 4, RFC 2193 section 4.1).

    Raises `ValueError` for a URL that cannot stand inside a response code.
    """
    each = (urls,) if isinstance(urls, str) else tuple(urls)
    if not each or not all(_URL.fullmatch(url) for url in each):
        raise ValueError("a referral takes URLs without space, quote or ']'")
    return Status(kind, text, Code("REFERRAL", " ".join(each)))


def body(status: Status) -> bytes:
    """Render everything that follows the tag and its space, line end included."""
    text = clean(status.text)
    if status.code is not None:
        text = f"[{status.code}] {text}"
    return f"{status.kind} {text}\r\n".encode("ascii")


def render(tag: bytes | None, status: Status) -> bytes:
    """Render a status; ``tag`` is None for an untagged one, else as the reader gave it.

    ``BYE`` and ``PREAUTH`` are never tagged.
    """
    if tag is None or status.kind in ("BYE", "PREAUTH"):
        return b"* " + body(status)
    return tag + b" " + body(status)


def clean(text: str) -> str:
    """Make a status text of any text: one line of printable ASCII, never empty.

    A leading ``[`` becomes ``(``: data must not pass for a response code.
    """
    if _CLEAN_TEXT.fullmatch(text):
        return text
    text = _UNCLEAN.sub("?", " ".join(text[: 2 * MAX_TEXT].split()))[:MAX_TEXT]
    if text.startswith("["):
        text = "(" + text[1:]
    return text or "Done."


class Wire(bytes):
    """Bytes that this module has made fit to be sent; plain ``bytes`` are checked when written."""

    __slots__ = ()


Part: TypeAlias = bytes | str | int


def untagged(*parts: Part) -> bytes:
    """Render ``* part part …``; raises `ValueError` for a part that is not one clean piece.

    A string or plain bytes stand for keywords and must be printable ASCII; an int is a number.
    """
    return b"* " + b" ".join(map(_part, parts)) + b"\r\n"


def paren_list(*items: Part) -> Wire:
    """Render ``(item item …)``; items as for `untagged`."""
    return Wire(b"(" + b" ".join(map(_part, items)) + b")")


def number(value: int) -> Wire:
    """Render a number of up to 63 bits (RFC 9051 ``number64``)."""
    if not 0 <= value < 1 << 63:
        raise ValueError("not an IMAP number")
    return Wire(b"%d" % value)


def numbers(values: Iterable[int]) -> Wire:
    """Render message numbers or UIDs, of which there may be very many, with spaces between."""
    # As a list is written, which is done for all of them at once.
    return Wire(repr([*values])[1:-1].replace(",", "").encode("ascii"))


def number_set(numbers: Spelling) -> Wire:
    """Render message numbers or UIDs as a sequence set."""
    return Wire(bytes(numbers))


def quoted(value: str | bytes) -> Wire:
    """Render a quoted string; raises `ValueError` for CR, LF, NUL and anything but ASCII."""
    raw = value.encode("ascii") if isinstance(value, str) else value
    if not _QUOTABLE.fullmatch(raw):
        raise ValueError("a quoted string takes ASCII without CR, LF and NUL")
    return Wire(b'"%b"' % _escaped(raw))


def literal(value: bytes, *, binary: bool = False) -> Wire:
    """Render a literal, or a literal8 (RFC 3516), which alone may hold NUL."""
    if binary:
        return Wire(b"~{%d}\r\n%b" % (len(value), value))
    if b"\0" in value:
        raise ValueError("a literal takes no NUL")
    return Wire(b"{%d}\r\n%b" % (len(value), value))


def string(value: bytes) -> Wire:
    """Render a quoted string where that can hold the value, else a literal."""
    return quoted(value) if _QUOTABLE.fullmatch(value) else literal(value)


def astring(value: bytes) -> Wire:
    """Render as an atom where possible, else as a string. ``NIL`` is quoted, lest it be misread."""
    if _ASTRING.fullmatch(value) and value.upper() != b"NIL":
        return Wire(value)
    return string(value)


def nstring(value: bytes | None) -> Wire:
    """Render a string, or ``NIL`` for None."""
    return Wire(b"NIL") if value is None else string(value)


def mailbox(name: str, *, utf8: bool = False) -> Wire:
    """Render a mailbox name in modified UTF-7, or in UTF-8 for a client that has asked for it.

    Raises `ValueError` for one that IMAP cannot say.
    """
    if not utf8:
        return astring(names.encode_utf7(name))
    raw = names.encode_utf8(name)
    return astring(raw) if name.isascii() else Wire(b'"%b"' % _escaped(raw))


def refused(error: WireError) -> Status:
    """Say what is wrong with a command."""
    return bad(error.public) if error.code is None else no(error.public, Code(error.code))


def prefix(name: str, *, utf8: bool = False) -> Wire:
    """Render the prefix of a namespace, which is always a string (RFC 2342 section 6)."""
    raw = names.encode_utf8(name) if utf8 else names.encode_utf7(name)
    return Wire(b'"%b"' % _escaped(raw))


def _escaped(raw: bytes) -> bytes:
    return raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def continuation(text: str | bytes = b"") -> bytes:
    """Render a command continuation request; raises `ValueError` unless printable ASCII."""
    return b"+ " + (_part(text) if text else b"") + b"\r\n"


def challenge(data: bytes) -> bytes:
    """Render a SASL challenge: base64 without line breaks (RFC 3501 section 6.2.2)."""
    return b"+ " + b64encode(data) + b"\r\n"


def _part(part: Part) -> bytes:
    if isinstance(part, Wire):
        return part
    if isinstance(part, int):
        return number(part)
    raw = part.encode("ascii") if isinstance(part, str) else part
    if not _CLEAN_PART.fullmatch(raw):
        raise ValueError("a response is made of printable ASCII")
    return raw
