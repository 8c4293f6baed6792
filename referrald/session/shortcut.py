"""The login of a client whose password and home are known, at a home server that is plain.

That is how nearly all relayed logins go at a busy front door: the password was right a moment ago,
where the user lives was asked a moment ago, and the home server lets in by the usual words. Nothing
is decided here. Whatever is not known, and whatever comes of a login but yes, is left to the way
that all logins go (`referrald.session.login`), from where this one has come to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from referrald.model import Refer, Server
from referrald.session import capabilities
from referrald.session.door import Spliced
from referrald.session.fronts import hops_left
from referrald.session.login import Attempt, relay_or_refuse
from referrald.session.relaying import Secret, follows, logged_in, order_for, same

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


class Passwords(Protocol):
    """Who was right a moment ago; see `referrald.auth.authenticator`."""

    def known(self, user: str, password: bytes) -> str | None:
        """Give the name of a user whose password is known to be right; None where it is not."""
        ...


class Homes(Protocol):
    """Who lives elsewhere, as far as that is known; see `referrald.routing.router`."""

    def known(self, user: str, peer: str) -> Refer | None:
        """Give what was decided about a user, if nothing else has to be looked at."""
        ...

    def relayed(self) -> None:
        """Count a login that was decided so."""
        ...


class Begun(Protocol):
    """A login at a home server that has been begun; see `referrald.relay.straight`."""

    then: Callable[[], None] | None
    offered: Any

    def give_up(self) -> None:
        """Break it off."""
        ...


class Relays(Protocol):
    """What begins logins at home servers; see `referrald.relay.connector`."""

    def begin(
        self, server: Server, user: str, password: str, secure: bool, peer: tuple[str, int]
    ) -> Begun | None:
        """Begin to log in, where nothing at all is in the way."""
        ...

    def spliced(self, begun: Any, server: Server, user: str, /) -> Spliced:
        """Give what passes bytes, of a login that went well."""
        ...


class Shortcut:
    """Relays who is known."""

    def __init__(self, passwords: Passwords, homes: Homes, relays: Relays) -> None:
        self._passwords = passwords
        self._homes = homes
        self._relays = relays

    def take(
        self, session: ReferralServer, tag: bytes, mechanism: str, user: bytes, password: bytes
    ) -> bool:
        """Begin a login; False where it has to go the usual way."""
        if not capabilities.may_log_in(session) or hops_left(session.client_id) < 1:
            return False
        named = user.decode("utf-8", "surrogateescape")
        name = self._passwords.known(named, password)
        if name is None or _is_over_limit(session, name):
            return False
        if mechanism != "LOGIN" and not same(session, named, name):
            # Whose password it is would have to be told.
            return False
        decision = self._homes.known(name, session.peer_host)
        if decision is None or not _relays(session, name, decision):
            return False
        shown = password.decode("utf-8", "surrogateescape")
        server = decision.servers[0] if decision.servers else decision.server
        begun = self._relays.begin(
            server, decision.user or name, shown, session.secure,
            (session.peer_host, session.peer_port),
        )  # fmt: skip
        if begun is None:
            return False
        self._homes.relayed()
        short = ShortLogin(self._relays, session, tag, mechanism, name, decision, shown, begun)
        session.wait_for(tag, short)
        return True


def _is_over_limit(session: ReferralServer, user: str) -> bool:
    failures = session.door.failures
    return failures is not None and bool(failures.reason(user, session.peer_host))


def _relays(session: ReferralServer, user: str, decision: Refer) -> bool:
    how = session.door.choosing.choose(decision.how, session.peer_host)
    return how == "relay" or (how == "auto" and not follows(session, user))


class ShortLogin(Attempt):
    """One login on the shortcut."""

    __slots__ = ("_begun", "_decision", "_password", "_relays", "_tag")

    def __init__(
        self,
        relays: Relays,
        session: ReferralServer,
        tag: bytes,
        mechanism: str,
        user: str,
        decision: Refer,
        password: str,
        begun: Begun,
    ) -> None:
        super().__init__(session, mechanism, user, session.door.clock())
        self._relays = relays
        self._tag = tag
        self._decision = decision
        self._password = password
        self._begun = begun
        begun.then = self._answered

    def cancel(self) -> None:
        """Break it off: the client has gone."""
        self._begun.give_up()

    def _answered(self) -> None:
        session, decision, begun = self.session, self._decision, self._begun
        if begun.offered is None or session.state == "logout":
            self._go_on()
            return
        server = decision.servers[0] if decision.servers else decision.server
        spliced = self._relays.spliced(begun, server, decision.user or self.user)
        self.log("relayed", target=spliced.target, source=decision.source)
        session.afterwards(partial(session.begin_relay, self.user, spliced))
        session.answer(logged_in(spliced.capabilities))

    def _go_on(self) -> None:
        """Leave it to the usual way, which takes the connection over as it is."""
        session, decision = self.session, self._decision
        secret = Secret(password=self._password.encode("utf-8", "surrogateescape"))
        order = order_for(session, self.user, decision, secret)
        work = relay_or_refuse(session, self, order, decision.source, self._begun)
        session.run(self._tag, work)
