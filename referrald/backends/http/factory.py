"""Makes ``http`` backends (`referrald.backends.http.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from zope.interface import implementer

from referrald.backends.checking import library_faults, problem
from referrald.backends.http.connecting import (
    CONNECTING,
    PRIVATE,
    connecting_faults,
    is_private,
    make_client,
)
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Security

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
    Option(
        name="security", kind="choice", choices=("none", "starttls", "tls"), default="starttls",
        help="How home servers are reached, with the dialect `nginx`, which does not say.",
    ),
    *CONNECTING,
)  # fmt: skip


@implementer(IReferralBackendFactory, ICheckingFactory)
class HttpFactory:
    """Makes backends that ask a web service."""

    name = "http"
    help = "A web service of your own, or one that speaks nginx's `auth_http`."
    options = OPTIONS

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; it connects when it is first asked."""
        client, _ = make_client(options, reactor)
        return make(options, client, reactor)

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        missing = [*library_faults("treq", "http")]
        return missing or [*_wrong(options)]


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


def _wrong(options: Options) -> Iterator[Problem]:
    for key in ("url", "password_url"):
        text = options[key]
        if not is_private(text) and (text or key == "url"):
            yield problem(key, Wrong("is not usable", PRIVATE))
    if options["password_url"] and options["dialect"] == "nginx":
        wrong = Wrong("is of no use with this dialect", "leave it out")
        yield problem("password_url", wrong)
    yield from connecting_faults(options)


factory = HttpFactory()
