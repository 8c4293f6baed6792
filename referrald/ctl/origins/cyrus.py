"""Cyrus's list of mailboxes: what ``ctl_mboxlist -d`` prints at a frontend or mupdate master.

Since version 3 it is JSON, before that a line for each mailbox. A user lives where his INBOX is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from referrald.backends.servers import Wrong, show
from referrald.ctl.origins.found import Found, Wishes, line_text
from referrald.ctl.origins.sharedtrees import Shared, entries_of
from referrald.errors import WireError
from referrald.model import Home
from referrald.wire.names import decode_utf7

USER = "user"
DELETED = "DELETED"
MAIL_TYPES = frozenset("ernmz")
"""Letters of what mail is in; all others are calendars, address books and levels without mail."""
MOVING = "m"
OLD_MOVING = 1 << 3

_OLD = re.compile(
    r"(?P<name>[^\t ]+(?: [^\t]*)?)\t(?:(?P<kind>\d{1,5}) )?(?P<place>[^\s]+)(?: (?P<acl>.*))?"
)


@attrs.frozen(kw_only=True)
class Mailbox:
    """A line of the list. server: empty for what is at the server whose list it is."""

    line: int
    domain: str
    levels: tuple[str, ...]
    server: str
    moving: bool = False
    mail: bool = True
    acl: Mapping[str, str] = {}

    @property
    def owner(self) -> str:
        """The user to whom it belongs, empty for what is shared."""
        if self.levels[0] != USER or len(self.levels) < 2:
            return ""
        name = self.levels[1].replace("^", ".")
        return f"{name}@{self.domain}" if self.domain else name


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Give users the home where their INBOX is, and shared mailboxes a place in the table."""
    found = Found(path=path)
    owned: dict[str, list[Mailbox]] = defaultdict(list)
    shared: list[Shared] = []
    skipped = {"deleted": 0, "no mail": 0}
    for mailbox in _mailboxes(found, data):
        if mailbox.levels[0] == DELETED:
            skipped["deleted"] += 1
        elif not mailbox.mail:
            skipped["no mail"] += 1
        elif mailbox.owner:
            owned[mailbox.owner].append(mailbox)
        else:
            _share(found, shared, mailbox, wishes)
    for user, mailboxes in owned.items():
        _live(found, user, mailboxes, wishes)
    found.mailboxes += entries_of(found, shared, wishes.delimiter)
    _tell(found, skipped)
    return found


def _live(found: Found, user: str, mailboxes: list[Mailbox], wishes: Wishes) -> None:
    """Give a user a home; what of his lies elsewhere is left out."""
    root = next((each for each in mailboxes if len(each.levels) == 2), None)
    if root is None:
        right = "nobody could log in there; remove the mailboxes or make the INBOX"
        found.wrong(mailboxes[0].line, user, Wrong("has mailboxes but no INBOX", right))
        return
    try:
        home = Home(servers=(wishes.server(_host(root, wishes)),), held=root.moving)
    except Wrong as error:
        found.wrong(root.line, user, error)
        return
    found.add(root.line, user, home)
    if root.moving:
        found.note(root.line, user, "is being moved to another server, so the user is held")
    for each in mailboxes:
        if each.server != root.server:
            name = show("/".join(each.levels[2:]))
            where = each.server or wishes.local or "this server"
            right = "rename it to the server of the INBOX first"
            found.wrong(each.line, user, Wrong(f'the mailbox "{name}" is at {where}', right))


def _host(mailbox: Mailbox, wishes: Wishes) -> str:
    host = mailbox.server or wishes.local
    if not host:
        raise Wrong("is at the server whose list this is", "say its name with --local")
    return host


def _share(found: Found, shared: list[Shared], mailbox: Mailbox, wishes: Wishes) -> None:
    name = "/".join(mailbox.levels)
    try:
        server = wishes.server(_host(mailbox, wishes))
        levels = tuple(decode_utf7(level.encode()) for level in mailbox.levels)
    except Wrong as error:
        found.wrong(mailbox.line, name, error)
        return
    except (WireError, UnicodeError):
        found.wrong(mailbox.line, name, Wrong("is not in modified UTF-7", "rename it"))
        return
    shared.append(
        Shared(
            line=mailbox.line,
            domain=mailbox.domain,
            levels=levels,
            server=server,
            moving=mailbox.moving,
            acl=mailbox.acl,
        )
    )


def _tell(found: Found, skipped: Mapping[str, int]) -> None:
    for what, count in skipped.items():
        if count:
            found.note(0, what, f"{count} such mailboxes are not taken over")
    if found.homes:
        found.note(
            0, "rights", "access to users' mailboxes stays with the home servers, who know the ACLs"
        )
    if not found.homes and not found.mailboxes and not found.left_out:
        found.wrong(0, "file", Wrong("names no mailbox", "the output of ctl_mboxlist -d"))


def _mailboxes(found: Found, data: bytes) -> Iterator[Mailbox]:
    if data.lstrip()[:1] == b"{":
        yield from _of_json(found, data)
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                yield _of_line(number, line_text(line.rstrip(b"\r")))
            except Wrong as error:
                found.wrong(number, line.decode("utf-8", "replace").partition("\t")[0], error)


def _of_json(found: Found, data: bytes) -> Iterator[Mailbox]:
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError) as error:
        wrong = Wrong(f"is not JSON: {show(str(error))}", "the whole output of ctl_mboxlist -d")
        found.wrong(0, "file", wrong)
        return
    for number, (name, entry) in enumerate(entries.items(), 2):
        try:
            yield _of_entry(number, name, entry)
        except Wrong as error:
            found.wrong(number, name, error)


def _of_entry(number: int, name: str, entry: Any) -> Mailbox:
    """Read an entry of JSON; raises `Wrong`."""
    if not isinstance(entry, dict):
        raise Wrong("is no mailbox", "an object with partition and acl")
    kind, acl, server = (entry.get(key, "") for key in ("mbtype", "acl", "server"))
    acl = acl or {}
    rights = isinstance(acl, dict) and all(isinstance(each, str) for each in acl.values())
    if not isinstance(kind, str) or not isinstance(server, str) or not rights:
        raise Wrong("has an mbtype, a server or an acl that is none", "as Cyrus writes it")
    domain, levels = _split(name)
    return Mailbox(
        line=number,
        domain=domain,
        levels=levels,
        server=server,
        moving=MOVING in kind,
        mail=not set(kind) - MAIL_TYPES,
        acl=acl,
    )


def _of_line(number: int, text: str) -> Mailbox:
    """Read a line of older versions; raises `Wrong`."""
    match = _OLD.fullmatch(text)
    if match is None:
        raise Wrong("is no line of ctl_mboxlist -d", "name, type, server!partition, rights")
    server, mark, _ = match["place"].rpartition("!")
    words = (match["acl"] or "").rstrip("\t").split("\t")
    if len(words) % 2 and words != [""]:
        raise Wrong("has rights without somebody who has them", "pairs, with tabs between")
    domain, levels = _split(match["name"])
    return Mailbox(
        line=number,
        domain=domain,
        levels=levels,
        server=server if mark else "",
        moving=bool(int(match["kind"] or 0) & OLD_MOVING),
        acl=dict(zip(words[::2], words[1::2], strict=False)),
    )


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    """Take ``domain!level.level`` apart; raises `Wrong`."""
    domain, mark, rest = name.rpartition("!")
    levels = tuple(rest.split("."))
    if not all(levels) or (mark and not domain):
        raise Wrong("is no name of a mailbox", "level.level, or domain!level.level")
    return domain, levels
