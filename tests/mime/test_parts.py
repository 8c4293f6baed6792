"""Parts and sections of messages."""

from __future__ import annotations

from time import perf_counter
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime import parts as mime
from referrald.mime.parts import Section, Text, parse, part_at, section
from tests.mime.mail import NESTED, ODD, SIMPLE
from tests.proves import proves

TEXTS = ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME")


def get(source: bytes, spec: str, *names: bytes) -> bytes | None:
    """Give a section by its name."""
    numbers = [piece for piece in spec.split(".") if piece.isdigit()]
    text = ".".join(piece for piece in spec.split(".") if piece and not piece.isdigit())
    path = tuple(map(int, numbers))
    return section(parse(source), Section(path=path, text=cast(Text, text), names=names))


class Header(SynchronousTestCase):
    @proves("base:FETCH BODY[HEADER] etc.")
    def test_the_header_is_what_was_sent_up_to_and_with_the_empty_line(self) -> None:
        head, gap, body = SIMPLE.partition(b"\r\n\r\n")
        self.assertEqual(get(SIMPLE, "HEADER"), head + gap)
        self.assertEqual(get(SIMPLE, "TEXT"), body)
        self.assertEqual(get(SIMPLE, ""), SIMPLE)
        self.assertEqual(get(SIMPLE, "1"), body)
        self.assertEqual(get(SIMPLE, "1.MIME"), head + gap)

    @proves("base:FETCH BODY[HEADER] etc.")
    def test_a_subset_keeps_duplicates_order_case_and_the_empty_line(self) -> None:
        self.assertEqual(
            get(SIMPLE, "HEADER.FIELDS", b"received", b"SUBJECT", b"None"),
            b"Subject: afternoon meeting\r\nReceived: one\r\nReceived: two\r\n\r\n",
        )
        rest = get(SIMPLE, "HEADER.FIELDS.NOT", b"received", b"date", b"from", b"to")
        self.assertEqual(rest, b"Subject: afternoon meeting\r\n\r\n")
        self.assertEqual(get(SIMPLE, "HEADER.FIELDS", b"None"), b"\r\n")

    def test_a_message_of_header_only_has_no_empty_line_to_give(self) -> None:
        source = b"A: 1\r\nB: 2"
        self.assertEqual(get(source, "HEADER"), source)
        self.assertEqual(get(source, "TEXT"), b"")
        self.assertEqual(get(source, "HEADER.FIELDS", b"B"), b"B: 2\r\n")

    def test_a_message_without_a_header_is_all_text(self) -> None:
        for source, header in ((b"hello", b""), (b"\r\nhello", b"\r\n"), (b"", b"")):
            self.assertEqual(get(source, "HEADER"), header)
            self.assertEqual(get(source, "TEXT"), source[len(header) :])
            self.assertEqual(get(source, "HEADER.FIELDS", b"A"), header)

    @proves("base:FETCH BODY[HEADER] etc.")
    def test_eight_bit_and_bare_line_feeds_pass_through(self) -> None:
        source = b"Subject: \xfc\nFrom: \xc3\xa4\n\nbody\xff"
        self.assertEqual(get(source, "HEADER"), b"Subject: \xfc\nFrom: \xc3\xa4\n\n")
        self.assertEqual(get(source, "TEXT"), b"body\xff")
        self.assertEqual(get(source, "HEADER.FIELDS", b"FROM"), b"From: \xc3\xa4\n\r\n")


