"""One question to the backends, for whose answer any number of sessions wait."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from referrald.errors import Unavailable
from referrald.routing.cache import Answer, Entry, Key

Question = TypeVar("Question")


class Inquiry(Generic[Question, Key, Answer]):
    """A lookup under way.

    question: what the backends are asked. key: by which the answer is kept.
    turn: its number; later ones know better. reached: the number of the backend that is asked.
    said: when each backend, in order, said what it did.
    late: the deadline has passed, and those who waited have been told.
    void: the answer may be from before a change, so it is not kept.
    dropped: cancelled; nothing of it counts.
    work, timer: the asking coroutine and its deadline, while they are pending.
    """

    __slots__ = (
        "_error", "_waiters", "dropped", "entry", "generation", "key", "late", "question",
        "reached", "said", "settled", "timer", "turn", "void", "work",
    )  # fmt: skip

    def __init__(self, question: Question, key: Key, *, turn: int, generation: int) -> None:
        self.question = question
        self.key = key
        self.turn = turn
        self.generation = generation
        self.reached = 0
        self.said: list[float] = []
        self.late = False
        self.void = False
        self.dropped = False
        self.settled = False
        self.entry: Entry[Answer] | None = None
        self.work: Deferred[None] | None = None
        self.timer: Any = None
        self._error = Unavailable()
        self._waiters: dict[Deferred[None], None] = {}

    async def answer(self) -> Entry[Answer]:
        """Wait for the answer; raises `Unavailable`. Whoever stops waiting disturbs nobody."""
        if not self.settled:
            waiter: Deferred[None] = Deferred(self._leave)
            self._waiters[waiter] = None
            await waiter
        if self.entry is None:
            # A fresh one each: raising adds to an exception's traceback.
            raise type(self._error)(str(self._error))
        return self.entry

    def _leave(self, waiter: Deferred[None]) -> None:
        self._waiters.pop(waiter, None)

    def settle(self, outcome: Entry[Answer] | Unavailable) -> None:
        """Give everyone the answer or the reason why there is none; only the first one counts."""
        if self.settled:
            return
        self.settled = True
        if isinstance(outcome, Entry):
            self.entry = outcome
        else:
            self._error = outcome
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            if not waiter.called:  # cancelled by one that was told before
                waiter.callback(None)

    def stop_timer(self) -> None:
        """Take the deadline away, if it has not passed."""
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def drop(self) -> None:
        """Stop asking."""
        self.void = self.dropped = True
        self.stop_timer()
        work, self.work = self.work, None
        if work is not None:
            work.cancel()
