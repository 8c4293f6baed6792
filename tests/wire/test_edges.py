"""Tests of where the responses of a server end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from referrald.wire.edges import ResponseEdges

LINE = st.binary(max_size=30).map(lambda raw: b"* " + raw.translate(None, b"\r\n{}"))
LITERAL = st.binary(max_size=60).map(lambda raw: b"{%d}\r\n%b" % (len(raw), raw))


class Edges(TestCase):
    def after(self, *pieces: bytes) -> bool:
        """Say whether this is the end of a response."""
        edges = ResponseEdges()
        for piece in pieces:
            edges.feed(piece)
        return edges.between

    def test_it_begins_at_an_edge_and_is_at_one_behind_each_line(self) -> None:
        self.assertTrue(self.after())
        self.assertTrue(self.after(b"* 1 EXISTS\r\n"))
        self.assertFalse(self.after(b"* 1 EX"))
        self.assertTrue(self.after(b"* 1 EX", b"", b"ISTS\r", b"\n"))

    def test_a_line_end_in_a_literal_is_none(self) -> None:
        head = b"* 1 FETCH (BODY[] {10}\r\n"
        self.assertFalse(self.after(head))
        self.assertFalse(self.after(head + b"1234\r\n"))
        self.assertFalse(self.after(head, b"12345678\r\n"))
        self.assertFalse(self.after(head, b"12345678", b"\r\n"))
        self.assertTrue(self.after(head, b"12345678\r\n)\r\n"))
        self.assertTrue(self.after(head, b"12345678\r\n", b")\r\n"))

    def test_the_head_of_a_literal_may_come_in_pieces(self) -> None:
        for cut in range(8):
            head = b"* {4096}\r\n"
            self.assertFalse(self.after(head[:cut], head[cut:], b"xx\r\n"), cut)

    @given(
        parts=st.lists(st.lists(st.one_of(LINE, LITERAL), max_size=4), min_size=1, max_size=4),
        cuts=st.lists(st.integers(1, 40), max_size=30),
    )
    def test_any_pieces_tell_the_same_edges(
        self, parts: list[list[bytes]], cuts: list[int]
    ) -> None:
        responses = [b"".join(each) + b" end\r\n" for each in parts]
        ends = {sum(map(len, responses[:count])) for count in range(len(responses) + 1)}
        data = b"".join(responses)
        edges, at = ResponseEdges(), 0
        for size in [*cuts, len(data)]:
            edges.feed(data[at : at + size])
            at = min(at + size, len(data))
            self.assertEqual(edges.between, at in ends)
