"""Which names LIST, LSUB, RLIST and RLSUB give: the RFCs' examples, and their rules as a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import MailboxEntry, MailboxLocation, RemoteMailbox, Replica
from referrald.model import Server
from referrald.session.names import STEP, Names, Row, rows, steps
from referrald.wire.listing import ListQuery
from tests.proves import proves

AWAY = MailboxLocation(replicas=(Replica(server=Server(host="b.example"), name="x"),))
HERE = MailboxLocation()


def box(name: str, *attributes: str) -> MailboxEntry:
    """Make a mailbox that is here."""
    return MailboxEntry(name=name, attributes=attributes)


def away(name: str, *attributes: str, **rest: Any) -> RemoteMailbox:
    """Make a mailbox that is elsewhere."""
    return RemoteMailbox(name=name, location=AWAY, attributes=attributes, **rest)


def shown(found: Iterable[Row]) -> dict[str, set[str]]:
    """Give what is told of each name, CHILDINFO among it."""
    found = list(found)
    told = {row.name: {*row.attributes, *(f"+{item}" for item in row.child_info)} for row in found}
    assert len(told) == len(found), "a name is listed once"
    return told


class NamesCase(SynchronousTestCase):
    names: Names

    def basic(self, pattern: str, *, remote: bool = False, reference: str = "") -> Any:
        query = ListQuery(reference=reference, patterns=(pattern,))
        return shown(rows(self.names, query, lsub=False, with_remote=remote))

    def lsub(self, pattern: str, *, remote: bool = False) -> Any:
        query = ListQuery(patterns=(pattern,))
        return shown(rows(self.names, query, lsub=True, with_remote=remote))

    def extended(self, *patterns: str, **options: Any) -> Any:
        query = ListQuery(patterns=patterns, extended=True, **options)
        return shown(rows(self.names, query, lsub=False, with_remote=query.remote))


class ExamplesOfTheRFC(NamesCase):
    """RFC 5258 section 5."""

    names = Names(
        local=[
            box("INBOX", "\\Marked", "\\NoInferiors"), box("Fruit"), box("Fruit/Apple"),
            box("Fruit/Banana"), box("Tofu"), box("Vegetable"), box("Vegetable/Broccoli"),
            box("Vegetable/Corn"),
        ],
        remote=[away("Bread", subscribed=True), away("Meat"), away("Meat/Ham")],
        subscriptions=frozenset(
            {"INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"}
        ),
    )  # fmt: skip
    inbox = {"\\Marked", "\\Noinferiors"}

    @proves("base:LIST", "M9")
    def test_1_everything_that_is_here(self) -> None:
        self.assertEqual(
            list(self.basic("*")),
            ["Fruit", "Fruit/Apple", "Fruit/Banana", "INBOX", "Tofu", "Vegetable",
             "Vegetable/Broccoli", "Vegetable/Corn"],
        )  # fmt: skip

    def test_2_what_is_subscribed(self) -> None:
        self.assertEqual(
            self.extended("*", subscribed=True),
            {
                "INBOX": {*self.inbox, "\\Subscribed"},
                "Fruit/Banana": {"\\Subscribed"},
                "Fruit/Peach": {"\\Subscribed", "\\NonExistent"},
                "Vegetable": {"\\Subscribed"},
                "Vegetable/Broccoli": {"\\Subscribed"},
            },
        )

    @proves("base:LIST")
    def test_3_children(self) -> None:
        first_level = {
            "INBOX": self.inbox,
            "Fruit": {"\\HasChildren"},
            "Tofu": {"\\HasNoChildren"},
            "Vegetable": {"\\HasChildren"},
        }
        self.assertEqual(self.extended("%", return_children=True), first_level)
        self.assertEqual(self.basic("%"), first_level)

    @proves("M9", "M10")
    def test_4_remote_names(self) -> None:
        expected = {
            "INBOX": self.inbox,
            "Fruit": {"\\HasChildren"},
            "Tofu": {"\\HasNoChildren"},
            "Vegetable": {"\\HasChildren"},
            "Bread": {"\\Remote", "\\HasNoChildren"},
            "Meat": {"\\Remote", "\\HasChildren"},
        }
        self.assertEqual(self.extended("%", remote=True, return_children=True), expected)
        for told in expected.values():
            told.discard("\\Remote")
        self.assertEqual(self.basic("%", remote=True), expected)

    @proves("M10")
    def test_5_remote_names_that_are_subscribed(self) -> None:
        self.assertEqual(
            self.extended("*", subscribed=True, remote=True),
            {
                **self.extended("*", subscribed=True),
                "Bread": {"\\Remote", "\\Subscribed"},
            },
        )

    @proves("M10")
    def test_6_remote_names_and_which_are_subscribed(self) -> None:
        self.assertEqual(
            self.extended("*", remote=True, return_subscribed=True),
            {
                "INBOX": {*self.inbox, "\\Subscribed"},
                "Fruit": set(),
                "Fruit/Apple": set(),
                "Fruit/Banana": {"\\Subscribed"},
                "Tofu": set(),
                "Vegetable": {"\\Subscribed"},
                "Vegetable/Broccoli": {"\\Subscribed"},
                "Vegetable/Corn": set(),
                "Bread": {"\\Remote", "\\Subscribed"},
                "Meat": {"\\Remote"},
                "Meat/Ham": {"\\Remote"},
            },
        )

    def test_7_several_patterns(self) -> None:
        self.names = Names(
            local=[box("INBOX"), box("Drafts", "\\NoInferiors"), box("Sent"), box("Sent/Mar/x")]
            + [box(f"Sent/{name}") for name in ("Mar", "Dec", "Aug")]
        )
        self.assertEqual(
            list(self.extended("INBOX", "Drafts", "Sent/%")),
            ["Drafts", "INBOX", "Sent/Aug", "Sent/Dec", "Sent/Mar"],
        )

    def test_8_subscribed_descendants(self) -> None:
        every = [box("INBOX"), box("Foo"), box("Foo/Bar"), box("Foo/Baz"), box("Moo")]

        def asked(local: Sequence[MailboxEntry], *subscribed: str, **options: Any) -> Any:
            self.names = Names(local=local, subscriptions=frozenset(subscribed))
            return self.extended("%", subscribed=True, **options)

        self.assertEqual(asked(every, "Foo/Baz"), {})
        self.assertEqual(asked(every, "Foo/Baz", recursive_match=True), {"Foo": {"+SUBSCRIBED"}})
        self.assertEqual(
            asked(every, "Foo", "Foo/Baz", recursive_match=True),
            {"Foo": {"\\Subscribed", "+SUBSCRIBED"}},
        )
        self.assertEqual(
            asked([*every[:1], *every[2:]], "Foo/Baz", recursive_match=True),
            {"Foo": {"\\NonExistent", "+SUBSCRIBED"}},
        )
        self.assertEqual(asked(every, recursive_match=True), {})
        self.assertEqual(
            asked(every, "Foo", "Moo", recursive_match=True, return_children=True),
            {"Foo": {"\\HasChildren", "\\Subscribed"}, "Moo": {"\\HasNoChildren", "\\Subscribed"}},
        )

    def test_9_descendants_whether_they_match_or_not(self) -> None:
        there = "foo2 foo2/bar1 foo2/bar2 baz2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba"
        subscribed = frozenset(there.split()) - {"foo2", "baz2"} | {"qux2/bar2"}
        self.names = Names(
            local=[box(name) for name in (*there.split(), "qux2/bar2")], subscriptions=subscribed
        )
        self.assertEqual(
            self.extended("*2", subscribed=True, recursive_match=True),
            {
                "foo2": {"+SUBSCRIBED"},
                "foo2/bar2": {"\\Subscribed"},
                "baz2/bar2": {"\\Subscribed"},
                "baz2/bar22": {"\\Subscribed"},
                "baz2/bar222": {"\\Subscribed"},
                "eps2": {"\\Subscribed", "+SUBSCRIBED"},
                "qux2/bar2": {"\\Subscribed"},
            },
        )

    def test_10_a_subscribed_descendant_is_no_child(self) -> None:
        self.names = Names(local=[box("foo")], subscriptions=frozenset({"foo/bar"}))
        self.assertEqual(self.extended("foo", "foo/*"), {"foo": set()})
        self.assertEqual(
            self.extended("foo/*", subscribed=True), {"foo/bar": {"\\Subscribed", "\\NonExistent"}}
        )
        self.assertEqual(
            self.extended("foo", subscribed=True, recursive_match=True, return_children=True),
            {"foo": {"\\HasNoChildren", "+SUBSCRIBED"}},
        )

    @proves("M9", "M10")
    def test_11_levels_that_are_missing(self) -> None:
        self.names = Names(local=[box("music/rock")], remote=[away("also/jazz")])
        level = {"\\NonExistent", "\\HasChildren"}
        self.assertEqual(
            self.extended("*", remote=True), {"music/rock": set(), "also/jazz": {"\\Remote"}}
        )
        self.assertEqual(self.extended("%"), {"music": level})
        self.assertEqual(self.extended("%", remote=True), {"music": level, "also": level})
        self.assertEqual(self.extended("%", "music/rock"), {"music/rock": set()})
        as_before = {"\\Noselect", "\\HasChildren"}
        self.assertEqual(self.basic("%"), {"music": as_before})
        self.assertEqual(self.basic("%", remote=True), {"music": as_before, "also": as_before})


class Rules(NamesCase):
    @proves("base:LIST")
    def test_an_empty_pattern_asks_for_the_delimiter(self) -> None:
        self.names = Names(local=[box("INBOX")])
        self.assertEqual(self.basic(""), {"": {"\\Noselect"}})
        self.assertEqual(self.basic("", remote=True), {"": {"\\Noselect"}})
        self.assertEqual(self.lsub(""), {})
        self.assertEqual(self.extended("", "inbox"), {"INBOX": set()})

    @proves("base:LSUB", "M9")
    def test_a_percent_shows_parents_of_what_is_subscribed(self) -> None:
        self.names = Names(
            local=[box("a"), box("b", "\\Noselect")],
            remote=[away("r/x", subscribed=True), away("s/y")],
            subscriptions=frozenset({"a/gone", "b", "s/y"}),
        )
        self.assertEqual(self.lsub("%"), {"a": {"\\Noselect"}, "b": set()})
        self.assertEqual(self.lsub("*"), {"a/gone": set(), "b": set()})
        self.assertEqual(
            self.lsub("%", remote=True),
            {"a": {"\\Noselect"}, "b": set(), "r": {"\\Noselect"}, "s": {"\\Noselect"}},
        )
        self.assertEqual(list(self.lsub("*", remote=True)), ["a/gone", "b", "r/x", "s/y"])

    @proves("M9")
    def test_children_are_seen_across_the_border_only_by_those_who_asked(self) -> None:
        self.names = Names(
            local=[box("a", "\\Noinferiors"), box("r/x"), box("twice")],
            remote=[away("a/b"), away("r"), away("twice")],
        )
        self.assertEqual(
            self.basic("%"),
            {"a": {"\\Noinferiors"}, "r": {"\\Noselect", "\\HasChildren"}},
        )
        self.assertEqual(
            self.basic("%", remote=True),
            {"a": {"\\HasChildren"}, "r": {"\\HasChildren"}, "twice": {"\\HasNoChildren"}},
        )

    @proves("M9", "M10")
    def test_a_subscribed_name_below_a_subtree_is_elsewhere_too(self) -> None:
        self.names = Names(
            local=[],
            remote=[
                away("t", subtree=True),
                RemoteMailbox(name="t/mine", location=HERE, subtree=True),
                away("u"),
            ],
            subscriptions=frozenset({"t/deep/er", "t/mine/x", "u/x"}),
        )
        self.assertEqual(self.lsub("*"), {"t/mine/x": set(), "u/x": set()})
        self.assertEqual(list(self.basic("*", remote=True)), ["t", "u"])
        self.assertEqual(
            self.extended("*", subscribed=True, remote=True),
            {
                "t/deep/er": {"\\Subscribed", "\\Remote"},
                "t/mine/x": {"\\Subscribed", "\\NonExistent"},
                "u/x": {"\\Subscribed", "\\NonExistent"},
            },
        )

    def test_special_use_is_told_when_it_is_asked_for_and_in_the_basic_form(self) -> None:
        self.names = Names(local=[box("a", "\\sent", "\\Marked"), box("b"), box("b/c", "\\TRASH")])
        self.assertEqual(self.basic("a"), {"a": {"\\Sent", "\\Marked", "\\HasNoChildren"}})
        self.assertEqual(self.extended("a"), {"a": {"\\Marked"}})
        self.assertEqual(
            self.extended("*", return_special_use=True),
            {"a": {"\\Sent", "\\Marked"}, "b": set(), "b/c": {"\\Trash"}},
        )
        self.assertEqual(
            self.extended("*", special_use=True), {"a": {"\\Sent", "\\Marked"}, "b/c": {"\\Trash"}}
        )
        self.assertEqual(self.extended("%", special_use=True), {"a": {"\\Sent", "\\Marked"}})
        self.assertEqual(
            self.extended("%", special_use=True, recursive_match=True),
            {"a": {"\\Sent", "\\Marked"}, "b": {"+SPECIAL-USE"}},
        )

    def test_attributes_come_once_each_in_a_stable_order(self) -> None:
        self.names = Names(
            local=[box("a", "\\marked", "\\X-new", "\\Marked", "\\HasChildren", "\\Remote")],
            subscriptions=frozenset("a"),
        )
        query = ListQuery(extended=True, return_children=True, return_subscribed=True)
        found = rows(self.names, query, lsub=False, with_remote=False)
        self.assertEqual(
            found, [Row("a", ("\\Marked", "\\X-new", "\\HasNoChildren", "\\Subscribed"))]
        )

    def test_what_imap_cannot_say_is_left_out(self) -> None:
        bad = ["\\a b", "\\", "x", "\\)\r\n* BYE", "\\\u00e9", "\\a\n"]
        self.names = Names(
            local=[box("a", *bad), box(""), box("b\r\nc"), box("d\0"), box("\ud800")],
            subscriptions=frozenset({"e\n", "f"}),
        )
        self.assertEqual(self.basic("*"), {"a": {"\\HasNoChildren"}})
        self.assertEqual(self.lsub("*"), {"f": set()})

    def test_counts_are_told_of_what_is_here_and_can_be_selected(self) -> None:
        self.names = Names(
            local=[box("a"), box("b", "\\noselect"), box("c/d"), box("e"), box("e/f")],
            remote=[away("r")],
            subscriptions=frozenset({"a", "e/f", "gone", "r"}),
        )

        def counted(**options: Any) -> list[str]:
            query = ListQuery(patterns=("%",), extended=True, **options)
            found = rows(self.names, query, lsub=False, with_remote=True)
            return [row.name for row in found if row.status]

        self.assertEqual(counted(status=("MESSAGES",)), ["a", "e"])
        self.assertEqual(
            counted(status=("MESSAGES",), subscribed=True, recursive_match=True), ["a"]
        )
        self.assertEqual(counted(), [])

    def test_without_a_delimiter_there_are_no_levels(self) -> None:
        self.names = Names(
            local=[box("a/b"), box("a")], subscriptions=frozenset({"a/b"}), delimiter=""
        )
        self.assertEqual(self.basic("%"), {"a": {"\\HasNoChildren"}, "a/b": {"\\HasNoChildren"}})
        self.assertEqual(self.lsub("%"), {"a/b": set()})

    def test_the_same_names_may_be_asked_again(self) -> None:
        self.names = Names(local=[box("a")], remote=[away("b")], subscriptions=frozenset("a"))
        for _ in range(2):
            self.assertEqual(list(self.basic("*")), ["a"])
            self.assertEqual(list(self.basic("*", remote=True)), ["a", "b"])
            self.assertEqual(list(self.lsub("*")), ["a"])


# -- the model -------------------------------------------------------------------------------


class Many(SynchronousTestCase):
    @proves("base:CPU traps")
    def test_very_many_names_are_sorted_out_a_thousand_at_a_time(self) -> None:
        names = Names(local=[box(f"a/{number:05}") for number in range(5 * STEP)])
        working = steps(names, ListQuery(), lsub=False, with_remote=False)
        pauses = 0
        try:
            while True:
                next(working)
                pauses += 1
        except StopIteration as done:
            self.assertEqual([row.name for row in done.value], [each.name for each in names.local])
        self.assertGreaterEqual(pauses, 5)
