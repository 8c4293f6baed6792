"""Threads for work that takes long or blocks: few, named, with a queue that has an end."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle
from referrald.threads import Threads

Result = TypeVar("Result")


class Pool(Protocol):
    """Runs what may take long."""

    def run(self, work: Callable[..., Result], *arguments: Any) -> Awaitable[Result]:
        """Give the result of ``work(*arguments)``; `Unavailable` when there is no room for it."""
        ...


@implementer(ILifecycle)
class WorkerPool:
    """Runs work in at most ``workers`` threads; at most ``queue`` more wait for one.

    Threads are started when they are first needed, so not before a daemon has forked. With a
    reactor that takes no calls from threads (as `Clock`) everything is done at once, where it is
    asked for.
    name: what the threads are for, in their names and in errors.
    threads: for tests, what is used in place of `Threads`; Twisted's `ThreadPool` is like that too.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        workers: int = 2,
        queue: int = 200,
        name: str = "hashing",
        threads: Any = None,
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._inline = threads is None and not IReactorFromThreads.providedBy(reactor)
        self._threads = threads or Threads(workers, f"referrald-{name}")
        self._room = workers + queue
        self._pending = 0
        self._running = False

    @property
    def pending(self) -> int:
        """How much work is under way or waits."""
        return self._pending

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._running

    def start(self) -> Deferred[None]:
        """Be ready for work."""
        self._running = True
        return execute(_nothing if self._inline else self._threads.start)

    def stop(self) -> Deferred[None]:
        """Finish what is under way, drop what waits, end the threads."""
        if not self._running or self._inline:
            self._running = False
            return execute(_nothing)
        self._running = False
        if self._pending:
            # Who waits for the threads to end waits for their work, and must not be the reactor.
            return apart(self._reactor, self._threads.stop)
        return execute(self._threads.stop)

    def run(self, work: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Do ``work(*arguments)`` in a thread."""
        if not self._running:
            return execute(_refuse, f"the {self._name} pool is stopped")
        if self._inline:
            return execute(work, *arguments)
        if self._pending >= self._room:
            return execute(
                _refuse, f"the {self._name} pool is full ({self._pending} at work or waiting)"
            )
        outcome: Deferred[Result] = Deferred()

        def unless_given_up() -> Result:
            if outcome.called or not self._running:
                raise Unavailable(f"the {self._name} pool is stopped")
            return work(*arguments)

        self._pending += 1
        done = partial(self._reactor.callFromThread, self._done, outcome)
        self._threads.callInThreadWithCallback(done, unless_given_up)
        return outcome

    def _done(self, outcome: Deferred[Any], succeeded: bool, result: Any) -> None:
        # Its place is free when its thread is, not when nobody waits any more.
        self._pending -= 1
        if succeeded:
            outcome.callback(result)
        else:
            outcome.errback(result)


class Inline:
    """Runs work at once, where it is asked for: for command-line tools and tests."""

    def run(self, work: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Do ``work(*arguments)`` now."""
        return execute(work, *arguments)


def apart(reactor: Any, work: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
    """Do ``work(*arguments)`` in a thread of its own: for the few things that no pool is for.

    With a reactor that takes no calls from threads it is done at once.
    """
    if not IReactorFromThreads.providedBy(reactor):
        return execute(work, *arguments)
    outcome: Deferred[Result] = Deferred()

    def doing() -> None:
        try:
            result = work(*arguments)
        except BaseException:  # noqa: BLE001 - whatever it is goes to who waits for it
            reactor.callFromThread(outcome.errback, Failure())  # type: ignore[no-untyped-call]
        else:
            reactor.callFromThread(outcome.callback, result)

    threading.Thread(target=doing, name="referrald-apart", daemon=True).start()
    return outcome


def _nothing() -> None:
    """Do nothing."""


def _refuse(why: str) -> Any:
    raise Unavailable(why)
