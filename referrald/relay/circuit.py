"""Which servers are left alone for a while, and who may see whether one is back.

A circuit breaker for each server: closed while it works; open while it rests after a fault; then
half-open, when one login at a time may try it, until one works. Nobody waits for a server that
rests, so there is no crowd of waiting logins that would fall upon it once it is back; and as rests
are of unequal length, several front doors do not come back to it at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import attrs

from referrald.model import Server

SHORTEST: Final = 5.0
"""Seconds of the first rest; each one that follows without success is twice as long."""

LONGEST: Final = 60.0
"""Seconds that no rest is longer than."""

SPREAD: Final = 0.25
"""By up to this part a rest is shorter, at random."""

BROKEN_OFF: Final = 3
"""A server that is reached, but breaks so many logins off in a row, rests as well."""


@attrs.define
class _State:
    """What is known of a server that has failed; rests: how many in a row, the first at since."""

    since: float = 0.0
    until: float = 0.0
    rests: int = 0
    broken: int = 0
    trial: Admission | None = None


class Admission:
    """A login that may try a server; says in the end, once, what came of it."""

    __slots__ = ("_circuit", "server")

    def __init__(self, circuit: Circuit, server: Server) -> None:
        self._circuit = circuit
        self.server = server

    def worked(self) -> None:
        """Tell that the server does its work, whatever it thinks of this user."""
        self._circuit._worked(self)

    def failed(self, why: str = "", *, reached: bool = False) -> None:
        """Tell that it does not. reached: it did answer, so this user alone may be the trouble."""
        self._circuit._failed(self, why, reached)

    def spared(self) -> None:
        """Tell that nothing was learnt."""
        self._circuit._spared(self)


class Circuit:
    """The breakers of all servers.

    chance: gives a number from 0 to 1. tell: is told, by a kind and a text, when a server begins to
    be left alone, and when it works again.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        chance: Callable[[], float] = random.random,
        tell: Callable[[str, str], None] = lambda kind, text: None,
    ) -> None:
        self._seconds = seconds
        self._chance = chance
        self._tell = tell
        self._states: dict[Server, _State] = {}

    def admit(self, server: Server) -> Admission | None:
        """Let a login try a server; None while that rests, or is being tried after a rest."""
        state = self._states.get(server)
        admission = Admission(self, server)
        if state is not None and state.rests:
            if state.trial is not None or self._seconds() < state.until:
                return None
            state.trial = admission
        return admission

    def calm(self, server: Server) -> bool:
        """Say whether nothing speaks against a server, so that `admit` would find nothing."""
        return not self._states or server not in self._states

    @property
    def resting(self) -> int:
        """How many servers are left alone at the moment."""
        now = self._seconds()
        return sum(state.until > now for state in self._states.values())

    def _worked(self, admission: Admission) -> None:
        state = self._states.pop(admission.server, None)
        if state is not None and state.rests:
            server, seconds = admission.server, self._seconds() - state.since
            self._tell(
                f"home {server} up", f"home server {server} works again after {seconds:.0f} s"
            )

    def _failed(self, admission: Admission, why: str, reached: bool) -> None:
        state = self._states.setdefault(admission.server, _State())
        if state.rests and state.trial is not admission:
            # One of many that were under way when the server went down: it is known already.
            return
        if reached and state.trial is None:
            state.broken += 1
            if state.broken < BROKEN_OFF:
                return
        if not state.rests:
            state.since = self._seconds()
            server = admission.server
            self._tell(f"home {server} down", f"home server {server} is left alone: {why}")
        longest = min(SHORTEST * 2.0**state.rests, LONGEST)
        state.until = self._seconds() + longest * (1 - SPREAD * self._chance())
        # No more doubling is needed than leads to the longest, and numbers stay small.
        state.rests = min(state.rests + 1, 10)
        state.trial = None

    def _spared(self, admission: Admission) -> None:
        state = self._states.get(admission.server)
        if state is not None and state.trial is admission:
            state.trial = None
