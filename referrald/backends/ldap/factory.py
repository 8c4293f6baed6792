"""Makes ``ldap`` backends (`referrald.backends.ldap.homes`), whose library is an extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from zope.interface import implementer

from referrald.backends.authorities import read_authorities
from referrald.backends.checking import authority_faults, library_faults, problem
from referrald.backends.servers import Wrong
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem

PORTS: Final = {"ldap": 389, "ldaps": 636}
EXAMPLE: Final = 'such as "ldaps://ldap.example.org"'


def _text(name: str, help: str, default: str = "", *, required: bool = False) -> Option:
    return Option(
        name=name, kind="string", help=help, default=None if required else default,
        required=required,
    )  # fmt: skip


OPTIONS: Final = (
    Option(
        name="servers",
        kind="strings",
        required=True,
        help="`ldaps://HOST[:PORT]` or `ldap://HOST[:PORT]`, in order of preference.",
    ),
    Option(
        name="starttls",
        kind="boolean",
        default=True,
        help="Begin TLS on `ldap://` before anything else is said. Without it passwords cross the "
        "network in the clear.",
    ),
    Option(name="ca", kind="path", help="The authorities that vouch for the servers."),
    _text("bind_dn", "The name to search as; anonymous when empty."),
    Option(name="bind_password", kind="secret", default="", help="Its password."),
    _text("base", "Where to search.", required=True),
    Option(
        name="scope", kind="choice", choices=("sub", "one", "base"), default="sub",
        help="How deep to search below `base`.",
    ),
    _text(
        "filter",
        "Finds the entry of a user, with `%u`, `%n` and `%d` for the name, what stands before and "
        "what stands after the `@`. A percent sign is `%%`.",
        "(mail=%u)",
    ),
    _text(
        "list_filter",
        "Finds the entries of all users, for `referralctl check --live`; nothing when empty.",
    ),
    _text("host", "The attribute with the home server: a host, or `host:port`.", "mailHost"),
    _text("port", "The attribute with its port."),
    _text("security", "The attribute that says `tls`, `starttls` or `none`."),
    _text("user", "The attribute with the name to use there."),
    _text("closed", "The attribute with a text to refuse the login with."),
    Option(
        name="here", kind="strings", default=(),
        help="Host names in the directory that mean this server.",
    ),
    Option(
        name="missing", kind="choice", choices=("unknown", "here"), default="unknown",
        help="What a user is whose entry has no host.",
    ),
    Option(
        name="spread", kind="boolean", default=False,
        help="Spread users over the hosts of an entry with several; else they count in the order "
        "of the alphabet.",
    ),
    Option(
        name="timeout", kind="duration", default=3.0, minimum=0.1,
        help="How long a server may take to connect, and again to answer.",
    ),
    Option(
        name="connections", kind="integer", default=8, minimum=1, maximum=1000,
        help="Connections at a time.",
    ),
)  # fmt: skip


@implementer(IReferralBackendFactory, ICheckingFactory)
class LdapFactory:
    """Makes `LdapBackend` objects."""

    name = "ldap"
    help = "Users in a directory (LDAP); passwords are checked by a bind as the user."
    options = OPTIONS

    def build(self, options: Options, reactor: Any) -> Any:
        """Make a backend; it connects when it is first asked."""
        from referrald.backends.ldap.homes import LdapBackend
        from referrald.backends.ldap.link import Links, LinkSettings

        links = LinkSettings(
            servers=[_server(each, options["starttls"]) for each in options["servers"]],
            bind_dn=options["bind_dn"],
            bind_password=options["bind_password"],
            timeout=options["timeout"],
            connections=options["connections"],
            trust=read_authorities(options["ca"]),
        )
        return LdapBackend(Links(links, reactor), _map(options))

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the options."""
        missing = [*library_faults("ldaptor", "ldap")]
        return missing or [
            *_wrong_servers(options),
            *_wrong_filters(options),
            *_wrong_names(options),
        ]


def _map(options: Options) -> Any:
    """Make an `LdapMap`; raises `Wrong`."""
    from referrald.backends.ldap.filters import Filter
    from referrald.backends.ldap.homes import LdapMap

    listed = options["list_filter"]
    names = {key: options[key] for key in ("host", "port", "security", "user", "closed")}
    return LdapMap(
        base=options["base"],
        scope=options["scope"],
        filter=Filter(options["filter"]),
        list_filter=Filter(listed) if listed else None,
        here=frozenset(name.lower() for name in options["here"]),
        missing=options["missing"],
        spread=options["spread"],
        **names,
    )


def _server(text: str, starttls: bool) -> Any:
    """Read a URL; raises `Wrong`."""
    from referrald.backends.ldap.link import LdapServer

    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise Wrong(f'"{text}" is no URL', EXAMPLE) from None
    extra = url.username or url.password or url.path.strip("/") or url.query or url.fragment
    if url.scheme not in PORTS or not url.hostname or port == 0 or extra:
        raise Wrong(f'"{text}" is no URL of a server', EXAMPLE)
    return LdapServer(
        host=url.hostname,
        port=port or PORTS[url.scheme],
        tls=url.scheme == "ldaps",
        starttls=starttls and url.scheme == "ldap",
    )


def _wrong_servers(options: Options) -> Iterator[Problem]:
    for text in options["servers"]:
        try:
            _server(text, options["starttls"])
        except Wrong as error:
            yield problem("servers", error)
    yield from authority_faults(options)
    if options["bind_password"] and not options["bind_dn"]:
        yield problem("bind_password", Wrong("is of no use without a name", "set bind_dn"))


def _wrong_filters(options: Options) -> Iterator[Problem]:
    from referrald.backends.ldap.filters import Filter

    for key in ("filter", "list_filter"):
        text = options[key]
        if key == "list_filter" and not text:
            continue
        try:
            depends = Filter(text).depends
        except Wrong as error:
            yield problem(key, error)
            continue
        if depends is (key == "list_filter"):
            wrong = "has a user's name in it" if depends else "is the same for all users"
            yield problem(key, Wrong(wrong, '"(mail=%u)"' if not depends else '"(mail=*)"'))


def _wrong_names(options: Options) -> Iterator[Problem]:
    from referrald.backends.ldap.homes import only_name

    for key in ("host", "port", "security", "user", "closed"):
        try:
            only_name(options[key])
        except Wrong as error:
            yield problem(key, error)
    if not options["host"]:
        yield problem("host", Wrong("is empty", 'such as "mailHost"'))


factory = LdapFactory()
