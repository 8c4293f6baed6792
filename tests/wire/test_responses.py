"""What a server says, whole and in pieces."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.wire.responses import BrokenResponse, Response, ResponseReader
from tests.proves import proves


def read(*pieces: bytes) -> list[Response]:
    reader = ResponseReader()
    found: list[Response] = []
    for piece in pieces:
        reader.feed(piece)
        while (response := reader.next()) is not None:
            found.append(response)
    return found


TALK = (
    b"* OK [CAPABILITY IMAP4rev1 X=y] hi\r\n"
    b'* LIST () "/" {4}\r\na\r\nb\r\n'
    b"+ go on\r\n+\r\n"
    b"* 1 FETCH (BODY[] {3+}\r\nxyz FLAGS () X ~{2}\r\n\0\n)\n"
    b"a1 NO [referral imap://h/] elsewhere\r\n"
)


class Reading(SynchronousTestCase):
    def test_responses_come_with_their_literals(self) -> None:
        ok, list_, go_on, bare, fetch, no = read(TALK)
        self.assertEqual((ok.tag, ok.kind, ok.is_status), (b"*", b"OK", True))
        self.assertEqual(ok.code(b"CAPABILITY"), b"IMAP4rev1 X=y")
        self.assertIsNone(ok.code(b"REFERRAL"))
        self.assertEqual(list_.segments, (b'LIST () "/" ', b"a\r\nb", b""))
        self.assertEqual([go_on.segments, bare.segments], [(b"go on",), (b"",)])
        self.assertEqual((fetch.kind, fetch.is_status), (b"FETCH", False))
        self.assertEqual(fetch.segments[1::2], (b"xyz", b"\0\n"))
        self.assertEqual(no.code(b"REFERRAL"), b"imap://h/")
        self.assertEqual(no.text, b"[referral imap://h/] elsewhere")

    @given(st.lists(st.integers(0, len(TALK)), max_size=8))
    def test_it_does_not_matter_how_they_were_cut(self, cuts: list[int]) -> None:
        ends = [0, *sorted(cuts), len(TALK)]
        pieces = [TALK[begin:end] for begin, end in pairwise(ends)]
        self.assertEqual(read(*pieces), read(TALK))

    @proves("S2")
    @given(st.binary(max_size=200))
    def test_anything_is_a_response_or_broken(self, data: bytes) -> None:
        try:
            for response in read(data):
                self.assertIsInstance(response.kind + response.text, bytes)
                response.code(b"X")
        except BrokenResponse:
            pass

    @proves("S2")
    def test_nobody_makes_us_hold_more_than_is_allowed(self) -> None:
        for data in (b"* " + b"x" * 70_000, b"* " + b"x" * 70_000 + b"\r\n", b"* {99999999}\r\n"):
            self.assertRaises(BrokenResponse, read, data)
        reader = ResponseReader(line=10, literal=3)
        reader.feed(b"* {3}\r\nabc\r\nrest")
        self.assertEqual(reader.next(), Response(b"*", (b"", b"abc", b"")))
        self.assertEqual((reader.buffered, reader.rest(), reader.buffered), (4, b"rest", 0))
