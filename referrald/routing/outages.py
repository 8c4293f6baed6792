"""Which backends are down, and one event for each time that one goes down or comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

import attrs

PROBE_INTERVAL: Final = 1.0
"""Seconds between attempts to reach a backend that is down, on behalf of nobody who waits."""


@attrs.frozen(kw_only=True)
class BackendEvent:
    """Something about a backend that an operator should know.

    kind: ``down``, ``recovered``, or ``nonsense`` when it answered with what cannot be.
    cause: what is the matter. seconds: how long a backend that recovered had been down.
    """

    backend: str
    kind: Literal["down", "recovered", "nonsense"]
    cause: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.kind == "recovered":
            return f"backend {self.backend} answers again after {self.seconds:.1f} s"
        wrong = "does not answer" if self.kind == "down" else "gave a wrong answer"
        return f"backend {self.backend} {wrong}: {self.cause}"


class Outages:
    """Remembers which backends failed last time.

    first: the number of the first backend that is down; as many as there are when none is.
    """

    def __init__(
        self,
        names: Sequence[str],
        seconds: Callable[[], float],
        on_event: Callable[[BackendEvent], None],
    ) -> None:
        self._names = tuple(names)
        self._seconds = seconds
        self._on_event = on_event
        self._down: dict[int, tuple[float, str]] = {}
        self._nonsense: dict[int, str] = {}
        self._next_probe = -math.inf
        self.first = len(self._names)

    @property
    def down(self) -> dict[str, str]:
        """The backends that are down, each with the cause."""
        return {self._names[number]: cause for number, (_, cause) in self._down.items()}

    def failed(self, number: int, cause: str) -> None:
        """Note that a backend did not answer."""
        if number in self._down:
            return
        self._down[number] = (self._seconds(), cause)
        self.first = min(self.first, number)
        self._on_event(BackendEvent(backend=self._names[number], kind="down", cause=cause))

    def answered(self, number: int) -> None:
        """Note that a backend answered in time."""
        if number not in self._down:
            return
        since, _ = self._down.pop(number)
        self.first = min(self._down, default=len(self._names))
        seconds = self._seconds() - since
        self._on_event(BackendEvent(backend=self._names[number], kind="recovered", seconds=seconds))

    def nonsense(self, number: int, cause: str) -> None:
        """Note a wrong answer; the same one is told once until `forgive`."""
        if self._nonsense.get(number) == cause:
            return
        self._nonsense[number] = cause
        self._on_event(BackendEvent(backend=self._names[number], kind="nonsense", cause=cause))

    def may_probe(self) -> bool:
        """Tell, once in a while, that it is time to see whether the backends are back."""
        now = self._seconds()
        if now < self._next_probe:
            return False
        self._next_probe = now + PROBE_INTERVAL
        return True

    def forgive(self) -> None:
        """Tell about wrong answers anew: the source has changed."""
        self._nonsense.clear()