@proves("base:FETCH n.HEADER of message/rfc822")
class Parts(SynchronousTestCase):
    def test_every_part_of_a_nested_message_is_found_by_its_number(self) -> None:
        bodies = {
            "1": b"first",
            "2": b"AAEC",
            "3.1": b"gr=C3=BC=C3=9Fe",
            "3.2": b"x",
            "4.1": b"GIF",
            "4.2.1": b"deep body",
        }
        for number, body in bodies.items():
            self.assertEqual(get(NESTED, number), body, number)

    def test_an_embedded_message_has_header_and_text_of_its_own(self) -> None:
        self.assertEqual(get(NESTED, "4.2.HEADER"), b"Subject: deepest\r\n\r\n")
        self.assertEqual(get(NESTED, "4.2.TEXT"), b"deep body")
        self.assertEqual(get(NESTED, "4.2"), b"Subject: deepest\r\n\r\ndeep body")
        self.assertEqual(get(NESTED, "4.2.MIME"), b"Content-Type: message/rfc822\r\n\r\n")
        self.assertEqual(get(NESTED, "3.HEADER.FIELDS", b"subject"), b"Subject: inside\r\n\r\n")
        self.assertEqual(get(NESTED, "1.MIME"), b"\r\n")

    @proves("base:non-existing part")
    def test_what_is_not_there_is_none(self) -> None:
        for spec in ("5", "1.1", "2.1", "3.3", "4.3", "4.2.2", "4.2.1.1", "1.HEADER", "4.TEXT"):
            self.assertIsNone(get(NESTED, spec), spec)
        self.assertIsNone(get(SIMPLE, "2"))
        self.assertIsNone(get(SIMPLE, "1.HEADER"))
        self.assertIsNone(section(parse(SIMPLE), Section(text="MIME")))

    def test_a_boundary_is_not_found_in_a_longer_one(self) -> None:
        source = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\n\r\none\r\n--bb\r\n --b\r\nx--b\r\n--b \t\r\n\r\ntwo\r\n--b--"
        )
        self.assertEqual(get(source, "1"), b"one\r\n--bb\r\n --b\r\nx--b")
        self.assertEqual(get(source, "2"), b"two")
        self.assertIsNone(get(source, "3"))

    def test_a_multipart_that_ends_early_keeps_its_last_part(self) -> None:
        source = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: 1\r\n\r\none\r\n"
        self.assertEqual(get(source, "1"), b"one\r\n")
        self.assertEqual(get(source, "1.MIME"), b"A: 1\r\n\r\n")

    def test_a_multipart_without_boundaries_is_shown_as_one_text(self) -> None:
        for kind in (
            b"multipart/mixed",
            b"multipart/mixed; boundary=b",
            b'multipart/x; boundary=""',
        ):
            source = b"Content-Type: " + kind + b"\r\n\r\nSo: it is\r\n"
            self.assertEqual(get(source, "1"), b"So: it is\r\n")
            self.assertIsNone(get(source, "2"))

    def test_the_parts_of_a_digest_are_messages(self) -> None:
        source = (
            b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
            b"--b\r\n\r\nSubject: one\r\n\r\nbody\r\n--b--\r\n"
        )
        self.assertEqual(get(source, "1.HEADER"), b"Subject: one\r\n\r\n")
        self.assertEqual(get(source, "1.1"), b"body")

    def test_a_message_that_is_a_message_has_it_as_part_one(self) -> None:
        source = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody"
        self.assertEqual(get(source, "1.HEADER"), b"Subject: in\r\n\r\n")
        self.assertEqual(get(source, "1.1"), b"body")


class Robust(SynchronousTestCase):
    @given(ODD, st.lists(st.integers(1, 4), max_size=4), st.sampled_from(TEXTS))
    def test_no_bytes_make_it_raise(self, source: bytes, path: list[int], text: Text) -> None:
        names = (b"Subject", b"from") if "FIELDS" in text else ()
        found = section(parse(source), Section(path=tuple(path), text=text, names=names))
        if found is not None and "FIELDS" not in text:
            self.assertIn(found, source)

    @given(ODD)
    def test_header_and_body_make_up_the_message(self, source: bytes) -> None:
        message = parse(source)
        self.assertEqual(message.header + message.body, source)
        self.assertEqual(len(message.body), message.size)

    def test_parts_nested_without_end_stop_at_a_depth(self) -> None:
        for step in (
            b"Content-Type: message/rfc822\r\n\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        ):
            message = parse(step * 20_000)
            depth = 0
            part: mime.Part | None = message
            while part is not None:
                depth += 1
                part = part.embedded or next(iter(part.children), None)
            self.assertLessEqual(depth, mime.MAX_DEPTH + 1)
            self.assertIsNone(part_at(message, (1,) * 200))

    def test_a_message_of_boundaries_only_has_so_many_parts_and_no_more(self) -> None:
        source = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 100_000
        began = perf_counter()
        self.assertEqual(len(parse(source).children), mime.MAX_PARTS)
        self.assertLess(perf_counter() - began, 3)
