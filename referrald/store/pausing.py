"""Let others have a turn while something takes long."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

Result = TypeVar("Result")

TURN: Final = 0.005
"""Seconds after which others have a turn: a step may take some more."""


class Pauses:
    """The pauses between the steps of long work; there are none without a reactor."""

    def __init__(self, reactor: Any = None) -> None:
        self._reactor = reactor

    async def between(self, steps: Generator[None, None, Result]) -> Result:
        """Go through the steps, and give what they come to."""
        since = monotonic()
        try:
            while True:
                try:
                    next(steps)
                except StopIteration as stop:
                    result: Result = stop.value
                    return result
                if self._reactor is not None and monotonic() - since >= TURN:
                    await self._pause()
                    since = monotonic()
        finally:
            steps.close()

    async def _pause(self) -> None:
        turn: Deferred[None] = Deferred()
        call = self._reactor.callLater(0, turn.callback, None)
        try:
            await turn
        finally:
            if call.active():
                call.cancel()
