"""What happens while a backend is down."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Home
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, at_once, home, login, start

A, B = home("a.example"), home("b.example")


class OutageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table(alice=A, bob=B)
        self.directory = Answers(self.table, found=60.0, missing=10.0, stale=3600.0)
        for user in ("alice", "bob", "nobody"):
            at_once(self.directory.home(login(user)))
        self.directory.clock.advance(60)
        self.table.asked.clear()

    @proves("S1")
    def test_a_home_from_before_is_used_while_the_backend_fails(self) -> None:
        self.table.fault = OSError("gone")
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)

    @proves("S1")
    def test_an_outage_is_told_once_with_its_cause_and_so_is_its_end(self) -> None:
        self.table.fault = OSError("gone")
        for user in ("alice", "bob", "alice", "carol"):
            start(self.directory.home(login(user))).addErrback(lambda _: None)
            self.directory.clock.advance(5)
        self.table.fault = None
        for user in ("alice", "bob", "carol"):
            at_once(self.directory.home(login(user)))
        down, recovered = self.directory.events
        self.assertEqual(str(down), "backend b0 does not answer: OSError: gone")
        self.assertEqual(str(recovered), "backend b0 answers again after 20.0 s")

    @proves("S1")
    def test_while_a_backend_is_down_nobody_with_a_known_home_waits(self) -> None:
        slow = Slow()
        directory = Answers(slow, found=60.0)
        for number, user in enumerate(("alice", "bob")):
            start(directory.home(login(user)))
            slow.asked[number].callback(A)
        directory.clock.advance(60)
        first = start(directory.home(login("alice")))
        self.assertNoResult(first)
        directory.clock.advance(2)
        self.assertEqual(self.successResultOf(first).servers, A.servers)
        self.assertEqual(at_once(directory.home(login("bob"))).servers, A.servers)

    @proves("S1")
    def test_a_backend_that_is_down_is_tried_once_a_second(self) -> None:
        self.table.fault = OSError("gone")
        at_once(self.directory.home(login()))
        self.table.asked.clear()
        for _ in range(30):
            at_once(self.directory.home(login("alice")))
            at_once(self.directory.home(login("bob")))
            self.directory.clock.advance(0.1)
        self.assertEqual(len(self.table.asked), 3)

    def test_the_attempt_that_finds_it_back_gives_its_answer(self) -> None:
        self.table.fault = OSError("gone")
        at_once(self.directory.home(login()))
        self.table.fault = None
        self.table.homes["alice"] = B
        self.directory.clock.advance(1)
        self.assertEqual(at_once(self.directory.home(login())).servers, B.servers)
        self.assertEqual(self.directory.down(), {})

    @proves("S1")
    def test_a_user_without_a_known_home_still_asks(self) -> None:
        self.table.fault = OSError("gone")
        for user in ("carol", "nobody"):
            self.failureResultOf(start(self.directory.home(login(user))), Unavailable)
        self.table.fault = None
        self.table.homes["carol"] = B
        self.assertEqual(at_once(self.directory.home(login("carol"))).servers, B.servers)

    def test_a_home_is_not_used_longer_than_configured(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.clock.advance(3599.9)
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)
        self.directory.clock.advance(0.1)
        self.failureResultOf(start(self.directory.home(login())), Unavailable)

    def test_when_all_may_have_changed_homes_still_serve_during_an_outage(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.forget(None)
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)

    def test_a_home_that_is_known_to_be_wrong_does_not_serve(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.forget("alice")
        self.failureResultOf(start(self.directory.home(login())), Unavailable)

    def test_a_user_of_an_earlier_backend_is_looked_up_while_a_later_one_is_down(self) -> None:
        first, second = Table(alice=A), Table(bob=B)
        directory = Answers(first, second, found=60.0)
        for user in ("alice", "bob"):
            at_once(directory.home(login(user)))
        directory.clock.advance(60)
        second.fault = OSError("gone")
        at_once(directory.home(login("bob")))
        self.assertEqual(directory.down(), {"b1": "OSError: gone"})
        first.homes["alice"] = B
        self.assertEqual(at_once(directory.home(login("alice"))).servers, B.servers)

    def test_a_late_answer_is_no_recovery(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(2)
        slow.asked[0].callback(A)
        self.assertEqual(directory.kinds, ["b0 down"])
        start(directory.home(login("bob")))
        slow.asked[1].callback(A)
        self.assertEqual(directory.kinds, ["b0 down", "b0 recovered"])

    @proves("S1")
    def test_a_wrong_answer_is_told_once_and_is_no_outage(self) -> None:
        self.table.homes["alice"] = Home(servers=("a.example",))  # type: ignore[arg-type]
        for _ in range(3):
            self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)
            at_once(self.directory.home(login("bob")))
        self.assertEqual(self.directory.kinds, ["b0 nonsense"])
        self.assertEqual(
            str(self.directory.events[0]),
            "backend b0 gave a wrong answer: a server of type str",
        )
        self.directory.forget(None)
        at_once(self.directory.home(login()))
        self.assertEqual(self.directory.kinds, ["b0 nonsense"] * 2)
