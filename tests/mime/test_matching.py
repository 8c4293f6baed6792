"""What is found, and what is looked at to find it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import COMMON_FIELDS, StoredMessage
from referrald.mime import decoding, matching, texts
from referrald.mime.parts import Part, parse
from referrald.query import (
    All,
    Body,
    Changed,
    Either,
    Flag,
    Found,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Sent,
    Smaller,
    Text,
    Uids,
    Younger,
)
from tests.mime.mail import NESTED, ODD, SIMPLE

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
WORDS = ("meet", "Joe", "gr\u00fc\u00dfe", "SUBJECT", "one", "deep", "\xe9", "")
NAMES = ("Subject", "received", "X-None", "to", "Date")


@attrs.frozen(kw_only=True)
class Message:
    """A message of the naive kind."""

    about: StoredMessage
    content: bytes


class Box:
    """A source that notes what it was asked."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = {each.about.uid: each for each in messages}
        self.asked: list[tuple[str, Any]] = []
        self.gone: set[int] = set()

    def uids(self) -> list[int]:
        return sorted(self.messages)

    def attributes(self, uids: Sequence[int]) -> list[StoredMessage]:
        self.asked.append(("attributes", list(uids)))
        return [self.messages[uid].about for uid in uids if uid not in self.gone]

    def fields(self, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        self.asked.append(("fields", list(uids)))
        return [
            (
                uid,
                b"".join(
                    field.raw
                    for field in parse(self.messages[uid].content).fields
                    if field.name in COMMON_FIELDS
                ),
            )
            for uid in uids
            if uid not in self.gone
        ]

    def header(self, uid: int) -> bytes | None:
        self.asked.append(("header", uid))
        return None if uid in self.gone else parse(self.messages[uid].content).header

    def content(self, uid: int) -> bytes | None:
        self.asked.append(("content", uid))
        return None if uid in self.gone else self.messages[uid].content

    def looked_at(self, what: str) -> list[Any]:
        return [value for kind, value in self.asked if kind == what]


def naive(query: Query, message: Message) -> bool:
    """Answer by looking at everything."""
    if isinstance(query, All):
        return all(naive(each, message) for each in query.parts)
    if isinstance(query, Either):
        return naive(query.first, message) or naive(query.second, message)
    if isinstance(query, Not):
        return not naive(query.inner, message)
    if isinstance(query, Header | Body | Text | Sent):
        return in_content(query, parse(message.content))
    return in_attributes(query, message.about)


def in_attributes(query: Any, about: StoredMessage) -> bool:
    """Answer what does not depend on the bytes."""
    age = (NOW - about.received).total_seconds()
    answers: dict[type, Callable[[], bool]] = {
        Uids: lambda: any(low <= about.uid <= high for low, high in query.ranges),
        Flag: lambda: query.name.lower() in {flag.lower() for flag in about.flags},
        Larger: lambda: about.size > query.size,
        Smaller: lambda: about.size < query.size,
        Younger: lambda: age <= query.seconds,
        Older: lambda: age >= query.seconds,
        Changed: lambda: about.modseq >= query.modseq,
        Received: lambda: compared(about.received.date(), query.compare, query.day),
    }
    return answers[type(query)]()


def in_content(query: Any, part: Part) -> bool:
    """Answer what does depend on the bytes."""
    if isinstance(query, Sent):
        when = matching_day(part)
        return when is not None and compared(when, query.compare, query.day)
    text = query.text.casefold()
    lines = [texts.field_line(field).casefold() for field in part.fields]
    if isinstance(query, Header):
        named = [line for line in lines if line.startswith(query.name.lower() + ":")]
        return any(text in line.partition(": ")[2] for line in named)
    body = ["".join(passage).casefold() for passage in texts.passages(part)]
    searched = body if isinstance(query, Body) else lines + body
    return not text or any(text in each for each in searched)


def matching_day(part: Part) -> date | None:
    """Know the only date in these messages that is one."""
    value = part.field(b"date")
    return date(1994, 2, 7) if value is not None and b"Feb 1994" in value else None


def compared(one: date, how: str, other: date) -> bool:
    """Compare days."""
    return {"<": one < other, "=": one == other, ">=": one >= other}[how]


DAYS = st.sampled_from([date(1994, 2, 7), date(1994, 2, 8), date(2024, 3, 1)])
COMPARES = st.sampled_from(["<", "=", ">="])
LEAVES: st.SearchStrategy[Query] = st.one_of(
    st.builds(
        lambda low, more, gap: Uids(((low, low + more), (low + more + gap + 2, 9))),
        st.integers(1, 3), st.integers(0, 2), st.integers(0, 1),
    ),
    st.builds(Flag, st.sampled_from(["\\Seen", "$work", "\\Deleted"])),
    st.builds(Larger, st.integers(0, 300)),
    st.builds(Smaller, st.integers(0, 300)),
    st.builds(Received, COMPARES, DAYS),
    st.builds(Sent, COMPARES, DAYS),
    st.builds(Younger, st.integers(0, 100)),
    st.builds(Older, st.integers(0, 100)),
    st.builds(Changed, st.integers(1, 9)),
    st.builds(Header, st.sampled_from(NAMES), st.sampled_from(WORDS)),
    st.builds(Body, st.sampled_from(WORDS)),
    st.builds(Text, st.sampled_from(WORDS)),
    st.just(All()),
)  # fmt: skip
QUERIES: st.SearchStrategy[Query] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: All(tuple(parts)), st.lists(inner, max_size=3)),
        st.builds(Either, inner, inner),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


