"""Refer or relay: whose word counts about a client whose user lives elsewhere. Pure.

The backend's word about the user comes first, then the network that the client is in, then the
listener that it came through; where none of them says anything, the configuration as a whole.
"""

from __future__ import annotations

import attrs

from referrald.model import How
from referrald.networks import Network, Networks, parse_address
from referrald.session.programs import Programs

DEFAULT = "referral.login"


@attrs.frozen(kw_only=True)
class NetworkRule:
    """What is done about clients in some networks."""

    networks: Networks
    how: How


@attrs.frozen(kw_only=True)
class Choice:
    """What is done, and whose word that is."""

    how: How
    said_by: str


@attrs.frozen(kw_only=True)
class Choosing:
    """The words of one listener.

    how: what is done where nobody has a better word. said_by: whose word that is.
    rules: the networks whose word counts more; of several the first.
    follow: the programs that follow login referrals, for ``auto``.
    """

    how: How = "refer"
    said_by: str = DEFAULT
    rules: tuple[NetworkRule, ...] = ()
    follow: Programs = attrs.field(factory=Programs)

    def choose(self, word: How | None, host: str) -> How:
        """Give what is done about a client at ``host``; ``word`` is the backend's."""
        if word is not None:
            return word
        if self.rules:
            found = self._rule(host)
            if found is not None:
                return found[0].how
        return self.how

    def explain(self, word: How | None, host: str) -> Choice:
        """Give the same, and whose word it is."""
        if word is not None:
            return Choice(how=word, said_by="backend")
        found = self._rule(host)
        if found is not None:
            return Choice(how=found[0].how, said_by=f"network {found[1]}")
        return Choice(how=self.how, said_by=self.said_by)

    def _rule(self, host: str) -> tuple[NetworkRule, Network] | None:
        address = parse_address(host)
        for rule in self.rules:
            network = rule.networks.find(address)
            if network is not None:
                return rule, network
        return None
