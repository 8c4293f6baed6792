"""The values that travel through the house. All are frozen; none does any work of its own."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import attrs

IMAP_PORT = 143
IMAPS_PORT = 993
MAX_PROXIES = 5
"""So many proxies may pass a login on, one to the next; that is the number of Dovecot's too."""

How: TypeAlias = Literal["refer", "relay", "auto"]
"""What is done at login about a user who lives elsewhere: send the client there; log in there for
the client; or the first for programs that are known to follow and the second for all others."""


class Security(enum.Enum):
    """How a server is reached: in the clear, with STARTTLS, or with TLS from the first byte."""

    CLEAR = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@attrs.frozen(kw_only=True, cache_hash=True)
class Server:
    """An IMAP server: a host name (or IPv4 address), a port, and how it is secured.

    weight: its share of the users of a home that spreads them over its servers, from 1 on.
    """

    host: str
    port: int = IMAP_PORT
    security: Security = Security.STARTTLS
    weight: int = 1

    def __str__(self) -> str:
        return self.host if self.port == IMAP_PORT else f"{self.host}:{self.port}"


@attrs.frozen(kw_only=True)
class Home:
    """Where a user's mail lives, as a backend says it.

    servers: the home servers in order of preference; empty means *here*.
    spread: each user has an order of preference of their own, by the weights of the servers.
    user: the name to use there; ``None`` means the same name.
    auth: the SASL mechanism that a referral prescribes, ``*`` for any (RFC 5092 section 3.2).
    public_here: public mailboxes can be read here, so a login succeeds with ``OK [REFERRAL]``.
    closed: the login is refused with this text, whatever else stands here.
    held: a migration copies the user's mail, so that nobody may be logged in for a while.
    ttl: seconds that this answer may be cached; ``None`` means as configured, 0 means never.
    how: whether clients of this user are referred or relayed; ``None`` means as configured.
    source: the name of the backend that said so; filled in by the directory.
    """

    servers: tuple[Server, ...] = ()
    user: str | None = None
    auth: str = "*"
    public_here: bool = False
    closed: str | None = None
    held: bool = False
    ttl: float | None = None
    how: How | None = None
    spread: bool = False
    source: str = ""

    @property
    def here(self) -> bool:
        """True when this server itself is the home."""
        return not self.servers


@attrs.frozen(kw_only=True)
class HomeChange:
    """What a change to a backend did to one user; None stands for a user who is not known."""

    user: str
    before: Home | None
    after: Home | None


@attrs.frozen(kw_only=True)
class Occasion:
    """On whose word a backend is changed, and why; both go into its log of changes.

    dry_run: tell what would change, and change nothing.
    """

    who: str
    why: str = ""
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class LoggedChange:
    """A change as a backend remembers it; ``when`` in seconds since 1970."""

    when: float
    who: str
    why: str
    change: HomeChange


@attrs.frozen(kw_only=True)
class Login:
    """Someone who has proved who they are, and how they came.

    user: the user to act as (the authorization identity).
    secure: the connection is protected by TLS.
    mechanism: ``LOGIN`` or the SASL mechanism.
    """

    user: str
    peer: str = ""
    secure: bool = False
    mechanism: str = "LOGIN"
    listener: str = ""
    session: str = ""


@attrs.frozen(kw_only=True)
class Serve:
    """Serve the user here."""

    outcome: Literal["serve"] = "serve"
    source: str = ""


