"""What the index answers of a search is what looking at each message finds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from threading import Event

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import NewMessage
from referrald.mime import matching
from referrald.query import (
    All,
    Body,
    Changed,
    Either,
    Flag,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Smaller,
    Uids,
    Younger,
)
from referrald.store.maildir.searching import Shelf, search
from referrald.store.maildir.selecting import at_least, exactly
from tests.proves import proves
from tests.store.maildir.support import Site, folder
from tests.store.support import now

TEXTS = (
    b"Subject: Plain words\r\n\r\nbody one\r\n",
    b"Subject: =?utf-8?q?M=C3=BCnchen_words?=\r\n\r\nbody two\r\n",
    b"Subject: folded\r\n words\r\nTo: a@b.example\r\n\r\n" + b"x" * 500,
    b"Subject: nul\0words\r\n\r\n",
    "Subject: M\u00fcnchen\r\n\r\n".encode(),
    b"\r\nno header, words\r\n",
)
FLAGS = ((), ("\\Seen",), ("$Work",), ("\\Seen", "$work2"), ("\\Deleted", "\\Draft", "$Work"))
ZONES = (-720, -1, 0, 330, 840)

leaf = some.one_of(
    some.builds(Flag, some.sampled_from(["\\SEEN", "$wORK", "$work2", "\\Recent", "work"])),
    some.builds(Larger, some.sampled_from([0, 30, 100, 2**70])),
    some.builds(Smaller, some.sampled_from([0, 30, 100, 2**70])),
    some.builds(Changed, some.integers(0, 40)),
    some.builds(
        Received,
        some.sampled_from(["<", "=", ">="]),
        some.dates(date(2023, 12, 29), date(2024, 1, 5)),
    ),
    some.builds(Younger, some.integers(0, 10**10)),
    some.builds(Older, some.integers(0, 10**10)),
    some.builds(
        Header,
        some.sampled_from(["subject", "To", "X-None"]),
        some.sampled_from(["", "words", "WORDS", "folded words", "m\u00fcn", "munch", "nul", " "]),
    ),
    some.builds(Uids, some.sampled_from([(), ((1, 5),), ((2, 2), (7, 2**40))])),
    some.builds(Body, some.sampled_from(["one", "words"])),
)
queries = some.recursive(
    leaf,
    lambda inner: some.one_of(
        some.builds(Not, inner),
        some.builds(Either, inner, inner),
        some.builds(lambda parts: All(tuple(parts)), some.lists(inner, max_size=3)),
    ),
    max_leaves=5,
)


class Selected(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        account = self.site.open()
        start = datetime(2023, 12, 31, 22, 30, tzinfo=UTC)
        for number in range(30):
            zone = timezone(timedelta(minutes=ZONES[number % 5]))
            new = NewMessage(
                content=TEXTS[number % 6],
                flags=FLAGS[number * 7 % 5],
                received=(start + timedelta(hours=number)).astimezone(zone),
            )
            now(account.append("INBOX", [new]))
        self.box = folder(account)
        now(self.box.rows(range(1, 20), ("fields",)))
        self.shelf: Shelf = self.box._shelf
        self.addCleanup(self.site.close)

    @settings(max_examples=200, deadline=None)
    @given(queries)
    def test_it_is_the_same(self, query: Query) -> None:
        plain = matching.search(query, self.shelf, now=datetime.now(UTC))
        found = search(query, self.shelf, Event())
        self.assertEqual((list(found.uids), found.modseq), (list(plain.uids), plain.modseq))

    @proves("K15")
    def test_what_the_index_has_is_answered_without_a_look(self) -> None:
        moment = datetime.now(UTC)
        for query in (Flag("$x"), All((Flag("\\Seen"), Not(Larger(5)))), All(), Uids(((1, 2),))):
            self.assertIsNotNone(exactly(query, moment))
        for query in (Body("x"), Not(Header("subject", "x")), Header("x-other", "x")):
            self.assertIsNone(at_least(query, moment))
        self.assertIsNone(exactly(Header("subject", "x"), moment))

    def test_a_query_may_be_long_and_deep(self) -> None:
        deep: Query = Flag("\\Seen")
        self.seen = list(search(deep, self.shelf, Event()).uids)
        for _ in range(200):
            deep = Not(Not(deep))
        for query in (All((Flag("\\Seen"),) * 2000), deep, Either(deep, All((deep, deep)))):
            found = search(query, self.shelf, Event())
            self.assertEqual(list(found.uids), self.seen)

    def test_few_others_are_looked_at_for_a_word_in_a_field(self) -> None:
        now(self.box.rows(range(1, 31), ("fields",)))
        condition = at_least(All((Header("subject", "plain"), Body("one"))), datetime.now(UTC))
        self.assertEqual(
            [(uid - 1) % 6 for uid in self.shelf.narrowed(condition).uids()], [0, 1, 3, 4] * 5
        )
