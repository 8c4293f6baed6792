"""The configuration as typed, frozen values: what the rest of the house sees of the file.

Field names are the keys of the file; `referrald.config.schema` has their kinds, defaults and help.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from referrald.config.endpoints import endpoint_address, endpoint_port, endpoint_secures
from referrald.errors import UrlError
from referrald.imapurl import canonical_host
from referrald.model import IMAP_PORT, IMAPS_PORT, How, Limits

ListenerTls = Literal["none", "starttls", "implicit"]


@attrs.frozen(kw_only=True)
class ServerSettings:
    """Who this server is. ``id`` is what the ID command answers (RFC 2971)."""

    name: str
    own_names: tuple[str, ...] = ()
    greeting: str = ""
    trusted: tuple[str, ...] = ()
    id: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ListenerSettings:
    """One way in. ``drain`` is the URL that it sends everyone to, empty when it takes logins."""

    name: str
    endpoint: str
    tls: ListenerTls = "starttls"
    allow_cleartext: bool = False
    login: How | None = None
    drain: str = ""

    @property
    def secured_by_endpoint(self) -> bool:
        """True when the endpoint string itself brings TLS (``ssl:``, ``tls:``)."""
        return endpoint_secures(self.endpoint)


@attrs.frozen(kw_only=True)
class TlsSettings:
    """The certificate of this server and what is asked of a client's."""

    certificate: str
    key: str
    client_ca: str = ""
    client_user: Literal["CN", "email", "UID"] = "CN"
    minimum: Literal["1.2", "1.3"] = "1.2"


@attrs.frozen(kw_only=True)
class BackendSettings:
    """One source of homes; ``factory`` is an `IReferralBackendFactory`, ``options`` are checked.

    What is None of the cache is as in `DirectorySection`.
    """

    name: str
    type: str
    options: Mapping[str, Any] = attrs.field(repr=False)  # may hold secrets
    factory: Any = attrs.field(eq=False, repr=False)
    cache_found: float | None = None
    cache_missing: float | None = None
    cache_size: int | None = None


@attrs.frozen(kw_only=True)
class DirectorySection:
    """Deadlines and cache of the lookups; times in seconds."""

    deadline: float
    cache_found: float
    cache_missing: float
    stale: float
    cache_size: int
    snapshot: str | None = None


@attrs.frozen(kw_only=True)
class ReferralSection:
    """Where referrals may go, and when too many are a storm."""

    allowed: tuple[str, ...]
    allow_clear: tuple[str, ...]
    text: str
    storm_count: int
    storm_window: float
    text_unfollowed: str
    login: How = "refer"
    follow: tuple[str, ...] = ()
    mailboxes: Literal["relay", "hide", "say"] = "relay"
    status: bool = False
    one_url: tuple[str, ...] = ("alpine",)


@attrs.frozen(kw_only=True)
class NetworkSettings:
    """What is done about clients in some networks."""

    networks: tuple[str, ...]
    login: How


