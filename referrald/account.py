"""All mailboxes of a user: those of the store that is here, and referrals for all others.

`ReferralAccount` is what a session of ours works on; adapted to ``IAccount`` it is a
`referrald.stock.TwistedAccount`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from twisted.mail.imap4 import IAccount, INamespacePresenter
from zope.interface import implementer

from referrald.errors import (
    MailboxInUse,
    MailboxReferral,
    NotPossible,
    ReferraldError,
    Unavailable,
    UrlError,
)
from referrald.imapurl import mailbox_referral
from referrald.interfaces import IReferralAccount
from referrald.mailmodel import (
    MailboxDecision,
    MailboxEntry,
    MailboxStatus,
    Namespaces,
    NewMessage,
    Placed,
    ReferMailbox,
    RemoteMailbox,
    Replica,
)
from referrald.model import Refuse, Serve, Server
from referrald.stock import TwistedAccount

HERE: Final = Serve()
INBOX: Final = "INBOX"
SPLIT: Final = "Some of the mailboxes below are on another server."


class Routing(Protocol):
    """Routing, as far as an account needs it; see `referrald.routing.mailboxes.MailboxRouting`."""

    async def locate(self, user: str, name: str) -> MailboxDecision:
        """Decide about a name."""
        ...

    async def remote(self, user: str) -> Sequence[RemoteMailbox]:
        """Name all that backends list."""
        ...

    async def here(self, user: str, names: Iterable[str]) -> list[str]:
        """Give those of the names that are here."""
        ...

    def watch(self, user: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Tell when answers may be others."""
        ...


class MailboxRefused(ReferraldError):
    """Routing refused a mailbox, for a reason that has no error of its own."""

    code: str | None  # type: ignore[misc]  # as the decision says it

    def __init__(self, code: str | None, reason: str, public: str) -> None:
        super().__init__(reason, public=public)
        self.code = code


def refusal(decision: Refuse) -> ReferraldError:
    """Give the error that stands for a decision to refuse; its private reason is the cause."""
    if decision.code == MailboxInUse.code:
        return MailboxInUse(decision.cause, public=decision.text)
    if decision.code == Unavailable.code:
        return Unavailable(decision.cause, public=decision.text)
    return MailboxRefused(decision.code, decision.cause, decision.text)


