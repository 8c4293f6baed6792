from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle
from referrald.workers import Inline, WorkerPool
from tests.auth.support import AuthTestCase
from tests.proves import proves


class Threads:
    """Stands for a thread pool: work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[..., object], Callable[[], Any]]] = []
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("start")

    def stop(self) -> None:
        self.events.append("stop")

    def callInThreadWithCallback(
        self, done: Callable[..., object], work: Callable[..., Any], *args: Any, **named: Any
    ) -> None:
        self.waiting.append((done, lambda: work(*args, **named)))

    def do_next(self) -> None:
        done, work = self.waiting.pop(0)
        try:
            result = work()
        except Unavailable:
            done(False, Failure())
        else:
            done(True, result)


class Reactor:
    """Runs at once what a thread wants run."""

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        call(*args)


class HashingPoolTests(AuthTestCase):
    def setUp(self) -> None:
        self.threads = Threads()
        self.pool = WorkerPool(Reactor(), workers=1, queue=1, threads=self.threads)
        self.result(self.pool.start())

    def test_it_has_a_lifecycle(self) -> None:
        verifyObject(ILifecycle, self.pool)
        self.result(self.pool.stop())
        self.result(self.pool.stop())
        self.assertEqual(self.threads.events, ["start", "stop"])

    def test_work_is_done_in_a_thread(self) -> None:
        doing = self.pool.run(pow, 2, 5)
        self.assertNoResult(doing)
        self.threads.do_next()
        self.assertEqual(self.successResultOf(doing), 32)
        self.assertEqual(self.pool.pending, 0)

    def test_an_error_of_the_work_comes_back(self) -> None:
        def refuse() -> None:
            raise Unavailable("no")

        doing = self.pool.run(refuse)
        self.threads.do_next()
        self.failureResultOf(doing, Unavailable)
        self.assertEqual(self.pool.pending, 0)

    @proves("S1")
    def test_a_full_queue_refuses_at_once_and_takes_more_when_there_is_room(self) -> None:
        doing = [self.pool.run(int) for _ in range(2)]
        self.failure(self.pool.run(int), Unavailable)
        self.threads.do_next()
        self.successResultOf(doing[0])
        self.assertNoResult(self.pool.run(int))

    def test_work_that_nobody_waits_for_keeps_its_place_but_is_not_done(self) -> None:
        done: list[int] = []
        doing = self.pool.run(done.append, 1)
        doing.cancel()
        self.failureResultOf(doing, CancelledError)
        self.assertEqual(self.pool.pending, 1)
        self.threads.do_next()
        self.assertEqual((done, self.pool.pending), ([], 0))

    def test_work_that_waits_while_the_pool_stops_is_dropped(self) -> None:
        done: list[int] = []
        doing = self.pool.run(done.append, 1)
        self.result(self.pool.stop())
        self.threads.do_next()
        self.failureResultOf(doing, Unavailable)
        self.assertEqual(done, [])

    def test_a_pool_that_is_not_started_refuses(self) -> None:
        pool = WorkerPool(Reactor(), threads=Threads())
        self.failure(pool.run(int), Unavailable)


class RealThreadsTests(AuthTestCase):
    def test_no_thread_is_there_before_there_is_work(self) -> None:
        pool = WorkerPool(Reactor(), workers=3, name="hashing")
        self.result(pool.start())
        self.addCleanup(pool.stop)
        self.assertEqual(pool._threads.threads, [])
        self.assertEqual((pool._threads.max, pool._threads.name), (3, "referrald-hashing"))


class InlineTests(AuthTestCase):
    def test_work_is_done_at_once(self) -> None:
        self.assertEqual(self.result(Inline().run(pow, 2, 5)), 32)
        self.failure(Inline().run(int, "x"), ValueError)
