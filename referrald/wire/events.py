"""What the reader hands out: commands, and what else happens between them."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from referrald.wire.response import Code, Status


@attrs.frozen
class Streamed:
    """Stands for a literal whose bytes were handed out as they came.

    at: its index among the segments of its command. sink: what was given for it.
    """

    at: int
    size: int
    sink: Any = attrs.field(repr=False)


@attrs.frozen
class Literal:
    """A string that came as a literal; ``binary`` for a literal8 (RFC 3516), which may hold NUL.

    streamed: given for one that was handed out as it came; its ``value`` is empty.
    """

    value: bytes = attrs.field(repr=False)
    binary: bool = False
    streamed: Streamed | None = None


class Command:
    """A complete command, its arguments not yet parsed.

    segments: the argument text, then by turns a literal's bytes and the text that follows it.
    binary: the indexes of those segments that came as a literal8.
    streamed: those of the literals that were handed out as they came; their segments are empty.
    size: the bytes it took on the wire, without literals that were handed out.
    has_args: False where nothing, not even a space, follows the name.
    utf8: mailbox names in it are UTF-8, and so may be what stands in quotes (RFC 6855, RFC 9051).
    """

    __slots__ = ("binary", "has_args", "name", "segments", "size", "streamed", "tag", "utf8")

    def __init__(
        self,
        tag: bytes,
        name: bytes,
        segments: tuple[bytes, ...] = (b"",),
        size: int = 0,
        has_args: bool = True,
        binary: tuple[int, ...] = (),
        utf8: bool = False,
        streamed: tuple[Streamed, ...] = (),
    ) -> None:
        self.tag = tag
        self.name = name
        self.segments = segments
        self.size = size
        self.has_args = has_args
        self.binary = binary
        self.utf8 = utf8
        self.streamed = streamed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Command):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Never the segments: they hold passwords.
        return f"<Command {self.tag!r} {self.name!r} of {self.size} bytes>"


@attrs.frozen
class Continuation:
    """The client waits for ``+`` before it sends the literal."""


@attrs.frozen
class Stream:
    """The answer that a literal is to be handed out piece by piece, for ``sink``."""

    sink: Any


class Piece:
    """Some of the bytes of a literal that is handed out, and for whom they are."""

    __slots__ = ("data", "sink", "tag")

    def __init__(self, tag: bytes, sink: Any, data: bytes) -> None:
        self.tag = tag
        self.sink = sink
        self.data = data


@attrs.frozen
class Rejected:
    """A command that was refused because of its literal; it is over and its bytes are dropped."""

    tag: bytes
    status: Status


@attrs.frozen
class Undecided:
    """Nobody knows yet whether the literal of this command is wanted.

    The reader asks again when it is next called; until then it stands where it was.
    """

    tag: bytes


@attrs.frozen
class Malformed:
    """Something that is no command, dropped; to be answered ``BAD``, untagged without a tag."""

    tag: bytes | None
    reason: str


@attrs.frozen
class Fatal:
    """Nothing that follows can be understood; to be answered ``BYE``."""

    reason: str
    code: Code | None = None


Event: TypeAlias = Command | Piece | Continuation | Rejected | Undecided | Malformed | Fatal