@implementer(IReferralAccount)
class ReferralAccount:
    """One user's mailboxes.

    local: the `IMailAccount` of the store that is here. routing: says which names are here; None
    when all are. own: this server, as it is called in the URLs of a RENAME to or from it.
    """

    def __init__(self, user: str, local: Any, routing: Routing | None, own: Server) -> None:
        self.user = user
        self.local = local
        self._routing = routing
        self._own = own

    def __conform__(self, interface: Any) -> Any:
        """Be an IAccount for those that want one."""
        return TwistedAccount(self) if interface in (IAccount, INamespacePresenter) else None

    @property
    def delimiter(self) -> str:
        """The character between the levels of names."""
        delimiter: str = self.local.delimiter
        return delimiter

    def namespaces(self) -> Namespaces:
        """Give the prefixes of the namespaces."""
        given: Namespaces = self.local.namespaces()
        return given

    async def locate(self, name: str) -> MailboxDecision:
        """Decide about a name."""
        return HERE if self._routing is None else await self._routing.locate(self.user, name)

    async def require(self, *names: str) -> None:
        """Raise unless all these names are here."""
        for name in names:
            decision = await self.locate(name)
            if isinstance(decision, ReferMailbox):
                raise MailboxReferral(
                    decision.urls, personal=decision.personal, replicas=decision.replicas
                )
            if isinstance(decision, Refuse):
                raise refusal(decision)

    # -- lists -------------------------------------------------------------------------------

    async def entries(self) -> Sequence[MailboxEntry]:
        """Name every mailbox that is here; leftovers of those that have moved are not."""
        entries: Sequence[MailboxEntry] = await self.local.entries()
        here = set(await self._here(entry.name for entry in entries))
        return [entry for entry in entries if entry.name in here]

    async def _here(self, names: Iterable[str]) -> list[str]:
        if self._routing is None:
            return [*names]
        return await self._routing.here(self.user, [*names])

    async def remote(self) -> Sequence[RemoteMailbox]:
        """Name every mailbox elsewhere, and the exceptions that are here."""
        if self._routing is None:
            return ()
        return await self._routing.remote(self.user)

    async def subscriptions(self) -> frozenset[str]:
        """Name all that is subscribed here."""
        return frozenset(await self.local.subscriptions())

    # -- one mailbox -------------------------------------------------------------------------

    async def open(self, name: str, writable: bool) -> Any:
        """Give the `IMailFolder` of that name."""
        await self.require(name)
        return await self.local.open(name, writable)

    async def status(self, name: str) -> MailboxStatus:
        """Count without opening."""
        await self.require(name)
        counts: MailboxStatus = await self.local.status(name)
        return counts

    async def statuses(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """Count many, of names that are here."""
        counts: Mapping[str, MailboxStatus] = await self.local.statuses(names)
        return counts

    @property
    def append_limit(self) -> int | None:
        """The bytes that a message may have."""
        limit: int | None = self.local.append_limit
        return limit

    async def incoming(self, name: str, size: int) -> Any:
        """Get ready to take a message."""
        await self.require(name)
        return await self.local.incoming(name, size)

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        """Put messages into a mailbox: all of them or none."""
        await self.require(name)
        placed: Placed = await self.local.append(name, messages)
        return placed

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox."""
        await self.require(name)
        await self.local.create(name, special_use)

    async def delete(self, name: str) -> None:
        """Remove a mailbox; what is below it stays, wherever that is."""
        await self.require(name)
        await self.local.delete(name)

    async def subscribe(self, name: str) -> None:
        """Add a name to the subscriptions."""
        await self.require(name)
        await self.local.subscribe(name)

    async def unsubscribe(self, name: str) -> None:
        """Take a name from the subscriptions."""
        await self.require(name)
        await self.local.unsubscribe(name)

    async def remember(self, name: str) -> None:
        """Add a name to the subscriptions that are kept here."""
        await self.local.subscribe(name)

    async def forget(self, name: str) -> None:
        """Take a name from the subscriptions that are kept here."""
        await self.local.unsubscribe(name)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever `locate` may give other answers."""
        if self._routing is None:
            return lambda: None
        return self._routing.watch(self.user, changed)

    # -- RENAME ------------------------------------------------------------------------------

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox a new name; a referral has pairs of URLs (RFC 2193 section 4.3)."""
        await self.require_rename(old, new)
        await self.local.rename(old, new)

    async def require_rename(self, old: str, new: str) -> None:
        """Raise unless old and new name are here, and all that a RENAME takes along."""
        decisions = [await self.locate(name) for name in (old, new)]
        for decision in decisions:
            if isinstance(decision, Refuse):
                raise refusal(decision)
        elsewhere = [each for each in decisions if isinstance(each, ReferMailbox)]
        if elsewhere:
            pair = self._pair((old, decisions[0]), (new, decisions[1]))
            personal = all(each.personal for each in elsewhere)
            raise MailboxReferral(
                pair, personal=personal, pairs=True, replicas=_at_one_server(*decisions)
            )
        # What is below INBOX stays where it is (RFC 3501 section 6.3.5).
        if self._routing is not None and old != INBOX:
            await self._require_below(old, new)

    async def _require_below(self, old: str, new: str) -> None:
        prefix = old + self.delimiter
        below = [e.name for e in await self.local.entries() if e.name.startswith(prefix)]
        moved = [new.rstrip(self.delimiter) + name[len(old) :] for name in below]
        names = below + moved
        if any(entry.name.startswith(prefix) for entry in await self.remote()):
            raise NotPossible(f"rename of {old}: below it are remote mailboxes", public=SPLIT)
        if len(await self._here(names)) < len(names):
            raise NotPossible(
                f"rename of {old}: not all below it is or would be here", public=SPLIT
            )

    def _pair(
        self, old: tuple[str, MailboxDecision], new: tuple[str, MailboxDecision]
    ) -> tuple[str, str]:
        """Give the two URLs, on one server where one has both mailboxes."""
        olds, news = self._places(*old), self._places(*new)
        for place, url in olds.items():
            if place in news:
                return url, news[place]
        return next(iter(olds.values())), next(iter(news.values()))

    def _places(self, name: str, decision: MailboxDecision) -> dict[Any, str]:
        """Give the URLs of a mailbox by server, in order of preference."""
        if not isinstance(decision, ReferMailbox):
            return {None: self._own_url(name)}
        if len(decision.replicas) != len(decision.urls):
            return dict(zip(decision.urls, decision.urls, strict=True))
        found: dict[Any, str] = {}
        for replica, url in zip(decision.replicas, decision.urls, strict=True):
            found.setdefault((replica.server.host.lower(), replica.server.port), url)
        return found

    def _own_url(self, name: str) -> str:
        try:
            return mailbox_referral(self._own.host, self._own.port, self.user, name)
        except UrlError as error:
            raise NotPossible(
                f"no URL for a mailbox of this server: {error.reason}",
                public="One of these mailboxes is on another server.",
            ) from None


def _at_one_server(old: MailboxDecision, new: MailboxDecision) -> tuple[Replica, ...]:
    """Give the places of both names at one server, if there is one that has them."""
    if not (isinstance(old, ReferMailbox) and isinstance(new, ReferMailbox)):
        return ()
    for before in old.replicas:
        for after in new.replicas:
            if (before.server, before.user) == (after.server, after.user):
                return before, after
    return ()
