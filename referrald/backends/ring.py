"""The ``ring`` backend: no directory at all, for users are spread over servers by their names.

Each user has a server that follows from the name, the servers and their weights alone, so that
every front door comes to the same (rendezvous hashing). A server that is added takes its share from
all others and moves nobody between them; the users of one that is taken away are spread over the
others, and nobody else moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from heapq import nlargest
from typing import Any

from zope.interface import implementer

from referrald.backends.draft import checked_name
from referrald.backends.ringspec import EVERYBODY, Member, read_members, read_rules
from referrald.backends.servers import Wrong
from referrald.interfaces import (
    ICheckingFactory,
    IReferralBackend,
    IReferralBackendFactory,
    ITargets,
)
from referrald.model import Home, Login, Option, Options, Problem, Server

SLOTS = 65_536
"""Users with the same slot have the same home; their number limits how even the shares are."""

_DRAW_BYTES = 8
_TOGETHER = 8
"""So many slots are worked out at once, because one hash has draws for all of them in it."""


class Ring:
    """The servers of one group; the home of a slot is worked out when it is first asked for.

    copies: how many servers a home has.
    """

    def __init__(self, members: Sequence[Member], copies: int = 1) -> None:
        # In the order of their keys, by which members are told apart where they draw the same.
        sharing: dict[int, list[Member]] = {}
        for member in sorted(members, key=lambda member: member.key):
            sharing.setdefault(member.weight, []).append(member)
        self._sharing = [
            (weight, each, [member.key for member in each]) for weight, each in sharing.items()
        ]
        self._copies = copies
        self._homes: list[Home | None] = [None] * SLOTS
        self._made: dict[tuple[Server, ...], Home] = {}

    def home(self, name: str) -> Home:
        """Give the home of a name."""
        slot = int.from_bytes(blake2b(name.encode(), digest_size=2).digest(), "big")
        home = self._homes[slot]
        if home is None:
            self._work_out(slot // _TOGETHER)
            home = self._homes[slot]
            assert home is not None
        return home

    def _work_out(self, block: int) -> None:
        """Find the homes of slots that lie together."""
        begin = block.to_bytes(2, "big")
        hashes = [
            [blake2b(begin + key, digest_size=_TOGETHER * _DRAW_BYTES).digest() for key in keys]
            for _, _, keys in self._sharing
        ]
        for place in range(_TOGETHER):
            at = place * _DRAW_BYTES
            drawn = [[each[at : at + _DRAW_BYTES] for each in group] for group in hashes]
            self._homes[block * _TOGETHER + place] = self._home_of(drawn)

    def _home_of(self, drawn: Sequence[Sequence[bytes]]) -> Home:
        """Give the home for what the members have drawn, by weight."""
        best = sorted(self._nearest(drawn), key=lambda each: each[:2])
        servers = []
        for _, _, member in best[: self._copies]:
            if member.server is None:
                break
            servers.append(member.server)
        found = tuple(servers)
        return self._made.setdefault(found, Home(servers=found))

    def _nearest(self, drawn: Sequence[Sequence[bytes]]) -> Iterator[tuple[float, bytes, Member]]:
        """Give the members of each weight that may be among the nearest, with their distances.

        Of members with the same weight who draws the most is the nearest, so that few distances
        have to be worked out.
        """
        for draws, (weight, members, keys) in zip(drawn, self._sharing, strict=True):
            for draw in nlargest(self._copies, draws):
                place = draws.index(draw)
                yield _distance(draw, weight), keys[place], members[place]


def _distance(draw: bytes, weight: int) -> float:
    """Say how far a server is from a slot: an exponential variate, the shorter the more weight."""
    return -math.log((int.from_bytes(draw, "big") + 1) / (1 << 8 * _DRAW_BYTES)) / weight


@implementer(IReferralBackend, ITargets)
class RingBackend:
    """Answers without asking anybody; ``lowercase`` as in the options. Raises `Wrong`."""

    def __init__(
        self, servers: Sequence[str], groups: Sequence[str], copies: int, lowercase: bool
    ) -> None:
        members = read_members(servers)
        self._rules = read_rules(groups, members)
        self._rings = {group: Ring(each, copies) for group, each in members.items()}
        self._targets = _targets(members)
        self._lowercase = lowercase

    def __repr__(self) -> str:
        return f"<RingBackend of {len(self._targets)} servers>"

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; None when no group is his, or nobody can have that name."""
        name = login.user.lower() if self._lowercase else login.user
        try:
            checked_name(name)
        except Wrong:
            return None
        ring = self._rings.get(self._group(name))
        return None if ring is None else ring.home(name)

    async def targets(self) -> Sequence[Server]:
        """Name every server."""
        return self._targets

    def _group(self, name: str) -> str:
        for pattern, group in self._rules:
            if pattern.matches(name):
                return group
        return EVERYBODY


def _targets(members: dict[str, list[Member]]) -> tuple[Server, ...]:
    found = [each.server for group in members.values() for each in group if each.server]
    return tuple(dict.fromkeys(found))


@implementer(IReferralBackendFactory, ICheckingFactory)
class RingFactory:
    """Makes `RingBackend` objects."""

    name = "ring"
    help = "No directory: users are spread over servers by their names and the servers' weights."
    options = (
        Option(
            name="servers",
            kind="strings",
            required=True,
            help="The servers, as `host:port/security*weight#group`, of which only the host must "
            "be there; `here` is this server itself.",
        ),
        Option(
            name="groups",
            kind="strings",
            default=(),
            help="Who goes to the servers of a group: `pattern=group`, where `*` is any text and "
            "`?` any character; the first that fits counts. All others go to servers without a "
            "group, or are unknown where there is none.",
        ),
        Option(
            name="copies",
            kind="integer",
            default=1,
            minimum=1,
            maximum=10,
            help="How many servers each user has, in order of preference; more than one where "
            "their mail is on several.",
        ),
        Option(
            name="lowercase",
            kind="boolean",
            default=True,
            help="Take upper and lower case in user names for the same.",
        ),
    )

    def build(self, options: Options, reactor: Any) -> RingBackend:
        """Make a backend."""
        return RingBackend(
            options["servers"], options["groups"], options["copies"], options["lowercase"]
        )

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong with the servers and groups."""
        key = "servers"
        try:
            members = read_members(options["servers"])
            if not members:
                raise Wrong("is empty", 'such as ["imap-a.example.org", "imap-b.example.org"]')
            key = "groups"
            read_rules(options["groups"], members)
        except Wrong as error:
            return [Problem(where=self.name, key=key, wrong=error.wrong, right=error.right)]
        return []

    def targets(self, options: Options) -> Sequence[Server]:
        """Name every server."""
        try:
            return _targets(read_members(options["servers"]))
        except Wrong:
            return ()


factory = RingFactory()
