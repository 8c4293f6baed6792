from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.ops.wheel import TimerWheel


class WheelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000.25)
        self.wheel = TimerWheel(self.clock)
        self.rung: list[str] = []

    def ring(self, name: str) -> None:
        self.rung.append(name)

    def test_a_callback_is_never_early_and_late_by_less_than_a_tick(self) -> None:
        for start in (0.0, 0.1, 0.5, 0.999, 0.25):
            for seconds in (0.0, 0.3, 1.0, 2.7, 60.0):
                clock = Clock()
                clock.advance(start)
                rung: list[float] = []
                TimerWheel(clock).add(seconds, lambda c=clock, r=rung: r.append(c.seconds()))  # type: ignore[misc]
                for _ in range(700):
                    clock.advance(0.1)
                self.assertEqual(len(rung), 1)
                late = rung[0] - start - seconds
                self.assertGreaterEqual(late, -1e-5)
                self.assertLessEqual(late, 1.11)

    def test_soon_waits_for_no_tick_and_can_be_taken_back(self) -> None:
        self.wheel.soon(lambda: self.ring("soon"))
        take_back = self.wheel.soon(lambda: self.ring("never"))
        take_back()
        self.assertEqual(self.rung, [])
        self.clock.advance(0)
        self.assertEqual(self.rung, ["soon"])
        take_back()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_callbacks_come_in_the_order_of_their_ticks(self) -> None:
        self.wheel.add(5, lambda: self.ring("late"))
        self.wheel.add(1, lambda: self.ring("soon"))
        self.wheel.add(1, lambda: self.ring("soon too"))
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.rung, ["soon", "soon too", "late"])

    def test_a_cancelled_callback_does_not_come(self) -> None:
        token = self.wheel.add(1, lambda: self.ring("no"))
        self.wheel.add(1, lambda: self.ring("yes"))
        self.wheel.cancel(token)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rung, ["yes"])

    def test_cancelling_twice_or_after_the_call_does_no_harm(self) -> None:
        token = self.wheel.add(1, lambda: self.ring("once"))
        self.clock.pump([1.0] * 3)
        self.wheel.cancel(token)
        self.wheel.discard(token)
        self.assertEqual(self.rung, ["once"])

    def test_a_callback_can_cancel_another_of_the_same_tick(self) -> None:
        tokens = []
        self.wheel.add(1, lambda: self.wheel.cancel(tokens[0]))
        tokens.append(self.wheel.add(1, lambda: self.ring("no")))
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rung, [])

    def test_a_callback_can_schedule_another_even_without_delay(self) -> None:
        def again() -> None:
            self.ring("first")
            self.wheel.add(0, lambda: self.ring("second"))

        self.wheel.add(0, again)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rung, ["first", "second"])

    def test_a_callback_that_raises_is_logged_and_the_others_still_come(self) -> None:
        def fail() -> None:
            raise ValueError("on purpose")

        self.wheel.add(1, fail)
        self.wheel.add(1, lambda: self.ring("same tick"))
        self.wheel.add(3, lambda: self.ring("later"))
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.rung, ["same tick", "later"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_there_is_one_delayed_call_whatever_is_scheduled(self) -> None:
        for seconds in range(500):
            self.wheel.add(seconds, lambda: None)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(len(self.wheel), 500)

    def test_an_empty_wheel_is_at_rest_within_a_tick(self) -> None:
        token = self.wheel.add(1800, lambda: None)
        self.wheel.cancel(token)
        self.assertEqual(len(self.wheel), 0)
        self.clock.advance(1.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.wheel.add(1, lambda: self.ring("works again"))
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.rung, ["works again"])

    def test_a_wheel_at_rest_leaves_no_call_behind(self) -> None:
        token = self.wheel.add(5, lambda: self.ring("never"))
        self.wheel.rest()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.wheel.cancel(token)
        self.wheel.rest()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.wheel.add(1, lambda: self.ring("again"))
        self.clock.pump([1] * 3)
        self.assertEqual(self.rung, ["again"])

    def test_stop_forgets_everything_at_once(self) -> None:
        self.wheel.add(1, lambda: self.ring("no"))
        self.wheel.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rung, [])

    def test_stop_from_a_callback_ends_the_tick(self) -> None:
        self.wheel.add(1, self.wheel.stop)
        self.wheel.add(1, lambda: self.ring("no"))
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rung, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_a_long_pause_of_the_reactor_everything_due_comes_in_order(self) -> None:
        for seconds in (3600, 5, 60):
            self.wheel.add(seconds, lambda n=seconds: self.ring(str(n)))  # type: ignore[misc]
        self.clock.advance(1000)
        self.assertEqual(self.rung, ["5", "60"])
        self.clock.advance(10_000)
        self.assertEqual(self.rung, ["5", "60", "3600"])

    def test_ticks_can_be_finer(self) -> None:
        wheel = TimerWheel(self.clock, tick=0.05)
        wheel.add(0.12, lambda: self.ring("fine"))
        self.clock.advance(0.1)
        self.assertEqual(self.rung, [])
        self.clock.advance(0.1)
        self.assertEqual(self.rung, ["fine"])
