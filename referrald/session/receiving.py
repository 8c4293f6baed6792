"""Messages on their way in: what APPEND sends is handed on as it comes, never kept whole.

A part of `ReferralServer`. Whether a message is wanted is found out before its bytes are asked for.
Nothing more is read from the client while those that have come are being written; other sessions
go on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from referrald.session import answers, appending
from referrald.session.appending import Arriving
from referrald.session.running import start
from referrald.wire.append import Heading, append_heading
from referrald.wire.events import Piece, Stream, Undecided
from referrald.wire.reader import CommandReader, Verdict
from referrald.wire.response import Status

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


class Receiving:
    """The part of a session that takes messages."""

    reader: CommandReader | None
    _running: bytes | None
    _closing: bool
    _pump: Callable[[], None]
    _arriving: tuple[Arriving, ...] = ()
    _verdict: Status | Stream | None = None

    def judge_append(self, tag: bytes, size: int, binary: bool) -> Verdict:
        """Take a message, or refuse it before it comes (RFC 2193 section 4.1, RFC 7889)."""
        verdict, self._verdict = self._verdict, None
        if verdict is not None:
            return verdict
        reader = self.reader
        assert reader is not None and reader.partial is not None
        found = append_heading(reader.partial)
        if found is None:
            return None
        name, heading = found
        work = self._decide(self._arriving[0].name if name is None else name, heading, size, binary)
        if not self._meanwhile(tag, work):
            return Undecided(tag)
        verdict, self._verdict = self._verdict, None
        return verdict

    async def _decide(self, name: str, heading: Heading, size: int, binary: bool) -> None:
        session = cast("ReferralServer", self)
        try:
            arriving = await appending.admit(session, name, heading, size, binary, self._arriving)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._verdict = None if self._closing else answers.status_of(error, session)
            return
        if self._closing:
            arriving.discard()
            return
        self._arriving = (*self._arriving, arriving)
        self._verdict = Stream(arriving)

    def take_piece(self, piece: Piece) -> None:
        """Hand on some bytes of a message."""
        self._meanwhile(piece.tag, piece.sink.write(piece.data))

    def forget_arriving(self) -> None:
        """Let go of the messages of a command that is over; those that were put in stay."""
        arriving, self._arriving = self._arriving, ()
        for each in arriving:
            each.discard()

    def _meanwhile(self, tag: bytes, work: Coroutine[Any, Any, None]) -> bool:
        """Do ``work``, which never fails, before more is read; say whether it is done already.

        It goes on when the connection ends: what it has begun to make has to be let go of.
        """
        finished = waits = False

        def done(_result: Any) -> None:
            nonlocal finished
            finished = True
            if waits and not self._closing:
                self._running = None
                self._pump()

        start(work, done, done)
        if not finished:
            waits = True
            self._running = tag
        return finished
