"""An mbox by hand, with odd things in it; and what is written read again."""

from __future__ import annotations

import io
import mailbox
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailfiles.mbox import Quoting, as_mbox, read_mbox
from referrald.mailfiles.messages import PIECE, NotMail, pieces

DATE = datetime(2024, 2, 29, 23, 59, 7, tzinfo=UTC)
FROM = b"From a@example.com Thu Feb 29 23:59:07 2024\n"


def read(text: bytes, quoting: Quoting = "mboxrd") -> list[tuple[bytes, tuple[str, ...], Any]]:
    """Give content, flags and date of every message."""
    found = []
    for message in read_mbox(io.BytesIO(text), quoting):
        content = message.content.read()
        assert len(content) == message.size
        found.append((content, message.flags, message.received))
    return found


def texts(text: bytes, quoting: Quoting = "mboxrd") -> list[bytes]:
    return [content for content, _flags, _date in read(text, quoting)]


class Reading(SynchronousTestCase):
    def test_messages_are_parted_and_get_crlf(self) -> None:
        box = FROM + b"Subject: a\n\none\n\ntwo\n\n" + FROM + b"Subject: b\n\nthree\n"
        self.assertEqual(
            read(box),
            [
                (b"Subject: a\r\n\r\none\r\n\r\ntwo\r\n", (), DATE),
                (b"Subject: b\r\n\r\nthree\r\n", (), DATE),
            ],
        )

    def test_lines_that_end_with_crlf_stay_as_they_are(self) -> None:
        box = (FROM + b"Subject: a\n\none\n\n" + FROM + b"\nb\n").replace(b"\n", b"\r\n")
        self.assertEqual(texts(box), [b"Subject: a\r\n\r\none\r\n", b"\r\nb\r\n"])

    def test_text_is_no_separator(self) -> None:
        """Not without a date, and not in the middle of a paragraph."""
        body = b"Subject: a\n\n\nFrom here on\n\nthen\n" + FROM + b"end\n"
        self.assertEqual(texts(FROM + body), [body.replace(b"\n", b"\r\n")])

    def test_quotes_are_taken_off_as_they_were_put_on(self) -> None:
        box = FROM + b"\n>From a\n>>From b\n>>>From c\n> From d\n"
        self.assertEqual(texts(box), [b"\r\nFrom a\r\n>From b\r\n>>From c\r\n> From d\r\n"])
        left = b"\r\nFrom a\r\n>>From b\r\n>>>From c\r\n> From d\r\n"
        self.assertEqual(texts(box, "mboxo"), [left])
        self.assertEqual(texts(box, "none"), [left.replace(b"\nFrom", b"\n>From")])

    def test_a_length_that_lies_means_nothing(self) -> None:
        """It is not believed, and belongs to the mbox."""
        box = FROM + b"Content-Length: 100000\nSubject: a\n\nx\n\n" + FROM + b"\ny\n"
        self.assertEqual(texts(box), [b"Subject: a\r\n\r\nx\r\n", b"\r\ny\r\n"])

    def test_flags_stand_in_the_header(self) -> None:
        head = b"Status: RO\nX-STATUS: AFTD\nX-Keywords: $Work  other\n (bad) \\Odd\nX-UID: 7\n"
        (found,) = read(FROM + b"Subject: a\n" + head + b"To: b\n\nStatus: body\n")
        flags = {"\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Work", "other"}
        self.assertEqual(set(found[1]), flags)
        self.assertEqual(found[0], b"Subject: a\r\nTo: b\r\n\r\nStatus: body\r\n")

    def test_what_a_program_put_first_for_itself_is_passed_over(self) -> None:
        internal = FROM + b"Subject: DON'T DELETE\nX-IMAP: 12 1\n\nInternal.\n\n"
        self.assertEqual(texts(internal + FROM + b"\nx\n"), [b"\r\nx\r\n"])

    def test_empty_files_and_empty_messages_are_no_fault(self) -> None:
        self.assertEqual(texts(b""), [])
        self.assertEqual(texts(b"\n\n"), [])
        self.assertEqual(texts(FROM), [b""])
        self.assertEqual(texts(FROM + b"\n" + FROM + b"\n"), [b"\r\n", b"\r\n"])

    def test_another_file_is_refused(self) -> None:
        for text in (b"Subject: a\n\nb\n", b"\x7fELF\0\0", b"\n\nx"):
            self.assertRaises(NotMail, texts, text)

    def test_very_long_lines_stay_one(self) -> None:
        for extra in range(-2, 3):
            line = b"x" * (PIECE + extra)
            for text in (line + b"From \r\n", line + b"\rFrom \n", line + b"\n"):
                body = text if text.endswith(b"\r\n") else text[:-1] + b"\r\n"
                self.assertEqual(texts(FROM + b"\n" + text), [b"\r\n" + body])

    def test_bytes_of_all_kinds_come_through(self) -> None:
        body = bytes(each for each in range(256) if each not in b"\r\n") + b"\r \r"
        self.assertEqual(texts(FROM + b"\n" + body), [b"\r\n" + body])


