"""Access rights (RFC 4314): letters, lists of them, and what a user may do by these. Pure.

A list gives letters by identifier: a user's name, or ``anyone``; with ``-`` before it, letters that
are taken away, whoever gives them. A mailbox without a list of its own goes by that of the nearest
level above it that has one; the name of no character is above all mailboxes of an owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from referrald.errors import NotPossible
from referrald.store.names import above

ALL: Final = "lrswipkxtea"
"""Every right, in the order in which they are told."""

ANYONE: Final = "anyone"
NOT: Final = "-"
VIRTUAL: Final = {"c": "kx", "d": "te"}
"""Rights of RFC 2086, and what they stand for (RFC 4314 section 2.1.1)."""

CHANGING: Final = frozenset("iestw")
"""Who has none of these reads only (RFC 4314 section 5.2); ``\\Seen`` is the same for all here."""

SHOWING: Final = frozenset("lrikxa")
"""Who has none of these may not know that there is such a mailbox (RFC 4314 section 4)."""

Entries = Mapping[str, str]
Lists = Mapping[str, Entries]
_NOTHING: Final[Entries] = {}


def ordered(letters: Iterable[str]) -> str:
    """Give known letters, each once, in the usual order."""
    given = set(letters)
    return "".join(letter for letter in ALL if letter in given)


def expanded(letters: str) -> str:
    """Give letters with what the old ones stand for; raises `NotPossible` for unknown ones."""
    whole = "".join(VIRTUAL.get(letter, letter) for letter in letters)
    if not set(whole) <= set(ALL):
        raise NotPossible(public="There is no such right.")
    return ordered(whole)


def of_user(entries: Entries, user: str) -> str:
    """Give what a list lets a user do."""
    names = {ANYONE} if user.startswith(NOT) else {ANYONE, user}
    given = {letter for name in names for letter in entries.get(name, "")}
    taken = {letter for name in names for letter in entries.get(NOT + name, "")}
    return ordered(given - taken)


def nearest(lists: Lists, mailbox: str) -> Entries:
    """Give the list that a mailbox goes by."""
    for name in (mailbox, *reversed(above(mailbox)), ""):
        if name in lists:
            return lists[name]
    return _NOTHING


def changed(entries: Entries, identifier: str, letters: str, mode: int) -> dict[str, str]:
    """Give a list with letters added (mode 1), removed (-1) or set (0) for somebody."""
    before = set(entries.get(identifier, ""))
    given = set(expanded(letters))
    after = given if mode == 0 else before | given if mode > 0 else before - given
    found = {name: held for name, held in entries.items() if name != identifier}
    if after:
        found[identifier] = ordered(after)
    return found


def of_flag(flag: str) -> str:
    """Give the right that it takes to change a flag (RFC 4314 section 4)."""
    return {"\\seen": "s", "\\deleted": "t"}.get(flag.lower(), "w")


def settable(flags: Iterable[str], letters: str) -> tuple[str, ...]:
    """Give those flags that somebody with these letters may change."""
    return tuple(flag for flag in flags if of_flag(flag) in letters)


class Held:
    """What one user may do with the mailboxes of an owner."""

    def __init__(self, lists: Lists, user: str) -> None:
        self._lists = lists
        self._user = user
        self._known: dict[int, str] = {}

    def letters(self, mailbox: str) -> str:
        """Give the letters for one of them, whether there is such a mailbox or not."""
        entries = nearest(self._lists, mailbox)
        found = self._known.get(id(entries))
        if found is None:
            found = self._known[id(entries)] = of_user(entries, self._user)
        return found
