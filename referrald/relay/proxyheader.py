"""The PROXY protocol, version 2: who a connection is for, said before its first byte.

The form is that of HAProxy's ``proxy-protocol.txt``: a signature, version and command, family and
transport, the length of what follows, then the two addresses and the two ports.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL: Final = SIGNATURE + b"\x20\0\0\0"
"""Version 2, command LOCAL, no addresses: the connection is ours, or nobody knows whose it is."""

_PROXY: Final = b"\x21"
_TCP4, _TCP6 = b"\x11", b"\x21"
_ANY4, _ANY6 = IPv4Address(0), IPv6Address(0)
_MAPPED: Final = 0xFFFF << 32
"""An IPv4 address in the low 32 bits of such an IPv6 address (RFC 4291 section 2.5.5.2)."""

Address = IPv4Address | IPv6Address


def proxy_header(peer: str, peer_port: int, own: str = "", own_port: int = 0) -> bytes:
    """Write the header for a client at ``peer`` that has connected to ``own``.

    Without an address of the client, such as on a UNIX socket, the command is LOCAL. Where only our
    own address is not known, it is all zeros.
    """
    source, destination = _address(peer), _address(own)
    if source is None:
        return LOCAL
    if isinstance(source, IPv4Address) and not isinstance(destination, IPv6Address):
        family, packed = _TCP4, source.packed + (destination or _ANY4).packed
    else:
        family, packed = _TCP6, _as_ipv6(source).packed + _as_ipv6(destination or _ANY6).packed
    body = packed + struct.pack("!HH", peer_port & 0xFFFF, own_port & 0xFFFF)
    return SIGNATURE + _PROXY + family + struct.pack("!H", len(body)) + body


def _address(text: str) -> Address | None:
    """Read an address without its zone; IPv4 that is written as IPv6 is IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _as_ipv6(address: Address) -> IPv6Address:
    """Write IPv4 as IPv6: both ends of a header are of one family."""
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(_MAPPED | int(address))
