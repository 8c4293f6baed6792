"""What home servers are told before the first byte, read back by Twisted's own parser."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from referrald.relay.proxyheader import LOCAL, proxy_header

PORTS = st.integers(0, 65_535)
BODY = b"* OK hello\r\n"


def read(header: bytes) -> Any:
    """Read a header that is followed by something else, to the last byte of it."""
    info, rest = V2Parser().feed(header + BODY)
    assert rest == BODY, rest
    return info


def both(address: Any) -> tuple[Any, int]:
    return ip_address(address.host), address.port


def plain(address: Any) -> Any:
    """Give IPv4 that is written as IPv6 as IPv4."""
    return getattr(address, "ipv4_mapped", None) or address


class ProxyHeader(SynchronousTestCase):
    @given(st.ip_addresses(v=4), PORTS, st.ip_addresses(v=4), PORTS)
    def test_ipv4_is_read_back(
        self, peer: IPv4Address, peer_port: int, own: IPv4Address, own_port: int
    ) -> None:
        header = proxy_header(str(peer), peer_port, str(own), own_port)
        info = read(header)
        self.assertEqual(both(info.source), (peer, peer_port))
        self.assertEqual(both(info.destination), (own, own_port))
        self.assertEqual((len(header), header[12:14]), (28, b"\x21\x11"))

    @given(st.ip_addresses(), PORTS, st.ip_addresses(), PORTS)
    def test_any_pair_is_read_back_and_both_ends_are_of_one_family(
        self, peer: Any, peer_port: int, own: Any, own_port: int
    ) -> None:
        info = read(proxy_header(str(peer), peer_port, str(own), own_port))
        found, there = both(info.source)[0], both(info.destination)[0]
        self.assertEqual(found.version, there.version)
        self.assertEqual([plain(found), plain(there)], [plain(peer), plain(own)])
        self.assertEqual((info.source.port, info.destination.port), (peer_port, own_port))

    def test_ipv4_that_is_written_as_ipv6_is_ipv4(self) -> None:
        info = read(proxy_header("::ffff:192.0.2.7", 1, "::ffff:192.0.2.1", 2))
        self.assertEqual((info.source.host, info.destination.host), ("192.0.2.7", "192.0.2.1"))

    def test_a_zone_is_left_out(self) -> None:
        self.assertEqual(
            both(read(proxy_header("fe80::1%eth0", 9)).source)[0], ip_address("fe80::1")
        )

    def test_where_our_own_address_is_not_known_it_is_zeros(self) -> None:
        for peer, own in (("192.0.2.7", "0.0.0.0"), ("2001:db8::7", "::")):
            info = read(proxy_header(peer, 5))
            self.assertEqual(both(info.destination), (ip_address(own), 0))

    def test_a_client_without_an_address_is_local(self) -> None:
        for peer in ("unix", "", "nonsense"):
            self.assertEqual(proxy_header(peer, 0, "192.0.2.1", 143), LOCAL)
        info = read(LOCAL)
        self.assertEqual((info.source, info.destination, len(LOCAL)), (None, None, 16))
