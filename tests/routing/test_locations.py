"""Where single mailboxes are: asked once, in time, and known for a while."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import BackendTimeout, Unavailable
from referrald.mailmodel import MailboxLocation
from tests.proves import proves
from tests.routing.support import (
    Mailboxes,
    Places,
    SlowMailboxes,
    Table,
    at,
    at_once,
    listed,
    start,
)

A, B = at("a.example"), at("b.example")


def hosts(location: MailboxLocation | None) -> list[str]:
    """Name the servers of a location."""
    return [replica.server.host for replica in location.replicas] if location else []


def table(*names: str, user: str = "alice") -> Mailboxes:
    """Make a backend where some mailboxes of a user are on a server."""
    backend = Mailboxes()
    for name in names:
        backend.places[user, name] = A
    backend.lists[user] = [listed(name, "a.example") for name in names]
    return backend


class ChainTests(SynchronousTestCase):
    def test_without_a_backend_that_knows_of_mailboxes_the_answer_is_there_at_once(self) -> None:
        for backends in ((), (Table(),)):
            places = Places(*backends)
            self.assertFalse(places.any)
            self.assertIsNone(at_once(places.locate("alice", "A")))
            self.assertEqual(at_once(places.remote("alice")), ())

    def test_backends_that_do_not_know_of_mailboxes_are_left_out(self) -> None:
        places = Places(Table(), table("A"))
        self.assertTrue(places.any)
        self.assertEqual(at_once(places.locate("alice", "A")).source, "b1")

    def test_the_first_backend_that_has_something_to_say_wins(self) -> None:
        first, second = Mailboxes(), table("A", "B")
        first.places["alice", "A"] = MailboxLocation()
        places = Places(first, second)
        self.assertTrue(at_once(places.locate("alice", "A")).here)
        self.assertEqual(hosts(at_once(places.locate("alice", "B"))), ["a.example"])
        self.assertIsNone(at_once(places.locate("alice", "C")))
        self.assertEqual(len(second.questions), 2)

    @proves("S1")
    def test_who_is_asked_later_does_not_decide_for_one_that_fails(self) -> None:
        first, second = Mailboxes(), table("A")
        first.fault = OSError("gone")
        places = Places(first, second)
        for work in (places.locate("alice", "A"), places.remote("alice")):
            failure = self.failureResultOf(start(work), Unavailable)
            self.assertEqual(str(failure.value), "backend b0: OSError: gone")
        self.assertEqual(second.questions, [])

    @proves("S1")
    def test_a_list_is_not_given_in_part(self) -> None:
        first, second = table("A"), Mailboxes()
        second.fault = OSError("gone")
        places = Places(first, second)
        self.failureResultOf(start(places.remote("alice")), Unavailable)

    @proves("S1")
    def test_a_wrong_answer_is_unavailable_and_told_once_and_no_outage(self) -> None:
        backend = table()
        backend.places["alice", "A"] = at("a.example", name="A\0")
        places = Places(backend)
        for _ in range(3):
            failure = self.failureResultOf(start(places.locate("alice", "A")), Unavailable)
            self.assertIn("backend b0: a replica whose name", str(failure.value))
        self.assertEqual(places.kinds, ["b0 nonsense"])
        self.assertEqual(places.down(), {})
        places.forget(None)
        self.failureResultOf(start(places.locate("alice", "A")), Unavailable)
        self.assertEqual(places.kinds, ["b0 nonsense"] * 2)


class ListTests(SynchronousTestCase):
    def test_lists_are_put_together_by_name(self) -> None:
        first, second = table("B", "D"), table("C", "A")
        places = Places(first, second)
        entries = at_once(places.remote("alice"))
        self.assertEqual([entry.name for entry in entries], ["A", "B", "C", "D"])
        self.assertEqual([entry.location.source for entry in entries], ["b1", "b0", "b1", "b0"])
        self.assertEqual(at_once(places.remote("bob")), ())

    @proves("M9")
    def test_a_name_that_two_backends_list_is_there_once_and_where_the_first_says(self) -> None:
        first, second = table("A"), Mailboxes()
        second.lists["alice"] = [listed("A", "z.example"), listed("A", "y.example")]
        (entry,) = at_once(Places(first, second).remote("alice"))
        self.assertEqual(hosts(entry.location), ["a.example"])
        (entry,) = at_once(Places(second).remote("alice"))
        self.assertEqual(hosts(entry.location), ["z.example"])

    def test_a_list_is_kept_as_found_even_an_empty_one(self) -> None:
        backend = table("A")
        places = Places(backend, found=60.0, missing=10.0)
        for user in ("alice", "bob"):
            at_once(places.remote(user))
        places.clock.advance(59)
        for user in ("alice", "bob"):
            at_once(places.remote(user))
        self.assertEqual(len(backend.questions), 2)
        places.clock.advance(1)
        at_once(places.remote("alice"))
        self.assertEqual(len(backend.questions), 3)

    def test_a_list_is_kept_no_longer_than_any_of_its_entries(self) -> None:
        for ttl, kept in ((5.0, 5), (0, 0)):
            backend = Mailboxes()
            entries = [listed("A", "a.example"), listed("B", "a.example")]
            entries[1] = type(entries[1])(name="B", location=at("a.example", ttl=ttl))
            backend.lists["alice"] = entries
            places = Places(backend)
            for _ in range(10):
                at_once(places.remote("alice"))
                places.clock.advance(1)
            self.assertEqual(len(backend.questions), 10 // kept if kept else 10)

    def test_long_lists_take_the_place_of_many(self) -> None:
        backend = Mailboxes()
        for number, count in enumerate((40, 40, 40, 200, 0)):
            backend.lists[f"u{number}"] = [listed(f"m{each}", "a.example") for each in range(count)]
        places = Places(backend, size=100)

        def kept(*users: str) -> list[bool]:
            known = []
            for user in users:
                backend.questions.clear()
                at_once(places.remote(user))
                known.append(not backend.questions)
            return known

        self.assertEqual(kept("u0", "u1", "u0", "u2"), [False, False, True, False])
        self.assertEqual(kept("u0", "u2", "u1"), [True, True, False])
        self.assertEqual(kept("u3", "u3", "u1"), [False, True, False])
        self.assertEqual(kept("u3", "u1", "u4", "u1"), [False, False, False, True])
        places.forget("u1")
        self.assertEqual(kept("u0", "u2", "u0", "u2"), [False, False, True, True])


class CacheTests(SynchronousTestCase):
    def test_answers_are_kept_found_and_not_found_apart(self) -> None:
        backend = table("A")
        places = Places(backend, found=60.0, missing=10.0)
        for seconds, asked in ((0, 2), (9, 2), (1, 3), (9, 3), (40, 4), (1, 5)):
            places.clock.advance(seconds)
            at_once(places.locate("alice", "A"))
            at_once(places.locate("alice", "local"))
            self.assertEqual(len(backend.questions), asked, seconds)

    def test_a_backend_may_say_for_how_long(self) -> None:
        backend = Mailboxes()
        backend.places.update(
            {("alice", "A"): at("a.example", ttl=5), ("alice", "B"): at("a.example", ttl=0)}
        )
        places = Places(backend)
        for _ in range(10):
            for name in "AB":
                at_once(places.locate("alice", name))
            places.clock.advance(1)
        self.assertEqual(backend.questions.count(("alice", "A")), 2)
        self.assertEqual(backend.questions.count(("alice", "B")), 10)

    def test_users_and_names_are_kept_apart(self) -> None:
        backend = table("A")
        places = Places(backend)
        self.assertIsNotNone(at_once(places.locate("alice", "A")))
        self.assertIsNone(at_once(places.locate("bob", "A")))
        self.assertIsNone(at_once(places.locate("alice", "a")))

    def test_what_was_not_used_for_longest_goes(self) -> None:
        backend = table("A", "B", "C")
        places = Places(backend, size=2)
        for name in "ABAC":
            at_once(places.locate("alice", name))
        self.assertEqual(places.entries, 2)
        backend.questions.clear()
        for name in "ACB":
            at_once(places.locate("alice", name))
        self.assertEqual(backend.questions, [("alice", "B")])

    def test_all_of_one_user_is_forgotten_and_nothing_else(self) -> None:
        backend = table("A", "B")
        places = Places(backend)

        def ask() -> list[tuple[str, ...]]:
            backend.questions.clear()
            for user in ("alice", "bob"):
                for name in "AB":
                    at_once(places.locate(user, name))
                at_once(places.remote(user))
            return backend.questions

        self.assertEqual(len(ask()), 6)
        self.assertEqual(ask(), [])
        places.forget("alice")
        self.assertEqual(ask(), [("alice", "A"), ("alice", "B"), ("alice",)])
        places.forget("nobody")
        self.assertEqual(ask(), [])
        places.forget(None)
        self.assertEqual(len(ask()), 6)

    def test_nothing_is_remembered_of_those_whose_answers_have_gone(self) -> None:
        places = Places(table(), size=10)
        for number in range(100):
            at_once(places.locate(f"u{number}", "A"))
        places.forget("u99")
        self.assertEqual(places.entries, 9)
        self.assertEqual(len(places._cache._names), 9)


class TimeTests(SynchronousTestCase):
    def questions(self, places: Places) -> list[Any]:
        return [lambda: places.locate("alice", "A"), lambda: places.remote("alice")]

    @proves("S1")
    def test_a_question_is_asked_once_for_all_who_wait(self) -> None:
        for number, answer in enumerate((A, [listed("A", "a.example")])):
            slow = SlowMailboxes()
            places = Places(slow)
            question = self.questions(places)[number]
            waiting = [start(question()) for _ in range(5)]
            other = start(places.locate("alice", "Other"))
            self.assertEqual(len(slow.asked), 2)
            slow.asked[0].callback(answer)
            results = [self.successResultOf(each) for each in waiting]
            self.assertTrue(all(each is results[0] for each in results))
            self.assertNoResult(other)

    @proves("S1")
    def test_there_is_an_answer_within_the_deadline(self) -> None:
        for number in range(2):
            slow = SlowMailboxes()
            places = Places(slow, deadline=2.0)
            answer = start(self.questions(places)[number]())
            places.clock.advance(1.9)
            self.assertNoResult(answer)
            places.clock.advance(0.1)
            failure = self.failureResultOf(answer, BackendTimeout)
            self.assertEqual(str(failure.value), "backend b0: no answer within 2 s")
            self.assertEqual(places.kinds, ["b0 down"])

    def test_the_deadline_is_for_all_backends_together(self) -> None:
        first, second = SlowMailboxes(), SlowMailboxes()
        places = Places(first, second, deadline=2.0)
        answer = start(places.locate("alice", "A"))
        places.clock.advance(1.5)
        first.asked[0].callback(None)
        self.assertNoResult(answer)
        places.clock.advance(0.5)
        failure = self.failureResultOf(answer, BackendTimeout)
        self.assertIn("backend b1", str(failure.value))
        self.assertEqual(places.kinds, ["b1 down"])

    def test_an_answer_that_comes_late_is_kept(self) -> None:
        slow = SlowMailboxes()
        places = Places(slow)
        for question, answer in zip(self.questions(places), (A, ()), strict=True):
            late = start(question())
            places.clock.advance(2)
            self.failureResultOf(late, BackendTimeout)
            slow.asked[-1].callback(answer)
            at_once(question())
        self.assertEqual(len(slow.asked), 2)

    def test_a_late_answer_about_what_was_forgotten_is_dropped(self) -> None:
        for forgotten in ("alice", None):
            slow = SlowMailboxes()
            places = Places(slow)
            late = start(places.locate("alice", "A"))
            places.clock.advance(2)
            self.failureResultOf(late, BackendTimeout)
            places.forget(forgotten)
            again = start(places.locate("alice", "A"))
            self.assertNoResult(again)
            slow.asked[1].callback(B)
            self.assertEqual(hosts(self.successResultOf(again)), ["b.example"])

    def test_nobody_joins_a_question_from_before_a_change(self) -> None:
        for forgotten in ("alice", None):
            slow = SlowMailboxes()
            places = Places(slow)
            before = start(places.locate("alice", "A"))
            bob = start(places.locate("bob", "A"))
            places.forget(forgotten)
            after = start(places.locate("alice", "A"))
            slow.asked[2].callback(B)
            slow.asked[0].callback(A)
            self.assertEqual(hosts(self.successResultOf(before)), ["a.example"])
            self.assertEqual(hosts(self.successResultOf(after)), ["b.example"])
            self.assertEqual(hosts(at_once(places.locate("alice", "A"))), ["b.example"])
            self.assertNoResult(bob)

    def test_one_who_goes_does_not_disturb_the_others(self) -> None:
        slow = SlowMailboxes()
        places = Places(slow)
        one, two = (start(places.locate("alice", "A")) for _ in range(2))
        one.cancel()
        self.failureResultOf(one, CancelledError)
        slow.asked[0].callback(A)
        self.assertEqual(hosts(self.successResultOf(two)), ["a.example"])

    def test_what_is_under_way_ends_with_the_house(self) -> None:
        slow = SlowMailboxes()
        places = Places(slow)
        waiting = [start(question()) for question in self.questions(places)]
        places.stop()
        for each in waiting:
            self.failureResultOf(each, Unavailable)
        self.assertEqual(places.clock.getDelayedCalls(), [])


class OutageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.backend = table("A", "B")
        self.places = Places(self.backend, found=60.0, missing=10.0, stale=3600.0)
        for name in ("A", "B", "local"):
            at_once(self.places.locate("alice", name))
        at_once(self.places.remote("alice"))
        self.places.clock.advance(60)
        self.backend.questions.clear()
        self.backend.fault = OSError("gone")

    @proves("S1")
    def test_what_was_known_is_used_while_the_backend_fails(self) -> None:
        self.assertEqual(hosts(at_once(self.places.locate("alice", "A"))), ["a.example"])
        self.assertEqual(len(at_once(self.places.remote("alice"))), 2)

    @proves("S1")
    def test_a_mailbox_that_was_here_stays_usable_while_the_backend_fails(self) -> None:
        self.assertIsNone(at_once(self.places.locate("alice", "local")))
        self.failureResultOf(start(self.places.locate("alice", "new")), Unavailable)

    @proves("S1")
    def test_an_outage_is_told_once_for_single_mailboxes_and_lists_together(self) -> None:
        for _ in range(5):
            for name in ("A", "B", "local"):
                at_once(self.places.locate("alice", name))
            at_once(self.places.remote("alice"))
            self.places.clock.advance(2)
        self.assertEqual(self.places.down(), {"b0": "OSError: gone"})
        self.backend.fault = None
        at_once(self.places.remote("alice"))
        self.assertEqual(self.places.down(), {})
        self.assertEqual(
            [str(event) for event in self.places.events],
            [
                "backend b0 does not answer: OSError: gone",
                "backend b0 answers again after 10.0 s",
            ],
        )

    @proves("S1")
    def test_a_backend_that_is_down_is_tried_once_a_second(self) -> None:
        at_once(self.places.locate("alice", "A"))
        self.backend.questions.clear()
        for _ in range(30):
            at_once(self.places.locate("alice", "A"))
            at_once(self.places.remote("alice"))
            self.places.clock.advance(0.1)
        self.assertEqual(len(self.backend.questions), 3)

    def test_what_is_forgotten_does_not_serve(self) -> None:
        self.places.forget("alice")
        self.failureResultOf(start(self.places.locate("alice", "A")), Unavailable)
        self.failureResultOf(start(self.places.remote("alice")), Unavailable)

    def test_when_all_may_have_changed_old_answers_still_serve(self) -> None:
        self.places.forget(None)
        self.assertEqual(hosts(at_once(self.places.locate("alice", "A"))), ["a.example"])
        self.assertEqual(len(at_once(self.places.remote("alice"))), 2)

    def test_no_answer_is_used_longer_than_configured(self) -> None:
        self.places.clock.advance(3600)
        self.failureResultOf(start(self.places.locate("alice", "A")), Unavailable)
        self.failureResultOf(start(self.places.locate("alice", "local")), Unavailable)
        self.failureResultOf(start(self.places.remote("alice")), Unavailable)