class ByPython(SynchronousTestCase):
    def test_what_pythons_mailbox_writes_is_read(self) -> None:
        """It quotes as mboxo does, and keeps flags in the header."""
        path = os.path.abspath(self.mktemp())
        box = mailbox.mbox(path)
        for number in range(3):
            message = mailbox.mboxMessage(
                f"Subject: {number}\n\nFrom here\n\nFrom there\n>From quoted\n"
            )
            message.set_from("bob@example.com", DATE.timetuple())
            message.set_flags("RF" if number else "")
            box.add(message)
        box.flush()
        box.close()
        with open(path, "rb") as file:
            found = read(file.read(), "mboxo")
        for number, (content, flags, received) in enumerate(found):
            start = b"Subject: %d\r\n\r\nFrom here\r\n\r\nFrom there\r\n" % number
            self.assertTrue(content.startswith(start), content)
            self.assertEqual(set(flags), {"\\Seen", "\\Flagged"} if number else set())
            self.assertEqual(received, DATE)
        self.assertEqual(len(found), 3)


LINE = st.one_of(
    st.sampled_from([b"", b"From ", FROM.rstrip(), b">" + FROM.rstrip(), b">>From x", b"x: y"]),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"").rstrip(b"\r")),
)
HEADER = st.binary(min_size=1, max_size=20).map(lambda x: b"X: " + x.translate(None, b"\r\n"))
FLAGS = st.lists(
    st.sampled_from(["\\Seen", "\\Answered", "\\Draft", "$Work", "Other"]), unique=True
)


@st.composite
def messages(draw: Any) -> bytes:
    """Give a message that an mbox can hold: it has an empty line, and its last line ends."""
    lines = [*draw(st.lists(HEADER, max_size=4)), b"", *draw(st.lists(LINE, max_size=8))]
    return b"".join(line + b"\r\n" for line in lines)


class ThereAndBack(SynchronousTestCase):
    def written(self, many: Sequence[tuple[bytes, Sequence[str]]]) -> bytes:
        return b"".join(
            part
            for content, flags in many
            for part in as_mbox(pieces(io.BytesIO(content)), DATE, flags)
        )

    @given(st.lists(st.tuples(messages(), FLAGS), max_size=4))
    def test_what_is_written_is_read_again(self, many: list[tuple[bytes, list[str]]]) -> None:
        found = read(self.written(many))
        self.assertEqual([content for content, _flags, _date in found], [each[0] for each in many])
        self.assertEqual([set(flags) for _, flags, _ in found], [set(each[1]) for each in many])
        self.assertEqual({date for _, _, date in found} - {DATE}, set())

    @example([b"\r", b"\r\r\n"])
    @example([b"Status: O", b"a: b\r\nStatus: O"])
    @example([b"a: b\r\n\r", b"a: b\r\n\r\nx\r", b"\r\r", b""])
    @given(st.lists(st.binary(max_size=200), max_size=4))
    def test_any_bytes_stay_as_many_messages(self, many: list[bytes]) -> None:
        """Whatever they are; an end of line may be added."""
        found = read(self.written([(content, ["\\Seen"]) for content in many]))
        self.assertEqual(len(found), len(many))
        for _content, flags, _date in found:
            self.assertIn("\\Seen", flags)

    @given(st.binary(max_size=500))
    def test_no_file_makes_it_fail(self, text: bytes) -> None:
        texts(FROM + text)

    def test_others_can_read_what_is_written(self) -> None:
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(
                self.written([(b"Subject: a\r\n\r\nFrom b\r\n", ["\\Seen", "\\Flagged"])] * 2)
            )
        box = mailbox.mbox(path)
        self.assertEqual([message["Subject"] for message in box], ["a", "a"])
        self.assertEqual({message.get_flags() for message in box}, {"ROF"})
        box.close()
