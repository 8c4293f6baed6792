"""Dovecot's director: what ``doveadm director dump`` and ``doveadm director map`` print.

The dump has the servers with their numbers of virtual hosts, and makes a ring of the same weights.
The map has the users that are assigned to a server now, and makes a home for each, for users who
have to stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from math import gcd

from referrald.backends.servers import Wrong, show
from referrald.backends.serverwords import MOST_WEIGHT, write_servers
from referrald.ctl.origins.found import Found, Section, Wishes, line_text
from referrald.model import Home, Server

USUAL_VHOSTS = 100
LONGEST_LINE = 2_000
UNNAMED = "<unknown>"
"""What the map has in place of the name of somebody whom the userdb does not list."""

_ADD = re.compile(r"doveadm director add (?P<host>[^\s@]+)(?:@(?P<tag>\S*))?(?: (?P<count>\d+))?")
_OTHER = re.compile(r"doveadm director (?P<verb>\w+)\b.*")
_MAP = re.compile(
    r"(?P<user>.*?)[ \t]+(?P<hash>\d{1,10})[ \t]+(?P<host>[0-9A-Fa-f.:]+)[ \t]+"
    r"(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|-)[ \t]*",
    re.ASCII,
)
_TAG = re.compile(r"[^\s#=*,]+")

Member = tuple[int, Server, int, str]
"""A line, a server, its virtual hosts, its tag."""


def read_dump(data: bytes, path: str, wishes: Wishes) -> Found:
    """Make a ring of the servers."""
    found = Found(path=path)
    members = list(_members(found, data, wishes))
    if not members:
        found.wrong(0, "file", Wrong("names no server", "the output of doveadm director dump"))
        return found
    shares = _shares(members)
    servers = [
        write_servers([server]) + (f"*{share}" if share > 1 else "") + (f"#{tag}" if tag else "")
        for (_, server, _, tag), share in zip(members, shares, strict=True)
    ]
    tags = [tag for tag in dict.fromkeys(tag for *_, tag in members) if tag]
    for tag in tags:
        found.note(
            0, "groups", f'nobody is in the group "{tag}" yet: Dovecot had that in a passdb field',
            f'write patterns of names into groups, such as "*@example.org={tag}"',
        )  # fmt: skip
    remark = f"Say in groups who belongs to {', '.join(tags)}; the check refuses it until then."
    found.section = Section(
        keys={"type": "ring", "servers": servers}, remarks=(remark,) if tags else ()
    )
    return found


def _members(found: Found, data: bytes, wishes: Wishes) -> Iterator[Member]:
    seen: dict[tuple[str, int], int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            member = _member(found, number, line_text(line).strip(), wishes)
            if member is None:
                continue
            key = (member[1].host, member[1].port)
            first = seen.setdefault(key, number)
            if first != number:
                raise Wrong(f"names the server of line {first} again", "remove one of them")
            yield member
        except Wrong as error:
            found.wrong(number, line.decode("utf-8", "replace"), error)


def _member(found: Found, number: int, text: str, wishes: Wishes) -> Member | None:
    match = _ADD.fullmatch(text)
    if match is None:
        other = _OTHER.fullmatch(text)
        wrong = f'the command "{other["verb"]}" adds no server' if other else "is no such command"
        raise Wrong(wrong, "lines are: doveadm director add HOST[@TAG] [VHOSTS]")
    count = USUAL_VHOSTS if match["count"] is None else int(match["count"][:9])
    tag = match["tag"] or ""
    if tag and not _TAG.fullmatch(tag):
        raise Wrong(f'the tag "{show(tag)}" cannot name a group', "letters, digits, - and _")
    server = wishes.server(match["host"])
    if count:
        return number, server, count, tag
    found.note(number, server.host, "has no virtual hosts: it gets nobody, and is not in the ring")
    return None


def _shares(members: list[Member]) -> list[int]:
    """Give the weights by the greatest common divisor."""
    counts = [count for _, _, count, _ in members]
    common = reduce(gcd, counts)
    return [min(count // common, MOST_WEIGHT) for count in counts]


def read_map(data: bytes, path: str, wishes: Wishes) -> Found:
    """Give every user who is named a home."""
    found = Found(path=path)
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip() and not _is_heading(line):
            _mapped(found, number, line, wishes)
    if not found.homes and not found.left_out:
        right = "the output of doveadm director map -f USERS"
        found.wrong(0, "file", Wrong("names no user", right))
    return found


def _is_heading(line: bytes) -> bool:
    return line.split() == b"user hash mail server ip expire time".split()


def _mapped(found: Found, number: int, line: bytes, wishes: Wishes) -> None:
    user = ""
    try:
        match = None if len(line) > LONGEST_LINE else _MAP.fullmatch(line_text(line))
        if match is None:
            raise Wrong("is no line of doveadm director map", "user, hash, server, time")
        user = match["user"]
        if user == UNNAMED:
            raise Wrong("is a hash without a name", "doveadm director map -f FILE_OF_ALL_USERS")
        server = wishes.server(match["host"])
    except Wrong as error:
        found.wrong(number, user, error)
        return
    found.add(number, user, Home(servers=(server,)))
