"""Looks mailboxes up in what a table says of them, and lists them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from referrald.backends.mailboxnames import DELIMITER, MailboxPattern, fold_inbox, is_inbox
from referrald.backends.mailboxrules import Audience, MailboxRule, decode_rule
from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.model import Server

LISTS_KEPT = 256
NAMES_KEPT = 500_000
"""How many lists, and names in all of them, are kept for the next who asks."""

Names = tuple[RemoteMailbox, ...]


class MailboxTable:
    """All entries of a table.

    said: as `referrald.backends.mailboxspec` wrote them, in the order of the file.
    """

    def __init__(self, said: Iterable[Mapping[str, Any]] = ()) -> None:
        self._audiences: dict[tuple[str, ...], Audience] = {}
        self._at: dict[str, list[MailboxRule]] = {}
        self._patterns: list[tuple[MailboxPattern, MailboxRule]] = []
        self._for_each = False
        for each in said:
            self._add(decode_rule(each, self._audience))
        for rules in self._at.values():
            # What is said for some counts before what is said for everybody.
            rules.sort(key=lambda rule: rule.audience is None)
        self._kept: OrderedDict[object, Names] = OrderedDict()
        self._names_kept = 0

    def _audience(self, words: list[str]) -> Audience:
        key = tuple(words)
        found = self._audiences.get(key)
        if found is None:
            found = self._audiences[key] = Audience(words)
        return found

    def _add(self, rule: MailboxRule) -> None:
        self._for_each |= rule.for_each
        if rule.kind == "pattern":
            self._patterns.append((MailboxPattern(rule.at), rule))
        else:
            self._at.setdefault(rule.at, []).append(rule)

    def location(self, name: str, key: str, user: str) -> MailboxLocation | None:
        """Say where a mailbox is; None when nothing is said of it. Raises `Unavailable`.

        key: the user as ``for`` has it; user: as the user writes it.
        """
        if not name or is_inbox(name):
            return None
        name = fold_inbox(name)
        rule = self._rule(name, key)
        return None if rule is None else rule.location(name, user)

    def _rule(self, name: str, key: str) -> MailboxRule | None:
        """Find the most exact entry: for the name, the longest subtree, the first pattern."""
        found = self._tree_rule(name, key)
        if found is not None:
            return found
        for pattern, rule in self._patterns:
            if rule.seen_by(key) and pattern.matches(name):
                return rule
        return None

    def _tree_rule(self, name: str, key: str) -> MailboxRule | None:
        found = self._visible(name, key)
        end = name.rfind(DELIMITER)
        while found is None and end >= 0:
            above = self._visible(name[:end], key)
            found = above if above is not None and above.kind == "subtree" else None
            end = name.rfind(DELIMITER, 0, end)
        return found

    def _visible(self, name: str, key: str) -> MailboxRule | None:
        """Give the entry that counts at a name for a user."""
        for rule in self._at.get(name, ()):
            if rule.seen_by(key):
                return rule
        return None

    def servers(self) -> Iterator[Server]:
        """Give the servers of all entries; one may come several times."""
        rules = [rule for rules in self._at.values() for rule in rules]
        for rule in [*rules, *(rule for _, rule in self._patterns)]:
            yield from (there.server for there in rule.there)

    def names(self, key: str, user: str) -> Names:
        """Name what a user may see; users who see the same share one list, as long as it is kept.

        An entry for which no name at its server is left to the user is left out.
        """
        seen = frozenset(each for each in self._audiences.values() if each.has(key))
        group = (seen, user if self._for_each else None)
        known = self._kept.get(group)
        if known is None:
            known = tuple(self._names(key, user))
            self._keep(group, known)
        else:
            self._kept.move_to_end(group)
        return known

    def _keep(self, group: object, names: Names) -> None:
        self._kept[group] = names
        self._names_kept += len(names)
        while len(self._kept) > 1 and (
            len(self._kept) > LISTS_KEPT or self._names_kept > NAMES_KEPT
        ):
            _, dropped = self._kept.popitem(last=False)
            self._names_kept -= len(dropped)

    def _names(self, key: str, user: str) -> Iterator[RemoteMailbox]:
        for at in self._at:
            rule = self._visible(at, key)
            if rule is None:
                continue
            try:
                own, *folders = rule.names(user)
            except Unavailable:
                continue
            yield own
            for folder in folders:
                # Another entry may say that this one is somewhere else.
                if self._tree_rule(folder.name, key) is rule:
                    yield folder
