"""Mailboxes by name: the rules of CREATE, DELETE and RENAME."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from referrald.errors import HasChildren, MailboxExists, NoSuchMailbox, NotPossible
from referrald.mailmodel import MailboxEntry
from referrald.store import room as cost
from referrald.store.flags import special_uses
from referrald.store.mailbox import Mailbox
from referrald.store.names import INBOX, above, checked, is_below
from referrald.store.room import Room


class Tree:
    """The mailboxes of an account.

    Above every name there are the names of its levels. ``root`` is there from the start and stays.
    A name without a mailbox is one that is ``\\Noselect``; it goes with the last one below it.
    """

    def __init__(self, root: str, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self.room = Room(cost.ACCOUNT_BYTES)
        # What a client remembers of a former process must not fit this one.
        self._validity = int(clock())
        self._mailboxes: dict[str, Mailbox | None] = {}
        self.create(root)

    def __contains__(self, name: object) -> bool:
        return name in self._mailboxes

    def get(self, name: str) -> Mailbox:
        """Give the mailbox of a name; `NoSuchMailbox` when none can be opened."""
        mailbox = self._mailboxes.get(name)
        if mailbox is None:
            raise NoSuchMailbox(name)
        return mailbox

    def entries(self) -> list[MailboxEntry]:
        """Name all of them."""
        return [
            MailboxEntry(name=name, attributes=("\\Noselect",) if box is None else box.uses)
            for name, box in self._mailboxes.items()
        ]

    def create(self, name: str, special_use: Sequence[str] = ()) -> list[str]:
        """Make a mailbox and the levels above it; gives the names that are new."""
        if self._mailboxes.get(checked(name)) is not None:
            raise MailboxExists(name)
        uses = special_uses(special_use)
        made = [level for level in (*above(name), name) if level not in self._mailboxes]
        self.room.take(sum(map(cost.mailbox, made)))
        for level in made:
            self._mailboxes[level] = self._new()
        mailbox = self._mailboxes[name] or self._new()
        mailbox.uses = uses
        self._mailboxes[name] = mailbox
        return made

    def _new(self) -> Mailbox:
        return Mailbox(self._next_validity(), self.room)

    def _next_validity(self) -> int:
        self._validity += 1
        return self._validity

    def delete(self, name: str) -> list[Mailbox]:
        """Remove a mailbox and give it; the name stays while there are any below it."""
        if name not in self._mailboxes:
            raise NoSuchMailbox(name)
        self._check_may_go(name)
        has_inferiors = any(is_below(other, name) for other in self._mailboxes)
        mailbox = self._mailboxes[name]
        if has_inferiors and mailbox is None:
            raise HasChildren(name)
        if has_inferiors:
            self._mailboxes[name] = None
        else:
            self.undo([name])
            self._tidy(name)
        if mailbox is None:
            return []
        mailbox.take(-mailbox.used)
        return [mailbox]

    def undo(self, made: Sequence[str]) -> None:
        """Take away names that nothing is below of."""
        for name in made:
            del self._mailboxes[name]
            self.room.give(cost.mailbox(name))

    def rename(self, old: str, new: str) -> list[Mailbox]:
        """Give a mailbox and all below it other names; gives the mailboxes touched."""
        if old not in self._mailboxes:
            raise NoSuchMailbox(old)
        checked(new)
        if new in self:
            raise MailboxExists(new)
        if old == INBOX:
            return self._empty_into(new)
        self._check_may_go(old)
        if is_below(new, old):
            raise NotPossible(public="A mailbox cannot be moved below itself.")
        moved = {
            name: checked(new + name[len(old) :])
            for name in self._mailboxes
            if name == old or is_below(name, old)
        }
        levels = [level for level in above(new) if level not in self]
        needed = sum(map(cost.mailbox, (*moved.values(), *levels)))
        self.room.take(needed - sum(map(cost.mailbox, moved)))
        for level in levels:
            self._mailboxes[level] = self._new()
        touched = []
        for name, after in moved.items():
            mailbox = self._mailboxes[after] = self._mailboxes.pop(name)
            touched.append(mailbox)
        self._tidy(old)
        return [mailbox for mailbox in touched if mailbox is not None]

    def _tidy(self, gone: str) -> None:
        """Take away mere names that nothing is below of any more."""
        for level in reversed(above(gone)):
            mere = level in self._mailboxes and self._mailboxes[level] is None
            if mere and not any(is_below(other, level) for other in self._mailboxes):
                self.undo([level])

    def _empty_into(self, new: str) -> list[Mailbox]:
        """Move the messages of INBOX into a new mailbox (RFC 3501 section 6.3.5)."""
        inbox = self.get(INBOX)
        made = self.create(new)
        try:
            inbox.move(inbox.all(), self.get(new))
        except Exception:
            self.undo(made)
            raise
        return [inbox]

    def _check_may_go(self, name: str) -> None:
        if name == self.root:
            raise NotPossible(public="That mailbox has to stay.")
