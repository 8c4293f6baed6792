"""Asks an OAuth 2 server whether a bearer token is good, and whose it is (RFC 7662)."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol as Connection
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from referrald.auth.deadline import within
from referrald.auth.tokens import Wanted, judge, parse_answer
from referrald.errors import ConfigurationError, Unavailable
from referrald.interfaces import IBearerToken
from referrald.model import Problem

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@attrs.frozen(kw_only=True)
class TokenServer:
    """The server that is asked, and what it must say; times in seconds, sizes in bytes.

    url: the introspection endpoint. client_id, client_secret: how we log in there (HTTP Basic).
    user_claim, scope, audience: what a token must be, see `Wanted`.
    cache: how long a good token is not asked about again, never longer than it is valid.
    at_once: how many questions may be open.
    """

    url: str
    client_id: str = ""
    client_secret: str = attrs.field(default="", repr=False)
    user_claim: str = "username"
    scope: str = ""
    audience: tuple[str, ...] = ()
    timeout: float = 5.0
    cache: float = 60.0
    cache_size: int = 10_000
    longest_answer: int = 65_536
    at_once: int = 100

    def __attrs_post_init__(self) -> None:
        """Refuse an endpoint to which tokens would travel in the clear."""
        if not _is_private(self.url):
            right = "an https:// URL, or http:// on loopback"
            raise ConfigurationError(
                [Problem(where="auth.introspection", key="url", wrong="not usable", right=right)]
            )


class Configured(Protocol):
    """What the section ``[auth.introspection]`` says; times in seconds."""

    @property
    def url(self) -> str:
        """The introspection endpoint."""
        ...

    @property
    def client_id(self) -> str:
        """Our name at that server."""
        ...

    @property
    def client_secret(self) -> str:
        """Our secret there."""
        ...

    @property
    def user_claim(self) -> str:
        """The field that names the user."""
        ...

    @property
    def scope(self) -> str:
        """What the token must be good for."""
        ...

    @property
    def timeout(self) -> float:
        """How long an answer may take."""
        ...


def make_agent(reactor: Any, settings: TokenServer) -> IAgent:
    """Make what asks over real connections, which are kept open between questions."""
    pool = HTTPConnectionPool(reactor, persistent=True)  # type: ignore[no-untyped-call]
    agent: IAgent = Agent(  # type: ignore[no-untyped-call]
        reactor, connectTimeout=settings.timeout, pool=pool
    )
    return agent


@implementer(ICredentialsChecker)
class IntrospectionChecker:
    """A cred checker for bearer tokens.

    agent: how HTTP is spoken, see `make_agent`. now: the time of day, with which a token's ``exp``
    is compared.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(
        self,
        settings: TokenServer,
        agent: IAgent,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._wanted = Wanted(
            user_claim=settings.user_claim, scope=settings.scope, audience=settings.audience
        )
        self._agent = agent
        self._clock = clock
        self._now = now
        self._open = 0
        self._good: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._secret = secrets.token_bytes(32)

    @classmethod
    def from_settings(cls, section: Configured, reactor: Any) -> IntrospectionChecker:
        """Make a checker, and the agent that it needs, from a configuration section."""
        server = TokenServer(
            url=section.url,
            client_id=section.client_id,
            client_secret=section.client_secret,
            user_claim=section.user_claim,
            scope=section.scope,
            timeout=section.timeout,
        )
        return cls(server, make_agent(reactor, server), clock=reactor)

    def requestAvatarId(self, credentials: IBearerToken) -> Deferred[bytes | tuple[()]]:
        """Give the name of the token's user, or fail with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials.token))

    async def _check(self, token: bytes) -> bytes | tuple[()]:
        key = blake2b(token, digest_size=16, key=self._secret).digest()
        user = self._remembered(key)
        if user is None:
            answer = parse_answer(await self._ask(token))
            user, until = judge(answer, self._wanted, self._now())
            self._remember(key, user, until)
        return user.encode("utf-8", "surrogatepass")

    async def _ask(self, token: bytes) -> bytes:
        """Give the body of the server's answer."""
        settings = self._settings
        if self._open >= settings.at_once:
            raise Unavailable("too many open questions to the token server")
        self._open += 1
        asking = Deferred.fromCoroutine(self._request(token))
        try:
            return await within(asking, settings.timeout, self._clock)
        finally:
            self._open -= 1

    async def _request(self, token: bytes) -> bytes:
        settings = self._settings
        form = urlencode({"token": token, "token_type_hint": "access_token"}).encode("ascii")
        response = await self._agent.request(
            b"POST", settings.url.encode("ascii"), _headers(settings), Form(form)
        )
        body = await _collect(response, settings.longest_answer)
        if response.code != 200:
            raise Unavailable(f"the token server answered with HTTP status {response.code}")
        return body

    def _remembered(self, key: bytes) -> str | None:
        known = self._good.get(key)
        if known is None:
            return None
        if known[1] <= self._now():
            del self._good[key]
            return None
        return known[0]

    def _remember(self, key: bytes, user: str, until: float | None) -> None:
        settings = self._settings
        if settings.cache <= 0:
            return
        end = self._now() + settings.cache
        self._good[key] = (user, end if until is None else min(end, until))
        if len(self._good) > settings.cache_size:
            self._good.popitem(last=False)


@implementer(IBodyProducer)
class Form:
    """A request body that is sent in one piece; its repr does not show it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write everything."""
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing: everything is written."""

    def resumeProducing(self) -> None:
        """Do nothing: everything is written."""

    def stopProducing(self) -> None:
        """Do nothing: everything is written."""


class Collector(Connection):
    """Takes a response's body, up to a size."""

    def __init__(self, limit: int) -> None:
        self.body: Deferred[bytes] = Deferred(lambda _: self._cut())
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """Keep it, or cut the connection when it is too much."""
        self._size += len(data)
        if self._size <= self._limit:
            self._pieces.append(data)
        elif not self.body.called:
            self.body.errback(Unavailable("the token server's answer is too long"))
            self._cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body when it is whole."""
        if self.body.called:
            return
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.body.callback(b"".join(self._pieces))
        else:
            self.body.errback(ConnectionAborted("before the answer was whole"))

    def _cut(self) -> None:
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


def _collect(response: IResponse, limit: int) -> Deferred[bytes]:
    collector = Collector(limit)
    response.deliverBody(collector)  # type: ignore[no-untyped-call]
    return collector.body


def _headers(settings: TokenServer) -> Headers:
    headers = Headers({b"Accept": [b"application/json"]})
    headers.setRawHeaders(b"Content-Type", [b"application/x-www-form-urlencoded"])
    if settings.client_id:
        # RFC 6749 section 2.3.1: each is form-encoded before HTTP Basic joins them.
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
        headers.setRawHeaders(b"Authorization", [b"Basic " + b64encode(pair.encode("ascii"))])
    return headers


def _is_private(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not url.isascii() or not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
