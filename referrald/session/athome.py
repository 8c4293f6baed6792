"""One login that is tried at the user's home server, for who has no way to check it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from referrald.errors import AuthenticationFailed, ProxyLoop, ReferraldError, Unavailable
from referrald.model import Login, Refer, RelayOrder
from referrald.session.door import Spliced
from referrald.session.relaying import Secret, order_for

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


class AskedAtHome:
    """Logs in at home for the authenticator (`referrald.interfaces.HomeLogin`).

    The connection is kept: a client that is relayed goes on with it, before any other answer it is
    logged out. Whoever makes one of these calls `drop` in the end.
    """

    def __init__(self, session: ReferralServer, mechanism: str) -> None:
        self._session = session
        self._mechanism = mechanism
        self._order: RelayOrder | None = None
        self._spliced: Spliced | None = None

    @classmethod
    def of(cls, session: ReferralServer, mechanism: str) -> AskedAtHome | None:
        """Make one where home servers are asked at all."""
        return None if session.door.refusals is None else cls(session, mechanism)

    async def log_in(
        self, user: str, *, password: bytes = b"", token: bytes = b"", login_as: str = ""
    ) -> None:
        """Log in; raises `AuthenticationFailed` when home says no or there is none to ask.

        The latter takes about as long. Raises `Unavailable` when home cannot be asked.
        """
        session, login = self._session, self._login(user)
        router = session.door.router
        assert router is not None
        refer = await router.away(login)
        if refer is None:
            await self.nobody(user)
            raise AuthenticationFailed("no home server to ask: home is here, or user unknown")
        proof = login_as.encode("utf-8", "surrogateescape")
        secret = Secret(password=password, token=token, login_as=proof)
        order = attrs.evolve(order_for(session, user, refer, secret), proof=True)
        self._spliced = await self._open(order)
        self._order = order
        if not isinstance(await router.look(login), Refer):
            # Closed or held, which only the owner may learn: nobody is to be logged in there.
            await self.leave()

    async def nobody(self, user: str) -> None:
        """Take as long as a refusal by a home server."""
        assert self._session.door.refusals is not None
        await self._session.door.refusals.pretend(user)

    def take(self, order: RelayOrder) -> Spliced | None:
        """Give the connection away if it is the one that is wanted, logged in already."""
        asked = self._order
        if asked is None or (asked.servers, asked.user) != (order.servers, order.user):
            return None
        spliced, self._spliced = self._spliced, None
        return spliced

    async def leave(self) -> None:
        """Log out, and wait until that is done."""
        spliced, self._spliced = self._spliced, None
        if spliced is not None:
            await spliced.log_out()

    def drop(self) -> None:
        """Let go of a connection that nobody has taken."""
        spliced, self._spliced = self._spliced, None
        if spliced is not None:
            spliced.close()

    async def _open(self, order: RelayOrder) -> Spliced:
        relay, refusals = self._session.door.relay, self._session.door.refusals
        assert relay is not None and refusals is not None
        began = refusals.seconds()
        failed: ReferraldError
        try:
            return await relay.open(order)
        except AuthenticationFailed as error:
            refusals.note(str(order.servers[0]), refusals.seconds() - began)
            failed = AuthenticationFailed(f"the home server says: {error}")
        except ReferraldError as error:
            public = error.public if isinstance(error, ProxyLoop) else Unavailable.public
            failed = Unavailable(str(error), public=public)
        # Out here, so that what may quote the client's own words is not its context.
        raise failed

    def _login(self, user: str) -> Login:
        session = self._session
        return Login(
            user=user,
            peer=session.peer_host,
            secure=session.secure,
            mechanism=self._mechanism,
            listener=session.door.listener,
        )
