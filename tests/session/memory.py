"""An account as programs for Twisted have them, in memory, with everything there at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from io import BytesIO
from typing import Any

from twisted.cred.portal import IRealm
from twisted.mail.imap4 import IAccount, INamespacePresenter, MailboxCollision, NoSuchMailbox
from zope.interface import implementer

from tests.session.boxes import DELIMITER, MemoryMailbox, Room

WELCOME = """\
From: referrald <postmaster@localhost>\r
To: {user} <{user}@localhost>\r
Subject: {subject}\r
Date: {date}\r
Message-ID: <{number}.{user}@localhost>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=us-ascii\r
\r
{text}\r
"""
FIRST = ("Welcome home", "This mailbox lives in the memory of the server you logged in to.")
SECOND = ("Nothing is kept", "It is gone when the server stops; a store on disk would keep it.")


@implementer(IAccount, INamespacePresenter)
class MemoryAccount:
    """One user's mailboxes."""

    def __init__(self, user: str, clock: Callable[[], float] = time.time) -> None:
        self.user = user
        self.mailboxes: dict[str, MemoryMailbox] = {}
        self.subscriptions = {"INBOX"}
        self.room = Room()
        # What a client remembers of a former process must not fit this one.
        self._validity = int(clock())
        inbox = self.addMailbox("INBOX")
        for number, (subject, text) in enumerate((FIRST, SECOND), 1):
            filled = WELCOME.format(
                user=_plain(user),
                subject=subject,
                text=text,
                number=number,
                date=formatdate(usegmt=True),
            )
            inbox.addMessage(BytesIO(filled.encode("ascii")))

    def addMailbox(self, name: str, mbox: Any = None) -> MemoryMailbox:
        """Add a mailbox of that name; gives it."""
        if name in self.mailboxes:
            raise MailboxCollision(name)
        self._validity += 1
        made: MemoryMailbox = mbox or MemoryMailbox(self._validity, self.room)
        self.mailboxes[name] = made
        return made

    def create(self, pathspec: str) -> bool:
        """Make a mailbox and the levels above it."""
        name = pathspec.rstrip(DELIMITER)
        if not name or name in self.mailboxes:
            raise MailboxCollision(name)
        self._add_levels(name)
        return True

    def _add_levels(self, name: str) -> None:
        parts = name.split(DELIMITER)
        for depth in range(1, len(parts) + 1):
            path = DELIMITER.join(parts[:depth])
            if path not in self.mailboxes:
                self.addMailbox(path)

    def select(self, name: str, rw: bool = True) -> MemoryMailbox | None:
        """Give a mailbox, None when there is none of that name."""
        return self.mailboxes.get(name)

    def delete(self, name: str) -> bool:
        """Remove a mailbox; what is below it stays (RFC 3501 section 6.3.4)."""
        if name not in self.mailboxes:
            raise NoSuchMailbox(name)
        self.mailboxes.pop(name).destroy()
        return True

    def rename(self, oldname: str, newname: str) -> bool:
        """Give a mailbox and all below it a new name."""
        if oldname not in self.mailboxes:
            raise NoSuchMailbox(oldname)
        moved = {
            name: newname + name[len(oldname) :]
            for name in self.mailboxes
            if name == oldname or name.startswith(oldname + DELIMITER)
        }
        for new in moved.values():
            if new in self.mailboxes:
                raise MailboxCollision(new)
        if DELIMITER in newname:
            self._add_levels(newname.rpartition(DELIMITER)[0])
        for old, new in moved.items():
            self.mailboxes[new] = self.mailboxes.pop(old)
        return True

    def isSubscribed(self, name: str) -> bool:
        """Say whether a name is subscribed."""
        return name in self.subscriptions

    def subscribed(self) -> list[str]:
        """Name all subscriptions, whether there are such mailboxes or not."""
        return sorted(self.subscriptions)

    def subscribe(self, name: str) -> bool:
        """Add a name to the subscriptions."""
        self.subscriptions.add(name)
        return True

    def unsubscribe(self, name: str) -> bool:
        """Take a name from the subscriptions."""
        self.subscriptions.discard(name)
        return True

    def listMailboxes(self, ref: str, wildcard: str) -> list[tuple[str, MemoryMailbox]]:
        """Give all names: the session does the matching."""
        return sorted(self.mailboxes.items())

    def getPersonalNamespaces(self) -> list[list[bytes]]:
        """Tell that all names are the user's own."""
        return [[b"", DELIMITER.encode("ascii")]]

    def getSharedNamespaces(self) -> None:
        """Tell of none."""

    def getUserNamespaces(self) -> None:
        """Tell of none."""


def _plain(user: str) -> str:
    """Make a user name fit for an address in a message of ours."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in user)


class MemoryStore:
    """The accounts of this process, made when first asked for."""

    def __init__(self) -> None:
        self._accounts: dict[str, MemoryAccount] = {}

    def account(self, user: str) -> MemoryAccount:
        """Give the account of ``user``."""
        if user not in self._accounts:
            self._accounts[user] = MemoryAccount(user)
        return self._accounts[user]


@implementer(IRealm)
class AccountRealm:
    """Gives accounts of a store as they are."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def requestAvatar(
        self, avatarId: Any, mind: Any, *interfaces: Any
    ) -> tuple[Any, Any, Callable[[], None]]:
        """Give the account of the user."""
        assert IAccount in interfaces
        return IAccount, self.source.account(avatarId), lambda: None
