"""Makes ``dns`` backends (`referrald.backends.dns.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from twisted.internet.abstract import isIPAddress
from zope.interface import implementer

from referrald.backends.dns import signed
from referrald.backends.servers import Wrong, port_number
from referrald.backends.variables import is_template
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem
from referrald.workers import WorkerPool

RESOLV: Final = "/etc/resolv.conf"
PORT: Final = 53
THREADS: Final = 16

DOMAINS = Option(
    name="domains",
    kind="strings",
    required=True,
    help="The domains whose users are asked for: names, or patterns with `*` and `?`.",
)
NAMESERVERS = Option(
    name="nameservers",
    kind="strings",
    default=(),
    help="Addresses of name servers, with `:port` where it is not 53. Without any those of "
    "`/etc/resolv.conf` are asked.",
)
TIMEOUT = Option(
    name="timeout",
    kind="duration",
    default=2.0,
    minimum=0.1,
    help="How long to wait for an answer. A name server that says nothing for a third of that is "
    "asked again.",
)
TTL_MAX = Option(
    name="ttl_max",
    kind="duration",
    default=3600.0,
    minimum=0,
    help="How long an answer is kept at most, whatever its records say.",
)
USER = Option(
    name="user",
    kind="string",
    default="%u",
    help="The name to use at the home server: `%u` is the user's, `%n` what stands before the `@`.",
)
VALIDATED = Option(
    name="validated",
    kind="boolean",
    default=False,
    help="Believe only answers whose signatures the name server has checked (DNSSEC, the `AD` "
    "flag). Ask a name server of your own then, on this machine or by a way that you trust.",
)
SIGNED_KEY = Option(
    name="signed_key",
    kind="path",
    help="The public Ed25519 key, in PEM form, of signed records of single users. Experimental.",
)


@implementer(IReferralBackendFactory, ICheckingFactory)
class DnsFactory:
    """Makes `DnsBackend` objects."""

    name = "dns"
    help = "SRV records of the user's domain (RFC 6186)."
    options = (DOMAINS, NAMESERVERS, TIMEOUT, TTL_MAX, USER, VALIDATED, SIGNED_KEY)

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; the key is read now."""
        from referrald.backends.dns.homes import DnsBackend, resolver

        path = options["signed_key"]
        key = None if path is None else signed.public_key(Path(path).read_bytes())
        pool = WorkerPool(reactor, workers=THREADS, name="dns")
        servers = [_nameserver(each) for each in options["nameservers"]]
        return DnsBackend(resolver(servers, RESOLV, options), options, pool, key)

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        if find_spec("dns") is None:
            wrong = Wrong("needs dnspython, which is not there", "pip install 'referrald[dns]'")
            return [_problem("type", wrong)]
        return [*_wrong_servers(options), *_wrong_user(options), *_wrong_key(options)]


def _nameserver(text: str) -> tuple[str, int]:
    """Read an address with or without a port; raises `Wrong`."""
    host, colon, port = text.partition(":")
    if not isIPAddress(host):
        raise Wrong(f'"{text}" is not the address of a name server', 'such as "192.0.2.53"')
    return host, port_number(port) if colon else PORT


def _wrong_servers(options: Options) -> list[Problem]:
    problems = []
    for text in options["nameservers"]:
        try:
            _nameserver(text)
        except Wrong as error:
            problems.append(_problem("nameservers", error))
    if not options["nameservers"] and not Path(RESOLV).exists():
        wrong = Wrong(f"{RESOLV} is not there", "name the name servers")
        problems.append(_problem("nameservers", wrong))
    return problems


def _wrong_user(options: Options) -> list[Problem]:
    try:
        is_template(options["user"])
    except Wrong as error:
        return [_problem("user", error)]
    return [] if options["user"] else [_problem("user", Wrong("is empty", 'such as "%u"'))]


def _wrong_key(options: Options) -> list[Problem]:
    path = options["signed_key"]
    if path is None:
        return []
    try:
        signed.public_key(Path(path).read_bytes())
    except OSError as error:
        return [_problem("signed_key", Wrong(f"{path}: {error.strerror}"))]
    except Wrong as error:
        return [_problem("signed_key", error)]
    return []


def _problem(key: str, error: Wrong) -> Problem:
    return Problem(where="", key=key, wrong=error.wrong, right=error.right)


factory = DnsFactory()
