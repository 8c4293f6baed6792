from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.ctl import terminal
from referrald.ctl.terminal import run_in_reactor
from referrald.errors import Unavailable


class TheReactor(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(terminal, "react", self.react)
        self.interrupted = False

    def react(self, main: Any, arguments: tuple[Any, ...]) -> None:
        """Do as ``twisted.internet.task.react`` does, without running a reactor."""
        running: Deferred[Any] = ensureDeferred(main("reactor"))
        if not self.interrupted:
            self.successResultOf(running)
        raise SystemExit(0)

    def test_a_result_comes_back(self) -> None:
        async def work(reactor: Any) -> str:
            return f"done in {reactor}"

        self.assertEqual(run_in_reactor(work), "done in reactor")

    def test_an_error_comes_back(self) -> None:
        async def work(reactor: Any) -> None:
            raise Unavailable("down")

        self.assertRaises(Unavailable, run_in_reactor, work)

    def test_an_interrupt_is_one(self) -> None:
        self.interrupted = True

        async def work(reactor: Any) -> None:
            await Deferred()

        self.assertRaises(KeyboardInterrupt, run_in_reactor, work)
