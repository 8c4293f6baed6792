"""The first look at a file: sizes as they are sent, and the common header fields."""

from __future__ import annotations

import os
from itertools import count

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from referrald.mime.parts import parse
from referrald.query import Header
from referrald.store.describing import common_fields
from referrald.store.maildir import described, looking
from referrald.store.maildir.contents import BareNewlines, turned
from referrald.store.maildir.index import Index
from referrald.store.maildir.looking import common, glance, is_plain
from tests.store.maildir.support import Site
from tests.store.support import now

numbers = count(1)
lines = st.sampled_from(
    (
        b"Subject: a", b"sUBJECT : b", b"To:", b"X-Other: c", b" folded", b"\tfolded too",
        b"Subject", b": nothing", b"", b"\r", b"From: \0\xff", b"Received: x", b"Date: 1\rTo: 2",
    )
)  # fmt: skip
ends = st.sampled_from((b"\n", b"\r\n", b"\r", b"\r\r\n"))
files = st.lists(st.tuples(lines, ends), max_size=8).map(
    lambda each: b"".join(line + end for line, end in each)
)


def sent(stored: bytes) -> bytes:
    """Write a file as it is sent, the plain way."""
    out = bytearray()
    for at, byte in enumerate(stored):
        if byte == 10 and stored[at - 1 : at] != b"\r":
            out += b"\r"
        out.append(byte)
    return bytes(out)


class LookingTests(TestCase):
    @settings(deadline=None)
    @given(files)
    @example(b"\nSubject: in the body\n")
    @example(b"no header\nSubject: at all\n")
    @example(b"Subject: no end")
    @example(b"Subject: mixed\r\n\nSubject: body\r\n\r\n")
    def test_the_fields_are_those_of_the_message(self, stored: bytes) -> None:
        message = parse(sent(stored).replace(b"\0", b"\x80"))
        self.assertEqual(common(stored, whole=True), common_fields(message))
        if common(stored, whole=False) is not None:
            self.assertEqual(common(stored + b"\nTo: more", whole=False), common_fields(message))

    @settings(deadline=None)
    @given(st.lists(files))
    def test_line_ends_are_counted_over_pieces_too(self, pieces: list[bytes]) -> None:
        bare, whole = BareNewlines(), b"".join(pieces)
        for piece in filter(None, pieces):
            bare.take(piece)
        self.assertEqual(len(whole) + bare.count, len(sent(whole)))
        self.assertEqual(turned(whole), sent(whole))

    def test_a_header_that_is_very_long_is_left_to_others(self) -> None:
        self.assertIsNone(common(b"Subject: a\r\nX: " + b"x" * 100, whole=False))

    def test_a_name_that_tells_the_sizes_is_believed_where_the_size_on_disk_is_that(self) -> None:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"To: a\n\nb\n")
        os.utime(path, (5, 5))
        self.assertEqual(glance(path, (9, 12)), looking.Glance(9, 12, 5, None))
        self.assertEqual(glance(path, (8, 12)), looking.Glance(9, 12, 5, b"To: a\r\n"))

    def test_a_large_file_is_counted_whole(self) -> None:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"To: a\n\n" + b"x\n" * looking.PIECE)
        found = glance(path, None)
        self.assertEqual(found.size, found.stored + looking.PIECE + 2)

    def test_what_is_encoded_is_not_plain(self) -> None:
        self.assertTrue(is_plain(b"Subject: a\r\n"))
        for fields in (b"Subject: \xff", b"Subject: =?utf-8?q?a?=", b"Subject: \0"):
            self.assertFalse(is_plain(fields))


class SearchedTests(TestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.site.open()
        self.addCleanup(self.site.close)

    def found(self, text: str) -> list[int]:
        """Search the subjects of INBOX."""
        box = now(self.site.open().open("INBOX", True))
        now(box.state())
        return list(now(box.search(Header("subject", text))).uids)

    def test_subjects_are_found_however_the_message_came_to_be_known(self) -> None:
        self.site.deliver(b"Subject: one\n\nbody\n", "1.a.host")
        self.site.deliver(b"Subject: one two\r\n\r\nbody\r\n", "2.b.host,S=26,W=26")
        self.site.deliver(b"X: " + b"x" * looking.HEAD + b"\nSubject: one\n\nbody\n", "3.c.host")
        self.site.deliver(b"Subject: two\n\none\n", "4.d.host,S=18,W=21:2,S", part="cur")
        for _ in range(2):
            self.assertEqual((self.found("one"), self.found("two")), ([2, 3, 4], [1, 3]))

    def test_what_is_known_of_the_header_alone_is_completed_when_more_is_asked_for(self) -> None:
        self.site.deliver(b"Subject: one\n\nbody\n", "1.a.host")
        account = self.site.open()
        box = now(account.open("INBOX", True))
        now(box.state())
        ((uid, fields),) = now(box.rows([1], ("fields",)))
        self.assertEqual((uid, fields), (1, b"Subject: one\r\n"))
        for columns in (("fields", "structure"), ("structure", "fields"), ("body",)):
            (row,) = now(box.rows([1], columns))
            self.assertNotIn(None, row)


class EnvelopeTests(TestCase):
    """An envelope out of the header alone is the one that the whole message gives."""

    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.account = self.site.open()
        self.addCleanup(self.site.close)

    def both(self, content: bytes, name: str = "1.a.host") -> tuple[bytes, bytes]:
        """Give the envelope as it is found out for itself, and along with all the rest."""
        self.site.deliver(content, name)
        box = now(self.account.open("INBOX", True))
        uid = now(box.state()).uids[-1]
        ((_uid, alone),) = now(box.rows([uid], ("envelope",)))

        def forget(index: Index) -> None:
            with index.writing() as database:
                database.execute("UPDATE contents SET envelope = NULL, fields = NULL")

        now(box._keeper.run(forget))
        ((_uid, along, _structure),) = now(box.rows([uid], ("envelope", "structure")))
        return alone, along

    @settings(deadline=None, max_examples=60)
    @given(files)
    @example(b"Date: 1\nFrom: a <a@b>\nFrom: c@d\nSubject: =?utf-8?q?x?=\n\nbody")
    @example(b"no header at all")
    def test_they_are_the_same(self, content: bytes) -> None:
        alone, along = self.both(content, f"{next(numbers)}.a.host")
        self.assertEqual(alone, along)

    def test_so_it_is_where_the_header_is_very_long(self) -> None:
        alone, along = self.both(b"X: " + b"x" * looking.HEAD + b"\nSubject: one\n\nbody\n")
        self.assertEqual(alone, along)
        self.assertIn(b'"one"', alone)

    def test_so_it_is_where_the_file_was_not_opened_before(self) -> None:
        alone, along = self.both(b"Subject: one\r\n\r\nbody\r\n", "1.a.host,S=22,W=22")
        self.assertEqual(alone, along)
        self.assertIn(b'"one"', alone)

    def test_no_body_is_read_for_it(self) -> None:
        self.site.deliver(b"Subject: one\n\nbody\n", "1.a.host")
        self.patch(described, "whole", None)
        box = now(self.account.open("INBOX", True))
        now(box.state())
        ((_uid, envelope),) = now(box.rows([1], ("envelope",)))
        self.assertIn(b'"one"', envelope)
