"""A server's stream in pieces."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.wire.passage import Passage, Piece
from referrald.wire.responses import BrokenResponse

CONTENT = st.binary(max_size=40)
LINES = st.binary(max_size=20).map(
    lambda raw: raw.translate(None, b"\r\n{}") or b"x"
)  # text that ends in no literal


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    whole = draw(LINES)
    for literal in draw(st.lists(CONTENT, max_size=3)):
        whole += b"{%d}\r\n%b%b" % (len(literal), literal, draw(LINES))
    return whole + b"\r\n"


def pieces(stream: bytes, cuts: list[int]) -> list[Piece]:
    passage, found = Passage(), []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        passage.feed(stream[start:end])
        while (piece := passage.next()) is not None:
            found.append(piece)
    assert not passage.inside
    return found


class PassageTests(SynchronousTestCase):
    @given(st.lists(responses(), max_size=5), st.lists(st.integers(0, 1000), max_size=8))
    def test_everything_comes_out_in_its_responses_however_it_was_cut(
        self, sent: list[bytes], cuts: list[int]
    ) -> None:
        found = pieces(b"".join(sent), cuts)
        again: list[bytes] = []
        for piece in found:
            if piece.begins:
                again.append(b"")
            again[-1] += piece.data
        self.assertEqual(again, sent)
        self.assertEqual(sum(piece.ends for piece in found), len(sent))

    def test_a_literal_comes_out_as_it_comes(self) -> None:
        passage = Passage()
        passage.feed(b"* 1 FETCH (BODY[] {6}\r\nabc")
        self.assertEqual(passage.next(), Piece(b"* 1 FETCH (BODY[] {6}\r\n", True, False))
        self.assertEqual(passage.next(), Piece(b"abc", False, False))
        self.assertIsNone(passage.next())
        self.assertTrue(passage.inside)
        passage.feed(b"def)\r\n")
        self.assertEqual(passage.next(), Piece(b"def", False, False))
        self.assertEqual(passage.next(), Piece(b")\r\n", False, True))

    def test_an_empty_literal_is_none_to_wait_for(self) -> None:
        passage = Passage()
        passage.feed(b"* 1 FETCH (BODY[] {0}\r\n)\r\n")
        self.assertEqual(passage.next(), Piece(b"* 1 FETCH (BODY[] {0}\r\n", True, False))
        self.assertEqual(passage.next(), Piece(b")\r\n", False, True))

    def test_a_line_without_end_is_not_taken_for_ever(self) -> None:
        passage = Passage(line=100)
        passage.feed(b"x" * 101)
        self.assertRaises(BrokenResponse, passage.next)
