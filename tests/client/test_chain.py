"""Following ends: after ten hops, and where it would begin again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.chain import Chain, Loop, TooManyHops
from tests.proves import proves

STEPS = st.tuples(
    st.sampled_from(["a", "A.", "b", "::1", "[::1]"]),
    st.sampled_from([None, 143, 993]),
    st.sampled_from(["u", "U"]),
)


def visited(count: int, max_hops: int = 10) -> Chain:
    """Give a chain of ``count`` different servers."""
    chain = Chain(max_hops)
    for number in range(count):
        chain.visit(f"s{number}.example", 143, "u")
    return chain


class ChainTests(SynchronousTestCase):
    @proves("L10")
    def test_ten_hops_are_followed_from_the_first_server(self) -> None:
        chain = visited(11)
        self.assertEqual([hop.host for hop in chain.hops], [f"s{n}.example" for n in range(11)])

    @proves("L10")
    def test_the_eleventh_hop_is_refused_and_not_kept(self) -> None:
        chain = visited(11)
        error = self.assertRaises(TooManyHops, chain.visit, "other.example", 143, "u")
        self.assertIn("more than 10 referrals: u at s0.example:143, ", str(error))
        self.assertEqual(error.public, "Too many referrals in a row.")
        self.assertEqual(len(chain.hops), 11)

    def test_the_number_of_hops_can_be_chosen(self) -> None:
        self.assertRaises(TooManyHops, visited(1, max_hops=0).visit, "b", 143, "u")
        self.assertRaises(TooManyHops, visited(3, max_hops=2).visit, "b", 143, "u")

    @proves("L10")
    def test_the_first_repeated_server_is_a_loop_however_it_is_spelled(self) -> None:
        for host, port in [("s0.example", 143), ("S0.Example.", 143), ("s0.example", None)]:
            with self.subTest(host=host, port=port):
                chain = visited(3)
                error = self.assertRaises(Loop, chain.visit, host, port, "u")
                self.assertIn("circle", str(error))
                self.assertIn("circle", error.public)
                self.assertEqual(len(chain.hops), 3)

    @proves("L10")
    def test_addresses_and_foreign_names_are_the_same_in_every_spelling(self) -> None:
        for one, other in [("::1", "[0:0::1]"), ("bücher.example", "xn--bcher-kva.example")]:
            with self.subTest(one):
                chain = Chain()
                chain.visit(one, 1143, "u")
                self.assertRaises(Loop, chain.visit, other, 1143, "u")

    @proves("L10")
    def test_a_loop_is_named_even_after_the_last_hop(self) -> None:
        self.assertRaises(Loop, visited(11).visit, "s5.example", 143, "u")

    def test_another_port_or_user_is_another_place(self) -> None:
        chain = visited(1)
        chain.visit("s0.example", 993, "u")
        chain.visit("s0.example", 143, "U")
        self.assertEqual(len(chain.hops), 3)

    @proves("L10")
    @given(st.lists(STEPS, max_size=30), st.integers(0, 6))
    def test_no_chain_is_longer_than_allowed_or_visits_a_place_twice(
        self, steps: list[tuple[str, int | None, str]], most: int
    ) -> None:
        chain = Chain(most)
        for step in steps:
            before = chain.hops
            try:
                chain.visit(*step)
            except Loop:
                self.assertEqual(chain.hops, before)
            except TooManyHops:
                self.assertEqual(len(before), most + 1)
            else:
                self.assertEqual(chain.hops[:-1], before)
        self.assertEqual(len(set(chain.hops)), len(chain.hops))
        self.assertLessEqual(len(chain.hops), most + 1)
