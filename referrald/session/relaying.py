"""Relayed sessions: log in at home for the client, answer, and pass bytes from then on."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import attrs

from referrald.errors import AuthenticationFailed, ProxyLoop, ReferraldError, Unavailable
from referrald.model import How, Refer, RelayOrder, Server
from referrald.session.door import Door, Spliced
from referrald.session.fronts import hops_left, own_address
from referrald.session.overhearing import Overhearing
from referrald.session.programs import Ident
from referrald.session.table import Answer
from referrald.wire.edges import ResponseEdges
from referrald.wire.response import Code, body, no, ok

if TYPE_CHECKING:
    from referrald.session.login import Attempt
    from referrald.session.server import ReferralServer

GONE = "The home server has closed the connection."
SHORT = 1024
"""Bytes within which a server that ends a connection has said so."""

ANSWERS_WITHIN = 60.0
"""Seconds within which a server has to go on for a client that has said its last."""

_BEARER = re.compile(rb"auth=Bearer ([^\x01]+)", re.IGNORECASE)


@attrs.define
class Secret:
    """What a client proved with, as long as a login is under way. Never shown.

    login_as: whose it is, where the mechanism said so; acting_as: the authorization identity.
    """

    password: bytes = attrs.field(default=b"", repr=False)
    token: bytes = attrs.field(default=b"", repr=False)
    login_as: bytes = b""
    acting_as: bytes = b""


def secret_of(mechanism: str, messages: list[bytes]) -> Secret:
    """Take a password or token out of what the client sent in a SASL exchange, if it is there."""
    if mechanism == "PLAIN" and messages and messages[-1].count(b"\0") == 2:
        acting_as, login_as, password = messages[-1].split(b"\0")
        return Secret(password=password, login_as=login_as, acting_as=acting_as)
    if mechanism == "LOGIN" and len(messages) == 2:
        return Secret(password=messages[1], login_as=messages[0])
    if mechanism in ("OAUTHBEARER", "XOAUTH2") and messages:
        found = _BEARER.search(messages[0])
        return Secret(token=found[1]) if found else Secret()
    return Secret()


def order_for(session: ReferralServer, user: str, decision: Refer, secret: Secret) -> RelayOrder:
    """Say what is to be done at the home server."""
    servers = decision.servers or (decision.server,)
    return order_at(session, user, secret, servers, decision.user)


def order_at(
    session: ReferralServer,
    user: str,
    secret: Secret,
    servers: tuple[Server, ...] = (),
    there: str | None = None,
) -> RelayOrder:
    """Say who the client is and what it logs in with; the servers may have yet to be named.

    there: the user's name at those servers, where it is another one.
    """
    login_as = secret.login_as.decode("utf-8", "replace")
    # The name may be another one there: whether it is the user's own password shows here.
    own = not login_as or same(session, login_as, user)
    return RelayOrder(
        servers=servers,
        user=there or user,
        secure=session.secure,
        password=secret.password.decode("utf-8", "surrogateescape"),
        token=secret.token.decode("ascii", "replace"),
        login_as="" if own else login_as,
        peer_host=session.peer_host,
        peer_port=session.peer_port,
        session=session.session_id,
        own=partial(own_address, session.transport),
        hops=hops_left(session.client_id),
    )


def same(session: ReferralServer, named: str, user: str) -> bool:
    """Say whether a name is a user's own, in whatever form."""
    try:
        return session.door.authenticator.normalise(named) == user
    except ValueError:
        return False


def order_if_wanted(
    session: ReferralServer,
    user: str,
    decision: Refer,
    secret: Callable[[], Secret],
    how: How,
    *,
    returned: bool = False,
) -> RelayOrder | None:
    """Give the order where this client is relayed rather than referred.

    how: what is to be done. returned: it has been referred before, and came back.
    """
    relay = session.door.relay
    if how == "refer" or relay is None:
        return None
    if how == "auto" and not returned and follows(session, user):
        return None
    order = order_for(session, user, decision, secret())
    return order if order.password or relay.can(order) else None


def follows(session: ReferralServer, user: str) -> bool:
    """Say whether the client is known to follow login referrals.

    One that has not said what it is may be known from before.
    """
    follow = session.door.choosing.follow
    if session.client_id is not None:
        return follow.include(session.client_id)
    return session.door.habits.all_in(follow, user, session.peer_host)


async def relay(
    session: ReferralServer,
    attempt: Attempt,
    order: RelayOrder,
    source: str,
    begun: Any = None,
) -> Answer:
    """Log in at home and answer; from then on the session is the home server's.

    begun: a login there that came some of the way.
    Who was asked for a proof there is logged in already. Where home servers are asked, a no of one
    raises `AuthenticationFailed`.
    """
    assert session.door.relay is not None
    asked = attempt.asked
    try:
        spliced = None if asked is None else asked.take(order)
        if spliced is None:
            open_ = session.door.relay.open
            spliced = await (open_(order) if begun is None else open_(order, begun))
    except ReferraldError as error:
        cause = str(error)
        if isinstance(error, AuthenticationFailed):
            if asked is not None:
                raise AuthenticationFailed(f"the home server says: {cause}") from None
            attempt.log("refused", source=source, cause=f"the home server says: {cause}")
            return no(AuthenticationFailed.public, Code("AUTHENTICATIONFAILED"))
        # What it was is for the operator: the client can do nothing but try again.
        attempt.log("refused", source=source, cause=cause)
        # A circle is a mistake in what was set up, which only people can mend.
        words = ProxyLoop.public if isinstance(error, ProxyLoop) else Unavailable.public
        return no(words, Code(Unavailable.code))
    if session.state == "logout":
        spliced.close()
        attempt.log("refused", source=source, cause="the client went away meanwhile")
        return no(Unavailable.public, Code(Unavailable.code))
    attempt.log("relayed", target=spliced.target, source=source)
    session.afterwards(lambda: session.begin_relay(attempt.user, spliced))
    early = spliced.early()
    if early:
        session.write(early)
    return logged_in(spliced.capabilities)


