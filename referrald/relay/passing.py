"""A connection to another server with a mailbox selected, whose answers go through to a client.

Answers are passed on as they come, and no faster than the client reads; what the server says of
itself (capabilities, lists, BYE) is left out, as the client talks to us.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

from referrald.client.connection import SMALL_LITERAL, ImapConnection
from referrald.errors import ReferraldError, Unavailable
from referrald.wire.passage import Passage, Piece
from referrald.wire.responses import BrokenResponse, Response, ResponseReader

PATIENCE: Final = 120.0
"""Seconds without a byte after which a server that owes an answer is taken for dead."""

CONTENT_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of a message, at most, that is read whole to be copied to another server."""

POURED_FROM: Final = 16_384
"""Bytes of a literal that are still to come for which another way is worth the change."""

_OWN = re.compile(
    rb"\* (?:CAPABILITY|LIST|LSUB|NAMESPACE|ID|ENABLED|BYE|PREAUTH"
    rb"|(?:OK|NO|BAD) \[(?:CAPABILITY|REFERRAL))\b",
    re.IGNORECASE,
)
_CONTENT = re.compile(rb"BODY\[\]", re.IGNORECASE)
_BYE = re.compile(rb"\* BYE ?([^\r\n]*)", re.IGNORECASE)


class LostServer(Unavailable):
    """The server of the selected mailbox has gone."""

    public = "The server of this mailbox cannot be reached any more."


class Down(Protocol):
    """The client's session, as far as this connection needs it."""

    def away_gathers(self, gathers: bool) -> None:
        """Send nothing for a moment, or all that has been said meanwhile."""
        ...

    def away_said(self, data: bytes, inside: bool) -> None:
        """Take what the server said; inside: a response has begun and not ended."""
        ...

    def away_outlet(self) -> Any:
        """Give the transport, where what comes next may be sent to it directly; else None."""
        ...

    def away_lost(self, error: LostServer) -> None:
        """Take note that the server has gone."""
        ...


