"""Changes through the backend: transactions, dry runs, the history."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from referrald.errors import NoSuchUser, NotPossible, Unavailable
from referrald.model import Home, HomeChange, Occasion, Server
from tests.backends.sql.support import ME, SqliteTestCase

A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")
ON_A, ON_B = Home(servers=(A,)), Home(servers=(B,))
DRY = Occasion(who="tester", dry_run=True)


class Writing(SqliteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backend = self.open({"alice": ON_A, "bob": ON_A, "carol": Home()})

    def homes(self) -> dict[str, Home]:
        return dict(self.result(self.backend.export()))

    def test_those_who_have_it_already_are_left_out(self) -> None:
        changes = self.result(self.backend.set_home({"alice": ON_B, "carol": Home()}, ME))
        self.assertEqual(changes, [HomeChange(user="alice", before=ON_A, after=ON_B)])

    def test_a_new_user_was_nowhere(self) -> None:
        changes = self.result(self.backend.set_home({"Dave": ON_B}, ME))
        self.assertEqual(changes, [HomeChange(user="dave", before=None, after=ON_B)])

    def test_a_dry_run_says_the_same_and_changes_nothing(self) -> None:
        before, known = self.homes(), self.result(self.backend.history())
        for name, what in (
            ("set_home", {"alice": ON_B}),
            ("import_", {"alice": ON_B}),
            ("hold", ["alice"]),
            ("remove", ["alice"]),
        ):
            said = self.result(getattr(self.backend, name)(what, DRY))
            self.assertEqual(self.homes(), before)
            self.assertEqual(self.result(self.backend.history()), known)
            self.assertTrue(said)
            self.assertEqual(self.result(getattr(self.backend, name)(what, ME)), said)
            self.result(self.backend.import_(before, ME))
            known = self.result(self.backend.history())

    def test_users_are_held_and_released(self) -> None:
        held = Home(servers=(A,), held=True)
        self.result(self.backend.hold(["alice", "BOB", "alice"], ME))
        self.assertEqual(self.homes(), {"alice": held, "bob": held, "carol": Home()})
        self.assertEqual(self.result(self.backend.hold(["alice"], ME)), [])
        self.result(self.backend.release(["alice", "bob", "carol"], ME))
        self.assertEqual(self.homes(), {"alice": ON_A, "bob": ON_A, "carol": Home()})

    def test_one_who_is_not_there_keeps_the_rest_from_being_changed(self) -> None:
        before = self.homes()
        for name in ("hold", "release", "remove"):
            users = ["alice", *(f"no{n}" for n in range(9))]
            error = self.failure(getattr(self.backend, name)(users, ME), NoSuchUser)
            self.assertEqual(
                str(error), "there is nobody called no0, no1, no2, no3, no4, and 4 more"
            )
        self.assertEqual(self.homes(), before)

    def test_an_import_forgets_the_others(self) -> None:
        changes = self.result(self.backend.import_({"alice": ON_B, "bob": ON_A}, ME))
        self.assertEqual(
            {each.user: each.after for each in changes}, {"alice": ON_B, "carol": None}
        )
        self.assertEqual(self.homes(), {"alice": ON_B, "bob": ON_A})

    def test_a_name_that_nobody_can_have_keeps_the_rest_from_being_changed(self) -> None:
        before = self.homes()
        for name in ("", " x", "a\0", "a\n", "x" * 256, "\ud800"):
            self.failure(self.backend.set_home({"alice": ON_B, name: ON_B}, ME), NotPossible)
        self.assertEqual(self.homes(), before)

    def test_a_name_in_two_cases_is_a_mistake(self) -> None:
        self.failure(self.backend.set_home({"alice": ON_B, "Alice": ON_A}, ME), NotPossible)

    def test_a_home_that_would_not_come_back_is_not_written(self) -> None:
        for home in (
            Home(servers=(Server(host="::1"),)),
            Home(servers=(A, A)),
            Home(servers=(Server(host="a", port=0),)),
            Home(servers=(A,), closed=""),
            Home(servers=(A,), user="x\n"),
            Home(user="robert"),
        ):
            self.failure(self.backend.set_home({"x": home}, ME), NotPossible)

    def test_the_history_says_when_who_why_before_and_after(self) -> None:
        self.result(self.backend.set_home({"alice": ON_B}, Occasion(who="ann", why="full disk")))
        latest, first = self.result(self.backend.history("ALICE"))
        self.assertEqual((latest.who, latest.why), ("ann", "full disk"))
        self.assertEqual(latest.change, HomeChange(user="alice", before=ON_A, after=ON_B))
        self.assertEqual(first.change, HomeChange(user="alice", before=None, after=ON_A))
        self.assertGreater(latest.when, 1_700_000_000)
        self.assertEqual(self.result(self.backend.history(limit=1)), [latest])
        self.assertEqual(self.result(self.backend.history("nobody")), [])

    def test_a_transaction_that_fails_leaves_nothing(self) -> None:
        self.elsewhere(
            "CREATE TRIGGER stop BEFORE UPDATE ON homes WHEN NEW.username = 'bob' "
            "BEGIN SELECT RAISE(ABORT, 'no bob'); END"
        )
        before, known = self.homes(), self.result(self.backend.history())
        error = self.failure(self.backend.set_home({"alice": ON_B, "bob": ON_B}, ME), Unavailable)
        self.assertIn("no bob", str(error))
        self.assertEqual(self.homes(), before)
        self.assertEqual(self.result(self.backend.history()), known)

    def test_many_users_come_in_pages(self) -> None:
        homes = {f"user{number:04}": ON_A for number in range(1_203)}
        self.result(self.backend.import_(homes, ME))
        found: list[tuple[str, Home]] = []
        while page := self.result(self.backend.export(found[-1][0] if found else "", 500)):
            self.assertLessEqual(len(page), 500)
            found += page
        self.assertEqual(found, sorted(homes.items()))

    @settings(max_examples=25, deadline=None)
    @given(
        st.dictionaries(
            st.text(min_size=1, max_size=8), st.sampled_from((ON_A, ON_B, Home())), max_size=8
        )
    )
    def test_what_was_exported_can_be_imported(self, homes: Any) -> None:
        usable = {}
        for name, home in homes.items():
            if name.isprintable() and name == name.strip():
                usable[name.lower()] = home
        self.result(self.backend.import_(usable, ME))
        self.assertEqual(self.homes(), usable)
