"""Where a user lives: the chain, the cache, and what is told about an answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Login
from referrald.routing.directory import Lookup
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, at_once, home, login, start

A, B = home("a.example"), home("b.example")


class ChainTests(SynchronousTestCase):
    def test_the_first_backend_that_knows_the_user_wins(self) -> None:
        first, second = Table(alice=A), Table(alice=B, bob=B)
        directory = Answers(first, second)
        alice, bob = (at_once(directory.home(login(user))) for user in ("alice", "bob"))
        self.assertEqual((alice.servers, alice.source), (A.servers, "b0"))
        self.assertEqual((bob.servers, bob.source), (B.servers, "b1"))
        self.assertEqual(second.asked, ["bob"])

    def test_nobody_knows_a_user_that_no_backend_knows(self) -> None:
        self.assertIsNone(at_once(Answers(Table(), Table()).home(login())))
        self.assertIsNone(at_once(Answers().home(login())))

    @proves("S1")
    def test_a_failure_is_not_passed_on_to_the_next_backend(self) -> None:
        first, second = Table(), Table(alice=B)
        first.fault = RuntimeError("disk\n on fire")
        directory = Answers(first, second)
        error = self.failureResultOf(start(directory.home(login())), Unavailable).value
        self.assertEqual(str(error), "backend b0: RuntimeError: disk on fire")
        self.assertEqual(second.asked, [])

    def test_an_answer_may_be_a_deferred(self) -> None:
        slow = Slow()
        answer = start(Answers(slow).home(login()))
        self.assertNoResult(answer)
        slow.asked[0].callback(A)
        self.assertEqual(self.successResultOf(answer).servers, A.servers)

    @proves("S1")
    def test_what_is_no_answer_is_unavailable(self) -> None:
        class Odd:
            def __init__(self, answer: Any) -> None:
                self.answer = answer

            def home(self, login: Login) -> Any:
                if isinstance(self.answer, Exception):
                    raise self.answer
                return self.answer

        odd = [
            A,
            None,
            "a.example",
            succeed("a.example"),
            fail(ValueError()),
            KeyError("x"),
            object(),
        ]
        for answer in odd:
            with self.subTest(repr(answer)):
                directory = Answers(Odd(answer))
                error = self.failureResultOf(start(directory.home(login())), Unavailable).value
                self.assertTrue(str(error).startswith("backend b0: "))


class CacheTests(SynchronousTestCase):
    def test_found_and_missing_are_kept_for_their_own_times(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, found=60.0, missing=10.0)
        for moment, asked in ((0, 2), (9.9, 2), (10, 3), (19.9, 3), (59.9, 4), (60, 5)):
            directory.clock.advance(moment - directory.clock.seconds())
            at_once(directory.home(login("alice")))
            at_once(directory.home(login("nobody")))
            self.assertEqual(len(table.asked), asked, moment)

    def test_a_home_may_say_for_how_long_it_holds(self) -> None:
        table = Table(alice=home(ttl=5.0))
        directory = Answers(table)
        at_once(directory.home(login()))
        directory.clock.advance(4.9)
        at_once(directory.home(login()))
        self.assertEqual(len(table.asked), 1)
        directory.clock.advance(0.1)
        at_once(directory.home(login()))
        self.assertEqual(len(table.asked), 2)

    @proves("S1")
    def test_an_answer_for_one_login_only_is_never_kept(self) -> None:
        table = Table(alice=home(ttl=0))
        directory = Answers(table)
        at_once(directory.home(login()))
        at_once(directory.home(login()))
        self.assertEqual((len(table.asked), directory.entries), (2, 0))
        table.fault = ValueError()
        self.failureResultOf(start(directory.home(login())), Unavailable)

    def test_an_answer_for_one_login_only_is_not_given_to_another_that_waits(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        here, there = (start(directory.home(login(peer=peer))) for peer in ("1", "2"))
        self.assertEqual(len(slow.asked), 1)
        slow.asked[0].callback(home("one.example", ttl=0))
        self.assertEqual(self.successResultOf(here).servers[0].host, "one.example")
        slow.asked[1].callback(home("two.example", ttl=0))
        self.assertEqual(self.successResultOf(there).servers[0].host, "two.example")

    def test_the_cache_is_bounded_and_the_unused_go_first(self) -> None:
        table = Table()
        directory = Answers(table, size=2)
        for user in ("alice", "bob", "alice", "carol", "alice", "bob"):
            at_once(directory.home(login(user)))
        self.assertEqual(table.asked, ["alice", "bob", "carol", "bob"])
        self.assertEqual(directory.entries, 2)

    def test_without_a_cache_everyone_asks(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, size=0)
        at_once(directory.home(login()))
        at_once(directory.home(login()))
        self.assertEqual((len(table.asked), directory.entries), (2, 0))

    def test_a_forgotten_user_is_asked_about_anew(self) -> None:
        table = Table(alice=A, bob=A)
        directory = Answers(table)
        for user in ("alice", "bob"):
            at_once(directory.home(login(user)))
        table.homes["alice"] = B
        directory.forget("alice")
        self.assertEqual(at_once(directory.home(login("alice"))).servers, B.servers)
        at_once(directory.home(login("bob")))
        self.assertEqual(table.asked, ["alice", "bob", "alice"])

    def test_everyone_is_asked_about_anew_when_all_may_have_changed(self) -> None:
        table = Table(alice=A)
        directory = Answers(table)
        at_once(directory.home(login()))
        table.homes["alice"] = B
        directory.forget(None)
        self.assertEqual(at_once(directory.home(login())).servers, B.servers)


class ExplainTests(SynchronousTestCase):
    def test_where_an_answer_is_from(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, found=60.0)

        def explain() -> Lookup:
            lookup: Lookup = at_once(directory.explain(login()))
            assert lookup.home is not None
            self.assertEqual((lookup.home.servers, lookup.source), (A.servers, "b0"))
            return lookup

        asked, kept = explain(), explain()
        self.assertEqual((asked.age, asked.stale, asked.cached), (0.0, False, False))
        self.assertEqual((kept.age, kept.stale, kept.cached), (0.0, False, True))
        table.fault = OSError()
        directory.clock.advance(61)
        stale = explain()
        self.assertEqual((stale.age, stale.stale, stale.cached), (61.0, True, True))

    def test_an_unknown_user_has_no_source(self) -> None:
        lookup = at_once(Answers(Table()).explain(login()))
        self.assertEqual((lookup.home, lookup.source), (None, ""))
