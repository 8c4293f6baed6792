"""IP networks as an operator writes them, and whether an address is in one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def parse_network(text: str) -> Network:
    """Read a network or a single address; raises `ValueError` with what is wrong.

    One of IPv4 addresses in the form of IPv6 (``::ffff:192.0.2.0/120``) is the IPv4 network.
    """
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(_fault(text)) from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = network.network_address.ipv4_mapped
        return ipaddress.IPv4Network((str(first), network.prefixlen - _MAPPED.prefixlen))
    return network


def _fault(text: str) -> str:
    try:
        near = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "is not a network"
    return f"has bits set behind its mask, {near} has not"


def parse_address(text: str) -> Address | None:
    """Read an address, an IPv4 address in the form of IPv6 as that; None where it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def within(inner: Network, outer: Network) -> bool:
    """Tell whether every address of one network is in the other."""
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _parsed(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(parse_network(text) for text in texts)


@attrs.frozen
class Networks:
    """Some networks; raises `ValueError` where one is none."""

    each: tuple[Network, ...] = attrs.field(default=(), converter=_parsed)

    def find(self, address: Address | None) -> Network | None:
        """Give the first that an address is in."""
        if address is not None:
            for network in self.each:
                if address in network:
                    return network
        return None
