from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle
from referrald.workers import Inline, WorkerPool, apart
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


class RealThreadsTests(TestCase):
    def start(self, **options: Any) -> WorkerPool:
        pool = WorkerPool(reactor, workers=1, name="test", **options)
        self.successResultOf(pool.start())
        self.addCleanup(pool.stop)
        return pool

    def test_no_thread_is_there_before_there_is_work(self) -> None:
        pool = WorkerPool(reactor, workers=3, name="hashing")
        self.successResultOf(pool.start())
        self.addCleanup(pool.stop)
        self.assertEqual(pool._threads.threads, [])
        self.assertEqual((pool._threads.most, pool._threads.name), (3, "referrald-hashing"))

    async def test_work_is_done_in_a_thread_of_that_name(self) -> None:
        name = await self.start().run(lambda: threading.current_thread().name)
        self.assertIn("referrald-test", name)

    async def test_what_goes_wrong_there_comes_back(self) -> None:
        with self.assertRaises(ValueError):
            await self.start().run(int, "x")

    async def test_the_queue_has_an_end(self) -> None:
        pool, go_on = self.start(queue=1), threading.Event()
        first, second = pool.run(go_on.wait), pool.run(int)
        self.failureResultOf(pool.run(int), Unavailable)
        go_on.set()
        self.assertEqual((await first, await second, await pool.run(int)), (True, 0, 0))

    async def test_a_stop_waits_for_what_is_under_way_and_the_reactor_does_not(self) -> None:
        pool, begun, go_on = self.start(), threading.Event(), threading.Event()
        self.addCleanup(go_on.set)
        working = pool.run(lambda: begun.set() or go_on.wait(60))
        self.assertTrue(begun.wait(60))
        stopping = pool.stop()
        self.assertNoResult(stopping)
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)  # type: ignore[attr-defined]
        await turn
        self.assertNoResult(stopping)
        go_on.set()
        await stopping
        self.assertTrue(await working)

    async def test_what_no_pool_is_for_gets_a_thread_of_its_own(self) -> None:
        self.assertIsNot(await apart(reactor, threading.current_thread), threading.main_thread())
        with self.assertRaises(ValueError):
            await apart(reactor, int, "x")


class WithoutThreadsTests(AuthTestCase):
    def test_work_is_done_at_once_where_the_reactor_takes_no_calls_from_threads(self) -> None:
        pool = WorkerPool(Clock())
        self.result(pool.start())
        self.assertEqual(self.successResultOf(pool.run(pow, 2, 5)), 32)
        self.assertEqual(self.successResultOf(apart(Clock(), pow, 2, 5)), 32)
        self.failureResultOf(apart(Clock(), int, "x"), ValueError)

    def test_before_the_start_and_after_the_stop_nothing_is_done(self) -> None:
        pool = WorkerPool(Clock())
        self.failure(pool.run(int), Unavailable)
        self.result(pool.start())
        self.result(pool.stop())
        self.result(pool.stop())
        self.failure(pool.run(int), Unavailable)


class InlineTests(AuthTestCase):
    def test_work_is_done_at_once(self) -> None:
        self.assertEqual(self.result(Inline().run(pow, 2, 5)), 32)
        self.failure(Inline().run(int, "x"), ValueError)
