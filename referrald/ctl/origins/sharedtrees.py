"""Shared mailboxes of a Cyrus server as entries of a table, by whole trees where that will do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from referrald.backends.homespec import Faults, HomeReader
from referrald.backends.mailboxspec import MailboxReader
from referrald.backends.servers import Wrong
from referrald.backends.serverwords import write_server
from referrald.ctl.origins.found import Found
from referrald.model import Server

ANYONE, ANONYMOUS, GROUP = "anyone", "anonymous", "group:"
LOOKUP = "l"


@attrs.frozen(kw_only=True)
class Shared:
    """A mailbox that belongs to nobody; its levels are decoded."""

    line: int
    domain: str
    levels: tuple[str, ...]
    server: Server
    moving: bool
    acl: Mapping[str, str]


@attrs.frozen
class Place:
    """What has to be the same for a whole tree."""

    server: Server
    moving: bool
    audience: tuple[str, ...]


def entries_of(
    found: Found, shared: Sequence[Shared], delimiter: str
) -> Iterator[Mapping[str, Any]]:
    """Write entries of ``[[mailboxes]]``; what cannot be one is left out."""
    trees: dict[tuple[str, str], list[tuple[Shared, Place]]] = defaultdict(list)
    for each in shared:
        place = _place(found, each)
        if place is not None:
            trees[each.domain, each.levels[0]].append((each, place))
    for members in trees.values():
        for line, entry in _tree(members, delimiter):
            try:
                MailboxReader(HomeReader({}), str.lower).read(entry)
            except Faults as faults:
                for key, fault in faults.faults:
                    wrong = Wrong(f"{key} {fault.wrong}", fault.right)
                    found.wrong(line, str(entry["match"]), wrong)
                continue
            yield entry


def _place(found: Found, shared: Shared) -> Place | None:
    """Say who may see a mailbox: those with the right to look it up."""
    name = "/".join(shared.levels)
    able = [who for who, rights in shared.acl.items() if LOOKUP in rights]
    for who in able:
        if who.startswith(("-", GROUP)):
            wrong = Wrong(f"{who} has a right that cannot be looked up here", "name users in for")
            found.wrong(shared.line, name, wrong)
    everybody = f"*@{shared.domain}" if shared.domain else "*"
    if ANYONE in able:
        users: tuple[str, ...] = () if everybody == "*" else (everybody,)
        return Place(shared.server, shared.moving, users)
    users = tuple(
        sorted(who for who in able if not who.startswith(("-", GROUP)) and who != ANONYMOUS)
    )
    if not users:
        found.note(shared.line, name, "may be looked up by nobody who has a name, and is left out")
        return None
    return Place(shared.server, shared.moving, users)


def _tree(
    members: Sequence[tuple[Shared, Place]], delimiter: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Write one entry for a tree that is in one place, else one for each mailbox."""
    first, place = members[0]
    whole = len(members) > 1 and all(each == place for _, each in members)
    if not whole:
        for shared, own in members:
            match, name = ("/".join(shared.levels), delimiter.join(shared.levels))
            yield shared.line, _entry(match, name, own, delimiter)
        return
    root = first.levels[0]
    entry = _entry(f"{root}/", f"{root}{delimiter}", place, delimiter)
    folders = ["/".join(shared.levels[1:]) for shared, _ in members if len(shared.levels) > 1]
    if len(folders) == len(members):
        entry["selectable"] = False
    yield first.line, entry | {"folders": folders}


def _entry(match: str, name: str, place: Place, delimiter: str) -> dict[str, Any]:
    word = write_server(place.server)
    plain = word == place.server.host and "." not in word
    entry: dict[str, Any] = {
        "match": match,
        "server": f"{word}:{place.server.port}" if plain else word,
        "name": name,
    }
    if delimiter != "/":
        entry["delimiter"] = delimiter
    if place.audience:
        entry["for"] = list(place.audience)
    if place.moving:
        entry["moving"] = True
    return entry
