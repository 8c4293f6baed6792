"""Connections to LDAP servers (RFC 4511): a search, and a bind that shows whether a password fits.

These two calls are all that the rest knows of the library below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs
from ldaptor.protocols import pureber, pureldap
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS, platformTrust

from referrald.errors import Unavailable

T = TypeVar("T")

PAGE: Final = 500
"""Entries that are asked for at a time, where many may come."""

PAGED: Final = b"1.2.840.113556.1.4.319"
"""The control for that (RFC 2696)."""

WAITING: Final = 1000
"""Questions that may wait for a connection."""

LONGEST: Final = 4 * 1024 * 1024
"""Bytes that one message of a server may have."""

SUCCESS: Final = 0
BUSY: Final = frozenset({51, 52})
WRONG_PASSWORD: Final = frozenset({32, 34, 48, 49, 53})
"""No such object, bad name, wrong kind of authentication, wrong password, unwilling."""

NO_SUCH_OBJECT: Final = 32
SCOPES: Final = {"base": 0, "one": 1, "sub": 2}


@attrs.frozen(kw_only=True)
class Entry:
    """What a search has found: a distinguished name, and attributes by name in lower case."""

    dn: bytes
    attributes: Mapping[str, tuple[bytes, ...]]

    def values(self, name: str) -> list[str]:
        """Give the values of an attribute as text, in a fixed order; none for an empty name."""
        found = self.attributes.get(name.lower(), ()) if name else ()
        return sorted(value.decode("utf-8", "replace").strip() for value in found)


@attrs.frozen(kw_only=True)
class LdapServer:
    """A server. tls: from the first byte. starttls: before anything else is said."""

    host: str
    port: int
    tls: bool = False
    starttls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@attrs.frozen(kw_only=True)
class LinkSettings:
    """How servers are reached. trust: whose certificates are believed; timeout: seconds for all."""

    servers: Sequence[LdapServer]
    bind_dn: str = ""
    bind_password: str = attrs.field(default="", repr=False)
    timeout: float = 5.0
    connections: int = 4
    trust: Any = None


class Link(LDAPClient):  # type: ignore[misc]
    """One connection."""

    def __init__(self) -> None:
        super().__init__()
        self.usable = True

    def dataReceived(self, recd: bytes) -> None:
        """Take what the server says, as long as it makes sense."""
        try:
            super().dataReceived(recd)
        except Exception:  # noqa: BLE001 - the library raises anything on a broken message
            self.drop()
        if len(self.buffer) > LONGEST:
            self.drop()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Fail whatever waits for an answer."""
        self.usable = False
        super().connectionLost(reason)

    def unsolicitedNotification(self, msg: Any) -> None:
        """Take it for the end: that is the only one there is (RFC 4511 section 4.4.1)."""
        self.drop()

    def drop(self) -> None:
        """Break off."""
        self.usable = False
        if self.transport is not None:
            self.transport.abortConnection()

    async def log_in(self, dn: bytes | str, password: bytes | str) -> int:
        """Bind (RFC 4511 section 4.2); gives the result code."""
        answer = await self.send(pureldap.LDAPBindRequest(dn=dn, auth=password))
        return int(answer.resultCode)

    async def find(self, request: Any, controls: Any = None) -> tuple[list[Entry], int, bytes]:
        """Search; gives entries, the result code, and what asks for the next page."""
        found: list[Entry] = []
        done: Deferred[tuple[int, bytes]] = Deferred()

        def take(answer: Any, its_controls: Any) -> bool:
            if isinstance(answer, pureldap.LDAPSearchResultEntry):
                found.append(_entry(answer))
                return False
            if isinstance(answer, pureldap.LDAPSearchResultDone):
                done.callback((int(answer.resultCode), _cookie(its_controls)))
                return True
            # A reference to another server: whoever wants those entries names that server.
            return False

        waiting = self.send_multiResponse_ex(request, controls, take)
        waiting.addErrback(lambda failure: done.errback(failure))
        code, cookie = await done
        return found, code, cookie


