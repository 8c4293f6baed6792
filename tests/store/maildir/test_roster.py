"""The messages of a mailbox in memory: as the index has them, whatever happens."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from referrald.query import All, Either, Flag, Not, Query, Received, Uids
from referrald.store.maildir import folders, masks, roster
from referrald.store.maildir.index import Index
from referrald.store.maildir.masks import matching
from referrald.store.maildir.roster import FEW, KEYWORDS, Roster
from tests.store.maildir.support import Site, put
from tests.store.support import now

SEEN, DELETED = 1, 8
WORDS = ("", "$Work", "$Work other")


def made(*messages: tuple[int, int, str]) -> Roster:
    """Make a roster of UIDs, flags and keywords."""
    return Roster(
        1,
        array("I", [uid for uid, _bits, _words in messages]),
        bytes(bits | KEYWORDS if words else bits for _uid, bits, words in messages),
        {uid: words for uid, _bits, words in messages if words},
    )


class AmongTests(TestCase):
    there = made((2, SEEN, ""), (3, 0, "$Work"), (7, DELETED, ""))

    def test_those_that_are_there_are_told_once_and_ascending(self) -> None:
        for uids in ([7, 3, 1, 3], array("I", [3, 7]), (3, 5, 7, 2**40, 0, -1)):
            told = [(3, 0, "$Work"), (7, DELETED, "")]
            self.assertEqual(list(self.there.told(uids)), told)

    def test_of_none_nothing_is_told(self) -> None:
        for uids in ((), [1, 4], [2**32], array("I")):
            self.assertEqual(list(self.there.told(uids)), [])

    def test_a_few_of_many_are_found(self) -> None:
        many = made(*((uid, uid % 2, "") for uid in range(1, 20_000, 3)))
        self.assertEqual(list(many.told([1, 2, 19_998, 10_000])), [(1, 1, ""), (10_000, 0, "")])

    def test_the_first_unseen_is_known(self) -> None:
        self.assertEqual(self.there.first_unseen, 3)
        self.assertIsNone(made((1, SEEN, "")).first_unseen)
        self.assertIsNone(made().first_unseen)


class KeepingUpTests(TestCase):
    """Rosters that were brought up to a later state are as if they had been read there."""

    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.account = self.site.open()
        now(self.account.create("other"))
        self.box = now(self.account.open("INBOX", True))
        self.addCleanup(self.site.close)

    def look(self) -> Roster:
        """Give the roster, after it has been compared with one that was read just now."""

        def both(index: Index) -> tuple[Roster, Roster]:
            with index.reading() as database:
                folder = folders.get(index, "INBOX")
                return index.rosters.get(database, folder), roster._read(database, folder)

        kept, fresh = now(self.box._keeper.run(both))
        for name in ("modseq", "uids", "flags", "keywords"):
            self.assertEqual(getattr(kept, name), getattr(fresh, name), name)
        return kept

    def test_new_ones_changed_ones_and_removed_ones_are_followed(self) -> None:
        uids = put(self.account, "INBOX", *[b"x"] * (3 * FEW))
        self.look()
        now(self.box.store(uids[5:9], ["\\Seen", "$Work"], 1))
        put(self.account, "INBOX", b"y", flags=("other",))
        self.look()
        now(self.box.store(uids[6:7], ["\\Deleted"], 0))
        now(self.box.expunge())
        now(self.box.move(uids[:2], "other"))
        self.look()
        now(self.box.move(uids[10 : 11 + FEW], "other"))
        after = self.look()
        self.assertEqual(len(after.uids), 3 * FEW + 1 - 4 - FEW)

    def test_what_nobody_saw_come_and_go_is_not_there(self) -> None:
        put(self.account, "INBOX", b"x")
        self.look()
        placed = put(self.account, "INBOX", b"y", b"z")
        now(self.box.store(placed[:1], ["\\Deleted"], 1))
        now(self.box.expunge())
        self.assertEqual(list(self.look().uids), [1, placed[1]])

    def test_a_state_that_the_index_no_longer_knows_of_is_read_anew(self) -> None:
        (uid,) = put(self.account, "INBOX", b"x")
        self.look()
        put(self.account, "INBOX", b"y")
        now(self.box.move([uid], "other"))

        def forget(index: Index) -> None:
            with index.writing() as database:
                database.execute("DELETE FROM expunged")
                database.execute("UPDATE folders SET remembered = modseq")

        now(self.box._keeper.run(forget))
        self.look()

    def test_those_used_longest_ago_make_room(self) -> None:
        self.patch(roster, "KEPT", 3)
        for name in ("INBOX", "other"):
            put(self.account, name, b"x", b"y")
            now(now(self.account.open(name, True)).state())

        def kept(index: Index) -> int:
            return len(index.rosters._rosters)

        self.assertEqual(now(self.box._keeper.run(kept)), 1)


def leaves() -> st.SearchStrategy[Query]:
    """Give queries that a roster answers."""
    ends = st.tuples(st.integers(0, 12), st.integers(0, 12))
    ranges = st.lists(ends, max_size=3).map(lambda each: Uids(tuple(each)))
    names = ("\\Seen", "\\deleted", "$work", "OTHER", "none")
    return ranges | st.sampled_from(names).map(Flag)


def queries() -> st.SearchStrategy[Query]:
    """Give such queries put together."""
    return st.recursive(
        leaves(),
        lambda inner: (
            inner.map(Not)
            | st.tuples(inner, inner).map(lambda two: Either(*two))
            | st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts)))
        ),
    )


def true_of(query: Query, message: tuple[int, int, str]) -> bool:
    """Say whether a message matches, the plain way."""
    uid, bits, words = message
    if isinstance(query, All):
        return all(true_of(part, message) for part in query.parts)
    if isinstance(query, Either):
        return true_of(query.first, message) or true_of(query.second, message)
    if isinstance(query, Not):
        return not true_of(query.inner, message)
    if isinstance(query, Uids):
        return any(low <= uid <= high for low, high in query.ranges)
    assert isinstance(query, Flag)
    known = {"\\seen": bits & SEEN, "\\deleted": bits & DELETED}
    return bool(known.get(query.name.lower(), query.name.lower() in words.lower().split()))


messages = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from((0, SEEN, DELETED, 9)), st.sampled_from(WORDS)),
    unique_by=lambda message: message[0],
).map(sorted)


class MatchingTests(TestCase):
    @settings(deadline=None)
    @given(messages, queries())
    def test_a_roster_finds_what_matches(self, known: Sequence[Any], query: Query) -> None:
        expected = [message[0] for message in known if true_of(query, message)]
        found = matching(query, made(*known))
        assert found is not None
        self.assertEqual(list(found), expected)

    def test_what_a_roster_does_not_know_is_left_to_others(self) -> None:
        day = Received("=", datetime.now(UTC).date())
        for query in (day, Not(day), All((Flag("x"), day)), Either(day, Flag("x"))):
            self.assertIsNone(masks.matching(query, made((1, 0, ""))))
