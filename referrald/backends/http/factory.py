"""Makes ``http`` backends (`referrald.backends.http.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from referrald.backends.http.extraheader import read_header
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Security
from referrald.workers import WorkerPool

REMEMBERED: Final = 30.0
"""Seconds for which a home is known from the check of a password; a login takes less."""

ONLY_JSON: Final = ("password_url", "mailboxes_url", "targets_url")

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
        name="mailboxes_url", kind="string", default="",
        help="Where single mailboxes on other servers are asked for, with the dialect `json`; not "
        "at all when empty.",
    ),
    Option(
        name="targets_url", kind="string", default="",
        help="Where all servers are named for `referralctl check --live`, with the dialect `json`.",
    ),
    Option(
        name="token", kind="secret", default="",
        help="Sent as a bearer token, so that the service knows us.",
    ),
    Option(
        name="header", kind="secret", default="",
        help="Sent with each question besides, as nginx's `auth_http_header` is: "
        "`X-Auth-Key: …`.",
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
        return make(options, *make_client(options, reactor), reactor)

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        missing = [*library_faults("treq", "http")]
        return missing or [*_wrong(options)]


def make(options: Options, client: Any, close: Callable[[], Any], reactor: Any) -> Any:
    """Make a backend that asks by an `HTTPClient` of treq; ``close`` ends its connections."""
    from referrald.backends.http.asking import Service
    from referrald.backends.http.homes import JsonBackend
    from referrald.backends.http.nginx import NginxBackend
    from referrald.backends.http.remembered import Remembered

    def service(key: str) -> Any:
        url = options[key]
        return url and Service(
            client, reactor, url=url, token=options["token"], timeout=options["timeout"],
            at_once=options["connections"], extra=read_header(options["header"]),
        )  # fmt: skip

    if options["dialect"] == "nginx":
        known = Remembered(reactor.seconds, REMEMBERED)
        return NginxBackend(service("url"), Security(options["security"]), known)
    return JsonBackend(
        service("url"),
        WorkerPool(reactor, workers=1, name="http"),
        close,
        passwords=service("password_url") or None,
        mailboxes=service("mailboxes_url") or None,
        targets=service("targets_url") or None,
    )


def _wrong(options: Options) -> Iterator[Problem]:
    for key in ("url", *ONLY_JSON):
        text = options[key]
        if not is_private(text) and (text or key == "url"):
            yield problem(key, Wrong("is not usable", PRIVATE))
    for key in ONLY_JSON if options["dialect"] == "nginx" else ():
        if options[key]:
            wrong = Wrong("is of no use with this dialect", "leave it out")
            yield problem(key, wrong)
    try:
        read_header(options["header"])
    except Wrong as error:
        yield problem("header", error)
    yield from connecting_faults(options)


factory = HttpFactory()
