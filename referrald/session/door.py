"""What a session needs from the house around it: one frozen value for each listener.

A reload makes new doors, and the sessions that are there go over to them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, Literal, Protocol

import attrs

from referrald.interfaces import HomeLogin, SaslChannel
from referrald.model import Decision, Limits, Login, LoginEvent, Refer, RelayOrder, Server
from referrald.networks import Networks
from referrald.session.choosing import Choosing
from referrald.session.followers import Followers
from referrald.session.habits import Habits
from referrald.session.programs import Programs
from referrald.session.table import CommandTable
from referrald.wire.reader import ReaderLimits

IN_MEMORY: Final = 1024 * 1024
"""The largest literal after login that is not a message for APPEND."""


class Authenticator(Protocol):
    """Who is it?"""

    def mechanisms(self, secure: bool, has_certificate: bool) -> tuple[str, ...]:
        """Name the mechanisms that can work on such a connection (``LOGIN`` is the command too)."""
        ...

    def normalise(self, user: str) -> str:
        """Give the name under which a user is known; ValueError when nobody can have it."""
        ...

    async def password(
        self, user: str, password: bytes, authzid: str = "", home: HomeLogin | None = None
    ) -> str:
        """Give the name of the user to act as, or raise."""
        ...

    def forget(self, user: str | None) -> None:
        """Drop what is remembered of a user, or of all."""
        ...

    async def exchange(self, mechanism: str, channel: SaslChannel) -> str:
        """Carry out a SASL exchange; give the name of the user to act as, or raise."""
        ...


class Router(Protocol):
    """Where does the user live, and what is done about it?"""

    async def route(self, login: Login) -> Decision:
        """Decide; failures become `Refuse`, never an exception."""
        ...

    def note_referred(self, user: str, peer: str, name: str = "") -> None:
        """Remember that a client has been sent away, to know it should it not have gone.

        name: the user in the URL that it was sent.
        """
        ...

    def sent_away_as(self, name: str, peer: str) -> str:
        """Give the user who was sent away from an address under a name; empty for none."""
        ...

    async def look(self, login: Login) -> Decision:
        """Decide, but count nothing and wait for nobody; raises `Unavailable`."""
        ...

    async def away(self, login: Login) -> Refer | None:
        """Say where the user's home servers are, None when not elsewhere; raises `Unavailable`."""
        ...

    def came_back(self, user: str, peer: str) -> bool:
        """Say whether a client has been sent away just now."""
        ...


class Wheel(Protocol):
    """A coarse timer."""

    def add(self, seconds: float, callback: Callable[[], None]) -> Hashable:
        """Call back after at least so many seconds; gives a token."""
        ...

    def cancel(self, token: Any) -> None:
        """Forget a token's callback; a spent token is harmless."""
        ...

    def soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when everybody else has had a turn; gives what takes that back."""
        ...


class Spliced(Protocol):
    """A connection to a home server that is logged in.

    server: the one of the order that was gone to first; target: where it ended, for the log.
    user: the name there.
    """

    target: str
    server: Server
    user: str
    capabilities: bytes
    to_home: int
    to_client: int

    def early(self) -> bytes:
        """Give what home has said to the client already, such as an alert."""
        ...

    def attach(self, down: Any) -> None:
        """Begin to pass on what comes from home, to ``down`` (`referrald.relay.splice`)."""
        ...

    def write(self, data: bytes) -> None:
        """Pass on what the client says."""
        ...

    def hold(self, held: bool) -> None:
        """Read no more from home, or read again."""
        ...

    def end_input(self) -> None:
        """Tell home that the client will say no more."""
        ...

    def leave(self) -> None:
        """End it, when home has nothing to say."""
        ...

    def close(self) -> None:
        """End it."""
        ...

    async def log_out(self) -> None:
        """End it in a proper way, when nothing was attached yet."""
        ...


class Refusals(Protocol):
    """Knows how long home servers take to refuse somebody."""

    def seconds(self) -> float:
        """Give the time."""
        ...

    def note(self, server: str, seconds: float) -> None:
        """Take note of how long a refusal took."""
        ...

    async def pretend(self, user: str) -> None:
        """Wait as long as one would take."""
        ...


class Relay(Protocol):
    """Logs in at home servers for clients."""

    def can(self, order: RelayOrder) -> bool:
        """Say whether there is something to log in with."""
        ...

    async def open(self, order: RelayOrder, begun: Any = None) -> Spliced:
        """Log in; raises a `ReferraldError`, in whose words there are no credentials.

        begun: a login that came some of the way (`Shortcut`).
        """
        ...


class Shortcut(Protocol):
    """Relays clients whose password and home are known; see `referrald.session.shortcut`."""

    def take(self, session: Any, tag: bytes, mechanism: str, user: bytes, password: bytes) -> bool:
        """Begin a login by LOGIN or PLAIN; False where it has to go the usual way."""
        ...


class Register(Protocol):
    """Knows who is logged in; see `referrald.routing.live`."""

    def join(self, session: Any) -> None:
        """Remember a session that is logged in, as a `LiveSession`."""
        ...

    def leave(self, session: Any) -> None:
        """Forget a session, if it was there."""
        ...


class Nobody:
    """Knows nobody: sessions end by themselves only."""

    def join(self, session: Any) -> None:
        """Forget at once."""

    def leave(self, session: Any) -> None:
        """Do nothing."""


class Errands(Protocol):
    """Carries commands out at other servers."""

    def can(self, order: RelayOrder) -> bool:
        """Say whether there is something to log in with."""
        ...

    def errands(self, order: RelayOrder) -> Any:
        """Give what does one session's errands (`referrald.relay.errands`)."""
        ...