class Passing:
    """One connection, logged in; one command at a time.

    target: the server, for the log. capabilities: what it offers, in upper case.
    """

    transport: Any = None

    def __init__(self, clock: Any, connection: ImapConnection, target: str) -> None:
        self.target = target
        self.capabilities = connection.capabilities
        self.ended: LostServer | None = None
        self._clock = clock
        self._connection = connection
        self._passage = Passage()
        self._down: Down | None = None
        self._number = 0
        self._tag = b""
        self._waiting: Deferred[bytes] | None = None
        self._arrived: list[bytes] = []
        self._out: list[bytes] = []
        self._leave_out = False
        self._kept: list[bytes] | None = None
        self._collected: list[Response] | None = None
        self._kind = b""
        self._whole: list[bytes] = []
        self._size = 0
        self._heard = 0.0
        self._said = ""
        self._watch: Any = None
        self._held = False
        connection.hand_over(self)

    def attach(self, down: Down | None) -> None:
        """Send what comes to a session, or to nobody."""
        self._down = down

    # -- bytes in ----------------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """Take the transport over."""
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        """Pass on what the server says."""
        if self.ended is not None:
            return
        self._heard = self._clock.seconds()
        down = self._down
        if down is None:
            self._pass_on(data)
            return
        # The answer goes out together with what came before it.
        down.away_gathers(True)
        try:
            self._pass_on(data)
        finally:
            down.away_gathers(False)
        missing = self._passage.missing
        if missing >= POURED_FROM:
            self._pour(missing)

    def _pour(self, missing: int) -> None:
        """Let the rest of a literal go from one connection to the other without coming by here."""
        down, pour = self._down, getattr(self.transport, "pour", None)
        # Between the pieces of a response nothing changes but this.
        elsewhere = self._leave_out or self._collected is not None or self._kept is not None
        if down is None or pour is None or elsewhere or self.ended is not None:
            return
        into = down.away_outlet()
        if into is not None:
            pour(missing, into, self._poured)

    def _poured(self, size: int) -> None:
        self._heard = self._clock.seconds()
        self._passage.skip(size)

    def _pass_on(self, data: bytes) -> None:
        self._passage.feed(data)
        try:
            while self.ended is None and (piece := self._passage.next()) is not None:
                self._take(piece)
        except BrokenResponse as error:
            self._end(f"answered what is no IMAP: {error}")
            return
        self._flush()

    def _take(self, piece: Piece) -> None:
        if piece.begins and self._is_for_us(piece.data):
            self._leave_out = not piece.ends
            return
        if self._leave_out:
            self._leave_out = not piece.ends
        elif self._collected is not None:
            self._whole.append(piece.data)
            self._size += len(piece.data)
            if self._size > CONTENT_LIMIT:
                raise BrokenResponse("a message that is too long to be copied")
            if piece.ends:
                self._sort_out(self._collected)
        elif self._kept is not None:
            self._kept.append(piece.data)
        else:
            self._out.append(piece.data)

    def _is_for_us(self, line: bytes) -> bool:
        if line.startswith(b"* "):
            bye = _BYE.match(line)
            if bye is not None:
                self._said = bye[1].decode("utf-8", "replace")[:200]
            return _OWN.match(line) is not None
        tag, _, rest = line.partition(b" ")
        if tag not in (b"+", b"+\r\n", self._tag) or not self._tag:
            raise BrokenResponse("a tag that was never sent")
        self._flush()
        self._deliver(b"" if tag.startswith(b"+") else rest)
        return True

    def _sort_out(self, collected: list[Response]) -> None:
        """Keep a message that was asked for; whatever else there is goes to the client."""
        raw, self._whole, self._size = b"".join(self._whole), [], 0
        reader = ResponseReader(line=1024 * 1024, literal=CONTENT_LIMIT)
        reader.feed(raw)
        response = reader.next()
        wanted = response is not None and response.kind == self._kind
        if response is not None and wanted and (self._kind != b"FETCH" or _CONTENT.search(raw)):
            collected.append(response)
        else:
            self._out.append(raw)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._down is not None:
            inside = self._passage.inside and not self._leave_out and self._collected is None
            self._down.away_said(b"".join(out), inside and self._kept is None)

    def connectionLost(self, reason: Any) -> None:
        """End whatever is awaited."""
        self._end("closed the connection" + (f": {self._said}" if self._said else ""))

    def _end(self, why: str) -> None:
        if self.ended is not None:
            return
        self._flush()
        self.ended = LostServer(f"{self.target} {why}")
        self._stop_watch()
        self.transport.abortConnection()
        down, self._down = self._down, None
        if down is not None:
            down.away_lost(self.ended)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self.ended)

    def _deliver(self, rest: bytes) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            self._arrived.append(rest)
        else:
            waiting.callback(rest)

    # -- commands ----------------------------------------------------------------------------

    async def run(
        self, name: bytes, segments: Sequence[bytes] = (b"",), binary: Sequence[int] = ()
    ) -> bytes:
        """Carry out a command; give what follows the tag of its answer, line end included.

        segments: the arguments, then by turns a literal and the text that follows it; binary: the
        indexes of those that are literal8. Raises `LostServer`.
        """
        try:
            refused = await self._begin(name, segments, binary)
            while refused is None:
                # Nothing more is asked for: a + that comes now is answered with an empty line.
                answer = await self._answer()
                if answer:
                    return answer
                self._send(b"\r\n")
            return refused
        finally:
            self._finish()

    async def _begin(
        self, name: bytes, segments: Sequence[bytes], binary: Sequence[int]
    ) -> bytes | None:
        """Send a command; gives the answer where the server did not take all of it."""
        if self.ended is not None:
            raise self.ended
        self._number += 1
        self._tag = b"p%d" % self._number
        self._arrived.clear()
        self._heard = self._clock.seconds()
        if self._watch is None:
            self._watch = self._clock.callLater(PATIENCE, self._look)
        line = self._tag + b" " + name + (b" " + segments[0] if segments[0] else b"")
        if len(segments) > 1 and not segments[0]:
            line += b" "
        for at in range(1, len(segments), 2):
            size = len(segments[at])
            unasked = self._takes_unasked(size)
            mark = b"~" if at in binary else b""
            self._send(b"%b%b{%d%b}\r\n" % (line, mark, size, b"+" if unasked else b""))
            if not unasked:
                answer = await self._answer()
                if answer:
                    return answer
            self._send(segments[at])
            line = segments[at + 1]
        self._send(line + b"\r\n")
        return None

    def _finish(self) -> None:
        self._tag = b""
        self._stop_watch()

    def _takes_unasked(self, size: int) -> bool:
        offered = self.capabilities
        return "LITERAL+" in offered or ("LITERAL-" in offered and size <= SMALL_LITERAL)

    def _send(self, data: bytes) -> None:
        if self.ended is not None:
            raise self.ended
        self.transport.write(data)

    async def _answer(self) -> bytes:
        """Wait for the answer, or for a continuation request, which is empty."""
        if self._arrived:
            return self._arrived.pop(0)
        if self.ended is not None:
            raise self.ended
        self._waiting = Deferred()
        return await self._waiting

    def _look(self) -> None:
        """See whether the server still says something; how long a search takes is its affair."""
        self._watch = None
        if self._held:
            # It may say no more than the client takes.
            self._heard = self._clock.seconds()
        left = self._heard + PATIENCE - self._clock.seconds()
        if left <= 0:
            self._end(f"did not answer within {PATIENCE:g} s")
        else:
            self._watch = self._clock.callLater(left, self._look)

    def _stop_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None and watch.active():
            watch.cancel()

    # -- commands of a kind --------------------------------------------------------------------

    async def select(
        self, name: bytes, read_only: bool, modseqs: bool = False
    ) -> tuple[bytes, bytes]:
        """Open a mailbox; give the answer, and apart from it what was said of the mailbox.

        modseqs: modification sequences are asked for, where there are any (RFC 7162).
        """
        if modseqs and "CONDSTORE" in self.capabilities:
            name += b" (CONDSTORE)"
        kept: list[bytes] = []
        self._kept = kept
        try:
            answer = await self.run(b"EXAMINE" if read_only else b"SELECT", (name,))
        finally:
            self._kept = None
        return answer, b"".join(kept)

    async def collect(
        self, name: bytes, arguments: bytes, kind: bytes
    ) -> tuple[bytes, list[Response]]:
        """Carry out a command; what it asks for comes back and does not go to the client.

        kind: that of the responses, such as ``SEARCH``; of ``FETCH`` those that have ``BODY[]``.
        """
        found: list[Response] = []
        self._collected, self._kind = found, kind
        try:
            return await self.run(name, (arguments,)), found
        finally:
            self._collected = None

    async def begin_idle(self) -> bytes | None:
        """Ask to be told of changes (RFC 2177); gives the answer of a server that does not."""
        answer = await self._begin(b"IDLE", (b"",), ()) or await self._answer()
        if answer:
            self._finish()
            return answer
        self._stop_watch()
        return None

    async def end_idle(self) -> bytes:
        """End that; gives the answer."""
        try:
            self._heard = self._clock.seconds()
            self._watch = self._clock.callLater(PATIENCE, self._look)
            self._send(b"DONE\r\n")
            return await self._answer()
        finally:
            self._finish()

    async def leave(self) -> bool:
        """Leave the mailbox and expunge nothing; False where the server does not know how."""
        self._down = None
        # Whoever did not read any more is not asked for this answer.
        self.hold(False)
        if "UNSELECT" not in self.capabilities or self.ended is not None:
            return False
        with suppress(ReferraldError):
            return (await self.run(b"UNSELECT")).upper().startswith(b"OK")
        return False

    def hold(self, held: bool) -> None:
        """Read no more while the client does not read, or read again."""
        if held == self._held or self.ended is not None:
            return
        self._held = held
        if held:
            self.transport.pauseProducing()
        else:
            self._heard = self._clock.seconds()
            self.transport.resumeProducing()

    def close(self) -> None:
        """End the connection."""
        self._down = None
        if self.ended is None:
            self.ended = LostServer("closed by us")
            self._stop_watch()
            self.transport.loseConnection()
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.errback(self.ended)
