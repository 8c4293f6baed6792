"""Servers as one word of text: ``host:port/security*weight``, of which only the host must be there.

Several stand in a line with commas between them, in order of preference; ``here`` is none of them.
This is how a column of a database and of a CSV file, and the command line, have the servers of a
home.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import attrs

from referrald.backends.servers import Wrong, make_server, parse_server, show
from referrald.model import IMAP_PORT, Security, Server

HERE = "here"
MOST_SERVERS = 100
MOST_WEIGHT = 1_000_000


def write_servers(servers: Iterable[Server]) -> str:
    """Write servers so that `read_servers` gives them back."""
    return ",".join(map(write_server, servers)) or HERE


@lru_cache(maxsize=4096)
def read_servers(text: str) -> tuple[Server, ...]:
    """Read servers, none for ``here``; raises `Wrong`."""
    if text.strip(" ") == HERE:
        return ()
    words = text.split(",")
    if len(words) > MOST_SERVERS:
        raise Wrong(f"has more than {MOST_SERVERS} servers")
    found = tuple(read_server(word.strip(" ")) for word in words)
    if len({(server.host, server.port) for server in found}) < len(found):
        raise Wrong("names a server twice", "name each once, the preferred one first")
    return found


def read_server(word: str, security: Security | None = None) -> Server:
    """Read one server; raises `Wrong`.

    security: what counts where the word does not say it; None for what fits the port.
    """
    place, _, weight = word.partition("*")
    place, slash, kind = place.partition("/")
    server = parse_server(place, _security(kind) if slash else security)
    if "*" not in word:
        return server
    return attrs.evolve(server, weight=read_weight(weight))


def read_weight(text: str) -> int:
    """Read the weight of a server; raises `Wrong`."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:8]) <= MOST_WEIGHT:
        raise Wrong(f'"{show(text)}" is not a weight', f"a whole number from 1 to {MOST_WEIGHT}")
    return int(text)


def _security(kind: str) -> Security:
    try:
        return Security(kind)
    except ValueError:
        raise Wrong(f'"{show(kind)}" is no kind of security', "none, starttls or tls") from None


def write_server(server: Server) -> str:
    """Write one server."""
    usual = make_server(server.host, server.port)
    kind = "" if server.security is usual.security else f"/{server.security.value}"
    # With "/tls" alone the port would be another one.
    plain = server.port == IMAP_PORT and server.security is not Security.TLS
    port = "" if plain else f":{server.port}"
    return f"{server.host}{port}{kind}" + ("" if server.weight == 1 else f"*{server.weight}")
