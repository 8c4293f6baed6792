"""Ask the backends in turn: once per user at a time, within a deadline."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred

from referrald.errors import BackendTimeout, Unavailable
from referrald.model import Home, Login
from referrald.routing.asking import Nonsense, ask
from referrald.routing.cache import Entry, HomeCache
from referrald.routing.inquiry import Inquiry
from referrald.routing.outages import Outages

MAX_LATE: Final = 1000
"""Lookups past their deadline that may still fill the cache; of more, the oldest is cancelled."""


class Chain:
    """Lookups under way."""

    def __init__(
        self,
        backends: Sequence[tuple[str, Any]],
        *,
        clock: Any,
        deadline: float,
        keep: Callable[[Home | None], float],
        cache: HomeCache,
        outages: Outages,
    ) -> None:
        self._backends = tuple(backends)
        self._clock = clock
        self._deadline = deadline
        self._keep = keep
        self._cache = cache
        self._outages = outages
        self._turns = 0
        self._running: dict[str, Inquiry] = {}
        self._late: OrderedDict[str, Inquiry] = OrderedDict()
        self._pending: set[Inquiry] = set()

    async def ask(self, login: Login) -> Entry:
        """Give the backends' answer; raises `Unavailable`.

        An answer that must not be kept is not for others who wait at the same time either.
        """
        inquiry, began = self._running.get(login.user), self._clock.seconds()
        if inquiry is None:
            return await self.begin(login).answer()
        entry = await inquiry.answer()
        if entry.shared:
            return entry
        left = began + self._deadline - self._clock.seconds()
        return await self._begin(login, {}, left).answer()

    def begin(self, login: Login) -> Inquiry:
        """Start a lookup that others can join, unless there is one."""
        running = self._running.get(login.user)
        return running or self._begin(login, self._running, self._deadline)

    def _begin(self, login: Login, register: dict[str, Inquiry], deadline: float) -> Inquiry:
        self._turns += 1
        inquiry = Inquiry(login, turn=self._turns, generation=self._cache.generation)
        register[login.user] = inquiry
        self._pending.add(inquiry)
        work = Deferred.fromCoroutine(self._work(inquiry))
        if not inquiry.settled:
            inquiry.work = work
            inquiry.timer = self._clock.callLater(deadline, self._too_late, inquiry)
        return inquiry

    async def _work(self, inquiry: Inquiry) -> None:
        try:
            entry = await self._in_turn(inquiry)
        except Unavailable as error:
            self._ended(inquiry)
            inquiry.settle(error)
            return
        self._ended(inquiry)
        if not inquiry.void:
            self._cache.put(inquiry.login.user, entry)
        inquiry.settle(entry)

    async def _in_turn(self, inquiry: Inquiry) -> Entry:
        home = None
        for number, (name, backend) in enumerate(self._backends):
            inquiry.reached = number
            home = await self._ask_one(inquiry, name, backend)
            if home is not None:
                break
        keep = self._keep(home)
        return Entry(
            home,
            reach=inquiry.reached,
            turn=inquiry.turn,
            answered=self._clock.seconds(),
            keep=keep,
            generation=inquiry.generation,
            shared=home is None or home.ttl != 0,
        )

    async def _ask_one(self, inquiry: Inquiry, name: str, backend: Any) -> Home | None:
        number = inquiry.reached
        try:
            home = await ask(name, backend, inquiry.login)
        except Nonsense as error:
            if not inquiry.dropped:
                self._outages.nonsense(number, str(error))
            raise Nonsense(f"backend {name}: {error}") from error
        except Unavailable as error:
            if not inquiry.dropped:
                self._outages.failed(number, str(error))
            raise Unavailable(f"backend {name}: {error}") from error
        if inquiry.dropped:
            raise Unavailable("cancelled")
        if not inquiry.late:
            # What comes too late is no sign that the backend is back.
            self._outages.answered(number)
        return home

    def _too_late(self, inquiry: Inquiry) -> None:
        """Tell those who wait; an answer that still comes goes into the cache."""
        user, name = inquiry.login.user, self._backends[inquiry.reached][0]
        inquiry.late = True
        cause = f"no answer within {self._deadline:g} s"
        self._outages.failed(inquiry.reached, cause)
        if self._running.get(user) is inquiry:
            del self._running[user]
            self._wait_longer(user, inquiry)
            inquiry.settle(BackendTimeout(f"backend {name}: {cause}"))
        else:
            inquiry.settle(BackendTimeout(f"backend {name}: {cause}"))
            inquiry.drop()

    def _wait_longer(self, user: str, inquiry: Inquiry) -> None:
        before = self._late.pop(user, None)
        self._late[user] = inquiry
        if before is None and len(self._late) > MAX_LATE:
            _, before = self._late.popitem(last=False)
        if before is not None:
            before.drop()

    def _ended(self, inquiry: Inquiry) -> None:
        inquiry.work = None
        inquiry.stop_timer()
        self._pending.discard(inquiry)
        for register in (self._running, self._late):
            if register.get(inquiry.login.user) is inquiry:
                del register[inquiry.login.user]

    def forget(self, user: str | None) -> None:
        """Let nobody join a lookup that may have seen what was there before."""
        if user is None:
            # What still comes is of an earlier generation.
            self._running.clear()
            late = [*self._late.values()]
            self._late.clear()
        else:
            running = self._running.pop(user, None)
            if running is not None:
                running.void = True
            late = [self._late.pop(user)] if user in self._late else []
        for inquiry in late:
            inquiry.drop()

    def stop(self) -> None:
        """End everything that is under way."""
        pending, self._pending = self._pending, set()
        for inquiry in pending:
            inquiry.settle(Unavailable("the directory was stopped"))
            inquiry.drop()
