"""Makes ``http`` backends (`referrald.backends.http.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from zope.interface import implementer

from referrald.backends.authorities import read_authorities
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Security

LOOPBACK: Final = ("localhost", "127.0.0.1")
REMEMBERED: Final = 30.0
"""Seconds for which a home is known from the check of a password; a login takes less."""

OPTIONS: Final = (
    Option(
        name="url", kind="string", required=True,
        help="Where homes are asked for: `https://…`, or `http://` on the loopback address.",
    ),
    Option(
        name="dialect", kind="choice", choices=("json", "nginx"), default="json",
        help="How the service is asked: by JSON, or as nginx's mail proxy asks (`auth_http`).",
    ),
    Option(
        name="password_url", kind="string", default="",
        help="Where passwords are checked, with the dialect `json`; not at all when empty.",
    ),
    Option(
        name="token", kind="secret", default="",
        help="Sent as a bearer token, so that the service knows us.",
    ),
    Option(name="ca", kind="path", help="The authorities that vouch for the service."),
    Option(
        name="security", kind="choice", choices=("none", "starttls", "tls"), default="starttls",
        help="How home servers are reached, with the dialect `nginx`, which does not say.",
    ),
    Option(
        name="timeout", kind="duration", default=3.0, minimum=0.1,
        help="How long an answer may take.",
    ),
    Option(
        name="connections", kind="integer", default=16, minimum=1, maximum=1000,
        help="Questions at a time; connections are kept open between them.",
    ),
)  # fmt: skip


@implementer(IReferralBackendFactory, ICheckingFactory)
class HttpFactory:
    """Makes backends that ask a web service."""

    name = "http"
    help = "A web service of your own, or one that speaks nginx's `auth_http`."
    options = OPTIONS

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; it connects when it is first asked."""
        from treq.client import HTTPClient

        return make(options, HTTPClient(_agent(options, reactor)), reactor)

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        if find_spec("treq") is None:
            wrong = Wrong("needs treq, which is not there", "pip install 'referrald[http]'")
            return [_problem("type", wrong)]
        return [*_wrong(options)]


def make(options: Options, client: Any, reactor: Any) -> Any:
    """Make a backend that asks by an `HTTPClient` of treq."""
    from referrald.backends.http.asking import Service
    from referrald.backends.http.homes import CheckingJsonBackend, JsonBackend, NginxBackend
    from referrald.backends.http.remembered import Remembered

    def service(url: str) -> Service:
        return Service(
            client, reactor, url=url, token=options["token"], timeout=options["timeout"],
            at_once=options["connections"],
        )  # fmt: skip

    homes = service(options["url"])
    if options["dialect"] == "nginx":
        known = Remembered(reactor.seconds, REMEMBERED)
        return NginxBackend(homes, Security(options["security"]), known)
    if options["password_url"]:
        return CheckingJsonBackend(homes, service(options["password_url"]))
    return JsonBackend(homes)


def _agent(options: Options, reactor: Any) -> Any:
    from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

    pool = HTTPConnectionPool(reactor)  # type: ignore[no-untyped-call]
    pool.maxPersistentPerHost = options["connections"]
    policy = BrowserLikePolicyForHTTPS(read_authorities(options["ca"]))  # type: ignore[no-untyped-call]
    return Agent(  # type: ignore[no-untyped-call]
        reactor, policy, connectTimeout=options["timeout"], pool=pool
    )


def _wrong(options: Options) -> Iterator[Problem]:
    for key in ("url", "password_url"):
        text = options[key]
        if not _is_private(text) and (text or key == "url"):
            right = "an https:// URL, or http:// on loopback"
            yield _problem(key, Wrong("is not usable", right))
    if options["password_url"] and options["dialect"] == "nginx":
        wrong = Wrong("is of no use with this dialect", "leave it out")
        yield _problem("password_url", wrong)
    try:
        read_authorities(options["ca"])
    except Wrong as error:
        yield _problem("ca", error)


def _is_private(url: str) -> bool:
    """Say whether passwords may travel to a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not url.isascii() or not parts.hostname or parts.username is not None or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _problem(key: str, error: Wrong) -> Problem:
    return Problem(where="", key=key, wrong=error.wrong, right=error.right)


factory = HttpFactory()
