"""An account as somebody else might write it for Twisted: all Deferreds, dicts and generators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email import message_from_bytes
from email.message import Message as Parsed
from io import BytesIO
from typing import IO, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.mail.imap4 import (
    IAccount,
    ICloseableMailbox,
    IMailbox,
    IMessage,
    ReadOnlyMailbox,
    statusRequestHelper,
)
from zope.interface import implementer


class Part:
    """A part of a message that knows its header and body, and cannot be opened as a file."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed

    def getHeaders(self, negate: bool, *names: str) -> dict[str, str]:
        wanted = {name.lower() for name in names}
        items = self.parsed.items()
        return {k.lower(): v for k, v in items if (k.lower() in wanted) is not negate}

    def getBodyFile(self) -> IO[bytes]:
        payload = self.parsed.get_payload()
        return BytesIO(payload.encode("ascii") if isinstance(payload, str) else b"")

    def isMultipart(self) -> bool:
        return self.parsed.is_multipart()

    def getSubPart(self, part: int) -> Part:
        if not self.parsed.is_multipart():
            raise TypeError("no parts")
        payload: Any = self.parsed.get_payload()
        return Part(payload[part])

    def getSize(self) -> int:
        return 1_000_000


@implementer(IMessage)
class Message(Part):
    def __init__(self, content: bytes, uid: int, flags: Iterable[Any], date: Any) -> None:
        super().__init__(message_from_bytes(content))
        self.uid = uid
        self.flags = list(flags)
        self.date = date

    def getUID(self) -> int:
        return self.uid

    def getFlags(self) -> list[Any]:
        return self.flags

    def getInternalDate(self) -> Any:
        return self.date


@implementer(IMailbox, ICloseableMailbox)
class Mailbox:
    """A mailbox that says everything later, and fails to take a message when told to."""

    def __init__(self, *contents: bytes, flags: tuple[Any, ...] = (b"\\Seen", "\\Deleted")) -> None:
        self.flags = flags
        self.messages = [
            Message(content, 10 * number, [], "Wed, 17 Jul 1996 02:44:25 -0700")
            for number, content in enumerate(contents, 1)
        ]
        self.listeners: list[Any] = []
        self.fail_after = 1000
        self.writable = True
        self.closed = 0

    def getFlags(self) -> tuple[Any, ...]:
        return self.flags

    def getHierarchicalDelimiter(self) -> bytes:
        return b"."

    def getUIDValidity(self) -> int:
        return 7

    def getUIDNext(self) -> int:
        return self.messages[-1].uid + 1 if self.messages else 1

    def getUID(self, message: int) -> int:
        return self.messages[message - 1].uid

    def getMessageCount(self) -> int:
        return len(self.messages)

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return sum("\\Seen" not in message.flags for message in self.messages)

    def isWriteable(self) -> bool:
        return self.writable

    def destroy(self) -> None:
        pass

    def requestStatus(self, names: Iterable[str]) -> Deferred[dict[str, int]]:
        return succeed(statusRequestHelper(self, names))  # type: ignore[no-untyped-call]

    def addListener(self, listener: Any) -> None:
        self.listeners.append(listener)

    def removeListener(self, listener: Any) -> None:
        self.listeners.remove(listener)

    def addMessage(self, message: IO[bytes], flags: Any = (), date: Any = None) -> Deferred[int]:
        if self.fail_after == 0:
            return fail(RuntimeError("disk full"))
        self.fail_after -= 1
        uid = self.getUIDNext()
        self.messages.append(Message(message.read(), uid, flags, date))
        return succeed(uid)

    def expunge(self) -> Deferred[list[int]]:
        gone = [n for n, m in enumerate(self.messages, 1) if "\\Deleted" in m.flags]
        self.messages = [m for m in self.messages if "\\Deleted" not in m.flags]
        return succeed(gone)

    def fetch(self, messages: Any, uid: bool) -> Deferred[Iterator[tuple[int, Message]]]:
        messages.last = self.getUIDNext() - 1 if uid else len(self.messages)
        return succeed(
            (n, m) for n, m in enumerate(self.messages, 1) if (m.uid if uid else n) in messages
        )

    def store(
        self, messages: Any, flags: list[str], mode: int, uid: bool
    ) -> Deferred[dict[int, Any]]:
        if not self.writable:
            raise ReadOnlyMailbox
        changed = {}
        for number, message in self.messages_of(messages, uid):
            kept = [flag for flag in message.flags if mode and flag not in flags]
            message.flags = kept + (flags if mode >= 0 else [])
            changed[number] = message.flags
        return succeed(changed)

    def messages_of(self, messages: Any, uid: bool) -> list[tuple[int, Message]]:
        return [(n, m) for n, m in enumerate(self.messages, 1) if (m.uid if uid else n) in messages]

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


@implementer(IAccount)
class Account:
    def __init__(self, **mailboxes: Mailbox) -> None:
        self.mailboxes = mailboxes
        self.subscriptions: set[str] = set()

    def select(self, name: str, rw: bool = True) -> Deferred[Mailbox | None]:
        return succeed(self.mailboxes.get(name))

    def listMailboxes(self, ref: str, wildcard: str) -> Deferred[list[tuple[str, Mailbox]]]:
        return succeed([(name.replace("_", "."), box) for name, box in self.mailboxes.items()])

    def isSubscribed(self, name: str) -> Deferred[bool]:
        return succeed(name in self.subscriptions)

    def subscribe(self, name: str) -> Deferred[bool]:
        self.subscriptions.add(name)
        return succeed(True)

    def addMailbox(self, name: str, mbox: Any = None) -> Any: ...
    def create(self, pathspec: str) -> Deferred[bool]:
        return fail(RuntimeError("cannot"))

    def delete(self, name: str) -> Any: ...
    def rename(self, oldname: str, newname: str) -> Any: ...
    def unsubscribe(self, name: str) -> Any: ...
