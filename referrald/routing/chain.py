"""Ask the backends in turn: each question once at a time, within a deadline."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic

from twisted.internet.defer import Deferred

from referrald.errors import BackendTimeout, Unavailable
from referrald.routing.asking import Nonsense
from referrald.routing.cache import Answer, Cache, Entry, Key
from referrald.routing.inquiry import Inquiry, Question
from referrald.routing.outages import Outages
from referrald.routing.remembered import Remembered
from referrald.routing.settings import DirectorySettings

MAX_LATE: Final = 1000
"""Lookups past their deadline that may still fill the cache; of more, the oldest is cancelled."""


class Chain(Generic[Question, Key, Answer]):
    """Lookups under way; the first backend that has something to say ends one.

    key: gives the key of a question. ask: asks one backend; raises `Unavailable` or `Nonsense`.
    ttl: gives how long an answer may be kept: None is as usual, 0 means for who asked only.
    apart: backends with cache settings of their own have caches of their own.
    """

    def __init__(
        self,
        backends: Sequence[tuple[str, Any]],
        *,
        key: Callable[[Question], Key],
        ask: Callable[[str, Any, Question], Awaitable[Answer | None]],
        ttl: Callable[[Answer], float | None],
        clock: Any,
        settings: DirectorySettings,
        cache: Cache[Key, Answer],
        outages: Outages,
        apart: bool = True,
    ) -> None:
        self._backends = tuple(backends)
        self._clock = clock
        self._key = key
        self._ask = ask
        self._ttl = ttl
        self._settings = settings
        self._remembered = Remembered[Key, Answer](
            [name for name, _ in backends], settings, ttl=ttl, seconds=clock.seconds, apart=apart
        )
        self._deadline = settings.deadline
        self._cache = cache
        self._outages = outages
        self._turns = 0
        self._running: dict[Key, Inquiry[Question, Key, Answer]] = {}
        self._late: OrderedDict[Key, Inquiry[Question, Key, Answer]] = OrderedDict()
        self._pending: set[Inquiry[Question, Key, Answer]] = set()

    async def ask(self, question: Question) -> Entry[Answer]:
        """Give the backends' answer; raises `Unavailable`.

        An answer that must not be kept is not for others who wait at the same time either.
        """
        inquiry, began = self._running.get(self._key(question)), self._clock.seconds()
        if inquiry is None:
            return await self.begin(question).answer()
        entry = await inquiry.answer()
        if entry.shared:
            return entry
        left = began + self._deadline - self._clock.seconds()
        return await self._begin(question, {}, left).answer()

    def begin(self, question: Question) -> Inquiry[Question, Key, Answer]:
        """Start a lookup that others can join, unless there is one."""
        running = self._running.get(self._key(question))
        return running or self._begin(question, self._running, self._deadline)

    def _begin(
        self,
        question: Question,
        register: dict[Key, Inquiry[Question, Key, Answer]],
        deadline: float,
    ) -> Inquiry[Question, Key, Answer]:
        self._turns += 1
        key = self._key(question)
        inquiry = Inquiry[Question, Key, Answer](
            question, key, turn=self._turns, generation=self._cache.generation
        )
        register[key] = inquiry
        self._pending.add(inquiry)
        work = Deferred.fromCoroutine(self._work(inquiry))
        if not inquiry.settled:
            inquiry.work = work
            inquiry.timer = self._clock.callLater(deadline, self._too_late, inquiry)
        return inquiry

    async def _work(self, inquiry: Inquiry[Question, Key, Answer]) -> None:
        try:
            entry = await self._entry(inquiry)
        except Unavailable as error:
            self._ended(inquiry)
            inquiry.settle(error)
            return
        self._ended(inquiry)
        if not inquiry.void:
            self._cache.put(inquiry.key, entry)
        inquiry.settle(entry)

    async def _entry(self, inquiry: Inquiry[Question, Key, Answer]) -> Entry[Answer]:
        answer = await self._in_turn(inquiry)
        said = inquiry.said or [self._clock.seconds()]
        answered = min(said) if answer is None else said[-1]
        return Entry(
            answer,
            reach=inquiry.reached,
            turn=inquiry.turn,
            answered=answered,
            keep=self._until(said, answer) - answered,
            generation=inquiry.generation,
            shared=answer is None or self._ttl(answer) != 0,
        )

    def _until(self, said: Sequence[float], answer: Answer | None) -> float:
        """Give until when an answer holds, which is as long as every backend's part in it does."""
        remembered, last = self._remembered, len(said) - 1
        if answer is None:
            return min(at + remembered.keep(number, None) for number, at in enumerate(said))
        return min(
            at + (remembered.passing(number) if number < last else remembered.keep(last, answer))
            for number, at in enumerate(said)
        )

    async def _in_turn(self, inquiry: Inquiry[Question, Key, Answer]) -> Answer | None:
        """Give the answer of the first backend that has one."""
        for number in range(len(self._backends)):
            answer = await self._hear_one(inquiry, number)
            if answer is not None:
                return answer
        return None

    async def _hear_one(
        self, inquiry: Inquiry[Question, Key, Answer], number: int
    ) -> Answer | None:
        """Give what a backend says, or has said where that still holds."""
        inquiry.reached = number
        known = self._remembered.fresh(number, inquiry.key)
        if known is not None:
            inquiry.said.append(known.answered)
            return known.answer
        answer = await self._ask_one(inquiry, number)
        now = self._clock.seconds()
        inquiry.said.append(now)
        if not inquiry.void:
            self._remembered.put(
                number,
                inquiry.key,
                Entry(
                    answer,
                    reach=number,
                    turn=inquiry.turn,
                    answered=now,
                    keep=self._remembered.keep(number, answer),
                    generation=inquiry.generation,
                    shared=answer is None or self._ttl(answer) != 0,
                ),
            )
        return answer

    async def _ask_one(self, inquiry: Inquiry[Question, Key, Answer], number: int) -> Answer | None:
        name, backend = self._backends[number]
        try:
            answer = await self._ask(name, backend, inquiry.question)
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
        return answer

    def _too_late(self, inquiry: Inquiry[Question, Key, Answer]) -> None:
        """Tell those who wait; an answer that still comes goes into the cache."""
        key, name = inquiry.key, self._backends[inquiry.reached][0]
        inquiry.late = True
        cause = f"no answer within {self._deadline:g} s"
        self._outages.failed(inquiry.reached, cause)
        if self._running.get(key) is inquiry:
            del self._running[key]
            self._wait_longer(key, inquiry)
            inquiry.settle(BackendTimeout(f"backend {name}: {cause}"))
        else:
            inquiry.settle(BackendTimeout(f"backend {name}: {cause}"))
            inquiry.drop()

    def _wait_longer(self, key: Key, inquiry: Inquiry[Question, Key, Answer]) -> None:
        before = self._late.pop(key, None)
        self._late[key] = inquiry
        if before is None and len(self._late) > MAX_LATE:
            _, before = self._late.popitem(last=False)
        if before is not None:
            before.drop()

    def _ended(self, inquiry: Inquiry[Question, Key, Answer]) -> None:
        inquiry.work = None
        inquiry.stop_timer()
        self._pending.discard(inquiry)
        for register in (self._running, self._late):
            if register.get(inquiry.key) is inquiry:
                del register[inquiry.key]

    def keys(self) -> list[Key]:
        """Give the keys of all that is being asked and that others may still learn of."""
        return [*self._running, *self._late]

    def forget(self, key: Key) -> None:
        """Let nobody join a lookup that may have seen what was there before."""
        self._remembered.forget(key)
        running = self._running.pop(key, None)
        if running is not None:
            running.void = True
        late = self._late.pop(key, None)
        if late is not None:
            late.drop()

    def forget_all(self) -> None:
        """Let nobody join any lookup; what still comes is of an earlier generation."""
        self._remembered.forget_all()
        self._running.clear()
        late = [*self._late.values()]
        self._late.clear()
        for inquiry in late:
            inquiry.drop()

    def stop(self) -> None:
        """End everything that is under way."""
        pending, self._pending = self._pending, set()
        for inquiry in pending:
            inquiry.settle(Unavailable("the directory was stopped"))
            inquiry.drop()