@attrs.frozen(kw_only=True)
class RelaySection:
    """How home servers are reached for clients, and what happens when a user moves.

    Times are in seconds.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    timeout: float = 10.0
    deadline: float = 30.0
    told: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    master_user: str = ""
    master_password: str = attrs.field(default="", repr=False)
    grace: float = 10.0
    spread: float = 30.0
    hold: float = 20.0


@attrs.frozen(kw_only=True)
class IntrospectionSettings:
    """How a bearer token is checked (RFC 7662); times in seconds."""

    url: str
    client_id: str = ""
    client_secret: str = attrs.field(default="", repr=False)
    user_claim: str = "username"
    scope: str = ""
    timeout: float = 5.0


@attrs.frozen(kw_only=True)
class AuthSection:
    """Who may log in and how. ``backends`` None means every backend that keeps passwords.

    ``checkers`` may hold passwords (``memory:user:password``), so a repr leaves them out.
    """

    backends: tuple[str, ...] | None
    checkers: tuple[str, ...] = attrs.field(repr=False)
    masters: tuple[str, ...]
    mechanisms: tuple[str, ...]
    sasl: bool
    lowercase: bool
    default_domain: str
    cache: float
    cache_size: int
    workers: int
    home: bool = False
    home_cache: float = 0.0
    introspection: IntrospectionSettings | None = None


@attrs.frozen(kw_only=True)
class ServeSection:
    """The store for users whose home is here.

    public, others: the first levels of names of public mailboxes, and of those of other users.
    public_root, rights: where the former are, and the file that says who may use both.
    root: of one account, see `referrald.store.maildir.naming.root_of`. The limits are of one
    account, but for ``message_size``; 0 is none.
    """

    store: Literal["none", "memory", "maildir"] = "none"
    root: str = ""
    quota: int = 0
    quota_messages: int = 0
    message_size: int = 0
    public: str = ""
    public_root: str = ""
    others: str = ""
    rights: str = ""


@attrs.frozen(kw_only=True)
class SharedSection:
    """The Redis by which front doors share counts; none when there are no ``servers``."""

    servers: tuple[str, ...] = ()
    database: int = 0
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    password_file: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    timeout: float = 2.0
    prefix: str = "referrald:"


@attrs.frozen(kw_only=True)
class LogSection:
    """Form and place of the log. ``logins`` is ``twisted``, ``-`` (standard output) or a path."""

    format: Literal["text", "json"] = "text"
    logins: str = "twisted"


@attrs.frozen(kw_only=True)
class Config:
    """A whole configuration that has been found good."""

    server: ServerSettings
    listeners: tuple[ListenerSettings, ...]
    backends: tuple[BackendSettings, ...]
    directory: DirectorySection
    referral: ReferralSection
    auth: AuthSection
    serve: ServeSection
    limits: Limits
    log: LogSection
    networks: tuple[NetworkSettings, ...] = ()
    relay: RelaySection = attrs.field(factory=RelaySection)
    shared: SharedSection = attrs.field(factory=SharedSection)
    tls: TlsSettings | None = None
    extensions: tuple[str, ...] = ()
    path: str = attrs.field(default="", eq=False)

    @property
    def may_relay(self) -> bool:
        """True when somebody is logged in at home, for a client or to see whether the password is
        right. Where this is False a backend may still say so of one user.
        """
        words = {self.referral.login}
        words.update(listener.login or "refer" for listener in self.listeners)
        words.update(network.login for network in self.networks)
        return words != {"refer"} or self.auth.home

    @property
    def own_names(self) -> frozenset[str]:
        """The names that clients may know this server by, folded."""
        return own_names(self.server)

    @property
    def own_addresses(self) -> frozenset[tuple[str, int]]:
        """Every (host, port) that is this server; see `own_addresses`."""
        return own_addresses(self.server, self.listeners)


def own_names(server: ServerSettings) -> frozenset[str]:
    """Give the names of ``server``, folded."""
    return frozenset(folded_host(name) for name in (server.name, *server.own_names) if name)


def folded_host(name: str) -> str:
    """Give the one form of a host's name in which it is compared."""
    try:
        return canonical_host(name).removesuffix(".")
    except UrlError:
        return name.lower().removesuffix(".")


def own_addresses(
    server: ServerSettings, listeners: tuple[ListenerSettings, ...]
) -> frozenset[tuple[str, int]]:
    """Give every (host, port) that would lead back to this server.

    The own names count at the ports of the listeners and at 143 and 993, because a port mapping in
    front may hide the real ones. Another port under the same name is another server. A listener
    bound to one interface also counts by its address.
    """
    ports = {IMAP_PORT, IMAPS_PORT}
    bound = set()
    for listener in listeners:
        port = endpoint_port(listener.endpoint)
        if port:
            ports.add(port)
        address = endpoint_address(listener.endpoint)
        if address:
            bound.add(address)
    return frozenset((name, port) for name in own_names(server) for port in ports) | bound
