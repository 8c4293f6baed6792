"""What is done about a login whose home is known: a pure function."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

import attrs

from referrald.errors import Unavailable, UrlError
from referrald.imapurl import canonical_host, login_referral
from referrald.model import Decision, Home, Login, Refer, Refuse, Security, Serve, Server

Addresses = frozenset[tuple[str, int]]


def _host(text: str) -> str:
    """Fold all spellings of a host into one, for comparing."""
    try:
        host = canonical_host(text.strip("[]"))
    except UrlError:
        host = text.lower()
    return host.removesuffix(".")


def _addresses(pairs: Iterable[tuple[str, int]]) -> Addresses:
    return frozenset((_host(host), port) for host, port in pairs)


def _pattern(globs: Iterable[str]) -> re.Pattern[str]:
    """Make one pattern of many; of none, one that nothing matches."""
    return re.compile("|".join(translate(glob.lower().rstrip(".")) for glob in globs) or "(?!)")


@attrs.frozen(kw_only=True)
class PolicySettings:
    """Where clients may be sent.

    own_names: the (host, port) pairs that lead back to this server.
    allowed, allow_clear: shell patterns of host names, in any case; ``*`` matches dots as well. No
    patterns allow no host.
    """

    own_names: Addresses = attrs.field(default=frozenset(), converter=_addresses)
    allowed: tuple[str, ...] = ("*",)
    allow_clear: tuple[str, ...] = ()
    _allowed: re.Pattern[str] = attrs.field(init=False, eq=False, repr=False)
    _allow_clear: re.Pattern[str] = attrs.field(init=False, eq=False, repr=False)

    @_allowed.default
    def _compile_allowed(self) -> re.Pattern[str]:
        return _pattern(self.allowed)

    @_allow_clear.default
    def _compile_allow_clear(self) -> re.Pattern[str]:
        return _pattern(self.allow_clear)

    def objection(self, server: Server) -> str:
        """Say why no client may be sent to ``server``; empty when it may.

        A target without TLS must be allowed by name, whatever the client itself uses: its password
        will travel there.
        """
        try:
            host = canonical_host(server.host).removesuffix(".")
        except UrlError as error:
            return error.reason
        if ":" in host:
            return "an IPv6 address, which no referral can carry"
        if (host, server.port) in self.own_names:
            return "this server itself"
        if not self._allowed.fullmatch(host):
            return "not an allowed target"
        if server.security is Security.CLEAR and not self._allow_clear.fullmatch(host):
            return "without TLS, and not allowed in the clear"
        return ""


def decide(login: Login, home: Home | None, settings: PolicySettings) -> Decision:
    """Decide what is done about a login; of ``login`` only the user counts."""
    if home is None:
        return Refuse(
            code="CONTACTADMIN",
            text="No mailbox is known for this user.",
            cause="no backend knows the user",
        )
    if home.closed is not None:
        return refuse_closed(home)
    if home.held:
        return refuse_held(home)
    if home.here:
        return Serve(source=home.source)
    return _refer(login, home, settings)


def refuse_closed(home: Home) -> Refuse:
    """Turn away a user whose account is closed."""
    text = home.closed or "This account is closed."
    return Refuse(code=None, text=text, cause=f"closed: {text}", source=home.source)


def refuse_held(home: Home) -> Refuse:
    """Turn away a user whose mail is being copied, for now."""
    return Refuse(
        code=Unavailable.code,
        text="This mailbox is being moved; please try again in a few minutes.",
        cause="held: the mailbox is being moved",
        held=True,
        source=home.source,
    )


def _refer(login: Login, home: Home, settings: PolicySettings) -> Decision:
    """Refer to the first server that there is no objection to."""
    objections = []
    usable: list[tuple[Server, str]] = []
    user = home.user or login.user
    for server in home.servers:
        objection = settings.objection(server)
        if objection:
            objections.append(f"{server}: {objection}")
            continue
        try:
            usable.append((server, login_referral(server.host, server.port, user, home.auth)))
        except UrlError as error:
            objections.append(f"{server}: {error.reason}")
    if usable:
        server, url = usable[0]
        return Refer(
            url=url,
            server=server,
            servers=tuple(each for each, _ in usable),
            user=user,
            authenticated=home.public_here,
            how=home.how,
            source=home.source,
        )
    return Refuse(
        code=Unavailable.code,
        text=Unavailable.public,
        cause=f"no server to refer to: {'; '.join(objections)}",
        source=home.source,
    )
