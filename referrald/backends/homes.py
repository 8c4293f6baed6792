"""Homes as bytes: how an image keeps them."""

from __future__ import annotations

import json
from typing import Any

from referrald.model import Home, Security, Server


def encode(home: Home) -> bytes:
    """Write a home; the name to use there and the source are kept elsewhere."""
    fields: dict[str, Any] = {}
    if home.servers:
        fields["servers"] = [encode_server(server) for server in home.servers]
    if home.auth != "*":
        fields["auth"] = home.auth
    if home.public_here:
        fields["public_here"] = True
    if home.closed is not None:
        fields["closed"] = home.closed
    if home.held:
        fields["held"] = True
    if home.ttl is not None:
        fields["ttl"] = home.ttl
    if home.how is not None:
        fields["how"] = home.how
    if home.spread:
        fields["spread"] = True
    return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode("ascii")


def decode(data: bytes) -> Home:
    """Read what `encode` wrote."""
    fields = json.loads(data)
    servers = tuple(decode_server(parts) for parts in fields.pop("servers", ()))
    return Home(servers=servers, **fields)


def encode_server(server: Server) -> list[Any]:
    """Write a server in a form that JSON has."""
    parts: list[Any] = [server.host, server.port, server.security.value]
    return parts if server.weight == 1 else [*parts, server.weight]


def decode_server(parts: list[Any]) -> Server:
    """Read what `encode_server` wrote."""
    host, port, security, *weight = parts
    return Server(host=host, port=port, security=Security(security), weight=(*weight, 1)[0])
