"""The command reader: bytes in, whole commands out (RFC 3501 section 2.2.1, RFC 7888).

Sans-IO. A command is handed out only when it is complete, with all its literals, so nobody above
ever sees half of one. Only where it is asked for, the bytes of a literal are handed out before, as
they come: a message need not fit into memory. Every limit holds while the bytes come in, and after
anything malformed the reader stands at the start of the next command: a literal that the client has
announced as sent (``{n+}``) is dropped with the command that it belongs to, whatever is wrong with
that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from referrald.errors import WireError
from referrald.wire import faults, tokens
from referrald.wire.events import Command as Command
from referrald.wire.events import Continuation as Continuation
from referrald.wire.events import Event as Event
from referrald.wire.events import Fatal as Fatal
from referrald.wire.events import Literal as Literal
from referrald.wire.events import Malformed as Malformed
from referrald.wire.events import Piece as Piece
from referrald.wire.events import Rejected as Rejected
from referrald.wire.events import Stream as Stream
from referrald.wire.events import Streamed as Streamed
from referrald.wire.events import Undecided as Undecided
from referrald.wire.response import Code, Status, bad, no, refused

MAX_LITERALS: Final = 1000
"""Literals in one command: each costs far more memory than its bytes."""

_NAME = rb"([" + tokens.ATOM + rb"]{1,64}+)"
_HEAD = rb"([" + tokens.TAG + rb"]{1,64}+) " + _NAME
_END = rb"\r?\n"
_COMMAND = re.compile(_HEAD + rb"(?: (" + tokens.TEXT + rb"))?" + _END).match
_BEGIN = re.compile(_HEAD + rb" ").match
_REST = re.compile(rb"(" + tokens.TEXT + rb")(?:\{([0-9]++)(\+?)\})?" + _END).match
_SENT = re.compile(rb"\{([0-9]++)\+\}" + _END).match

NUL: Final = "NUL is allowed in a literal8 only."

_TEXT: Final = -1
_NO_COMMAND: Final = b""


Verdict: TypeAlias = Status | Stream | Undecided | None

Ask: TypeAlias = Callable[[bytes, bytes, bytes, int, bool, bool], Verdict]
"""Called as ``ask(tag, name, head, size, sync, binary)`` before a literal is taken.

