"""A small account in memory: what a user who is served here gets until there is a real store.

It is lost when the process ends and is meant for demonstrations and tests; ``[serve] store =
"memory"`` asks for it by name. Mailboxes and messages follow Twisted's IAccount, IMailbox and
IMessage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message as Parsed
from email.utils import formatdate
from io import BytesIO
from typing import IO, Any

from twisted.internet.defer import Deferred, succeed
from twisted.mail.imap4 import (
    IAccount,
    IMailbox,
    IMessage,
    IMessageFile,
    INamespacePresenter,
    MailboxCollision,
    MailboxException,
    NoSuchMailbox,
    statusRequestHelper,
)
from zope.interface import implementer

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
DELIMITER = "/"

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
SECOND = ("Nothing is kept", "It is gone when the server stops: a real store is yet to come.")


@implementer(IMessage, IMessageFile)
class MemoryMessage:
    """One message: its bytes, its UID, its flags."""

    def __init__(self, content: bytes, uid: int, flags: Iterable[str], date: str) -> None:
        self.content = content
        self.uid = uid
        self.flags = set(flags)
        self.date = date

    @property
    def _parsed(self) -> Parsed:
        return message_from_bytes(self.content)

    def getUID(self) -> int:
        """Give the UID."""
        return self.uid

    def getFlags(self) -> list[str]:
        """Give the flags, in a fixed order."""
        return sorted(self.flags)

    def getInternalDate(self) -> str:
        """Give the time of arrival as RFC 3501 writes it."""
        return self.date

    def getHeaders(self, negate: bool, *names: str) -> dict[str, str]:
        """Give the header fields named, or all others."""
        wanted = {str(name).lower() for name in names}
        return {
            key: value
            for key, value in self._parsed.items()
            if (key.lower() in wanted) is not bool(negate)
        }

    def getBodyFile(self) -> IO[bytes]:
        """Give what follows the header."""
        _head, _gap, body = self.content.partition(b"\r\n\r\n")
        return BytesIO(body)

    def getSize(self) -> int:
        """Give the size of the whole message in bytes."""
        return len(self.content)

    def isMultipart(self) -> bool:
        """Say whether there are parts."""
        return self._parsed.is_multipart()

    def getSubPart(self, part: int) -> Any:
        """Give no part: the built-in messages have none that stand alone."""
        raise IndexError(part)

    def open(self) -> IO[bytes]:
        """Give the whole message."""
        return BytesIO(self.content)


@implementer(IMailbox)
class MemoryMailbox:
    """One mailbox: messages in order of arrival."""

    def __init__(self, uid_validity: int) -> None:
        self.uid_validity = uid_validity
        self.uid_next = 1
        self.messages: list[MemoryMessage] = []
        self.listeners: list[Any] = []

    def getFlags(self) -> tuple[str, ...]:
        """Name the flags that messages can have."""
        return FLAGS

    def getHierarchicalDelimiter(self) -> str:
        """Give the character between levels of names."""
        return DELIMITER

    def getUIDValidity(self) -> int:
        """Give the UIDVALIDITY."""
        return self.uid_validity

    def getUIDNext(self) -> int:
        """Give the UID of the next message."""
        return self.uid_next

    def getUID(self, message: int) -> int:
        """Give the UID of a message number."""
        return self.messages[message - 1].uid

    def getMessageCount(self) -> int:
        """Count the messages."""
        return len(self.messages)

    def getRecentCount(self) -> int:
        """Count none: nothing arrives while nobody looks."""
        return 0

    def getUnseenCount(self) -> int:
        """Count the messages without ``\\Seen``."""
        return sum("\\Seen" not in message.flags for message in self.messages)

    def isWriteable(self) -> bool:
        """Say yes."""
        return True

    def destroy(self) -> None:
        """Drop the messages."""
        self.messages.clear()

    def requestStatus(self, names: Iterable[str]) -> Any:
        """Tell the counts of STATUS."""
        return statusRequestHelper(self, names)  # type: ignore[no-untyped-call]

    def addListener(self, listener: Any) -> None:
        """Tell ``listener`` of new messages."""
        self.listeners.append(listener)

    def removeListener(self, listener: Any) -> None:
        """Tell ``listener`` nothing more."""
        self.listeners.remove(listener)

    def addMessage(
        self, message: IO[bytes], flags: Iterable[Any] = (), date: Any = None
    ) -> Deferred[int]:
        """Add a message; gives its UID."""
        names = [flag.decode("ascii") if isinstance(flag, bytes) else flag for flag in flags]
        when = date.decode("ascii") if isinstance(date, bytes) else date
        uid = self.uid_next
        self.uid_next += 1
        self.messages.append(
            MemoryMessage(message.read(), uid, names, when or formatdate(usegmt=True))
        )
        for listener in list(self.listeners):
            listener.newMessages(len(self.messages), None)
        return succeed(uid)

    def expunge(self) -> list[int]:
        """Remove what is marked; gives the message numbers, highest first."""
        gone = [
            number
            for number in range(len(self.messages), 0, -1)
            if "\\Deleted" in self.messages[number - 1].flags
        ]
        for number in gone:
            del self.messages[number - 1]
        return gone

    def fetch(self, messages: Any, uid: bool) -> Iterator[tuple[int, MemoryMessage]]:
        """Give the messages of a set, with their numbers."""
        last = self.messages[-1].uid if uid and self.messages else len(self.messages)
        messages.last = last
        for number, message in enumerate(self.messages, 1):
            if (message.uid if uid else number) in messages:
                yield number, message

    def store(
        self, messages: Any, flags: Iterable[Any], mode: int, uid: bool
    ) -> dict[int, list[str]]:
        """Add (1), remove (-1) or set (0) flags; gives the new flags by message number."""
        names = {flag.decode("ascii") if isinstance(flag, bytes) else flag for flag in flags}
        result = {}
        for number, message in self.fetch(messages, uid):
            if mode > 0:
                message.flags |= names
            elif mode < 0:
                message.flags -= names
            else:
                message.flags = set(names)
            result[number] = message.getFlags()
        return result


@implementer(IAccount, INamespacePresenter)
class MemoryAccount:
    """One user's mailboxes."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.mailboxes: dict[str, MemoryMailbox] = {}
        self.subscriptions = {"INBOX"}
        self._validity = 0
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
        made: MemoryMailbox = mbox or MemoryMailbox(self._validity)
        self.mailboxes[name] = made
        return made

    def create(self, pathspec: str) -> bool:
        """Make a mailbox and the levels above it."""
        name = pathspec.rstrip(DELIMITER)
        if not name or name in self.mailboxes:
            raise MailboxCollision(name)
        parts = name.split(DELIMITER)
        for depth in range(1, len(parts) + 1):
            path = DELIMITER.join(parts[:depth])
            if path not in self.mailboxes:
                self.addMailbox(path)
        return True

    def select(self, name: str, rw: bool = True) -> MemoryMailbox | None:
        """Give a mailbox, None when there is none of that name."""
        return self.mailboxes.get(name)

    def delete(self, name: str) -> bool:
        """Remove a mailbox that has nothing below it."""
        if name not in self.mailboxes:
            raise NoSuchMailbox(name)
        if any(other.startswith(name + DELIMITER) for other in self.mailboxes):
            raise MailboxException(name)
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
        for old, new in moved.items():
            self.mailboxes[new] = self.mailboxes.pop(old)
        return True

    def isSubscribed(self, name: str) -> bool:
        """Say whether a name is subscribed."""
        return name in self.subscriptions

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
