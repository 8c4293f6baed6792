"""The servers of a ring as operators write them: ``host:port/security*weight#group``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from referrald.backends.patterns import Pattern
from referrald.backends.servers import Wrong, did_you_mean, show
from referrald.backends.serverwords import HERE, read_server, read_weight
from referrald.model import Server

EVERYBODY = ""
"""The group of those who fit none of the patterns."""


@attrs.frozen(kw_only=True)
class Member:
    """A server with its share; no server is this one itself."""

    server: Server | None
    weight: int = 1

    @property
    def key(self) -> bytes:
        """By what it is known, whatever else changes."""
        if self.server is None:
            return HERE.encode()
        return f"{self.server.host}:{self.server.port}".encode()


def read_member(text: str) -> tuple[str, Member]:
    """Read a server with its group; raises `Wrong`."""
    word, mark, group = text.strip(" ").rpartition("#")
    if not mark:
        word, group = group, EVERYBODY
    elif not group:
        raise Wrong("has no name of a group behind the #", 'such as "imap-a.example.org#staff"')
    place, star, weight = word.partition("*")
    share = read_weight(weight) if star else 1
    server = None if place == HERE else read_server(place)
    return group, Member(server=server, weight=share)


def read_members(texts: Iterable[str]) -> dict[str, list[Member]]:
    """Read all servers, by group; raises `Wrong`."""
    groups: dict[str, list[Member]] = {}
    for text in texts:
        try:
            group, member = read_member(text)
        except Wrong as error:
            raise Wrong(f'"{show(text)}": {error.wrong}', error.right) from None
        members = groups.setdefault(group, [])
        if any(member.key == other.key for other in members):
            raise Wrong(f'"{show(text)}" is there twice', "give it a weight instead")
        members.append(member)
    return groups


def read_rules(texts: Iterable[str], groups: Iterable[str]) -> list[tuple[Pattern, str]]:
    """Read ``pattern=group``, in order; raises `Wrong`, also for groups that nobody is in."""
    rules = list(_rules(texts))
    known, used = set(groups), {group for _, group in rules}
    for group in used - known:
        raise Wrong(f'no server is in the group "{show(group)}"', did_you_mean(group, known))
    for group in known - used - {EVERYBODY}:
        raise Wrong(f'nobody is in the group "{show(group)}"', f'such as "*@example.org={group}"')
    return rules


def _rules(texts: Iterable[str]) -> Iterator[tuple[Pattern, str]]:
    for text in texts:
        glob, mark, group = text.rpartition("=")
        if not mark or not glob or not group:
            raise Wrong(f'"{show(text)}" names no group', 'such as "*@example.org=staff"')
        yield Pattern(glob), group
