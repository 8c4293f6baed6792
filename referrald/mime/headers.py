"""Header fields out of bytes, as tolerant as mail demands (RFC 5322, RFC 2045, RFC 2047).

Everything here is pure, takes time in proportion to its input, and raises for no bytes at all.
Names and values stay bytes: what a header holds is passed on, not judged.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

MAX_PARAMETERS: Final = 100
"""Parameters of one value that are looked at."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:").match
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_BREAK = re.compile(rb"[\r\n\0]+")
_TOKEN: Final = rb"[!#-'*+\-.0-9A-Z^_`a-z{|}~]+"
_TYPE = re.compile(rb"[ \t]*(" + _TOKEN + rb")(?:[ \t]*/[ \t]*(" + _TOKEN + rb"))?").match
_NAME = re.compile(rb"[; \t]*([^=;]*)(=?)[ \t]*").match
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"?[^;]*', re.DOTALL).match
_PLAIN = re.compile(rb"[^;]*").match
_COMMENT = re.compile(rb"(?:^|[ \t])\(.*", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_PADDING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t]+(?==\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)")
_CHARSET = re.compile(
    r"(?:ascii|us-?ascii|utf|iso|latin|windows|cp|koi|gb|big5|shift|sjis|euc|ks_?c|mac|tis|hz)"
    r"[a-z0-9_:.-]*",
    re.IGNORECASE,
)


@attrs.frozen
class Field:
    """One field: its name in lower case, and the bytes that it takes, line ends and all."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, as one line."""
        return unfold(self.raw.partition(b":")[2])


def fields(header: bytes) -> list[Field]:
    """Give the fields of a header in their order; lines that belong to none are passed over."""
    found: list[Field] = []
    name = b""
    lines: list[bytes] = []
    for line in header.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            lines.append(line)
            continue
        if name:
            found.append(Field(name, b"\n".join([*lines, b""])))
        match = _FIELD(line)
        name = match[1].lower() if match else b""
        lines = [line]
    if name:
        found.append(Field(name, b"\n".join(lines)))
    return found


def begins_header(data: bytes) -> bool:
    """Say whether ``data`` begins with a field."""
    return _FIELD(data) is not None


def first(known: Iterable[Field], name: bytes) -> bytes | None:
    """Give the value of the first field of that (lower-case) name, None when there is none."""
    return next((field.value for field in known if field.name == name), None)


def unfold(value: bytes) -> bytes:
    """Make one line of a value: no CR, LF or NUL, no space around it."""
    return _BREAK.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t")


# -- structured values ----------------------------------------------------------------------

Parameters = tuple[tuple[bytes, bytes], ...]


@attrs.frozen
class MediaType:
    """A media type as it was written; names compare in lower case."""

    main: bytes
    sub: bytes
    parameters: Parameters = ()

    def parameter(self, name: bytes) -> bytes | None:
        """Give the parameter of that (lower-case) name."""
        found = (value for key, value in self.parameters if key.lower() == name)
        return next(found, None)

    def is_(self, main: bytes, sub: bytes = b"") -> bool:
        """Compare with a type in lower case; any subtype will do when none is given."""
        return self.main.lower() == main and (not sub or self.sub.lower() == sub)


PLAIN: Final = MediaType(b"text", b"plain")
MESSAGE: Final = MediaType(b"message", b"rfc822")
OPAQUE: Final = MediaType(b"application", b"octet-stream")


def media_type(value: bytes | None, default: MediaType = PLAIN) -> MediaType:
    """Read a Content-Type; what is none is plain text (RFC 2045 section 5.2)."""
    if value is None:
        return default
    match = _TYPE(value)
    if match is None or match[2] is None:
        return PLAIN
    return MediaType(match[1], match[2], parameters(value, match.end()))


def disposition(value: bytes | None) -> tuple[bytes, Parameters] | None:
    """Read a Content-Disposition: its type and parameters, None where there is no type."""
    match = _TYPE(value or b"")
    if match is None or value is None:
        return None
    return match[1], parameters(value, match.end(1))


def parameters(value: bytes, start: int) -> Parameters:
    """Read ``; name=value …`` from ``start``; pieces without ``=`` are passed over."""
    found: list[tuple[bytes, bytes]] = []
    pos = value.find(b";", start)
    while 0 <= pos < len(value) and len(found) < MAX_PARAMETERS:
        match = _NAME(value, pos)
        assert match is not None
        name = match[1].strip(b" \t")
        pos = match.end()
        if not match[2]:
            continue
        given, pos = _parameter_value(value, pos)
        if name:
            found.append((name, given))
    return tuple(found)


def _parameter_value(value: bytes, pos: int) -> tuple[bytes, int]:
    quoted = _QUOTED(value, pos)
    if quoted is not None:
        return _ESCAPE.sub(rb"\1", quoted[1]), quoted.end()
    plain = _PLAIN(value, pos)
    assert plain is not None
    return _COMMENT.sub(b"", plain[0]).strip(b" \t"), plain.end()


def token(value: bytes | None) -> bytes | None:
    """Give the first token of a value such as a Content-Transfer-Encoding."""
    match = _TYPE(value or b"")
    return None if match is None else match[1]


def languages(value: bytes | None) -> list[bytes]:
    """Read a Content-Language."""
    pieces = (_COMMENT.sub(b"", piece).strip(b" \t") for piece in (value or b"").split(b","))
    return [piece for piece in pieces if piece]


# -- text ------------------------------------------------------------------------------------


def text(raw: bytes, charset: bytes | str | None = None) -> str:
    """Decode text in a charset that may be unknown, missing or a lie."""
    name = codec(charset)
    if name is not None:
        try:
            return raw.decode(name, "replace")
        except UnicodeError:
            pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def codec(declared: bytes | str | None) -> str | None:
    """Give the codec of a charset; None for one that is unknown, and for ASCII, often a lie."""
    name = declared.decode("latin-1") if isinstance(declared, bytes) else declared
    if not name or not _CHARSET.fullmatch(name):
        return None
    return _known_codec(name.lower())


@lru_cache(maxsize=256)
def _known_codec(name: str) -> str | None:
    try:
        found = codecs.lookup(name)
    except LookupError:
        return None
    is_text = found.incrementaldecoder is not None and found.name != "ascii"
    return found.name if is_text else None


def decoded(value: bytes) -> str:
    """Decode a header value with its encoded words (RFC 2047)."""
    if b"=?" not in value:
        return text(value)
    value = _BETWEEN_WORDS.sub(rb"\1", value)
    parts = []
    end = 0
    for match in _WORD.finditer(value):
        parts.append(text(value[end : match.start()]))
        parts.append(_word(match))
        end = match.end()
    parts.append(text(value[end:]))
    return "".join(parts)


def _word(match: re.Match[bytes]) -> str:
    charset, encoding, content = match.groups()
    if encoding in b"bB":
        raw = from_base64(content)
    else:
        raw = binascii.a2b_qp(content.replace(b"_", b" "))
    return text(raw, charset)


NOT_BASE64: Final = bytes(
    byte for byte in range(256) if not re.match(rb"[A-Za-z0-9+/]", bytes((byte,)))
)
"""The bytes that have no meaning in base64."""


def from_quoted_printable(data: bytes) -> bytes:
    """Undo quoted-printable; white space at the end of a line is padding (RFC 2045 section 6.7)."""
    return binascii.a2b_qp(_PADDING.sub(b"", data))


def from_base64(data: bytes) -> bytes:
    """Decode base64 as far as it goes."""
    clean = data.partition(b"=")[0].translate(None, NOT_BASE64)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return base64.b64decode(clean + b"=" * (-len(clean) % 4))
