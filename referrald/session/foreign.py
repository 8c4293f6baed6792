"""An IAccount that somebody wrote for Twisted, as the account that a session works on.

Any account will do as far as its methods go: results may be values or Deferreds, and what it lacks
is answered with ``NO [CANNOT]``. It may have one method more, ``subscribed()``, which names all
subscriptions, be there such mailboxes or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.mail.imap4 import INamespacePresenter, MailboxException, NegativeResponse
from zope.interface import implementer

from referrald.errors import (
    MailboxExists,
    NoPermission,
    NoSuchMailbox,
    NotPossible,
    ReferraldError,
    UnknownUse,
)
from referrald.interfaces import IReferralAccount
from referrald.mailmodel import (
    MailboxDecision,
    MailboxEntry,
    MailboxStatus,
    Namespaces,
    NewMessage,
    Placed,
    RemoteMailbox,
)
from referrald.model import Serve
from referrald.session import byhand
from referrald.session.adapted import AdaptedFolder, nothing
from referrald.session.edge import ask, flag_names, native
from referrald.session.held import Held

HERE: Final = Serve()
COUNTED: Final = ("MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY")
ATTRIBUTES: Final = {
    name.lower(): name
    for name in (
        "\\Noselect", "\\Noinferiors", "\\Marked", "\\Unmarked",
        "\\All", "\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash",
    )
}  # fmt: skip
"""What the flags of an IMailbox may tell of it, for want of another way (RFC 3501, 7.2.2).

``\\Flagged`` is not among them: as a flag of messages it is in every mailbox.
"""

NO_FLAGS: Final = frozenset({"\\haschildren", "\\hasnochildren", "\\recent", *ATTRIBUTES})


def attributes_of(flags: Any) -> tuple[str, ...]:
    """Pick the LIST attributes out of a mailbox's flags; all others are flags of messages."""
    lower = (flag.lower() for flag in flag_names(flags))
    return tuple(ATTRIBUTES[flag] for flag in lower if flag in ATTRIBUTES)


def _is_flag(name: str) -> bool:
    return name.lower() not in NO_FLAGS


@implementer(IReferralAccount)
class ForeignAccount:
    """All mailboxes are here. breathe: lets others have a turn, if it is time."""

    delimiter = "/"
    append_limit: int | None = None

    def __init__(self, account: Any, breathe: byhand.Breathe = nothing) -> None:
        self.account = account
        self._breathe = breathe

    def namespaces(self) -> Namespaces:
        """Call all names the user's own; what the account presents itself is asked apart."""
        return Namespaces()

    async def locate(self, name: str) -> MailboxDecision:
        """Serve every name."""
        return HERE

    async def entries(self) -> Sequence[MailboxEntry]:
        """Name the mailboxes; the account's own matching is not relied upon."""
        found = []
        listed = list(await ask(self.account, "listMailboxes", "", "*"))
        await self._learn_delimiter(listed)
        for name, box in listed:
            flags = await ask(box, "getFlags")
            found.append(MailboxEntry(name=native(name), attributes=attributes_of(flags)))
        return found

    async def _learn_delimiter(self, listed: Sequence[tuple[Any, Any]]) -> None:
        if listed:
            self.delimiter = native(await ask(listed[0][1], "getHierarchicalDelimiter") or "/")

    async def remote(self) -> Sequence[RemoteMailbox]:
        """Know of none."""
        return ()

    async def subscriptions(self) -> frozenset[str]:
        """Ask for all subscriptions, or about each name."""
        if hasattr(self.account, "subscribed"):
            return frozenset(native(name) for name in await ask(self.account, "subscribed"))
        names = [native(name) for name, _ in await ask(self.account, "listMailboxes", "", "*")]
        return frozenset([name for name in names if await ask(self.account, "isSubscribed", name)])

    async def open(self, name: str, writable: bool) -> AdaptedFolder:
        """Give the mailbox as an `IMailFolder`."""
        box = await self._box(name, writable)
        return AdaptedFolder(
            name,
            box,
            writable=writable and bool(await ask(box, "isWriteable")),
            account=self,
            is_flag=_is_flag,
            breathe=self._breathe,
        )

    async def _box(self, name: str, writable: bool) -> Any:
        """Give the IMailbox."""
        box = await ask(self.account, "select", name, writable)
        if box is None:
            raise NoSuchMailbox(name)
        if "\\Noselect" in attributes_of(await ask(box, "getFlags")):
            raise NotPossible("cannot be selected", public="That name cannot be selected.")
        return box

    async def taking(self, name: str) -> Any:
        """Give the IMailbox of a mailbox that takes messages."""
        box = await self._box(name, True)
        if not await ask(box, "isWriteable"):
            raise NoPermission(name, public="The mailbox is open for reading only.")
        return box

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        """Put messages into a mailbox: all of them or none."""
        return await byhand.add(await self.taking(name), messages, self._breathe)

    async def incoming(self, name: str, size: int) -> Held:
        """Get ready to hold a message: it is handed over whole."""
        await self.taking(name)
        return Held()

    async def status(self, name: str) -> MailboxStatus:
        """Count; what IMailbox does not count is 0."""
        box = await self._box(name, False)
        found = await ask(box, "requestStatus", [*COUNTED, "RECENT"])
        messages, unseen, uid_next, uid_validity = (int(found[item]) for item in COUNTED)
        return MailboxStatus(
            messages=messages,
            unseen=unseen,
            deleted=0,
            uid_next=uid_next,
            uid_validity=uid_validity,
            size=0,
            recent=int(found.get("RECENT", 0)),
        )

    async def statuses(self, names: Sequence[str]) -> dict[str, MailboxStatus]:
        """Count many, one after the other; those that cannot be counted are left out."""
        found = {}
        for name in names:
            with suppress(ReferraldError, MailboxException, NegativeResponse):
                found[name] = await self.status(name)
        return found

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox."""
        if name == "INBOX":
            raise MailboxExists(name)
        if special_use:
            raise UnknownUse("IAccount has no special use")
        if not await ask(self.account, "create", name):
            raise NotPossible("not created", public="Mailbox not created.")

    async def delete(self, name: str) -> None:
        """Remove a mailbox."""
        if name == "INBOX":
            raise NotPossible(name, public="INBOX cannot be deleted.")
        await ask(self.account, "delete", name)

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox another name."""
        if "INBOX" in (old, new):
            raise NotPossible(old, public="INBOX cannot be renamed here.")
        await ask(self.account, "rename", old, new)

    async def subscribe(self, name: str) -> None:
        """Add a subscription."""
        await ask(self.account, "subscribe", name)

    async def unsubscribe(self, name: str) -> None:
        """Take a subscription away."""
        await ask(self.account, "unsubscribe", name)

    async def remember(self, name: str) -> None:
        """Add a name to the subscriptions."""
        await self.subscribe(name)

    async def forget(self, name: str) -> None:
        """Take a subscription away."""
        await self.unsubscribe(name)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Move nothing, so tell nothing."""
        return lambda: None


def presenter(account: Any) -> Any:
    """Give the account itself where it tells its namespaces in Twisted's way, else None."""
    return INamespacePresenter(account, None)