@attrs.frozen(kw_only=True)
class Refer:
    """Send the client to another server.

    url: the one URL to send (RFC 2221; a login referral has exactly one).
    servers: all that may be gone to, the one of the URL first.
    authenticated: ``OK [REFERRAL]`` rather than ``NO [REFERRAL]``: public mailboxes are here.
    how: the backend's word whether this is to be a referral at all, or a relay.
    memo: rendered bytes that the session keeps with the decision; not part of the value.
    """

    url: str
    server: Server
    servers: tuple[Server, ...] = ()
    user: str = ""
    authenticated: bool = False
    how: How | None = None
    outcome: Literal["refer"] = "refer"
    source: str = ""
    memo: dict[str, bytes] = attrs.field(factory=dict, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Refuse:
    """Answer ``NO`` with an RFC 5530 code; ``cause`` is for the log only.

    instead: a referral that was not given because the client does not follow it.
    held: the user is held, and may be let in soon.
    """

    code: str | None
    text: str
    cause: str = ""
    instead: Refer | None = None
    held: bool = False
    outcome: Literal["refuse"] = "refuse"
    source: str = ""


Decision = Serve | Refer | Refuse


def _nowhere() -> tuple[str, int]:
    return "", 0


@attrs.frozen(kw_only=True)
class RelayOrder:
    """A login that is to be made at a home server, for a client.

    servers: in order of preference. user: the name there. secure: the client came by TLS.
    password, token: what the client itself proved with; login_as: whose password it is.
    proof: the login is to show that the password is right, so a server that lets everybody in
    without one (``PREAUTH``) does not do.
    peer_host, peer_port, session: who the client is, for servers that are told. own: gives the
    address and port that it has connected to. hops: how many proxies may still follow, us included.
    """

    servers: tuple[Server, ...]
    user: str
    secure: bool = False
    proof: bool = False
    password: str = attrs.field(default="", repr=False)
    token: str = attrs.field(default="", repr=False)
    login_as: str = ""
    peer_host: str = ""
    peer_port: int = 0
    session: str = ""
    own: Callable[[], tuple[str, int]] = attrs.field(default=_nowhere, eq=False, repr=False)
    hops: int = MAX_PROXIES


@attrs.frozen(kw_only=True)
class ScramKeys:
    """What a server keeps for SCRAM-SHA-256 instead of the password (RFC 5802 section 3)."""

    iterations: int
    salt: bytes = attrs.field(repr=False)
    stored_key: bytes = attrs.field(repr=False)
    server_key: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class StoredPassword:
    """A password as a user file keeps it: Dovecot's scheme name and the encoded hash."""

    scheme: str
    encoded: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Limits:
    """What a peer may use, above all before it has authenticated. Times in seconds, sizes in bytes.

    Zero means no limit for ``connections`` and everything that is per user or address only.
    """

    connections: int = 10_000
    connections_per_address: int = 100
    auth_time: float = 60.0
    idle_time: float = 1800.0
    login_failures: int = 3
    failure_delay: float = 2.0
    failures_per_user: int = 0
    failures_per_address: int = 0
    failure_window: float = 600.0
    bad_commands: int = 10
    line: int = 36_864
    literal: int = 4_096
    line_authenticated: int = 65_536
    literal_authenticated: int = 64 * 1024 * 1024
    queue: int = 65_536
    write_stall: float = 60.0


@attrs.define(kw_only=True, eq=False)
class LoginEvent:
    """One finished login attempt, for the log and the counters. Never holds a credential.

    Not frozen, because one is made for every login and freezing costs a microsecond.

    result: ``served``, ``referred``, ``relayed``, ``refused`` or ``failed``.
    seconds: from the command's arrival to the answer.
    """

    session: str
    peer: str
    user: str
    mechanism: str
    secure: bool
    listener: str
    result: str
    target: str = ""
    source: str = ""
    cause: str = ""
    seconds: float = 0.0


OptionKind = Literal[
    "string", "strings", "integer", "number", "boolean", "duration", "size", "path", "choice",
    "secret",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class Option:
    """One configuration key: what the loader checks and what the reference prints.

    kind: ``duration`` is seconds (``30``, ``"30s"``, ``"5m"``, ``"1h"``, ``"1d"``), ``size`` is
    bytes (``4096``, ``"4k"``, ``"64M"``); ``path`` is taken relative to the configuration file.
    choices: the values allowed for kind ``choice``.
    minimum: the least value allowed, for numbers, durations and sizes.
    """

    name: str
    kind: OptionKind
    help: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@attrs.frozen(kw_only=True)
class Problem:
    """Something wrong with a configuration or a data file, in the operator's words.

    where: the file, with ``:line`` where known. key: the key or field. wrong: what is the matter.
    right: what would be right.
    """

    where: str
    key: str
    wrong: str
    right: str = ""

    def __str__(self) -> str:
        hint = f"; {self.right}" if self.right else ""
        return f"{self.where}: {self.key}: {self.wrong}{hint}"


Options = Mapping[str, Any]
