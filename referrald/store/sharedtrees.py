"""Whose a mailbox is, and what it is called there. Pure.

Public mailboxes are below one level of names, which is one of them; those of other users are below
another, each user's below the user's name.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from referrald.store.names import DELIMITER, INBOX, is_below
from referrald.store.rightsfile import PUBLIC

ANY_CASE: Final = INBOX + DELIMITER


@attrs.frozen(kw_only=True)
class Prefixes:
    """The first levels of names that are not a user's own; an empty one is not there."""

    public: str = ""
    others: str = ""

    def is_own(self, name: str) -> bool:
        """Say whether a name is among a user's own."""
        return not any(
            root and (name == root or is_below(name, root)) for root in (self.public, self.others)
        )

    def is_public(self, name: str) -> bool:
        """Say whether a name is that of public mailboxes, or below it."""
        return bool(self.public) and (name == self.public or is_below(name, self.public))

    def owner(self, name: str) -> str | None:
        """Give the user whose mailbox another one calls so; None where it is nobody's."""
        if not self.others or not is_below(name, self.others):
            return None
        owner, delimiter, rest = name[len(self.others) + 1 :].partition(DELIMITER)
        return owner if owner and delimiter and rest else None

    def any_owner(self, name: str) -> str | None:
        """Give the owner of a mailbox that is not the user's own; None where it is nobody's."""
        return PUBLIC if self.is_public(name) else self.owner(name)

    def root(self, owner: str) -> str:
        """Give what stands above the mailboxes of an owner."""
        return self.public if owner == PUBLIC else self.others + DELIMITER + owner


@attrs.frozen(kw_only=True)
class Tree:
    """The mailboxes of an owner, under the names by which somebody else knows them.

    account: the `IMailAccount` that has them. owner: see `PUBLIC`.
    """

    owner: str
    root: str
    account: Any

    def outer(self, name: str) -> str | None:
        """Give the name for others of a mailbox of the account; None where it has none."""
        if self.owner == PUBLIC:
            if name == INBOX:
                return self.root
            if _is_inbox(name):
                return None
        return self.root + DELIMITER + name

    def inner(self, name: str) -> str | None:
        """Give the name in the account; None where there can be none.

        What is INBOX in any case for its owner is that for others too.
        """
        if self.owner == PUBLIC and name == self.root:
            return INBOX
        rest = name[len(self.root) + 1 :]
        if _is_inbox(rest):
            return None if self.owner == PUBLIC else INBOX + rest[len(INBOX) :]
        return rest or None

    def key(self, name: str) -> str:
        """Give what the table of rights calls a mailbox of the account."""
        return key_of(self.owner, name)


def key_of(owner: str, name: str) -> str:
    """Give what the table of rights calls a mailbox: the top of public ones is above all others."""
    return "" if owner == PUBLIC and name == INBOX else name


def _is_inbox(name: str) -> bool:
    return name.upper() == INBOX or name.upper().startswith(ANY_CASE)
