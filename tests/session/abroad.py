"""An account some of whose mailboxes are elsewhere, and a house that gives it to everyone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from zope.interface import implementer

from referrald.errors import MailboxInUse, MailboxReferral, Unavailable
from referrald.interfaces import IReferralAccount
from referrald.mailmodel import (
    MailboxDecision,
    MailboxEntry,
    MailboxLocation,
    ReferMailbox,
    RemoteMailbox,
    Replica,
)
from referrald.model import Refuse, Serve, Server
from referrald.session.foreign import ForeignAccount
from tests.session.inbox import filled
from tests.session.support import Client, House


def at(*urls: str, personal: bool = False) -> ReferMailbox:
    """Refer to these URLs."""
    return ReferMailbox(urls=urls, personal=personal)


def url(name: str, host: str = "s2.example") -> str:
    """Give the URL of one of bob's mailboxes."""
    return f"imap://bob;AUTH=*@{host}/{name}"


MOVING = Refuse(code="INUSE", text=MailboxInUse.public, cause="moving")
DOWN = Refuse(code="UNAVAILABLE", text=Unavailable.public, cause="backend x is down")


@implementer(IReferralAccount)
class Abroad(ForeignAccount):
    """places: what is decided about names; whatever is not there is here."""

    def __init__(self, account: Any, places: dict[str, MailboxDecision]) -> None:
        super().__init__(account)
        self.places = places
        self.asked: list[str] = []
        self.slow: Deferred[None] | None = None
        self.down = False
        self.watchers: list[Callable[[], None]] = []

    async def locate(self, name: str) -> MailboxDecision:
        self.asked.append(name)
        if self.slow is not None:
            await self.slow
        return self.places.get(name, Serve())

    async def _here(self, *names: str) -> None:
        found = [await self.locate(name) for name in names]
        for decision in found:
            if isinstance(decision, Refuse):
                error = Unavailable if decision is DOWN else MailboxInUse
                raise error(decision.cause)
        urls = [
            decision.urls[0] if isinstance(decision, ReferMailbox) else url(name, "here.example")
            for name, decision in zip(names, found, strict=True)
        ]
        if any(isinstance(decision, ReferMailbox) for decision in found):
            first = found[0]
            if len(names) == 1 and isinstance(first, ReferMailbox):
                raise MailboxReferral(first.urls, personal=first.personal)
            raise MailboxReferral(urls, pairs=True)

    async def open(self, name: str, writable: bool) -> Any:
        await self._here(name)
        return await super().open(name, writable)

    async def status(self, name: str) -> Any:
        await self._here(name)
        return await super().status(name)

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        await self._here(name)
        await super().create(name, special_use)

    async def delete(self, name: str) -> None:
        await self._here(name)
        await super().delete(name)

    async def rename(self, old: str, new: str) -> None:
        await self._here(old, new)
        await super().rename(old, new)

    async def subscribe(self, name: str) -> None:
        await self._here(name)
        await super().subscribe(name)

    async def unsubscribe(self, name: str) -> None:
        await self._here(name)
        await super().unsubscribe(name)

    async def forget(self, name: str) -> None:
        await super().unsubscribe(name)

    async def entries(self) -> Sequence[MailboxEntry]:
        return [entry for entry in await super().entries() if entry.name not in self.places]

    async def remote(self) -> Sequence[RemoteMailbox]:
        if self.down:
            raise Unavailable("backend x is down")
        replica = Replica(server=Server(host="s2.example"), name="x")
        location = MailboxLocation(replicas=(replica,))
        return [RemoteMailbox(name=name, location=location) for name in sorted(self.places)]

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def move(self, name: str, decision: MailboxDecision) -> None:
        """Let a mailbox move, and tell."""
        self.places[name] = decision
        for watcher in list(self.watchers):
            watcher()


@implementer(IRealm)
class Realm:
    """Gives everyone the one account."""

    def __init__(self, account: Abroad) -> None:
        self.account = account

    def requestAvatar(self, user: str, mind: Any, *interfaces: Any) -> Any:
        assert interfaces[0] is IReferralAccount
        return IReferralAccount, self.account, lambda: None


class Site:
    """A house where bob has mail here and elsewhere."""

    def __init__(
        self, places: dict[str, MailboxDecision], *contents: bytes, **changes: Any
    ) -> None:
        self.local = filled(*contents)
        self.account = Abroad(self.local, places)
        self.house = House(realm=Realm(self.account), **changes)

    def log_in(self, *commands: bytes) -> Client:
        """Connect and log in, then say what is wished."""
        client = self.house.connect()
        for command in (b"LOGIN bob secret", *commands):
            answer = client.say(b"a " + command + b"\r\n")
            assert b"a OK" in answer, answer
        return client
