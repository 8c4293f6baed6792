"""From a login to a decision: directory, policy and storm breaker together."""

from __future__ import annotations

import attrs

from referrald.errors import ReferraldError, Unavailable
from referrald.model import Decision, Home, Login, Refer, Refuse, Serve
from referrald.routing.cache import Entry
from referrald.routing.directory import Directory
from referrald.routing.guard import StormBreaker
from referrald.routing.held import HeldLogins
from referrald.routing.policy import PolicySettings, decide


@attrs.define(kw_only=True)
class Outcomes:
    """How many logins came to what.

    elsewhere: users whose home is elsewhere, referred or relayed. ``storms`` are those among them
    whose client did not follow. ``unavailable`` are among ``refused``.
    """

    served: int = 0
    elsewhere: int = 0
    refused: int = 0
    unavailable: int = 0
    storms: int = 0


class Router:
    """Decides about logins.

    held: where logins of users wait whose mail is being copied; None refuses them at once.
    """

    def __init__(
        self,
        directory: Directory,
        policy: PolicySettings | None = None,
        breaker: StormBreaker | None = None,
        held: HeldLogins | None = None,
    ) -> None:
        self.directory = directory
        self.outcomes = Outcomes()
        self._policy = policy or PolicySettings()
        self._breaker = breaker
        self._held = held
        self._cached = directory.cached

    @property
    def policy(self) -> PolicySettings:
        """The policy in force."""
        return self._policy

    def replace(self, policy: PolicySettings) -> None:
        """Decide by another policy from now on."""
        self._policy = policy

    async def route(self, login: Login) -> Decision:
        """Decide what is done about a login; for a user in the cache without suspending.

        Waits for one who is held. Never raises a `ReferraldError`.
        """
        try:
            decision = await self.look(login)
            if isinstance(decision, Refuse) and decision.held and self._held is not None:
                decision = await self._held.wait(login, decision)
        except ReferraldError as error:
            return self._unavailable(error)
        if isinstance(decision, Refer):
            return self._refer(login, decision)
        if isinstance(decision, Serve):
            self.outcomes.served += 1
        else:
            self.outcomes.refused += 1
        return decision

    async def look(self, login: Login) -> Decision:
        """Decide as `route` does, but wait for nobody and count nothing; raises `Unavailable`."""
        entry = self._cached(login.user)
        if entry is None:
            entry = await self.directory.find(login)
        memo: tuple[PolicySettings, Decision] | None = entry.memo
        if memo is not None and memo[0] is self._policy:
            return memo[1]
        return self._decide(login, entry)

    def known(self, user: str, peer: str) -> Refer | None:
        """Give what was decided a moment ago about a user who lives elsewhere; counts nothing.

        None where something has to be looked at that `route` looks at.
        """
        entry = self._cached(user)
        memo = None if entry is None else entry.memo
        if memo is None or memo[0] is not self._policy:
            return None
        decision: Decision = memo[1]
        if decision.__class__ is not Refer or decision.authenticated:
            return None
        if self._breaker is not None and self._breaker.is_storm(user, peer):
            return None
        return decision

    def relayed(self) -> None:
        """Count a login for which `known` was enough."""
        self.outcomes.elsewhere += 1

    async def away(self, login: Login) -> Refer | None:
        """Say where a user's home servers are, to ask them something; this counts nothing.

        None for a user whose home is here or whom nobody knows. That an account is closed
        or held is not told: who asks has not proved anything yet. Raises `Unavailable`.
        """
        entry = self._cached(login.user) or await self.directory.find(login)
        home = entry.answer
        if home is None or home.here:
            return None
        decision = decide(login, attrs.evolve(home, closed=None, held=False), self._policy)
        if isinstance(decision, Refer):
            return decision
        raise Unavailable(decision.cause if isinstance(decision, Refuse) else "no home server")

    def _decide(self, login: Login, entry: Entry[Home]) -> Decision:
        """Decide, and keep that with the entry: the same user with the same home."""
        decision = decide(login, entry.answer, self._policy)
        entry.memo = (self._policy, decision)
        return decision

    def _unavailable(self, error: ReferraldError) -> Refuse:
        self.outcomes.refused += 1
        self.outcomes.unavailable += 1
        return Refuse(code=Unavailable.code, text=Unavailable.public, cause=str(error))

    def _refer(self, login: Login, decision: Refer) -> Decision:
        """Refer, unless this client has shown that it does not follow.

        One that is let in with its referral has no reason to come again.
        """
        self.outcomes.elsewhere += 1
        breaker = self._breaker
        if breaker is None or decision.authenticated:
            return decision
        return self._storm(decision) if breaker.is_storm(login.user, login.peer) else decision

    def note_referred(self, user: str, peer: str, name: str = "") -> None:
        """Remember that a client was sent away; those that are relayed have nowhere to go.

        name: the user in the URL.
        """
        if self._breaker is not None:
            self._breaker.note_referred(user, peer, name)

    def sent_away_as(self, name: str, peer: str) -> str:
        """Give the user who was sent away from an address under a name; empty for none."""
        return "" if self._breaker is None else self._breaker.sent_away_as(name, peer)

    def came_back(self, user: str, peer: str) -> bool:
        """Say whether a client was sent away so lately that it has not gone."""
        return self._breaker is not None and self._breaker.was_referred(user, peer)

    def _storm(self, decision: Refer) -> Refuse:
        self.outcomes.storms += 1
        server = decision.server
        return Refuse(
            code="LIMIT",
            text=f"This mail program does not follow referrals; set its server to {server}.",
            cause=f"storm: logs in again and again instead of going to {server}",
            source=decision.source,
            instead=decision,
        )
