"""Threads for sources that block: few, named, with a queue that has an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from referrald.errors import Unavailable

Result = TypeVar("Result")

QUEUE = 1_000


class Workers:
    """Runs work in at most ``size`` threads; at most ``queue`` more waits for one.

    Threads are started when they are first needed. With a reactor that takes no calls from threads
    (as `Clock`) everything is done at once, where it is asked for.
    """

    def __init__(self, reactor: Any, size: int, name: str, queue: int = QUEUE) -> None:
        self._reactor = reactor
        self._inline = not IReactorFromThreads.providedBy(reactor)
        self._threads = ThreadPool(minthreads=0, maxthreads=size, name=name)
        self._room = size + queue
        self._pending = 0
        self._running = False

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._running

    def start(self) -> None:
        """Be ready for work."""
        self._running = True
        if not self._inline:
            self._threads.start()

    def stop(self) -> None:
        """Finish what is under way, drop what waits, end the threads."""
        if self._running:
            self._running = False
            if not self._inline:
                self._threads.stop()

    def run(self, work: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Do ``work(*arguments)``; fails with `Unavailable` when there is no room for it."""
        if not self._running:
            return execute(_refuse, "it is stopped")
        if self._inline:
            return execute(work, *arguments)
        if self._pending >= self._room:
            return execute(_refuse, f"too much is waiting for it ({self._pending})")
        outcome: Deferred[Result] = Deferred()

        def unless_given_up() -> Result:
            if outcome.called or not self._running:
                raise Unavailable("given up before it was begun")
            return work(*arguments)

        self._pending += 1
        doing = deferToThreadPool(self._reactor, self._threads, unless_given_up)
        doing.addBoth(self._done).addCallbacks(outcome.callback, outcome.errback)
        # Not `doing` itself: its place is free when its thread is, not when nobody waits any more.
        return outcome

    def _done(self, result: Result | Failure) -> Result | Failure:
        self._pending -= 1
        return result


def _refuse(why: str) -> Any:
    raise Unavailable(why)
