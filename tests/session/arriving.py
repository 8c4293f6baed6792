"""A store that looks closely at what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from referrald.interfaces import IIncoming
from referrald.mailmodel import NewMessage, Placed
from tests.session.native import Site, done


@implementer(IIncoming)
class Sink:
    """Counts what arrives; keeps it only for a store that says so."""

    def __init__(self, store: Watched, size: int) -> None:
        self.store = store
        self.size = size
        self.taken = 0
        self.content = b""
        self.writing = False
        self.discarded = self.used = False

    async def write(self, data: bytes) -> None:
        assert not (self.writing or self.discarded or self.used)
        self.writing = True
        if self.store.slow is not None:
            await self.store.slow
        self.writing = False
        if self.store.fault is not None:
            raise self.store.fault
        self.taken += len(data)
        if self.store.keeps:
            self.content += data

    def discard(self) -> None:
        assert not self.writing, "discarded in the middle of a write"
        self.discarded = not self.used


class Watched:
    """Takes the place of what bob's account does with messages.

    slow: what each write waits for. fault: what each write raises. refusals: what the next
    messages are refused with before they come, None for those that are not.
    """

    def __init__(self, site: Site, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.slow: Deferred[None] | None = None
        self.fault: Exception | None = None
        self.refusals: list[Exception | None] = []
        self.sinks: list[Sink] = []
        self.appended: list[Sequence[NewMessage]] = []
        account: Any = done(site.store.account("bob"))
        account.incoming, account.append = self.incoming, self.append
        account.append_limit = None

    async def incoming(self, name: str, size: int) -> Sink:
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal
        self.sinks.append(Sink(self, size))
        return self.sinks[-1]

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        for message in messages:
            message.content.used = True
        self.appended.append(messages)
        return Placed(uid_validity=7, uids=tuple(range(1, len(messages) + 1)))

    @property
    def contents(self) -> list[bytes]:
        """What has been put into mailboxes."""
        return [new.content.content for messages in self.appended for new in messages]
