"""Where a Redis server is, as a configuration says it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import attrs

from referrald.backends.servers import Wrong, show

PORT = 6379
EXAMPLE = 'such as "rediss://redis.example.org" or "unix:///run/redis/redis.sock"'
_TLS: Mapping[str, bool] = {"redis": False, "rediss": True}


@attrs.frozen(kw_only=True)
class Place:
    """A server at ``host`` and ``port``, or at a ``socket`` of this machine."""

    host: str = ""
    port: int = PORT
    tls: bool = False
    socket: str = ""

    def __str__(self) -> str:
        return self.socket or f"{self.host}:{self.port}"


def read_place(text: str) -> Place:
    """Read ``redis://HOST[:PORT]``, ``rediss://`` with TLS, or ``unix:///PATH``; raises `Wrong`.

    What is wrong is told without the text where that may have a password in it.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise Wrong("is no URL of a server", EXAMPLE) from None
    if url.username is not None or url.password is not None:
        raise Wrong("has a user or a password in it", "username and password_file are for that")
    if url.query or url.fragment or port == 0:
        raise Wrong(f'"{show(text)}" is no URL of a server', EXAMPLE)
    if url.scheme == "unix" and not url.netloc and url.path.startswith("/"):
        return Place(socket=unquote(url.path))
    if url.scheme not in _TLS or not url.hostname:
        raise Wrong(f'"{show(text)}" is no URL of a server', EXAMPLE)
    if url.path.strip("/"):
        raise Wrong(f'"{show(text)}" has a path', "a database has its own option")
    return Place(host=url.hostname, port=port or PORT, tls=_TLS[url.scheme])