@lru_cache(maxsize=256)
def logged_in(capabilities: bytes) -> bytes:
    """Render the answer with what home offers: servers say the same each time."""
    listed = capabilities.decode("ascii", "replace")
    return body(ok("Logged in.", Code("CAPABILITY", listed) if listed else None))


class Relayed:
    """The half of a session that passes bytes on."""

    door: Door
    transport: Any
    user: str
    state: str
    write: Callable[[bytes], None]
    close: Callable[[], None]
    _expect_life: Callable[[], None]
    _last_input: float
    _closing: bool
    _held_back: bool
    _registered: bool
    _timer: Hashable | None
    client_id: dict[str, str | None] | None
    peer_host: str
    spliced: Any = None
    _edges: ResponseEdges
    _unfinished: bool
    _said_bye = False
    _home_gone = False
    _unanswered = False
    _half_closed = False

    if TYPE_CHECKING:
        reader: Any

        @property
        def session_id(self) -> str: ...

        @property
        def peer(self) -> str: ...

        def say_bye(self, text: str) -> None: ...

    def begin_relay(self, user: str, spliced: Spliced) -> None:
        """Go over to passing bytes."""
        if self._closing:
            spliced.close()
            return
        self.user, self.state, self.spliced = user, "relay", spliced
        if self.client_id is None and self.door.choosing.follow.entries:
            self.spliced = Overhearing(spliced, self._program_heard)
        self._edges = ResponseEdges()
        self._expect_life()
        reader, self.reader = self.reader, None
        self.door.live.join(self)
        if not self._registered:
            self._registered = True
            self.transport.registerProducer(self, True)
        spliced.attach(self)
        rest = b"" if reader is None else reader.rest()
        if rest:
            self.relay_client(rest)

    def _program_heard(self, listener: Overhearing, ident: Ident) -> None:
        """Remember what the client is, and listen no more."""
        self.door.habits.note(self.user, self.peer_host, ident)
        if self.spliced is listener:
            self.spliced = listener.spliced

    def relay_data(self, data: bytes) -> None:
        """Send what the home server said."""
        self._edges.feed(data)
        self._unfinished = not self._edges.between
        if len(data) < SHORT and (data.startswith(b"* BYE") or b"\r\n* BYE" in data):
            self._said_bye = True
        self._last_input = self.door.clock()
        self._unanswered = False
        self.transport.write(data)

    def relay_client(self, data: bytes) -> None:
        """Pass on what the client says."""
        self._last_input = self.door.clock()
        self._unanswered = True
        self.spliced.write(data)

    def inputEnded(self) -> bool:
        """Say whether the client, which will say no more, has an answer to come.

        It may have closed one half of its connection, or all of it; who sends commands and closes
        wants them carried out.
        """
        if self.spliced is None or not self._unanswered:
            return False
        if not self._half_closed:
            self._half_closed = True
            self.spliced.end_input()
            self._await_answers()
        return True

    def _await_answers(self) -> None:
        wheel, left = self.door.wheel, self._last_input + ANSWERS_WITHIN - self.door.clock()
        if left <= 0:
            self.close()
            return
        if self._timer is not None:
            wheel.cancel(self._timer)
        self._timer = wheel.add(left, self._await_answers)

    def relay_held(self, held: bool) -> None:
        """Read no more from the client while its home server does not take what it says."""
        if self._closing:
            return
        if held:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    def relay_ended(self) -> None:
        """Say good-bye for the home server, where the client can tell that from its mail."""
        spliced = self.spliced
        if spliced is None or self._closing:
            return
        self._home_gone = not self._half_closed
        if self._said_bye or self._half_closed:
            self.close()
        else:
            self.say_bye(GONE)

    def end_relay(self, why: str) -> None:
        """Let go of the home server, and write down what went through and why it ended."""
        spliced, self.spliced = self.spliced, None
        if spliced is None:
            return
        (spliced.close if self._unanswered else spliced.leave)()
        if self._said_bye:
            why = "the home server said good-bye"
        elif self._half_closed:
            why = "the client broke off"
        elif self._home_gone:
            why = "the home server broke off"
        session, peer = self.session_id, self.peer
        told = partial(_told, session, peer, self.user, spliced, why)
        self.door.notes.note(f"relay {session}", told)


def _told(session: str, peer: str, user: str, spliced: Spliced, why: str) -> str:
    """Say what went through a session that is over."""
    return (
        f"{session} {peer}: {user} relayed to {spliced.target}: "
        f"{spliced.to_home} bytes to home, {spliced.to_client} bytes to the client; {why}"
    )
