"""What is said to a server and what it answers: arguments, replies, and the errors of both."""

from __future__ import annotations

import attrs

from referrald.errors import ReferraldError, Unavailable
from referrald.wire.response import Wire, astring
from referrald.wire.responses import Response


class ConnectionEnded(Unavailable):
    """The connection ended while something was still awaited."""

    public = "The other server has closed the connection."


class NotAccepted(ReferraldError):
    """A server answered NO or BAD; ``reply`` has the words."""

    code = None
    public = "The other server refused."

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.kind} {reply.text.decode('utf-8', 'replace')[:200]}")
        self.reply = reply


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to a command, or a greeting.

    kind: ``OK``, ``NO``, ``BAD``; of a greeting also ``PREAUTH`` and ``BYE``. text: what follows,
    response code and all. untagged: what came before it.
    """

    kind: str
    text: bytes = b""
    untagged: tuple[Response, ...] = ()

    @property
    def ok(self) -> bool:
        """True for OK."""
        return self.kind == "OK"


@attrs.frozen
class Literal:
    """An argument that is sent as a literal; its content is in no repr."""

    value: bytes = attrs.field(repr=False)


Argument = Wire | bytes | Literal


def text_argument(value: str | bytes) -> Argument:
    """Give a user name, password or the like as an argument that can hold it."""
    raw = as_bytes(value)
    if raw.isascii() and not any(byte in raw for byte in b"\0\r\n"):
        return astring(raw)
    return Literal(raw)


def as_bytes(value: str | bytes) -> bytes:
    """Give a user name, password or the like as it goes over the wire."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
