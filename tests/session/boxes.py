"""An account in memory, after Twisted's own interfaces: everything is there at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import Message as Parsed
from email.utils import parsedate_tz
from io import BytesIO
from typing import IO, Any

from twisted.internet.defer import Deferred, succeed
from twisted.mail.imap4 import IMailbox, IMessage, IMessageFile, MessageSet, statusRequestHelper
from zope.interface import implementer

from referrald.errors import ReferraldError

ACCOUNT_BYTES = 64 * 1024 * 1024
"""What the messages of one account may take in all."""

OVERHEAD = 500
"""Bytes that a message takes besides its content, roughly."""

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
DELIMITER = "/"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Full(ReferraldError):
    """There is no room for another message (RFC 5530)."""

    code = "OVERQUOTA"
    public = "There is no room left."


class Room:
    """The bytes that an account has left."""

    def __init__(self, size: int = ACCOUNT_BYTES) -> None:
        self.left = size

    def take(self, size: int) -> None:
        """Take ``size`` bytes, or raise `Full`."""
        if size > self.left:
            raise Full("account full")
        self.left -= size

    def give(self, size: int) -> None:
        """Give bytes back."""
        self.left += size


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
        """Give the time of arrival as RFC 3501 writes it, which RFC 5322 parsers read too."""
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

    def __init__(self, uid_validity: int, room: Room | None = None) -> None:
        self.uid_validity = uid_validity
        self.uid_next = 1
        self.messages: list[MemoryMessage] = []
        self.listeners: list[Any] = []
        self.room = room or Room()
        self._keywords: dict[str, str] = {flag.lower(): flag for flag in FLAGS}

    def getFlags(self) -> tuple[str, ...]:
        """Name the flags that messages can have, keywords in use among them."""
        return tuple(self._keywords.values())

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
        self._remove(set(self.messages))

    def requestStatus(self, names: Iterable[str]) -> Any:
        """Tell the counts of STATUS."""
        return statusRequestHelper(self, names)  # type: ignore[no-untyped-call]

    def addListener(self, listener: Any) -> None:
        """Tell ``listener`` what changes.

        That messages are gone it learns from ``newMessages`` with a smaller number.
        """
        self.listeners.append(listener)

    def removeListener(self, listener: Any) -> None:
        """Tell ``listener`` nothing more."""
        self.listeners.remove(listener)

    def addMessage(
        self, message: IO[bytes], flags: Iterable[Any] = (), date: Any = None
    ) -> Deferred[int]:
        """Add a message; gives its UID.

        date: a datetime, or text in the form of RFC 3501 or RFC 5322; now, where it is none.
        """
        content = message.read()
        self.room.take(len(content) + OVERHEAD)
        uid = self.uid_next
        self.uid_next += 1
        arrived = date_time(date)
        self.messages.append(MemoryMessage(content, uid, self._named(flags), arrived))
        self._tell_count()
        return succeed(uid)

    def expunge(self) -> list[int]:
        """Remove what is marked; gives the message numbers, highest first."""
        marked = {message for message in self.messages if "\\Deleted" in message.flags}
        return self._remove(marked)

    def fetch(self, messages: Any, uid: bool) -> list[tuple[int, MemoryMessage]]:
        """Give the messages of a set, with their numbers, as they are at this moment."""
        if not self.messages:
            return []
        if messages.last is MessageSet._empty:
            messages.last = self.messages[-1].uid if uid else len(self.messages)
        found = (self._between(low, high, uid) for low, high in messages.ranges)
        return [(at + 1, self.messages[at]) for places in found for at in places]

    def _between(self, low: int, high: int, uid: bool) -> range:
        if not uid:
            return range(max(low, 1) - 1, min(high, len(self.messages)))
        first = bisect_left(self.messages, low, key=_uid_of)
        return range(first, bisect_right(self.messages, high, key=_uid_of))

    def store(
        self, messages: Any, flags: Iterable[Any], mode: int, uid: bool
    ) -> dict[int, list[str]]:
        """Add (1), remove (-1) or set (0) flags; gives the new flags by message number."""
        names = self._named(flags)
        result = {}
        changed = {}
        for number, message in self.fetch(messages, uid):
            before = message.flags
            if mode > 0:
                message.flags = before | names
            elif mode < 0:
                message.flags = before - names
            else:
                message.flags = names
            result[number] = message.getFlags()
            if message.flags != before:
                changed[number] = result[number]
        if changed:
            self._tell_flags(changed)
        return result

    def _named(self, flags: Iterable[Any]) -> set[str]:
        """Give flags in the one spelling that the mailbox has for each."""
        named = set()
        for flag in flags:
            name = flag.decode("ascii") if isinstance(flag, bytes) else flag
            if name.lower() not in self._keywords:
                self.room.take(len(name))
            named.add(self._keywords.setdefault(name.lower(), name))
        return named

    def _remove(self, gone: set[MemoryMessage]) -> list[int]:
        numbers = [at for at, message in enumerate(self.messages, 1) if message in gone]
        if numbers:
            self.messages = [message for message in self.messages if message not in gone]
            self.room.give(sum(len(message.content) + OVERHEAD for message in gone))
            self._tell_count()
        return numbers[::-1]

    def _tell_count(self) -> None:
        for listener in list(self.listeners):
            listener.newMessages(len(self.messages), None)

    def _tell_flags(self, flags: Mapping[int, list[str]]) -> None:
        for listener in list(self.listeners):
            listener.flagsChanged(flags)


def _uid_of(message: MemoryMessage) -> int:
    return message.uid


def date_time(given: Any) -> str:
    """Write a date as RFC 3501 does; now, where ``given`` is none."""
    when = given if isinstance(given, datetime) else _when(given)
    seconds = int((when.utcoffset() or timedelta()).total_seconds())
    zone = f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}{abs(seconds) // 60 % 60:02d}"
    month = MONTHS[when.month - 1]
    return f"{when.day:02d}-{month}-{when.year:04d} {when:%H:%M:%S} {zone}"


def _when(given: Any) -> datetime:
    text = given.decode("ascii", "replace") if isinstance(given, bytes) else given
    try:
        fields = parsedate_tz(text) if text else None
        if fields is not None:
            zone = timezone(timedelta(seconds=fields[9] or 0))
            return datetime(*fields[:6], tzinfo=zone)
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    return datetime.now(UTC)
