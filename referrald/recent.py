"""When something has happened lately, by whom it concerns: so often and no further back."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TypeVar

Key = TypeVar("Key")


class RecentTimes(OrderedDict[Key, "deque[float]"]):
    """The last ``count`` times of each key, the earliest first; the most recent key is the last.

    size: so many keys are remembered.
    """

    def __init__(self, *, count: int, size: int) -> None:
        super().__init__()
        self._count = count
        self._most = size

    def note(self, key: Key, when: float) -> None:
        """Remember one more time, which may be earlier than those that are known."""
        times = self.get(key)
        if times is None:
            self[key] = deque((when,), self._count)
            if len(self) > self._most:
                self.popitem(last=False)
            return
        if when < times[-1]:
            self[key] = deque(sorted((*times, when)), self._count)
        else:
            times.append(when)
        self.move_to_end(key)

    def all_since(self, key: Key, since: float) -> bool:
        """Tell whether there are ``count`` times, all of them after ``since``."""
        times = self.get(key)
        return times is not None and len(times) == self._count and times[0] > since
