"""Lines of a client that are no commands: responses of a SASL exchange, and the end of IDLE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from referrald.errors import WireError
from referrald.wire.reader import CommandReader, Fatal


class RawLines:
    """The part of a session that waits for such a line."""

    reader: CommandReader | None
    _flush: Callable[[], None]
    _new_reader: Callable[[], CommandReader]
    _read_on: Callable[[], None]
    _odd_event: Callable[[Any], None]
    _line_wanted: Deferred[bytes] | None = None

    async def read_line(self) -> bytes:
        """Wait for one raw line from the client: a SASL response, or the end of IDLE."""
        self._flush()
        line = self._next_line()
        if line is not None:
            return line
        self._line_wanted = Deferred()
        self._read_on()
        try:
            return await self._line_wanted
        finally:
            self._line_wanted = None

    def _next_line(self) -> bytes | None:
        reader = self.reader or self._new_reader()
        line = reader.line()
        if isinstance(line, Fatal):
            self._odd_event(line)
            raise WireError(line.reason)
        return line

    def _offer_line(self) -> None:
        wanted = self._line_wanted
        assert wanted is not None
        try:
            line = self._next_line()
        except WireError:
            wanted.errback()
            return
        if line is not None:
            self._line_wanted = None
            wanted.callback(line)
