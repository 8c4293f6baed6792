from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailfiles.fromline import FromLine, format_from, parse_from

DATE = datetime(2024, 2, 29, 23, 59, 7, tzinfo=UTC)
FORMS = (
    b"From alice@example.com Thu Feb 29 23:59:07 2024\n",
    b"From alice@example.com  Thu Feb 29 23:59:07 2024\r\n",
    b"From MAILER-DAEMON Thu Feb 29 23:59:07 UTC 2024\n",
    b"From - Thu Feb 29 23:59:07 2024\n",
    b'From "a b"@example.com Thu Feb 29 23:59:07 2024\n',
    b"From a Fri Mar  1 00:59:07 +0100 2024\n",
    b"From a Fri Mar  1 00:59:07 2024 +0100\n",
    b"From uucp!a Thu Feb 29 23:59:07 2024 remote from host\n",
)
TEXT = (
    b"From here on it gets worse.\n",
    b"From alice\n",
    b"from alice Thu Feb 29 23:59:07 2024\n",
    b">From alice Thu Feb 29 23:59:07 2024\n",
    b" From alice Thu Feb 29 23:59:07 2024\n",
    b"From: alice Thu Feb 29 23:59:07 2024\n",
    b"From alice Thu Feb 29 23:59 and so on 2024\n",
    b"",
)


class Lines(SynchronousTestCase):
    def test_all_usual_forms_begin_a_message(self) -> None:
        for line in FORMS:
            found = parse_from(line)
            assert found is not None, line
            self.assertEqual(found.received, DATE, line)

    def test_text_that_begins_so_does_not(self) -> None:
        for line in TEXT:
            self.assertIsNone(parse_from(line), line)

    def test_the_first_line_needs_no_date(self) -> None:
        self.assertEqual(parse_from(b"From alice\n", first=True), FromLine())
        self.assertIsNone(parse_from(b"Subject: x\n", first=True))

    def test_a_date_that_cannot_be_still_begins_a_message(self) -> None:
        found = parse_from(b"From a Thu Feb 31 23:59:07 2024\n")
        self.assertEqual(found, FromLine())

    def test_seconds_may_be_left_out(self) -> None:
        found = parse_from(b"From a Thu Feb 29 23:59 2024\n")
        assert found is not None
        self.assertEqual(found.received, DATE.replace(second=0))

    @given(
        st.datetimes(
            min_value=datetime(1970, 1, 2),
            max_value=datetime(9998, 1, 1),
            timezones=st.integers(-720, 840).map(lambda m: timezone(timedelta(minutes=m))),
        )
    )
    def test_what_is_written_is_read_again(self, when: datetime) -> None:
        found = parse_from(format_from(when))
        assert found is not None
        self.assertEqual(found.received, when.replace(microsecond=0))

    @given(st.binary(max_size=200))
    def test_nothing_makes_it_fail(self, line: bytes) -> None:
        parse_from(line)
        parse_from(b"From " + line, first=True)