def message(
    uid: int,
    content: bytes = SIMPLE,
    flags: Sequence[str] = (),
    age: int = 0,
    modseq: int = 1,
    zone: int = 0,
) -> Message:
    """Make a message."""
    received = (NOW - timedelta(seconds=age)).astimezone(timezone(timedelta(hours=zone)))
    return Message(
        about=StoredMessage(
            uid=uid, flags=tuple(flags), received=received, size=len(content), modseq=modseq
        ),
        content=content,
    )


BOXES = st.lists(
    st.builds(
        message,
        uid=st.integers(1, 12),
        content=st.one_of(st.sampled_from([SIMPLE, NESTED, b"", b"no header \xe9"]), ODD),
        flags=st.sets(st.sampled_from(["\\Seen", "$Work", "\\Deleted"])).map(tuple),
        age=st.integers(0, 100),
        modseq=st.integers(1, 9),
        zone=st.integers(-14, 14),
    ),
    max_size=6,
    unique_by=lambda each: each.about.uid,
)


class Planned(SynchronousTestCase):
    @settings(max_examples=300)
    @given(BOXES, QUERIES)
    def test_what_is_planned_finds_what_looking_at_everything_finds(
        self, messages: list[Message], query: Query
    ) -> None:
        messages = [
            attrs.evolve(each, content=each.content.replace(b"\0", b"0")) for each in messages
        ]
        matched = [each.about for each in messages if naive(query, each)]
        found = matching.search(query, Box(messages), now=NOW)
        self.assertEqual(list(found.uids), sorted(each.uid for each in matched))
        if any(isinstance(leaf, Changed) for leaf in matching.leaves(query)):
            self.assertEqual(found.modseq, max((each.modseq for each in matched), default=0))
        else:
            self.assertEqual(found.modseq, 0)

    @given(st.text(max_size=60), st.text(min_size=1, max_size=3))
    def test_text_is_found_wherever_pieces_end(self, text: str, word: str) -> None:
        self.patch(decoding, "PIECE", 3)
        content = b"Content-Type: text/plain; charset=utf-8\n\n" + text.encode()
        expected = [1] if word.casefold() in text.replace("\0", "\ufffd").casefold() else []
        if "\0" not in text + word:
            found = matching.search(Body(word), Box([message(1, content)]), now=NOW)
            self.assertEqual(list(found.uids), expected)


