"""In which order a user goes to the servers of a home that spreads its users over them.

Weighted rendezvous hashing: each server gets a number for each user, and the smallest counts. A
user always comes to the same servers in the same order; when one goes down or comes up, only its
own users move, to all others by their weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import log

from referrald.model import Server


def order_for(user: str, servers: Iterable[Server]) -> tuple[Server, ...]:
    """Put servers in the order of a user, whatever order they come in."""
    return tuple(sorted(servers, key=lambda server: (_distance(user, server), str(server))))


def _distance(user: str, server: Server) -> float:
    """Give how far a server is from a user: exponentially distributed, its rate is the weight.

    Of such numbers the smallest is a server's own with a chance of weight by sum of all weights.
    """
    words = f"{server.host.lower()}\0{server.port}\0{user}"
    hashed = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # Neither 0 nor 1, so that the logarithm is finite.
    part = (int.from_bytes(hashed, "big") + 0.5) / 2.0**64
    return -log(part) / server.weight if part < 1.0 else 0.0
