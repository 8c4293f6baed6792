"""Handlers that run at once as far as they go."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from referrald.session.running import start


class Running(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[Any] = []

    def start(self, work: Any) -> Any:
        return start(work, self.told.append, self.told.append)

    def test_what_never_waits_is_done_at_once(self) -> None:
        async def work() -> int:
            return 3

        self.assertIsNone(self.start(work()))
        self.assertEqual(self.told, [3])

    def test_what_waits_goes_on_with_the_result_or_the_error(self) -> None:
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()

        async def work() -> int:
            found = await first
            try:
                await second
            except KeyError:
                return found + 1
            return 0

        self.assertIsNotNone(self.start(work()))
        first.callback(3)
        self.assertEqual(self.told, [])
        second.errback(KeyError("x"))
        self.assertEqual(self.told, [4])

    def test_an_error_of_the_handler_is_told_and_nobody_else_hears_of_it(self) -> None:
        waited: Deferred[int] = Deferred()

        async def work() -> None:
            await waited
            await fail(ValueError("wrong"))

        self.start(work())
        waited.callback(0)
        (error,) = self.told
        self.assertIsInstance(error, ValueError)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_handler_that_is_given_up_sees_that(self) -> None:
        waited: Deferred[int] = Deferred()

        async def work() -> str:
            try:
                await waited
            except CancelledError:
                return "given up"
            return ""

        running = self.start(work())
        running.cancel()
        self.assertEqual(self.told, ["given up"])
        running.cancel()

    def test_any_number_of_results_that_are_there_already_nest_nothing(self) -> None:
        begin: Deferred[int] = Deferred()

        async def work() -> int:
            total = await begin
            for _ in range(20_000):
                total += await succeed(1)
            return total

        self.start(work())
        begin.callback(1)
        self.assertEqual(self.told, [20_001])
