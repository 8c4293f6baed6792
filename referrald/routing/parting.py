"""The end of sessions whose users have moved: after a grace, spread in time, at a quiet moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from referrald.routing.live import LiveSession
from referrald.routing.staying import Ground, Why

QUIET, TRIES = 2.0, 5
"""Nothing should have gone through for so many seconds; so often the end is put off for that."""

TOLD_EVERY = 10.0
NAMES_TOLD = 5


@attrs.define
class _Parting:
    ground: Ground
    call: Any
    put_off: int = 0


class Partings:
    """Sessions that will end soon.

    clock: `IReactorTime`. tell: writes one line for the operator. uniform: gives a random number
    between two. A session ends at the earliest ``grace`` seconds after `end`, and within ``spread``
    seconds from then, unless something just goes through it.
    """

    def __init__(
        self,
        clock: Any,
        tell: Callable[[str], None],
        uniform: Callable[[float, float], float],
    ) -> None:
        self.grace = self.spread = 0.0
        self._clock = clock
        self._uniform = uniform
        self._partings: dict[LiveSession, _Parting] = {}
        self._planned = Tally(clock, self._tell_planned, 1.0)
        self._ended = Tally(clock, self._tell_ended, TOLD_EVERY)
        self._tell = tell

    def __len__(self) -> int:
        return len(self._partings)

    def end(self, session: LiveSession, ground: Ground) -> None:
        """Have a session end; one that will do so anyway keeps its time."""
        parting = self._partings.get(session)
        if parting is not None:
            parting.ground = ground
            return
        after = self.grace + self._uniform(0.0, self.spread)
        call = self._clock.callLater(after, self._due, session)
        self._partings[session] = _Parting(ground, call)
        self._planned.count(ground.why, session.user)

    def keep(self, session: LiveSession) -> None:
        """Let a session go on, or forget one that is gone."""
        parting = self._partings.pop(session, None)
        if parting is not None and parting.call.active():
            parting.call.cancel()

    def stop(self) -> None:
        """Let all go on."""
        for session in [*self._partings]:
            self.keep(session)
        self._planned.close()
        self._ended.close()

    def _due(self, session: LiveSession) -> None:
        parting = self._partings[session]
        if parting.put_off < TRIES and session.quiet_for() < QUIET:
            parting.put_off += 1
            parting.call = self._clock.callLater(QUIET, self._due, session)
            return
        del self._partings[session]
        self._ended.count(parting.ground.why, session.user)
        session.part(parting.ground.text)

    def _tell_planned(self, what: str) -> None:
        self._tell(f"{what}: to end within {self.grace + self.spread:g} s")

    def _tell_ended(self, what: str) -> None:
        self._tell(f"{what}: ended")


class Tally:
    """Counts sessions, and after some seconds tells of all at once."""

    def __init__(self, clock: Any, tell: Callable[[str], None], seconds: float) -> None:
        self._clock = clock
        self._tell = tell
        self._seconds = seconds
        self._call: Any = None
        self._counts: dict[Why, dict[str, int]] = {}

    def count(self, why: Why, user: str) -> None:
        """Count a session of a user."""
        users = self._counts.setdefault(why, {})
        users[user] = users.get(user, 0) + 1
        if self._call is None:
            self._call = self._clock.callLater(self._seconds, self._flush)

    def close(self) -> None:
        """Tell what is left."""
        if self._call is not None:
            self._call.cancel()
            self._flush()

    def _flush(self) -> None:
        self._call = None
        counts, self._counts = self._counts, {}
        for why, users in counts.items():
            self._tell(_summary(why, users))


def _summary(why: Why, users: dict[str, int]) -> str:
    sessions = sum(users.values())
    names = ", ".join([*users][:NAMES_TOLD])
    more = len(users) - NAMES_TOLD
    return (
        f"{sessions} session{'s' * (sessions != 1)} of {len(users)} {why.value} "
        f"user{'s' * (len(users) != 1)} ({names}{f' and {more} more' if more > 0 else ''})"
    )