``head`` is what has come of the arguments. A status refuses the command; so does a `WireError`.
With `Undecided` the reader gives that out, and asks again at the next call of ``next()``. With
`Stream` the literal is handed out as it comes, however long: its size is for ``ask`` to judge.
"""


@attrs.frozen(kw_only=True)
class ReaderLimits:
    """Bytes that a peer may use: a line without its LF, one literal, one command in all.

    refused: a literal that is on its way and not wanted: it is dropped, a longer one ends all. None
    means that it counts like any other.
    """

    line: int = 8_192
    literal: int = 4_096
    command: int = 65_536
    refused: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.command < self.line:
            raise ValueError("a command is allowed less than a line")


class _Draft:
    """A command that spans literals, or one whose remains are being dropped.

    missing: bytes of the literal yet to come, or _TEXT while a line is awaited.
    stream: given while the literal in question is handed out.
    verdict: what will be reported once the rest has been dropped; None for a good command.
    """

    __slots__ = (
        "binary", "missing", "name", "segments", "size", "stream", "streamed", "tag", "verdict",
    )  # fmt: skip

    def __init__(self, tag: bytes, name: bytes) -> None:
        self.tag = tag
        self.name = name
        self.segments: list[bytes] = []
        self.binary: list[int] = []
        self.stream: Stream | None = None
        self.streamed: list[Streamed] = []
        self.size = 0
        self.missing = _TEXT
        self.verdict: Malformed | Rejected | None = None

    def command(self, utf8: bool) -> Command:
        """Give the command as far as it has come."""
        return Command(
            self.tag,
            self.name,
            tuple(self.segments),
            self.size,
            True,
            tuple(self.binary),
            utf8,
            tuple(self.streamed),
        )


class CommandReader:
    """Assemble commands from whatever pieces the transport delivers.

    ``limits`` may be replaced at any time, and ``utf8``, which commands are given along, be set.
    """

    __slots__ = ("_ask", "_data", "_dead", "_draft", "_pos", "_scanned", "limits", "utf8")

    def __init__(self, limits: ReaderLimits, ask: Ask) -> None:
        self.limits = limits
        self.utf8 = False
        self._ask = ask
        self._data: bytes | bytearray = b""
        self._pos = 0
        # Up to here the buffer is known to hold no line end.
        self._scanned = 0
        self._draft: _Draft | None = None
        self._dead = False

    @property
    def buffered(self) -> int:
        """Bytes held that have not become part of an event."""
        return len(self._data) - self._pos

    @property
    def partial(self) -> Command | None:
        """The command whose literal is being asked about or awaited, as far as it has come."""
        return None if self._draft is None else self._draft.command(self.utf8)

    def feed(self, data: bytes) -> None:
        """Take in what came from the peer."""
        held = self._data
        if self._pos == len(held):
            if not self._dead:
                self._data = data
                self._pos = self._scanned = 0
            return
        if isinstance(held, bytearray):
            del held[: self._pos]
        else:
            held = self._data = bytearray(memoryview(held)[self._pos :])
        held += data
        self._scanned = max(self._scanned - self._pos, 0)
        self._pos = 0

    def next(self) -> Event | None:
        """Give the next event, or None when more bytes are needed."""
        if self._scanned <= self._pos and self._draft is None:
            match = _COMMAND(self._data, self._pos)
            if match is not None:
                end = match.end()
                size = end - self._pos
                if size <= self.limits.line:
                    self._pos = end
                    return _whole(match, size, self.utf8)
        return self._slow()

    def line(self) -> bytes | Fatal | None:
        """Give one raw line without its end: a SASL response, or ``DONE``; None when incomplete."""
        end = self._line_end()
        if not isinstance(end, int):
            return end
        raw = bytes(self._data[self._pos : end - 1])
        self._pos = end
        return raw.removesuffix(b"\r")

    def rest(self) -> bytes:
        """Take out what has not become part of an event."""
        left = bytes(self._data[self._pos :])
        self.clear()
        return left

    def clear(self) -> int:
        """Drop all that is held, as STARTTLS asks (RFC 3501 section 6.2.1); say how many bytes."""
        dropped = self.buffered
        self._data = b""
        self._pos = self._scanned = 0
        self._draft = None
        return dropped

    def _slow(self) -> Event | None:
        while True:
            draft = self._draft
            if draft is not None and draft.missing != _TEXT:
                if draft.stream is not None and draft.missing and self.buffered:
                    piece = self._piece(draft, draft.stream)
                    if piece is not None:
                        return piece
                elif not self._take_literal(draft):
                    return None
                continue
            end = self._line_end()
            if not isinstance(end, int):
                return end
            event = self._first_line(end) if draft is None else self._further_line(draft, end)
            if event is not None:
                return event

    def _line_end(self) -> int | Fatal | None:
        start = max(self._scanned, self._pos)
        found = self._data.find(b"\n", start)
        held = len(self._data)
        if (held if found < 0 else found) - self._pos > self.limits.line:
            return self._die("Line too long.")
        if found >= 0:
            return found + 1
        if self._pos == held:
            # Do not keep the last piece alive for an idle connection.
            self._data = b""
            self._pos = held = 0
        self._scanned = held
        return None

    def _first_line(self, end: int) -> Event | None:
        start = self._pos
        match = _COMMAND(self._data, start, end)
        if match is not None:
            self._pos = end
            return _whole(match, end - start, self.utf8)
        begin = _BEGIN(self._data, start, end)
        rest = begin and _REST(self._data, begin.end(), end)
        if begin is None or rest is None:
            tag, reason = faults.explain(bytes(self._data[start:end]))
            draft = _Draft(tag or _NO_COMMAND, _NO_COMMAND)
            return self._drop(draft, Malformed(tag, reason), end)
        draft = self._draft = _Draft(begin[1], begin[2].upper())
        return self._take_text(draft, rest, end)

    def _further_line(self, draft: _Draft, end: int) -> Event | None:
        if draft.verdict is not None:
            return self._drop(draft, draft.verdict, end)
        rest = _REST(self._data, self._pos, end)
        if rest is None:
            reason = faults.explain_text(bytes(self._data[self._pos : end]))
            return self._drop(draft, Malformed(draft.tag, reason), end)
        return self._take_text(draft, rest, end)

    def _take_text(self, draft: _Draft, rest: re.Match[bytes], end: int) -> Event | None:
        text, digits, plus = rest.groups()
        if digits is None:
            draft.size += end - self._pos
            self._pos = end
            self._draft = None
            draft.segments.append(text)
            if draft.size > self.limits.command:
                return Malformed(draft.tag, "Command too long.")
            return draft.command(self.utf8)
        binary = text.endswith(b"~")
        draft.segments.append(text[:-1] if binary else text)
        if binary:
            draft.binary.append(len(draft.segments))
        return self._offer(draft, _size(digits), not plus, end)

    def _offer(self, draft: _Draft, size: int | None, sync: bool, end: int) -> Event | None:
        if size is None:
            reason = "Literal size is not a 32-bit number."
            return self._drop(draft, Malformed(draft.tag, reason), end)
        status = self._judge(draft, size, sync)
        if isinstance(status, Undecided):
            return self._postpone(draft, status)
        if isinstance(status, Status):
            return self._drop(draft, Rejected(draft.tag, status), end)
        draft.size += end - self._pos
        if isinstance(status, Stream):
            draft.stream = status
            draft.streamed.append(Streamed(len(draft.segments), size, status.sink))
        else:
            draft.size += size
        draft.missing = size
        self._pos = end
        return Continuation() if sync else None

    def _postpone(self, draft: _Draft, undecided: Undecided) -> Undecided:
        """Go back to before the line that announces the literal."""
        if len(draft.segments) in draft.binary:
            draft.binary.pop()
        draft.segments.pop()
        if not draft.segments:
            self._draft = None
        return undecided

    def _judge(self, draft: _Draft, size: int, sync: bool) -> Verdict:
        head = b"".join(draft.segments)
        binary = len(draft.segments) in draft.binary
        try:
            status = self._ask(draft.tag, draft.name, head, size, sync, binary)
        except WireError as error:
            return refused(error)
        if status is None and not self._fits(draft, size):
            return bad("Literal too big.", Code("TOOBIG"))
        if isinstance(status, Stream) and not self._fits(draft, 0):
            return no("Too many messages in one command.", Code("LIMIT"))
        return status

    def _fits(self, draft: _Draft, size: int) -> bool:
        return (
            size <= self.limits.literal
            and draft.size + size <= self.limits.command
            and len(draft.segments) < 2 * MAX_LITERALS
        )

    def _bearable(self, draft: _Draft, size: int) -> bool:
        """Say whether a literal that nobody wants is short enough to be waited for."""
        refused = self.limits.refused
        return self._fits(draft, size) if refused is None else size <= refused

    def _drop(self, draft: _Draft, verdict: Malformed | Rejected, end: int) -> Event | None:
        """Drop a line, and the literal that is on its way behind it (RFC 7888 section 3)."""
        at = self._data.rfind(b"{", self._pos, end)
        sent = _SENT(self._data, at, end) if at >= 0 else None
        draft.size += end - self._pos
        self._pos = end
        if sent is None:
            self._draft = None
            return verdict
        size = _size(sent[1])
        if size is None or not self._bearable(draft, size):
            return self._die("Literal too big.", Code("TOOBIG"))
        draft.size += size if self.limits.refused is None else 0
        draft.verdict = verdict
        draft.missing = size
        draft.segments = []
        draft.stream = None
        self._draft = draft
        return None

    def _take_literal(self, draft: _Draft) -> bool:
        """Take the awaited literal, or drop what has come of it; say whether it is over."""
        end = min(self._pos + draft.missing, len(self._data))
        whole = end - self._pos == draft.missing
        if draft.verdict is None:
            if not whole:
                return False
            with memoryview(self._data) as view:
                value = bytes(view[self._pos : end])
            self._keep_literal(draft, value)
        draft.missing = _TEXT if whole else draft.missing - (end - self._pos)
        self._pos = end
        return whole

    def _piece(self, draft: _Draft, stream: Stream) -> Piece | None:
        """Hand out what has come of a literal; nothing of one that turns out to be wrong."""
        begin, end = self._pos, min(self._pos + draft.missing, len(self._data))
        with memoryview(self._data) as view:
            data = bytes(view[begin:end]) if end - begin < len(view) else bytes(self._data)
        self._pos = end
        draft.missing -= end - begin
        if b"\0" in data and len(draft.segments) not in draft.binary:
            draft.stream = None
            draft.segments = []
            draft.verdict = Malformed(draft.tag, NUL)
            return None
        return Piece(draft.tag, stream.sink, data)

    def _keep_literal(self, draft: _Draft, value: bytes) -> None:
        draft.stream = None
        if b"\0" in value and len(draft.segments) not in draft.binary:
            draft.verdict = Malformed(draft.tag, NUL)
            draft.segments = []
        else:
            draft.segments.append(value)

    def _die(self, reason: str, code: Code | None = None) -> Fatal:
        self.clear()
        self._dead = True
        return Fatal(reason, code)


def _whole(match: re.Match[bytes], size: int, utf8: bool) -> Command:
    tag, name, text = match.groups()
    if text is None:
        return Command(tag, name.upper(), (b"",), size, False, (), utf8)
    return Command(tag, name.upper(), (text,), size, True, (), utf8)


def _size(digits: bytes) -> int | None:
    significant = digits.lstrip(b"0")
    if len(significant) > 10:
        return None
    size = int(significant or b"0")
    return size if size <= tokens.MAX_NUMBER else None
