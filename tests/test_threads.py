"""Threads that take their work from one queue."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from twisted.trial.unittest import TestCase

from referrald.threads import Threads


class ThreadsTests(TestCase):
    def setUp(self) -> None:
        self.threads = Threads(2, "test")
        self.addCleanup(self.threads.stop)
        self.told: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def do(self, work: Callable[[], Any]) -> None:
        """Give work; what becomes of it is told."""
        self.threads.callInThreadWithCallback(lambda *outcome: self.told.put(outcome), work)

    def next(self) -> tuple[bool, Any]:
        """Wait for what comes of the next work that is done."""
        return self.told.get(timeout=60)

    def test_work_is_done_and_told(self) -> None:
        self.do(lambda: threading.current_thread().name)
        self.assertEqual(self.next(), (True, "test-0"))

    def test_what_goes_wrong_is_told_and_harms_no_other_work(self) -> None:
        self.do(lambda: int("x"))
        succeeded, failure = self.next()
        self.assertEqual((succeeded, failure.type), (False, ValueError))
        self.do(lambda: 5)
        self.assertEqual(self.next(), (True, 5))
        self.assertEqual(len(self.threads.threads), 1)

    def test_there_are_as_many_threads_as_there_is_work_and_no_more_than_the_most(self) -> None:
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        counts = []
        for _ in range(4):
            self.do(lambda: go_on.wait(60))
            counts.append(len(self.threads.threads))
        self.assertEqual(counts, [1, 2, 2, 2])
        go_on.set()
        self.assertEqual([self.next() for _ in range(4)], [(True, True)] * 4)

    def test_a_thread_that_is_free_is_used_again(self) -> None:
        for number in range(20):
            self.do(lambda number=number: number)
            self.assertEqual(self.next(), (True, number))
        self.assertEqual(len(self.threads.threads), 1)

    def test_what_was_given_is_done_before_the_end(self) -> None:
        for number in range(10):
            self.do(lambda number=number: number)
        self.threads.stop()
        self.assertEqual(sorted(self.next()[1] for _ in range(10)), [*range(10)])
        self.assertEqual(self.threads.threads, [])

    def test_what_was_done_is_let_go_of(self) -> None:
        class Large:
            """Something that takes memory."""

        large = Large()
        kept = weakref.ref(large)
        self.do(lambda large=large: None)  # type: ignore[misc]
        del large
        self.next()
        self.do(lambda: None)
        self.next()
        gc.collect()
        self.assertIsNone(kept())
