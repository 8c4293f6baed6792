"""The engine of the lists against a plain model, and the work that it does."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import MailboxEntry, RemoteMailbox
from referrald.session.names import SPECIAL_USE, Names, rows
from referrald.wire.listing import ListQuery
from tests.proves import proves
from tests.session.test_names import AWAY, HERE, away, box, shown


class Book:
    """The rules word by word, without a thought to the work that they make."""

    def __init__(self, names: Names, query: ListQuery, lsub: bool, with_remote: bool) -> None:
        self.query, self.lsub, self.with_remote = query, lsub, with_remote
        self.listed = {entry.name: entry for entry in names.remote}
        self.boxes = {
            entry.name: set(entry.attributes)
            for entry in names.local
            if not self.elsewhere(entry.name)
        }
        self.subscribed = set(names.subscriptions)
        for entry in names.remote:
            if with_remote and not entry.location.here:
                self.boxes[entry.name] = set(entry.attributes)
                if entry.subscribed:
                    self.subscribed.add(entry.name)
        if not with_remote:
            self.subscribed = {name for name in self.subscribed if not self.elsewhere(name)}
        self.everything = {*self.boxes, *self.subscribed}
        for name in list(self.everything):
            parts = name.split("/")
            self.everything |= {"/".join(parts[:depth]) for depth in range(1, len(parts))}

    def elsewhere(self, name: str) -> bool:
        """Go by the longest listed name that covers this one."""
        covers = [
            entry
            for entry in self.listed.values()
            if name == entry.name or (entry.subtree and name.startswith(entry.name + "/"))
        ]
        nearest = max(covers, key=lambda entry: len(entry.name), default=None)
        return nearest is not None and not nearest.location.here

    def remote(self, name: str) -> bool:
        return self.with_remote and self.elsewhere(name)

    def meets(self, name: str) -> bool:
        """Say whether a name satisfies the selection options."""
        if self.lsub:
            return name in self.subscribed
        met = []
        if self.query.subscribed:
            met.append(name in self.subscribed)
        if self.query.special_use:
            met.append(bool(self.boxes.get(name, set()) & SPECIAL_USE))
        return all(met) if met else name in self.boxes

    def matches(self, name: str, ending: str = "") -> bool:
        wild = {"*": ".*", "%": "[^/]*"}
        return any(
            re.fullmatch(
                "".join(
                    wild.get(char, re.escape(char)) for char in self.query.reference + pattern
                ).replace("inbox", "INBOX"),
                name,
            )
            for pattern in self.query.patterns
            if pattern.endswith(ending)
        )

    def below(self, name: str, test: Callable[[str], bool]) -> bool:
        return any(test(other) for other in self.everything if other.startswith(name + "/"))

    def returned(self) -> dict[str, set[str]]:
        """Give every name that is returned, with what is told of it."""
        found = {}
        for name in self.everything:
            told = self.told(name) if self.matches(name) else None
            if told is not None:
                found[name] = told
        return found

    def told(self, name: str) -> set[str] | None:
        """Give what is told of a name that matches; None when it is not returned."""
        query = self.query
        if self.meets(name):
            info = query.recursive_match and self.below(name, self.meets)
            return self.attributes(name) | (self.info() if info else set())
        if query.recursive_match:
            if self.below(name, lambda other: self.meets(other) and not self.matches(other)):
                return self.attributes(name) | self.info()
        elif self.lsub or not (query.subscribed or query.special_use):
            return self.level(name)
        return None

    def level(self, name: str) -> set[str] | None:
        """Tell of a level above others, if a ``%`` shows it and nothing else does."""
        shown = self.below(name, lambda other: self.meets(other) and self.matches(other))
        if shown or not self.matches(name, "%") or not self.below(name, self.meets):
            return None
        if self.lsub:
            return {"\\Noselect"}
        if self.query.extended:
            return self.attributes(name) | {"\\HasChildren"}
        return {"\\HasChildren"} if self.remote(name) else {"\\Noselect", "\\HasChildren"}

    def info(self) -> set[str]:
        query = self.query
        chosen = {"+SUBSCRIBED": query.subscribed, "+SPECIAL-USE": query.special_use}
        return {name for name, wanted in chosen.items() if wanted}

    def attributes(self, name: str) -> set[str]:
        query = self.query
        told = set(self.boxes.get(name, ()))
        if self.lsub:
            return told - {"\\Noselect"}
        if query.extended and not (query.special_use or query.return_special_use):
            told -= SPECIAL_USE
        if name not in self.boxes and not self.remote(name):
            told.add("\\NonExistent")
        if query.return_children or not query.extended:
            if self.below(name, self.boxes.__contains__):
                told = told - {"\\Noinferiors"} | {"\\HasChildren"}
            elif "\\Noinferiors" not in told:
                told.add("\\HasNoChildren")
        if (query.subscribed or query.return_subscribed) and name in self.subscribed:
            told.add("\\Subscribed")
        if query.remote and self.remote(name):
            told.add("\\Remote")
        return told


NAMES = ("a", "a/b", "a/b/c", "a/c", "b", "b/a", "b/a/c", "INBOX", "INBOX/x")
attribute_sets = st.lists(
    st.sampled_from(["\\Noselect", "\\Noinferiors", "\\Sent", "\\Junk", "\\Marked"]),
    unique=True,
    max_size=2,
).map(tuple)
local_boxes = st.lists(
    st.builds(MailboxEntry, name=st.sampled_from(NAMES), attributes=attribute_sets),
    unique_by=lambda entry: entry.name,
    max_size=6,
)
remote_boxes = st.lists(
    st.builds(
        RemoteMailbox,
        name=st.sampled_from(NAMES),
        location=st.sampled_from([AWAY, AWAY, HERE]),
        attributes=attribute_sets,
        subscribed=st.booleans(),
        subtree=st.booleans(),
    ),
    unique_by=lambda entry: entry.name,
    max_size=4,
)
subscription_sets = st.frozensets(st.sampled_from(NAMES), max_size=5)
all_names = st.builds(
    Names, local=local_boxes, remote=remote_boxes, subscriptions=subscription_sets
)
patterns = st.sampled_from(
    ["*", "%", "a", "a/%", "a%", "*%", "%/%", "%/a*", "*c", "inbox", "inbox/%", "inbox%", "b/*"]
)
flags = st.fixed_dictionaries(
    {
        name: st.booleans()
        for name in (
            "subscribed", "remote", "special_use", "recursive_match",
            "return_subscribed", "return_children", "return_special_use",
        )
    }
)  # fmt: skip


class Model(SynchronousTestCase):
    def check(self, names: Names, query: ListQuery, lsub: bool, with_remote: bool) -> None:
        found = rows(names, query, lsub=lsub, with_remote=with_remote)
        book = Book(names, query, lsub, with_remote)
        self.assertEqual(shown(found), book.returned())
        self.assertEqual([row.name for row in found], sorted(row.name for row in found))
        for row in found:
            self.assertEqual(row.remote, book.remote(row.name), row)
            self.assertEqual(len(set(row.attributes)), len(row.attributes))
            self.assertFalse({"\\HasChildren", "\\HasNoChildren"} <= set(row.attributes))

    @proves("base:LIST", "base:LSUB", "M9")
    @settings(max_examples=300)
    @given(all_names, st.sampled_from(["", "a/"]), patterns, st.booleans(), st.booleans())
    def test_the_four_basic_commands(
        self, names: Names, reference: str, pattern: str, lsub: bool, with_remote: bool
    ) -> None:
        query = ListQuery(reference=reference, patterns=(pattern,))
        self.check(names, query, lsub, with_remote)

    @proves("M10")
    @settings(max_examples=400)
    @given(all_names, st.lists(patterns, min_size=1, max_size=3), flags)
    def test_list_extended(self, names: Names, asked: list[str], options: dict[str, bool]) -> None:
        if not (options["subscribed"] or options["special_use"]):
            options = {**options, "recursive_match": False}
        query = ListQuery(patterns=tuple(asked), extended=True, **options)
        self.check(names, query, False, query.remote)

    @proves("M9", "M10")
    @given(all_names, patterns)
    def test_remote_does_what_rlist_does(self, names: Names, pattern: str) -> None:
        basic = rows(names, ListQuery(patterns=(pattern,)), lsub=False, with_remote=True)
        query = ListQuery(patterns=(pattern,), extended=True, remote=True)
        marked = rows(names, query, lsub=False, with_remote=True)
        self.assertEqual([row.name for row in basic], [row.name for row in marked])
        self.assertEqual(
            {row.name for row in marked if "\\Remote" in row.attributes},
            {row.name for row in marked if row.remote},
        )
        self.assertFalse([row for row in basic if "\\Remote" in row.attributes])

    @proves("M9")
    @given(all_names, patterns, st.booleans())
    def test_who_did_not_ask_sees_what_is_there_without_remote_names(
        self, names: Names, pattern: str, lsub: bool
    ) -> None:
        book = Book(names, ListQuery(), lsub, False)
        alone = Names(
            local=[entry for entry in names.local if entry.name in book.boxes],
            subscriptions=frozenset(book.subscribed),
        )
        query = ListQuery(patterns=(pattern,))
        self.assertEqual(
            rows(names, query, lsub=lsub, with_remote=False),
            rows(alone, query, lsub=lsub, with_remote=False),
        )


def steps_of(work: Callable[[], Any]) -> int:
    """Count the lines of Python that ``work`` goes through."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Work(SynchronousTestCase):
    def test_it_grows_with_the_number_of_names_only(self) -> None:
        queries = [
            ListQuery(patterns=("*",)),
            ListQuery(patterns=("%",)),
            ListQuery(patterns=("*%a*%a*%a*%",)),
            ListQuery(patterns=("*a*a*a*a*z",)),
            ListQuery(extended=True, subscribed=True, recursive_match=True, patterns=("%/%",)),
            ListQuery(extended=True, remote=True, return_children=True, return_subscribed=True),
            ListQuery(extended=True, patterns=tuple(f"*{letter}%*" for letter in "abcdefghijkl")),
        ]
        for query in queries:
            for lsub in (False, True):
                few, many = (self.steps(size, query, lsub) for size in (100, 800))
                self.assertLess(many, 8.5 * few, query)

    def steps(self, size: int, query: ListQuery, lsub: bool) -> int:
        each = [f"a{number % 10}/a{number % 50:03}/aaaa{number:05}" for number in range(size)]
        names = Names(
            local=[box(name) for name in each[::2]],
            remote=[away(name, subscribed=True) for name in each[1::2]],
            subscriptions=frozenset(each),
        )
        return steps_of(lambda: rows(names, query, lsub=lsub, with_remote=True))
