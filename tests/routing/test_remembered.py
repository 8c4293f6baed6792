"""Backends with cache settings of their own, alone and in chains."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.routing.settings import CacheSettings
from tests.proves import proves
from tests.routing.support import (
    Answers,
    Mailboxes,
    Places,
    Slow,
    Table,
    at,
    at_once,
    home,
    listed,
    login,
    start,
)

A, B = home("a.example"), home("b.example")
GENERAL = {"found": 60.0, "missing": 10.0}


def own(**settings: Any) -> CacheSettings:
    return CacheSettings(**settings)


class OneBackend(SynchronousTestCase):
    def test_its_own_times_take_the_place_of_the_general_ones(self) -> None:
        table = Table(alice=A)
        times = {"b0": own(found=5.0, missing=20.0)}
        directory = Answers(table, own=times, **GENERAL)
        for moment, asked in ((0, 2), (4.9, 2), (5, 3), (9.9, 3), (10, 4), (19.9, 5), (20, 6)):
            directory.clock.advance(moment - directory.clock.seconds())
            at_once(directory.home(login("alice")))
            at_once(directory.home(login("nobody")))
            self.assertEqual(len(table.asked), asked, moment)

    def test_what_is_not_said_is_as_for_all(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, own={"b0": own(found=5.0)}, **GENERAL)
        at_once(directory.home(login("nobody")))
        directory.clock.advance(9.9)
        at_once(directory.home(login("nobody")))
        self.assertEqual(len(table.asked), 1)

    def test_the_home_itself_knows_best(self) -> None:
        table = Table(alice=home(ttl=3.0), bob=home(ttl=0))
        directory = Answers(table, own={"b0": own(found=50.0)}, **GENERAL)
        for user in ("alice", "bob", "bob"):
            at_once(directory.home(login(user)))
        directory.clock.advance(3)
        at_once(directory.home(login("alice")))
        self.assertEqual(table.asked, ["alice", "bob", "bob", "alice"])

    def test_its_answers_are_limited_and_those_not_used_for_longest_go(self) -> None:
        table = Table()
        directory = Answers(table, own={"b0": own(size=2)}, **GENERAL)
        for user in ("alice", "bob", "alice", "carol", "alice", "bob"):
            at_once(directory.home(login(user)))
        self.assertEqual(table.asked, ["alice", "bob", "carol", "bob"])
        self.assertEqual(directory.entries, 2)

    def test_it_may_keep_nothing_at_all(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, own={"b0": own(size=0)}, **GENERAL)
        at_once(directory.home(login()))
        at_once(directory.home(login()))
        self.assertEqual((len(table.asked), directory.entries), (2, 0))

    def test_how_long_it_is_kept_is_told(self) -> None:
        directory = Answers(Table(alice=A), own={"b0": own(found=5.0)}, **GENERAL)
        self.assertEqual(at_once(directory.explain(login())).kept, 5)
        self.assertEqual(at_once(directory.explain(login("nobody"))).kept, 10)


class Chains(SynchronousTestCase):
    def setUp(self) -> None:
        self.overrides, self.site = Table(), Table(alice=A, bob=A)

    def answers(self, **times: CacheSettings) -> Answers:
        return Answers(self.overrides, self.site, own=times, **GENERAL)

    def hosts(self, directory: Answers, user: str = "alice") -> str:
        return str(at_once(directory.home(login(user))).servers[0].host)

    @proves("S1")
    def test_only_the_backend_is_asked_again_whose_word_no_longer_holds(self) -> None:
        directory = self.answers(b0=own(missing=5.0), b1=own(found=600.0))
        for _ in range(20):
            self.assertEqual(self.hosts(directory), "a.example")
            directory.clock.advance(2.5)
        self.assertEqual((len(self.overrides.asked), len(self.site.asked)), (10, 1))
        self.overrides.homes["alice"] = B
        self.assertEqual(self.hosts(directory), "b.example")

    def test_the_second_one_may_be_the_one_that_changes_often(self) -> None:
        directory = self.answers(b0=own(missing=600.0), b1=own(found=5.0))
        for _ in range(20):
            self.hosts(directory)
            directory.clock.advance(2.5)
        self.assertEqual((len(self.overrides.asked), len(self.site.asked)), (1, 10))

    def test_without_a_word_of_its_own_an_earlier_one_limits_nothing(self) -> None:
        directory = self.answers(b1=own(found=600.0))
        self.hosts(directory)
        directory.clock.advance(599)
        self.hosts(directory)
        self.assertEqual((len(self.overrides.asked), len(self.site.asked)), (1, 1))

    def test_that_nobody_knows_a_user_holds_as_long_as_all_words_do(self) -> None:
        directory = self.answers(b0=own(missing=3.0))
        for moment, asked in ((0, (1, 1)), (2.9, (1, 1)), (3, (2, 1)), (9.9, (3, 1)), (10, (3, 2))):
            directory.clock.advance(moment - directory.clock.seconds())
            at_once(directory.home(login("nobody")))
            self.assertEqual((len(self.overrides.asked), len(self.site.asked)), asked, moment)

    def test_sizes_are_each_ones_own(self) -> None:
        self.overrides.homes |= {"x": B, "y": B, "z": B}
        directory = self.answers(b0=own(size=2), b1=own(size=1))
        for user in ("x", "y", "z", "alice", "bob"):
            self.hosts(directory, user)
        self.assertEqual(directory.entries, 3)
        self.hosts(directory, "z")
        self.assertEqual(self.overrides.asked.count("z"), 1)
        self.hosts(directory, "x")
        self.assertEqual(self.overrides.asked.count("x"), 2)

    def test_a_user_who_changes_backends_counts_in_the_new_one_alone(self) -> None:
        directory = self.answers(b0=own(size=1, missing=5.0), b1=own(size=1, found=5.0))
        self.hosts(directory)
        self.overrides.homes["alice"] = B
        directory.clock.advance(5)
        self.assertEqual(self.hosts(directory), "b.example")
        self.hosts(directory, "bob")
        self.assertEqual(directory.entries, 2)
        directory.forget("alice")
        directory.forget("bob")
        self.assertEqual(directory.entries, 0)

    @proves("S1")
    def test_what_is_forgotten_is_forgotten_in_every_backend(self) -> None:
        for user in ("alice", None):
            directory = self.answers(b0=own(missing=5.0), b1=own(found=600.0))
            self.site.homes["alice"] = A
            self.hosts(directory)
            self.site.homes["alice"] = B
            directory.forget(user)
            self.assertEqual(self.hosts(directory), "b.example")

    def test_an_answer_from_before_a_change_is_not_kept(self) -> None:
        slow = Slow()
        directory = Answers(slow, self.site, own={"b0": own(missing=50.0)}, **GENERAL)
        first = start(directory.home(login()))
        directory.forget("alice")
        slow.asked[0].callback(None)
        self.assertEqual(self.successResultOf(first).servers, A.servers)
        start(directory.home(login()))
        self.assertEqual(len(slow.asked), 2)

    def test_a_backend_that_is_down_is_not_missed_while_its_word_holds(self) -> None:
        directory = self.answers(b0=own(missing=600.0), b1=own(found=5.0))
        self.hosts(directory)
        self.overrides.fault = ValueError()
        directory.clock.advance(5)
        self.assertEqual(self.hosts(directory), "a.example")
        self.assertEqual(len(self.site.asked), 2)
        self.assertEqual(directory.kinds, [])

    def test_a_backend_that_is_down_still_ends_the_lookup_when_its_word_holds_no_more(self) -> None:
        directory = self.answers(b0=own(missing=5.0))
        at_once(directory.home(login("nobody")))
        self.overrides.fault = ValueError()
        directory.clock.advance(5)
        self.failureResultOf(start(directory.home(login("nobody"))), Unavailable)

    def test_the_age_of_an_answer_is_that_of_the_word_it_rests_on(self) -> None:
        directory = self.answers(b0=own(missing=5.0), b1=own(found=600.0))
        self.hosts(directory)
        directory.clock.advance(8)
        found = at_once(directory.explain(login()))
        self.assertEqual((found.age, found.cached, found.kept), (8, False, 13))


class OfMailboxes(SynchronousTestCase):
    def test_they_are_kept_as_long_as_homes(self) -> None:
        backend = Mailboxes()
        backend.places["alice", "Plans"] = at("a.example")
        backend.lists["alice"] = (listed("Plans", "a.example"),)
        places = Places(backend, own={"b0": own(found=5.0, missing=2.0)}, **GENERAL)
        for moment, asked in ((0, 3), (1.9, 3), (2, 4), (4.9, 5), (5, 7)):
            places.clock.advance(moment - places.clock.seconds())
            at_once(places.locate("alice", "Plans"))
            at_once(places.locate("alice", "None"))
            at_once(places.remote("alice"))
            self.assertEqual(len(backend.questions), asked, moment)

    def test_they_are_as_many(self) -> None:
        backend = Mailboxes()
        places = Places(backend, own={"b0": own(size=2)}, **GENERAL)
        for name in ("a", "b", "c"):
            at_once(places.locate("alice", name))
        self.assertEqual(places.entries, 2)
        places.forget("alice")
        self.assertEqual(places.entries, 0)

    def test_a_list_of_several_backends_holds_as_long_as_each_part(self) -> None:
        first, second = Mailboxes(), Mailboxes()
        places = Places(first, second, own={"b0": own(found=5.0)}, **GENERAL)
        for _ in range(2):
            at_once(places.remote("alice"))
            places.clock.advance(5)
        self.assertEqual((len(first.questions), len(second.questions)), (2, 2))
