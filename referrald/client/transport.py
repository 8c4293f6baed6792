"""Connect to a server and have TLS as it has to be."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from OpenSSL import crypto
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from referrald.client.connection import ImapConnection
from referrald.client.replies import ConnectionEnded, NotAccepted, Reply
from referrald.errors import Unavailable
from referrald.model import IMAPS_PORT

HOSTS_KEPT = 1000

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

Reach = Callable[[Any, str, int, Any, float], Awaitable[None]]


class NotReached(Unavailable):
    """A server could not be connected to, or not safely."""

    public = "The other server cannot be reached."


class WithoutTls(NotReached):
    """A server has no TLS, and may not be used without."""


@attrs.frozen(kw_only=True)
class Trust:
    """Whose certificates are believed, and which one is shown to servers that ask for it.

    certificates: PEM texts of authorities; empty means those of the system. own: PEM texts of our
    certificate and of those behind it, up to an authority; empty means that none is shown. key: the
    PEM text of its private key.
    """

    certificates: Sequence[str] = ()
    own: Sequence[str] = ()
    key: str = attrs.field(default="", repr=False)
    _known: dict[str, Any] = attrs.field(init=False, factory=dict, eq=False, repr=False)

    @classmethod
    def from_file(cls, path: str) -> Trust:
        """Believe the authorities in a file of PEM certificates; raises `ValueError` for none."""
        return cls.from_files(ca=path)

    @classmethod
    def from_files(cls, *, ca: str = "", certificate: str = "", key: str = "") -> Trust:
        """Read all from PEM files; an empty path means none, and for the key the certificate's.

        Raises `ValueError` for a file without certificates, `OSError` for one that is not there.
        """
        return cls(
            certificates=_certificates(ca),
            own=_certificates(certificate),
            key=_text(key or certificate),
        )

    def options(self, host: str) -> Any:
        """Give what makes a TLS connection to ``host`` and checks that name.

        Kept for the next connection: reading the system's authorities takes a while.
        """
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= HOSTS_KEPT:
                self._known.clear()
            known = self._known[host] = self._make(host)
        return known

    def _make(self, host: str) -> Any:
        more: dict[str, Any] = {}
        if self.certificates:
            make: Any = Certificate.loadPEM
            root: Any = trustRootFromCertificates
            more["trustRoot"] = root([make(each.encode("ascii")) for each in self.certificates])
        if self.own:
            first, *behind = (
                crypto.load_certificate(crypto.FILETYPE_PEM, each.encode("ascii"))
                for each in self.own
            )
            key = crypto.load_privatekey(crypto.FILETYPE_PEM, self.key.encode("ascii"))
            more["extraCertificateOptions"] = {
                "privateKey": key, "certificate": first, "extraCertChain": behind
            }  # fmt: skip
        return optionsForClientTLS(host, **more)


def _text(path: str) -> str:
    if not path:
        return ""
    with open(path, encoding="ascii") as file:
        return file.read()


def _certificates(path: str) -> tuple[str, ...]:
    """Take the certificates out of a file, in their order; raises `ValueError` for none."""
    found = tuple(_CERTIFICATE.findall(_text(path)))
    if path and not found:
        raise ValueError(f"{path}: no PEM certificates")
    return found


@attrs.frozen(kw_only=True)
class Opened:
    """A connection that has been greeted, and protected if it had to be."""

    connection: ImapConnection
    greeting: Reply


async def connect(
    reactor: Any,
    host: str,
    port: int,
    *,
    trust: Trust | None = None,
    clear: bool = False,
    patience: float = 30.0,
    implicit: bool | None = None,
    first: bytes = b"",
    reach: Reach | None = None,
) -> Opened:
    """Connect and wait for the greeting: TLS at once on port 993, else STARTTLS.

    implicit: TLS at once, or not, whatever the port is. clear: do without TLS where the server has
    none. first: bytes to send before anything else, TLS too. reach: makes the connection instead
    of Twisted's endpoints; awaited with the reactor, host, port, protocol and patience, it may
    raise anything. Raises `NotReached`.
    """
    trust = trust or Trust()
    if implicit is None:
        implicit = port == IMAPS_PORT
    connection = _Dialled(reactor, patience, first, trust.options(host) if implicit else None)
    await establish(reach or _by_endpoint, reactor, host, port, connection, patience)
    try:
        greeting = await connection.greeting()
        if not implicit and greeting.kind != "BYE":
            await _secure(connection, trust, host, clear)
    except ConnectionEnded as error:
        raise NotReached(f"{host}:{port} {error}") from error
    return Opened(connection=connection, greeting=greeting)


class _Dialled(ImapConnection):
    """A connection that sends something first, and then begins TLS where it has options for it."""

    def __init__(self, reactor: Any, patience: float, first: bytes, options: Any) -> None:
        super().__init__(reactor, secure=options is not None, patience=patience)
        self._first = first
        self._options = options

    def connectionMade(self) -> None:
        """Begin."""
        if self._first:
            self.transport.write(self._first)
        if self._options is not None:
            self.transport.startTLS(self._options)


async def establish(
    reach: Reach, reactor: Any, host: str, port: int, connection: Any, patience: float
) -> None:
    """Connect a protocol; raises `NotReached` for whatever goes wrong."""
    try:
        await reach(reactor, host, port, connection, patience)
    except CancelledError:
        raise
    except Exception as error:
        raise NotReached(f"{host}:{port}: {error or type(error).__name__}") from error


async def _by_endpoint(reactor: Any, host: str, port: int, protocol: Any, patience: float) -> None:
    endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=patience)
    factory = Factory.forProtocol(lambda: protocol)
    # Two lines in the log for each connection would tell nobody anything.
    factory.noisy = False
    await endpoint.connect(factory)


async def _secure(connection: ImapConnection, trust: Trust, host: str, clear: bool) -> None:
    """Go over to TLS, unless there is none and that is allowed."""
    if "STARTTLS" in await connection.ask_capabilities():
        try:
            await connection.start_tls(trust.options(host))
        except NotAccepted as error:
            connection.close()
            raise WithoutTls(f"STARTTLS was refused: {error}") from None
        # Whether its certificate is good shows when it answers.
        await connection.ask_capabilities()
    elif not clear:
        connection.close()
        raise WithoutTls("the server offers no TLS")
