"""Whatever a Twisted mailbox gives, made into values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible
from referrald.mime.dates import parse_date
from referrald.mime.parts import parse
from referrald.session import edge
from tests.mime.mail import NESTED
from tests.session.foreign import Message

WHEN = datetime(1996, 7, 7, 2, 44, 25, tzinfo=timezone(-timedelta(hours=7)))


class Asking(SynchronousTestCase):
    def ask(self, owner: Any, *arguments: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(edge.ask(owner, "method", *arguments))

    def test_values_deferreds_and_coroutines_are_the_same(self) -> None:
        async def later(value: int) -> int:
            return value

        for method in (lambda value: value, lambda value: succeed(value), later):
            owner = type("Owner", (), {"method": staticmethod(method)})
            self.assertEqual(self.successResultOf(self.ask(owner, 7)), 7)

    def test_a_method_that_is_not_there_cannot_be_asked(self) -> None:
        self.failureResultOf(self.ask(object()), NotPossible)


class Values(SynchronousTestCase):
    def test_dates_in_every_form(self) -> None:
        for given_date in (
            WHEN,
            "07-Jul-1996 02:44:25 -0700",
            b" 7-Jul-1996 02:44:25 -0700",
            "Sun, 7 Jul 1996 02:44:25 -0700",
        ):
            self.assertEqual(edge.moment(given_date), WHEN)
            self.assertEqual(edge.date_time(edge.moment(given_date)), "07-Jul-1996 02:44:25 -0700")
        self.assertEqual(edge.moment(datetime(2020, 1, 1)), datetime(2020, 1, 1, tzinfo=UTC))
        self.assertEqual(edge.moment(b"\xff"), edge.EPOCH)

    @given(st.text(max_size=40))
    def test_no_text_makes_a_date_raise(self, text: str) -> None:
        edge.date_time(edge.moment(text))

    @given(st.datetimes(min_value=datetime(1000, 1, 1)), st.integers(-1439, 1439))
    def test_a_date_reads_back(self, when: datetime, minutes: int) -> None:
        zone = timezone(timedelta(minutes=minutes))
        whole = when.replace(microsecond=0, tzinfo=zone)
        self.assertEqual(parse_date(edge.date_time(whole)), whole)

    def test_flags_that_cannot_be_sent_are_left_out(self) -> None:
        flags = [b"\\SEEN", "\\Seen", "$a", "a b", "", "\u00e4", "x)", "\\", b"\xff"]
        self.assertEqual(edge.flag_names(flags), ("\\Seen", "$a"))

    def test_a_set_of_uids_has_ranges_for_runs(self) -> None:
        self.assertEqual(edge.message_set([1, 2, 3, 7, 9, 10]).ranges, [(1, 3), (7, 7), (9, 10)])

    def test_batches(self) -> None:
        uids = list(range(250))
        self.assertEqual([uid for batch in edge.batches(uids) for uid in batch], uids)


class Content(SynchronousTestCase):
    def content(self, message: Any) -> bytes:
        return self.successResultOf(Deferred.fromCoroutine(edge.content(message)))

    def test_a_message_of_header_and_body_is_put_together(self) -> None:
        message = Message(b"", 1, [], "")
        message.getHeaders = lambda negate, *names: {  # type: ignore[method-assign]
            "subject": "a\n  b\r\nc\u00e4",
            "x": b"\xfc ",
        }
        message.getBodyFile = lambda: BytesIO(b"body")  # type: ignore[method-assign]
        expected = "subject: a\r\n b\r\n c\u00e4\r\nx: ".encode() + b"\xfc\r\n\r\nbody"
        self.assertEqual(self.content(message), expected)
        size = self.successResultOf(Deferred.fromCoroutine(edge.size(message)))
        self.assertEqual(size, len(expected))

    def test_a_multipart_gets_its_boundaries_back(self) -> None:
        message = parse(self.content(Message(NESTED.replace(b"\r\n", b"\n"), 1, [], "")))
        self.assertEqual(len(message.children), 4)
        self.assertEqual(message.children[1].body, b"AAEC")
        embedded = message.children[2].embedded
        assert embedded is not None
        self.assertEqual(embedded.field(b"subject"), b"inside")

    def test_a_multipart_without_a_boundary_is_given_one(self) -> None:
        for kind in ({}, {"content-type": "multipart/mixed;"}):
            message = Message(NESTED.replace(b"\r\n", b"\n"), 1, [], "")
            message.getHeaders = lambda negate, *names, kind=kind: dict(kind)  # type: ignore[misc,method-assign]
            first = self.content(message)
            self.assertEqual(len(parse(first).children), 4)
            self.assertEqual(self.content(message), first)
