"""Bytes out: answers of one batch go out together, and a client that does not read is not fed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted

from referrald.session.door import Door
from referrald.wire.response import untagged

FLUSH_AT = 16_384
"""Bytes of answers that are collected before they are sent, while commands keep coming."""

PIECE = 65_536
"""Bytes of a long answer that are handed to the transport at a time."""

WATCHED_FROM = 16_384
"""Bytes sent after which the session asks the transport to be told of a full buffer."""


class Outgoing:
    """The sending half of a session; an `IPushProducer` for its transport."""

    door: Door
    transport: Any
    _out: list[bytes]
    _produced = 0
    _registered = False
    _pumping = False
    _paused = False
    _held_back = False
    _closing = False
    _stall_timer: Hashable | None = None
    _drained: Deferred[None] | None = None
    _unfinished = False
    spliced: Any
    mbox: Any
    _last_input: float
    _pump: Callable[[], None]

    if TYPE_CHECKING:

        @property
        def session_id(self) -> str: ...

        @property
        def peer(self) -> str: ...

        def tell_at_once(self) -> None: ...

    def write(self, data: bytes) -> None:
        """Send finished bytes; those of one batch of commands go out together."""
        self._produced += len(data)
        if self._pumping or self._out:
            self._out.append(data)
            if not self._pumping:
                self._flush()
        else:
            self._send(data)

    def write_ahead(self, data: bytes) -> None:
        """Send finished bytes along with what comes next, the answer of the command at the latest.

        To hand bytes to the system one by one costs more than to render most answers.
        """
        self._out.append(data)
        self._produced += len(data)

    def _flush(self) -> None:
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self._produced > WATCHED_FROM and not self._closing:
            self._watch()
        self._produced = self._produced if not self._registered else 0
        self.transport.write(data)

    def outlet(self) -> Any:
        """Give the transport to whoever sends by itself; None where that is not possible.

        It takes bytes in order, and tells the session when it is full.
        """
        if self._out or self._closing or not hasattr(self.transport, "send_now"):
            return None
        self._watch()
        return self.transport

    def _watch(self) -> None:
        """Ask the transport to be told of a full buffer."""
        if not self._registered:
            self._registered = True
            self.transport.registerProducer(self, True)

    def untagged(self, *parts: bytes) -> None:
        """Send one untagged response."""
        self.write(untagged(*parts))

    async def drained(self) -> bool:
        """Wait until the client has read enough for more to be sent; say whether it took a wait.

        Raises `ConnectionAborted` when the session has been closed meanwhile.
        """
        if self._produced >= FLUSH_AT:
            self._flush()
        waited = False
        while self._held_back and not self._closing:
            waited = True
            self._drained = Deferred()
            await self._drained
        if self._closing:
            raise ConnectionAborted
        return waited

    async def send(self, pieces: Iterable[bytes]) -> bool:
        """Send one response that may be long, no faster than the client reads.

        Says whether that took a wait.
        """
        waited = False
        self._unfinished = True
        for piece in pieces:
            for at in range(0, len(piece), PIECE):
                self.write(piece[at : at + PIECE] if len(piece) > PIECE else piece)
                waited = await self.drained() or waited
        self._unfinished = False
        return waited

    async def stream(self, pieces: AsyncIterator[bytes]) -> bool:
        """Send one response that is being read while it is sent, no faster than the client reads.

        Says whether that took a wait. Where it cannot be read to its end the connection is cut: the
        client waits for more.
        """
        waited = False
        self._unfinished = True
        try:
            async for piece in pieces:
                self.write(piece)
                waited = await self.drained() or waited
        except (ConnectionAborted, CancelledError):
            raise
        except Exception as error:
            note = f"{self.session_id} {self.peer}: cut off in the middle of a message"
            self.door.notes.fault(note, error)
            self.transport.abortConnection()
            raise ConnectionAborted from error
        self._unfinished = False
        return waited

    def pauseProducing(self) -> None:
        """Run no more commands: the client does not read what we send."""
        self._held_back = True
        if self._stall_timer is None and not self._closing:
            wheel = self.door.wheel
            self._stall_timer = wheel.add(self.door.limits.write_stall, self._stalled)
        if self.spliced is not None:
            # The client may well be in the middle of sending a message.
            self.spliced.hold(True)
            return
        self._hold_mailbox(True)
        if not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def _hold_mailbox(self, held: bool) -> None:
        """Take no more from a selected mailbox that is on another server."""
        hold = getattr(self.mbox, "hold", None)
        if hold is not None:
            hold(held)

    def resumeProducing(self) -> None:
        """Go on: the client has read."""
        self._held_back = False
        if self._stall_timer is not None:
            self.door.wheel.cancel(self._stall_timer)
            self._stall_timer = None
        # Whoever takes what we send is not idle.
        self._last_input = self.door.clock()
        if self.spliced is not None:
            self.spliced.hold(False)
            return
        self._hold_mailbox(False)
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)
        self.tell_at_once()
        self._pump()

    def stopProducing(self) -> None:
        """Do nothing: the transport is going away by itself."""

    def _stalled(self) -> None:
        self._stall_timer = None
        self.door.notes.note("stalled", f"{self.session_id} {self.peer}: does not read; cut off")
        self.transport.abortConnection()
