"""Logins of users whose mail is being copied: they wait a while for the copy to be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from referrald.model import Decision, Login, Refuse
from referrald.routing.live import fold

MOST = 1_000
"""Logins that may wait at one time; whoever comes then is refused at once."""

LOOK_AGAIN = 1.0
"""Seconds after which a waiting login looks by itself: not every backend tells of changes."""


class HeldLogins:
    """Lets logins wait until their user is released; outlives reloads.

    clock: `IReactorTime`. most: how many may wait at one time.
    """

    def __init__(self, clock: Any, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._seconds = 0.0
        self._decide: Callable[[Login], Awaitable[Decision]] | None = None
        self._waiting: dict[str, dict[Deferred[None], None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def use(self, decide: Callable[[Login], Awaitable[Decision]], seconds: float) -> None:
        """Ask ``decide`` from now on, and let a login wait no longer than ``seconds``."""
        self._decide, self._seconds = decide, seconds
        self.changed(None)

    def changed(self, user: str | None) -> None:
        """Let the logins of a user look again, or all of them."""
        for name in [*self._waiting] if user is None else [fold(user)]:
            for waiter in [*self._waiting.get(name, ())]:
                if not waiter.called:
                    waiter.callback(None)

    async def wait(self, login: Login, refusal: Refuse) -> Decision:
        """Give the decision about a user who is released in time, else the last refusal.

        Raises what looking the user up does.
        """
        if self._decide is None or self._count >= self._most:
            return refusal
        decision: Decision = refusal
        until = self._clock.seconds() + self._seconds
        while is_held(decision) and (left := until - self._clock.seconds()) > 0:
            await self._rest(fold(login.user), min(left, LOOK_AGAIN))
            decision = await self._decide(login)
        return decision

    async def _rest(self, name: str, seconds: float) -> None:
        """Wait for a change, or for the time to pass."""
        waiter: Deferred[None] = Deferred()
        call = self._clock.callLater(seconds, waiter.callback, None)
        self._waiting.setdefault(name, {})[waiter] = None
        self._count += 1
        try:
            await waiter
        finally:
            self._count -= 1
            if call.active():
                call.cancel()
            waiters = self._waiting[name]
            del waiters[waiter]
            if not waiters:
                del self._waiting[name]


def is_held(decision: Decision) -> bool:
    """Say whether it is only that the user is held."""
    return isinstance(decision, Refuse) and decision.held
