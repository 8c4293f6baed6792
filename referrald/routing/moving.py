"""Looks anew at the users of live sessions when their homes may have changed."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from referrald.errors import ReferraldError
from referrald.model import Home, Login
from referrald.routing.cache import Entry
from referrald.routing.live import LiveSession, LiveSessions
from referrald.routing.parting import Partings
from referrald.routing.staying import ground

BATCH, PAUSE = 25, 0.01
"""So many users are looked up at a time, with so many seconds between."""

AGAIN = 30.0
"""Seconds until a user is looked up again whose home could not be found out."""

RECENT = 120.0
"""Seconds in which a login may still be under way that was decided before a change."""

_log = Logger(namespace="referrald")


class Found(Protocol):
    """What a lookup gives."""

    @property
    def home(self) -> Home | None:
        """The home, None for an unknown user."""

    @property
    def stale(self) -> bool:
        """It is from before, because a backend is down."""


class Homes(Protocol):
    """The directory, as far as it is needed here; see `referrald.routing.directory`."""

    @property
    def cached(self) -> Callable[[str], Entry[Home] | None]:
        """Gives the entry of a user when it is fresh."""
        ...

    def explain(self, login: Login) -> Awaitable[Found]:
        """Look a user up; raises `Unavailable`."""
        ...


class Mover:
    """Has the sessions end of those who have moved; outlives reloads.

    clock: `IReactorTime`. tell: writes one line for the operator. uniform: gives a random number
    between two.
    """

    def __init__(
        self,
        clock: Any,
        tell: Callable[[str], None],
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.live = LiveSessions()
        self.partings = Partings(clock, tell, uniform)
        self._clock = clock
        self._homes: Homes | None = None
        self._changed_at = float("-inf")
        self._queue: dict[str, None] = {}
        self._unanswered: dict[str, None] = {}
        self._work: Deferred[None] | None = None
        self._again: Any = None

    def use(self, homes: Homes, *, grace: float, spread: float) -> None:
        """Look users up in another directory from now on, all that are there as well.

        grace, spread: seconds, see `Partings`.
        """
        first, self._homes = self._homes is None, homes
        self.partings.grace, self.partings.spread = grace, spread
        if not first or self.live.any:
            self.changed(None)

    def stop(self) -> None:
        """Look at nobody and end nothing any more."""
        self._homes = None
        self._queue.clear()
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self.partings.stop()

    def join(self, session: LiveSession) -> None:
        """Take note of a session; its user may have moved while the login was under way."""
        self.live.add(session)
        homes = self._homes
        if homes is None or self._clock.seconds() - self._changed_at > RECENT:
            return
        entry = homes.cached(session.user)
        if entry is None:
            self._look_up([session.user])
        else:
            self._judge(session, entry.answer)

    def leave(self, session: LiveSession) -> None:
        """Take note that a session has ended, or that it never began."""
        self.live.discard(session)
        self.partings.keep(session)

    def changed(self, user: str | None) -> None:
        """Look at the sessions of a user, or of everybody, who may have another home now."""
        self._changed_at = self._clock.seconds()
        self._look_up(self.live.users() if user is None else [user])

    def _look_up(self, users: Iterable[str]) -> None:
        self._queue.update((user, None) for user in users if self.live.of(user))
        if self._queue and self._work is None and self._homes is not None:
            self._work = Deferred.fromCoroutine(self._work_off())
            self._work.addErrback(_failed)

    async def _work_off(self) -> None:
        """Look up all who wait, a few at a time, so that everybody else has a turn."""
        try:
            while self._queue:
                users = [*self._queue]
                self._queue.clear()
                for at in range(0, len(users), BATCH):
                    await self._pause()
                    await self._look_at_all(users[at : at + BATCH])
        finally:
            self._work = None

    async def _pause(self) -> None:
        turn: Deferred[None] = Deferred()
        call = self._clock.callLater(PAUSE, turn.callback, None)
        try:
            await turn
        finally:
            if call.active():
                call.cancel()

    async def _look_at_all(self, users: list[str]) -> None:
        await DeferredList(
            [Deferred.fromCoroutine(self._look_at(user)).addErrback(_failed) for user in users]
        )

    async def _look_at(self, user: str) -> None:
        """Look up whoever is logged in under a name, in whatever case it is written."""
        for name in dict.fromkeys(session.user for session in self.live.of(user)):
            if self._homes is None:
                return
            try:
                found = await self._homes.explain(Login(user=name))
            except ReferraldError:
                self._ask_again(user)
                continue
            if found.stale:
                self._ask_again(user)
                continue
            for session in self.live.of(user):
                if session.user == name:
                    self._judge(session, found.home)

    def _judge(self, session: LiveSession, home: Home | None) -> None:
        why = ground(session, home)
        if why is None:
            self.partings.keep(session)
        else:
            self.partings.end(session, why)

    def _ask_again(self, user: str) -> None:
        """Leave the sessions of a user as they are until the backend is back."""
        self._unanswered[user] = None
        if self._again is None:
            self._again = self._clock.callLater(AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        users, self._unanswered = self._unanswered, {}
        self._look_up(users)


def _failed(failure: Failure) -> None:
    if not isinstance(failure.value, CancelledError):
        _log.failure("a user who may have moved could not be looked at", failure=failure)
