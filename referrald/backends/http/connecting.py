"""How web services are reached: options that many backends have, and the client made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.task import deferLater
from zope.interface import implementer

from referrald.backends.authorities import read_authorities, read_own
from referrald.backends.checking import authority_faults, certificate_faults
from referrald.model import Option, Options, Problem

LOOPBACK: Final = ("localhost", "127.0.0.1")
PRIVATE: Final = "an https:// URL, or http:// on loopback"

CONNECTING: Final = (
    Option(name="ca", kind="path", help="The authorities that vouch for the service."),
    Option(
        name="certificate", kind="path",
        help="A certificate to show to the service, with the authorities between.",
    ),
    Option(name="key", kind="path", help="Its key."),
    Option(
        name="timeout", kind="duration", default=3.0, minimum=0.1,
        help="How long an answer may take.",
    ),
    Option(
        name="connections", kind="integer", default=16, minimum=1, maximum=1000,
        help="Questions at a time; connections are kept open between them.",
    ),
)  # fmt: skip


def make_client(options: Options, reactor: Any) -> tuple[Any, Callable[[], Any]]:
    """Make an `HTTPClient` of treq; gives what ends its connections as well."""
    from treq.client import HTTPClient
    from twisted.web.client import Agent, HTTPConnectionPool

    pool = HTTPConnectionPool(reactor)  # type: ignore[no-untyped-call]
    pool.maxPersistentPerHost = options["connections"]
    agent = Agent(  # type: ignore[no-untyped-call]
        reactor, _policy(options), connectTimeout=options["timeout"], pool=pool
    )

    def close() -> Any:
        # A connection is put back just behind the end of its answer.
        return deferLater(reactor, 0, pool.closeCachedConnections)

    return HTTPClient(agent), close


def _policy(options: Options) -> Any:
    from twisted.internet.ssl import optionsForClientTLS
    from twisted.web.iweb import IPolicyForHTTPS

    trust = read_authorities(options["ca"])
    own, *behind = read_own(options["certificate"], options["key"]) or (None,)
    more = {"extraCertChain": behind} if behind else {}

    @implementer(IPolicyForHTTPS)
    class Policy:
        """Checks certificates against the host's name, and shows ours."""

        def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
            """Say how TLS is begun with a host."""
            return optionsForClientTLS(
                hostname.decode("ascii"), trust, own, extraCertificateOptions=more
            )

    return Policy()


def connecting_faults(options: Options) -> Iterator[Problem]:
    """Tell what is wrong with the options for connections."""
    yield from authority_faults(options)
    yield from certificate_faults(options)


def is_private(url: str) -> bool:
    """Say whether passwords may travel to a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not url.isascii() or not parts.hostname or parts.username is not None or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
