"""Remote mailboxes as rows: what becomes of them, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.mailboxrows import COLUMNS, is_for_many, read_table, servers_in
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.model import Security, Server

A, B, C = (Server(host=f"{name}.example") for name in "abc")


class Rows(SynchronousTestCase):
    def places(self, rows: list[dict[str, Any]], name: str, user: str = "ann") -> Any:
        location = read_table(rows).location(name, user, user)
        if location is None:
            return None
        return [(each.server, each.name, each.user) for each in location.replicas]

    def test_a_name_a_subtree_and_a_pattern(self) -> None:
        rows: list[dict[str, Any]] = [
            {"mailbox": "Plans", "servers": "a.example"},
            {"mailbox": "Shared/", "servers": "b.example", "remote_name": "Public/"},
            {"mailbox": "Old *", "host": "c.example", "remote_name": "%m", "remote_user": "%n"},
        ]
        self.assertEqual(self.places(rows, "Plans"), [(A, "Plans", None)])
        self.assertEqual(self.places(rows, "Shared/X"), [(B, "Public/X", None)])
        self.assertEqual(self.places(rows, "Shared"), [(B, "Public", None)])
        self.assertEqual(self.places(rows, "Old ones", "ann@x"), [(C, "Old ones", "ann")])
        self.assertIsNone(self.places(rows, "Plan"))

    def test_rows_of_a_mailbox_are_replicas_in_their_order(self) -> None:
        rows = [
            {"mailbox": "P", "servers": "b.example", "remote_name": "Q", "auth": "PLAIN"},
            {"mailbox": "P", "servers": "a.example"},
        ]
        self.assertEqual(self.places(rows, "P"), [(B, "Q", None), (A, "P", None)])

    def test_of_several_levels_the_first_counts(self) -> None:
        rows: list[dict[str, Any]] = [
            {"mailbox": "P", "level": 0, "servers": "a.example"},
            {"mailbox": "P", "level": 1, "servers": "b.example"},
            {"mailbox": "Q", "level": 2, "servers": "b.example"},
            {"mailbox": "P", "level": 2, "servers": "c.example"},
        ]
        self.assertEqual(self.places(rows, "P"), [(A, "P", None)])

    def test_an_exception_is_here_and_what_moves_waits(self) -> None:
        rows: list[dict[str, Any]] = [
            {"mailbox": "S/", "servers": "a.example"},
            {"mailbox": "S/Here", "servers": "here"},
            {"mailbox": "S/Moving", "moving": 1},
        ]
        table = read_table(rows)
        here, moving = (table.location(f"S/{name}", "u", "u") for name in ("Here", "Moving"))
        assert here is not None and moving is not None
        self.assertEqual((here.here, moving.moving, moving.waits), (True, True, True))

    def test_names_below_a_subtree_are_listed_and_are_where_it_says(self) -> None:
        rows: list[dict[str, Any]] = [
            {"mailbox": "S/Plans/2026", "attributes": "\\Archive", "subscribed": "yes"},
            {"mailbox": "S/Minutes"},
            {"mailbox": "S/", "servers": "a.example", "remote_name": "T/", "selectable": 0},
            {"mailbox": "S/Plans/", "servers": "b.example"},
        ]
        listed = {each.name: each for each in read_table(rows).names("u", "u")}
        self.assertEqual(set(listed), {"S", "S/Minutes", "S/Plans", "S/Plans/2026"})
        self.assertEqual(listed["S"].attributes, ("\\Noselect",))
        year = listed["S/Plans/2026"]
        self.assertEqual((year.attributes, year.subscribed), (("\\Archive",), True))
        self.assertEqual(year.location.replicas[0].server, B)
        self.assertEqual(listed["S/Minutes"].location.replicas[0].name, "T/Minutes")

    def test_what_no_mailbox_can_be_made_of_says_why(self) -> None:
        for row, wrong in (
            ({"servers": "a"}, "a row has no mailbox"),
            ({"mailbox": "P"}, "has no server, and is below no subtree"),
            ({"mailbox": "P", "servers": "a:0"}, '"0" is not a port'),
            ({"mailbox": "P", "servers": "::1"}, "is an IPv6 address"),
            ({"mailbox": "INBOX", "servers": "a"}, "INBOX cannot be elsewhere by itself"),
            ({"mailbox": "a//b", "servers": "a"}, "has an empty level"),
            ({"mailbox": "P", "servers": "a", "ttl": "soon"}, "ttl is not a time"),
            ({"mailbox": "P", "servers": "a", "ttl": -1}, "ttl"),
            ({"mailbox": "P", "servers": "a", "moving": "maybe"}, "is neither yes nor no"),
            ({"mailbox": "P", "servers": "a", "attributes": "Sent"}, "attributes"),
            ({"mailbox": "P", "servers": "here", "remote_name": "Q"}, "name means nothing"),
            ({"mailbox": "P/", "servers": "a", "remote_name": "Q"}, "does not end in /"),
            ({"mailbox": "P\n", "servers": "a"}, "mailbox"),
        ):
            error = self.assertRaises(Wrong, read_table, [row])
            self.assertIn(wrong, f"{error.wrong}")
            self.assertNotIn("\n", error.wrong)

    def test_rows_for_many_are_told_apart(self) -> None:
        found = [name for name in ("*", "*@x", "ann", "ann@x", "") if is_for_many(name)]
        self.assertEqual(found, ["*", "*@x"])

    def test_servers_are_named_and_rows_that_are_no_good_passed_over(self) -> None:
        rows = [
            {"servers": "a.example,b.example"}, {"servers": "::1"}, {"servers": None},
            {"servers": "here"}, {"host": "c.example", "port": 993},
        ]  # fmt: skip
        tls = Server(host="c.example", port=993, security=Security.TLS)
        self.assertEqual([*servers_in(rows)], [A, B, tls])

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(sorted(COLUMNS)),
                st.one_of(
                    st.none(), st.text(max_size=6), st.integers(-1, 3), st.binary(max_size=2),
                    st.sampled_from(["a", "S/", "S/x", "here", "*", "%m", "x/%m", "."]),
                ),
            ),
            max_size=4,
        )
    )  # fmt: skip
    def test_whatever_is_in_rows_is_a_table_or_wrong(self, rows: list[dict[str, Any]]) -> None:
        try:
            table = read_table(rows)
            table.names("u", "u")
            table.location("S/x", "u", "u")
        except (Wrong, Unavailable):
            pass
