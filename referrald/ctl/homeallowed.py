"""Homes that nobody could be sent to: they are refused before users are locked out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from referrald.ctl.terminal import Refused
from referrald.model import Home, Server
from referrald.routing.policy import PolicySettings

TOLD = 3
"""So many servers are named in an error."""


def refuse_unusable(homes: Mapping[str, Home], policy: PolicySettings) -> None:
    """Raise `Refused` when a home has servers, and there is an objection to each of them."""
    known: dict[Server, str] = {}
    first: dict[str, str] = {}
    count = 0
    for user, home in homes.items():
        objections = [*_objections(home, policy, known)]
        if objections and all(objections):
            count += 1
            for server, objection in zip(home.servers, objections, strict=True):
                first.setdefault(f"{server}: {objection}", user)
    if not first:
        return
    told = "; ".join([*first][:TOLD])
    more = len(first) - TOLD
    whom = f'"{next(iter(first.values()))}"' + (f" and {count - 1} more" if count > 1 else "")
    raise Refused(
        f"{whom} could not log in: {told}{f'; and {more} more' if more > 0 else ''} "
        "(see [referral] allowed and allow_clear; --anyway does it all the same)"
    )


def _objections(home: Home, policy: PolicySettings, known: dict[Server, str]) -> Iterable[str]:
    """Give the objection to each server, empty where there is none."""
    if home.closed is not None:
        return
    for server in home.servers:
        if server not in known:
            known[server] = policy.objection(server)
        yield known[server]
