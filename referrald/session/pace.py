"""Keep a long computation from holding everybody else up."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, TypeVar

from twisted.internet.defer import Deferred

from referrald.session.door import Wheel

Result = TypeVar("Result")

TURN: Final = 0.01
"""Seconds that a command may compute before it lets others have a turn."""


class Pace:
    """Counts the time since the last pause."""

    def __init__(self, clock: Callable[[], float], wheel: Wheel) -> None:
        self._clock = clock
        self._wheel = wheel
        self._since = clock()

    def rested(self) -> None:
        """Take note that others have just had a turn."""
        self._since = self._clock()

    async def breathe(self) -> None:
        """Let others have a turn, if it is time."""
        if self._clock() - self._since < TURN:
            return
        turn: Deferred[None] = Deferred()
        take_back = self._wheel.soon(lambda: turn.callback(None))
        try:
            await turn
        finally:
            take_back()
        self.rested()

    async def through(self, steps: Generator[None, None, Result]) -> Result:
        """Give the result of a computation that pauses where others may have a turn."""
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: Result = done.value
                return result
            await self.breathe()
