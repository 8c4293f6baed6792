"""Clients that do not follow referrals and log in again and again instead."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from referrald.recent import RecentTimes


class StormBreaker:
    """Counts how often a user was referred at one address.

    clock: gives the time in seconds. count: so many referrals within ``window`` seconds are a
    storm; 0 switches this off. size: so many pairs of user and address are remembered. tell: is
    told of every referral, so that others can `hear` of it; None where nobody wants to know.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        count: int = 5,
        window: float = 60.0,
        size: int = 10_000,
        tell: Callable[[str, str, str], object] | None = None,
    ) -> None:
        self._seconds = clock
        self._count = count
        self._window = window
        self._size = size
        self._tell = tell
        self._times = RecentTimes[tuple[str, str]](count=count, size=size)
        # Of names in URLs and addresses: who is meant, and when that was sent.
        self._names: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def note_referred(self, user: str, peer: str, name: str = "") -> None:
        """Remember that ``user`` was referred; without an address it cannot be told who it was.

        name: the user in the URL, should a client take it for a name here.
        """
        if not self._count or not peer:
            return
        self._remember(user, peer, name, self._seconds())
        if self._tell is not None:
            self._tell(user, peer, name)

    def hear(self, user: str, peer: str, name: str, when: float) -> None:
        """Remember that another front door has referred ``user``; ``when`` by our clock."""
        if self._count and peer and self._seconds() - when < self._window:
            self._remember(user, peer, name, when)

    def _remember(self, user: str, peer: str, name: str, when: float) -> None:
        if name and name != user:
            self._note_name(user, peer, name, when)
        self._times.note((user, peer), when)

    def was_referred(self, user: str, peer: str) -> bool:
        """Tell whether ``user`` was referred within the window, once or more."""
        times = self._times.get((user, peer))
        return times is not None and self._seconds() - times[-1] < self._window

    def _note_name(self, user: str, peer: str, name: str, when: float) -> None:
        self._names[name, peer] = user, when
        self._names.move_to_end((name, peer))
        if len(self._names) > self._size:
            self._names.popitem(last=False)

    def sent_away_as(self, name: str, peer: str) -> str:
        """Give the user who was referred from an address lately under a name; empty for none."""
        user, when = self._names.get((name, peer), ("", 0.0))
        return user if user and self._seconds() - when < self._window else ""

    def is_storm(self, user: str, peer: str) -> bool:
        """Tell whether ``user`` was referred too often to be a client that follows."""
        times = self._times.get((user, peer))
        if times is None or len(times) < self._count:
            return False
        return self._seconds() - times[0] < self._window

    def __len__(self) -> int:
        return len(self._times)