class Links:
    """Connections to the first server that answers; they are used again.

    Raises `Unavailable` where no server does, or one says no to what has to work.
    """

    def __init__(self, settings: LinkSettings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._room = DeferredSemaphore(settings.connections)
        self._idle: list[Link] = []
        self._running = True

    def stop(self) -> None:
        """Close what is idle; nothing is kept any more."""
        self._running = False
        while self._idle:
            self._idle.pop().drop()

    async def search(
        self, base: str, scope: str, wanted: Any, attributes: Sequence[str], limit: int = 0
    ) -> list[Entry]:
        """Find entries, at most ``limit``, or all of them by pages where it is 0."""
        request = pureldap.LDAPSearchRequest(
            baseObject=base.encode("utf-8"), scope=SCOPES[scope], sizeLimit=limit, filter=wanted,
            attributes=[name.encode("utf-8") for name in attributes] or [b"1.1"],
        )  # fmt: skip
        if limit:
            return await self._with_link(lambda link: _limited(link, request))
        return await self._with_link(lambda link: _paged(link, request))

    async def fits(self, dn: bytes, password: bytes) -> bool:
        """Say whether a password is that of an entry."""
        if not password:
            # Without one a bind is anonymous, and succeeds (RFC 4513 section 5.1.2).
            return False
        return await self._with_link(lambda link: _fits(link, dn, password), reuse=False)

    # -- connections -------------------------------------------------------------------------

    async def _with_link(self, use: Callable[[Link], Awaitable[T]], reuse: bool = True) -> T:
        if len(self._room.waiting) >= WAITING:
            raise Unavailable("LDAP: too many questions wait for an answer")
        await self._room.acquire()
        try:
            while self._idle and reuse:
                link = self._idle.pop()
                try:
                    return await self._used(link, use)
                except _Lost:
                    continue
            link = await self._connect(bind=reuse)
            try:
                return await self._used(link, use, keep=reuse)
            except _Lost as error:
                raise Unavailable(f"LDAP: {error}") from None
        finally:
            self._room.release()

    async def _used(self, link: Link, use: Callable[[Link], Awaitable[T]], keep: bool = True) -> T:
        """Do something with a connection, in time; raises `_Lost` when it breaks."""
        try:
            result = await self._in_time(use(link))
        except Unavailable:
            link.drop()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a broken connection fails with
            link.drop()
            raise _Lost(type(error).__name__) from None
        except BaseException:
            link.drop()
            raise
        if keep and link.usable and self._running:
            self._idle.append(link)
        else:
            link.drop()
        return result

    async def _connect(self, bind: bool) -> Link:
        reasons = []
        for server in self._settings.servers:
            try:
                return await self._in_time(self._open(server, bind))
            except Unavailable as error:
                reasons.append(f"{server}: {error}")
            except Exception as error:  # noqa: BLE001 - there are many ways to be down
                reasons.append(f"{server}: {type(error).__name__}: {_words(error)}")
        raise Unavailable(f"LDAP: {'; '.join(reasons)}")

    async def _open(self, server: LdapServer, bind: bool) -> Link:
        trust = self._settings.trust or platformTrust()  # type: ignore[no-untyped-call]
        options = optionsForClientTLS(server.host, trust)
        endpoint: Any = HostnameEndpoint(self._reactor, server.host, server.port)
        if server.tls:
            endpoint = wrapClientTLS(options, endpoint)
        link: Link = await connectProtocol(endpoint, Link())  # type: ignore[no-untyped-call]
        try:
            if server.starttls:
                await link.startTLS(options)
            if bind:
                await self._introduce(link)
        except BaseException:
            link.drop()
            raise
        return link

    async def _introduce(self, link: Link) -> None:
        code = await link.log_in(self._settings.bind_dn, self._settings.bind_password)
        if code != SUCCESS:
            raise Unavailable(f"the bind as {self._settings.bind_dn!r} failed with result {code}")

    async def _in_time(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        waiting = Deferred.fromCoroutine(wait())
        waiting.addTimeout(self._settings.timeout, self._reactor)
        return await waiting


class _Lost(Exception):
    """A connection broke while it was used."""


async def _limited(link: Link, request: Any) -> list[Entry]:
    found, code, _ = await link.find(request)
    # 4: there are more than were asked for; whoever asked for few sees that there are too many.
    if code not in (SUCCESS, 4, NO_SUCH_OBJECT):
        raise Unavailable(f"the search failed with result {code}")
    return found


async def _paged(link: Link, request: Any) -> list[Entry]:
    found: list[Entry] = []
    cookie = b""
    while True:
        value = pureber.BERSequence([pureber.BERInteger(PAGE), pureber.BEROctetString(cookie)])
        page, code, cookie = await link.find(request, [(PAGED, False, value.toWire())])
        found += page
        if code not in (SUCCESS, NO_SUCH_OBJECT):
            raise Unavailable(f"the search failed with result {code}")
        if not cookie:
            return found


async def _fits(link: Link, dn: bytes, password: bytes) -> bool:
    code = await link.log_in(dn, password)
    if code in WRONG_PASSWORD:
        return False
    if code != SUCCESS:
        raise Unavailable(f"LDAP: a bind failed with result {code}")
    return True


def _entry(answer: Any) -> Entry:
    attributes: dict[str, tuple[bytes, ...]] = {}
    for name, values in answer.attributes:
        key = name.decode("utf-8", "replace").lower()
        attributes[key] = tuple(bytes(value) for value in values)
    return Entry(dn=bytes(answer.objectName), attributes=attributes)


def _cookie(controls: Any) -> bytes:
    """Find what asks for the next page; empty when there is none."""
    for kind, _critical, value in controls or ():
        if bytes(kind) == PAGED and value:
            decoder = pureber.BERDecoderContext()
            sequence, _ = pureber.berDecodeObject(decoder, bytes(value))
            return bytes(sequence[1].value)
    return b""


def _words(error: Exception) -> str:
    """Give an error's text on one line."""
    return " ".join(str(error).split())[:200]
