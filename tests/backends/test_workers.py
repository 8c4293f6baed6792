from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from referrald.backends.workers import Workers
from referrald.errors import Unavailable


class WithoutThreads(SynchronousTestCase):
    def test_work_is_done_at_once(self) -> None:
        workers = Workers(Clock(), 1, "test")
        workers.start()
        self.assertEqual(self.successResultOf(workers.run(lambda a: a + 1, 1)), 2)

    def test_before_the_start_and_after_the_stop_nothing_is_done(self) -> None:
        workers = Workers(Clock(), 1, "test")
        self.failureResultOf(workers.run(int), Unavailable)
        workers.start()
        workers.stop()
        workers.stop()
        self.failureResultOf(workers.run(int), Unavailable)


class WithThreads(TestCase):
    def make(self, **options: Any) -> Workers:
        workers = Workers(reactor, 1, "test", **options)
        workers.start()
        self.addCleanup(workers.stop)
        return workers

    def test_work_is_done_in_a_thread_of_that_name(self) -> Deferred[None]:
        found = self.make().run(lambda: threading.current_thread().name)
        return found.addCallback(lambda name: self.assertIn("test", name))

    def test_what_goes_wrong_there_comes_back(self) -> Deferred[Any]:
        return self.assertFailure(self.make().run(int, "x"), ValueError)

    def test_the_queue_has_an_end(self) -> Deferred[Any]:
        workers, go_on = self.make(queue=1), threading.Event()
        first, second = workers.run(go_on.wait), workers.run(int)
        third = workers.run(int)
        self.failureResultOf(third, Unavailable)
        go_on.set()
        return first.addCallback(lambda _: second).addCallback(lambda _: workers.run(int))