class Looking(SynchronousTestCase):
    def setUp(self) -> None:
        self.box = Box(
            [
                message(1, flags=["\\Seen"]),
                message(2, NESTED),
                message(3, b"X-Odd: a\r\n\r\nmeet"),
                message(4, modseq=7),
            ]
        )

    def find(self, query: Query) -> Found:
        return matching.search(query, self.box, now=NOW)

    def test_uids_alone_need_nothing(self) -> None:
        self.assertEqual(list(self.find(Not(Uids(((2, 3),)))).uids), [1, 4])
        self.assertEqual(list(self.find(All()).uids), [1, 2, 3, 4])
        self.assertEqual(self.box.asked, [])

    def test_only_messages_that_are_still_in_question_are_read(self) -> None:
        query = All((Body("meet"), Not(Flag("\\seen")), Uids(((1, 3),))))
        self.assertEqual(list(self.find(query).uids), [3])
        self.assertEqual(
            self.box.asked, [("attributes", [1, 2, 3]), ("content", 2), ("content", 3)]
        )

    def test_a_message_is_not_read_when_something_cheap_matches(self) -> None:
        found = self.find(Either(Body("meet"), Header("Subject", "nested")))
        self.assertEqual(list(found.uids), [1, 2, 3, 4])
        self.assertEqual(self.box.looked_at("content"), [1, 3, 4])
        self.assertEqual(self.box.looked_at("attributes"), [])

    def test_addresses_are_found_as_the_envelope_has_them_too(self) -> None:
        self.box = Box([message(1, b"To: Ann <ann (at work) @ (the) example.org>\r\n\r\n")])
        for text in ("ann@example.org", "Ann <", "(at work)", "ANN@"):
            self.assertEqual(list(self.find(Header("to", text)).uids), [1], text)
        self.assertEqual(list(self.find(Header("to", "work@example")).uids), [])

    def test_other_fields_need_the_header_and_no_more(self) -> None:
        self.assertEqual(list(self.find(Header("x-odd", "A")).uids), [3])
        self.assertEqual(self.box.asked, [("header", uid) for uid in (1, 2, 3, 4)])

    def test_the_highest_modseq_is_told_where_it_is_asked_for(self) -> None:
        self.assertEqual(
            self.find(Either(Uids(((1, 1),)), Changed(2))), Found(uids=[1, 4], modseq=7)
        )
        self.assertEqual(self.find(Uids(((4, 4),))).modseq, 0)
        self.assertEqual(self.find(Changed(8)), Found(uids=[], modseq=0))

    def test_messages_that_are_gone_are_left_out(self) -> None:
        self.box.gone = {3}
        for query in (
            Not(Flag("x")),
            Sent(">=", date(1970, 1, 1)),
            Not(Header("x-odd", "q")),
            Not(Body("q")),
        ):
            self.assertNotIn(3, self.find(query).uids)
        self.assertEqual(list(self.find(Either(Uids(((3, 4),)), Changed(1))).uids), [1, 2, 4])

    def test_a_message_with_much_text_is_read_in_small_steps(self) -> None:
        big = b"Subject: x\r\n\r\n" + b"a" * (20 * decoding.PIECE)
        work = matching.steps(Body("b"), Box([message(1, big)]), now=NOW)
        self.assertGreaterEqual(len(list(work)), 20)
        work = matching.steps(Body("aa"), Box([message(1, big)]), now=NOW)
        self.assertLess(len(list(work)), 10)

    def test_who_has_gone_away_ends_it(self) -> None:
        answers = iter([False] * 4 + [True])
        with self.assertRaises(matching.Aborted):
            matching.search(Body("meet"), self.box, now=NOW, aborted=lambda: next(answers))
        self.assertLess(len(self.box.looked_at("content")), 4)