class Breaker(Protocol):
    """Counts referrals by whom and from where."""

    def is_storm(self, user: str, peer: str) -> bool:
        """Say whether there were too many."""
        ...

    def note_referred(self, user: str, peer: str) -> None:
        """Count one."""
        ...


class Failures(Protocol):
    """Failed logins of users and from addresses."""

    def reason(self, user: str, peer: str) -> str:
        """Say why a login is not tried; empty where it may be."""
        ...

    def note(self, user: str, peer: str) -> None:
        """Count one."""
        ...


class Counts(Protocol):
    """Connections in all and by address."""

    def admit(self, address: str) -> str | None:
        """Count a connection, or give the reason why it is one too many."""
        ...

    def release(self, address: str) -> None:
        """Count a connection off."""
        ...


class Notes(Protocol):
    """The operator's log of what sessions meet, besides logins."""

    def note(self, kind: str, text: str | Callable[[], str]) -> None:
        """Write one line; lines of one ``kind`` may be thinned out when they come too fast.

        text: or what makes it, where that is work which most lines are not worth.
        """
        ...

    def fault(self, text: str, error: BaseException) -> None:
        """Write down an error that should not have happened, with its traceback."""
        ...


@attrs.frozen(kw_only=True)
class Door:
    """The outside of a session.

    name: the server's own name, shown in the greeting.
    router: None means that the realm alone decides.
    realm: gives the IAccount of a user who is served here (`twisted.cred.portal.IRealm`), or None.
    unasked: what a client is told of remote mailboxes that has never asked for them.
    referral_text, unfollowed_text: what is said behind a login referral, the second to a program
    that should have been relayed; ``{server}`` stands for the home server.
    one_url: programs that cannot read more than one URL.
    errands: carries commands out at other servers for clients, or None: then ``relay`` in unasked
    is the same as ``say``. elsewhere: mailboxes of users who live here may be on other servers, so
    that what they log in with has to be kept for them.
    relay: goes to home servers for clients, or None. choosing: who is relayed.
    shortcut: relays those of whom all is known; None has everybody go the usual way.
    refusals: given when passwords and tokens that nobody here knows are tried at the user's home
    server; needs router and relay.
    loops: notices clients that go round between two servers for a mailbox; None means nobody does.
    failures: counts failed logins, None where nothing limits them.
    refer_status: STATUS of a remote mailbox refers (RFC 2193 section 4.1).
    trusted: networks of proxies in front of us, whose word for where a client comes from is taken.
    tls: what ``transport.startTLS`` takes, or None when STARTTLS is not offered.
    allow_cleartext: take credentials without TLS.
    drain: a URL; every connection is sent there with BYE (RFC 2221 section 4.2).
    sasl: offer AUTHENTICATE, not only LOGIN.
    live: is told who is logged in.
    followers: the clients that ask for remote names; shared by all doors, as habits are: the
    programs that users were heard to have.
    ident: what the ID command answers (RFC 2971).
    clock: seconds, monotonic.
    """

    authenticator: Authenticator
    router: Router | None
    realm: Any
    table: CommandTable
    wheel: Wheel
    counts: Counts
    notes: Notes
    log_login: Callable[[LoginEvent], None]
    clock: Callable[[], float]
    limits: Limits = attrs.field(factory=Limits)
    name: str = "localhost"
    listener: str = ""
    greeting: str = "Ready."
    referral_text: str = "Your mailbox is on another server."
    unfollowed_text: str = "Your mailbox is on another server: {server}."
    unasked: Literal["hide", "say", "relay"] = "hide"
    refer_status: bool = False
    one_url: Programs = attrs.field(factory=Programs)
    loops: Breaker | None = None
    failures: Failures | None = None
    errands: Errands | None = None
    elsewhere: bool = True
    relay: Relay | None = None
    shortcut: Shortcut | None = None
    refusals: Refusals | None = None
    trusted: Networks = attrs.field(factory=Networks)
    choosing: Choosing = attrs.field(factory=Choosing)
    tls: Any = None
    allow_cleartext: bool = False
    drain: str = ""
    sasl: bool = True
    ident: Mapping[str, str] = attrs.field(factory=dict)
    extensions: tuple[Any, ...] = ()
    live: Register = attrs.field(factory=Nobody, eq=False, repr=False)
    followers: Followers = attrs.field(eq=False, repr=False)
    habits: Habits = attrs.field(eq=False, repr=False)
    memo: dict[Hashable, bytes] = attrs.field(factory=dict, eq=False, repr=False)
    before_login: ReaderLimits = attrs.field(init=False)
    after_login: ReaderLimits = attrs.field(init=False)

    @followers.default
    def _followers(self) -> Followers:
        return Followers(self.clock)

    @habits.default
    def _habits(self) -> Habits:
        return Habits(self.clock)

    @before_login.default
    def _before_login(self) -> ReaderLimits:
        limits = self.limits
        return ReaderLimits(line=limits.line, literal=limits.literal, command=4 * limits.line)

    @after_login.default
    def _after_login(self) -> ReaderLimits:
        refused, line = self.limits.literal_authenticated, self.limits.line_authenticated
        # Messages are not among them: those are handed on as they come.
        literal = min(refused, IN_MEMORY)
        return ReaderLimits(line=line, literal=literal, command=literal + 4 * line, refused=refused)
