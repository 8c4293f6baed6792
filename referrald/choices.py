"""From a configuration to the choice between referral and relay at one of its listeners."""

from __future__ import annotations

from referrald.config.settings import Config, ListenerSettings
from referrald.networks import Networks
from referrald.session.choosing import Choosing, NetworkRule
from referrald.session.programs import Programs


def choosing_for(config: Config, listener: ListenerSettings) -> Choosing:
    """Give what holds for the clients of ``listener``."""
    rules = tuple(
        NetworkRule(networks=Networks(entry.networks), how=entry.login) for entry in config.networks
    )
    follow = Programs(config.referral.follow)
    if listener.login is None:
        return Choosing(how=config.referral.login, rules=rules, follow=follow)
    said_by = f"listener {listener.name}"
    return Choosing(how=listener.login, said_by=said_by, rules=rules, follow=follow)
