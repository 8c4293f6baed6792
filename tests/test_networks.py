"""Networks as operators write them."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.networks import Networks, parse_address, parse_network, within

FOURS = st.builds(
    lambda number, length: ipaddress.IPv4Network((number, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
SIXES = st.builds(
    lambda number, length: ipaddress.IPv6Network((number, length), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


class TheNetworks(SynchronousTestCase):
    def found(self, host: str, *texts: str) -> str | None:
        network = Networks(texts).find(parse_address(host))
        return None if network is None else str(network)

    def test_an_address_is_in_the_first_that_holds_it(self) -> None:
        nets = ("10.1.0.0/16", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
        for host, network in (
            ("10.1.2.3", "10.1.0.0/16"),
            ("10.2.2.3", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.8", None),
            ("2001:db8::7", "2001:db8::/32"),
            ("2001:db9::7", None),
        ):
            self.assertEqual(self.found(host, *nets), network, host)

    def test_ipv4_in_the_form_of_ipv6_is_ipv4(self) -> None:
        self.assertEqual(self.found("::ffff:10.1.2.3", "10.0.0.0/8"), "10.0.0.0/8")
        self.assertEqual(self.found("10.1.2.3", "::ffff:10.0.0.0/104"), "10.0.0.0/8")
        self.assertIsNone(self.found("10.1.2.3", "::/0"))

    def test_what_is_no_address_is_in_no_network(self) -> None:
        for host in ("", "unix", "imap.example.org", "10.0.0.0/8", "\0"):
            self.assertIsNone(self.found(host, "0.0.0.0/0", "::/0"))

    def test_an_address_with_a_zone_is_where_it_would_be_without(self) -> None:
        self.assertEqual(self.found("fe80::1%eth0", "fe80::/10"), "fe80::/10")

    def test_what_is_no_network_is_said_in_one_line(self) -> None:
        for text, wrong in (
            ("10.0.0.1/8", "has bits set behind its mask, 10.0.0.0/8 has not"),
            ("10.0.0.0/33", "is not a network"),
            ("example.org", "is not a network"),
            ("", "is not a network"),
        ):
            error = self.assertRaises(ValueError, parse_network, text)
            self.assertEqual(str(error), wrong)

    @given(FOURS | SIXES)
    def test_any_network_can_be_written_and_holds_its_own(
        self, network: ipaddress.IPv4Network | ipaddress.IPv6Network
    ) -> None:
        parsed = parse_network(str(network))
        self.assertEqual(Networks((str(network),)).find(parse_address(str(network[0]))), parsed)
        self.assertTrue(within(parsed, parsed))

    @given(FOURS | SIXES, FOURS | SIXES)
    def test_within_means_that_no_address_is_outside(
        self,
        one: ipaddress.IPv4Network | ipaddress.IPv6Network,
        other: ipaddress.IPv4Network | ipaddress.IPv6Network,
    ) -> None:
        inner, outer = parse_network(str(one)), parse_network(str(other))
        ends = (inner[0] in outer, inner[-1] in outer)
        self.assertEqual(within(inner, outer), ends == (True, True))
