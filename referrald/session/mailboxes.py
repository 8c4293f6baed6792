"""Commands on whole mailboxes, through the IAccount and IMailbox that the realm gave.

Any account of Twisted's kind works as far as its methods go: results may be values or Deferreds,
and what the account lacks is answered with ``NO [CANNOT]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import maybeDeferred
from twisted.mail.imap4 import (
    ICloseableMailbox,
    INamespacePresenter,
    NoSuchMailbox,
    collapseNestedLists,
)

from referrald.errors import NotPossible
from referrald.session.table import Answer
from referrald.wire.names import compile_pattern
from referrald.wire.response import Code, mailbox, no, number, ok, paren_list, quoted, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

STATUS_ITEMS = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"})


async def ask(owner: Any, method: str, *arguments: Any) -> Any:
    """Call a method of an account or mailbox; wait for it if it has to be waited for."""
    function: Callable[..., Any] | None = getattr(owner, method, None)
    if function is None:
        raise NotPossible(f"{type(owner).__name__} has no {method}")
    return await maybeDeferred(function, *arguments)


async def open_mailbox(session: ReferralServer, name: str, writable: bool) -> Any:
    """Give the IMailbox of that name; raise when there is none or it cannot be selected."""
    box = await ask(session.account, "select", name, writable)
    if box is None:
        raise NoSuchMailbox(name)
    if attributes_of(box):
        raise NotPossible("cannot be selected", public="That name cannot be selected.")
    return box


def attributes_of(box: Any) -> list[bytes]:
    """Give the LIST attributes that an IMailbox tells through its flags (RFC 3501, 7.2.2)."""
    flags = {str(flag).lower() for flag in box.getFlags()}
    return [b"\\Noselect"] if "\\noselect" in flags else []


async def select(session: ReferralServer, name: str) -> Answer:
    """Open a mailbox (RFC 3501 section 6.3.1)."""
    return await _select(session, name, True)


async def examine(session: ReferralServer, name: str) -> Answer:
    """Open a mailbox for reading only (RFC 3501 section 6.3.2)."""
    return await _select(session, name, False)


async def _select(session: ReferralServer, name: str, writable: bool) -> Answer:
    # A SELECT that fails leaves nothing selected (RFC 3501 section 6.3.1).
    await leave(session)
    box = await open_mailbox(session, name, writable)
    flags = [str(flag).encode("ascii") for flag in box.getFlags()]
    writable = writable and bool(box.isWriteable())
    session.untagged(number(box.getMessageCount()), b"EXISTS")
    session.untagged(number(box.getRecentCount()), b"RECENT")
    session.untagged(b"FLAGS", paren_list(*flags))
    may_change = [*flags, b"\\*"] if writable else []
    permanent = paren_list(*may_change).decode("ascii")
    for code in (
        Code("PERMANENTFLAGS", permanent),
        Code("UIDVALIDITY", str(box.getUIDValidity())),
        Code("UIDNEXT", str(box.getUIDNext())),
    ):
        session.write(render(None, ok("Mailbox data.", code)))
    box.addListener(session)
    session.selected(box, writable)
    return ok("Mailbox selected.", Code("READ-WRITE" if writable else "READ-ONLY"))


async def leave(session: ReferralServer) -> None:
    """Give up the selected mailbox, if one is, and let it close."""
    box = session.mbox
    session.deselect()
    closeable = ICloseableMailbox(box, None) if box is not None else None
    if closeable is not None:
        await maybeDeferred(closeable.close)


async def close(session: ReferralServer) -> Answer:
    """Expunge silently and deselect (RFC 3501 section 6.4.2)."""
    if session.mbox is not None and session.writable:
        await ask(session.mbox, "expunge")
    await leave(session)
    return ok("Mailbox closed.")


async def unselect(session: ReferralServer) -> Answer:
    """Deselect and expunge nothing (RFC 3691)."""
    await leave(session)
    return ok("Mailbox closed, nothing expunged.")


async def check(session: ReferralServer) -> Answer:
    """Do nothing more than NOOP does (RFC 3501 section 6.4.1)."""
    return ok("Checked.")


async def expunge(session: ReferralServer) -> Answer:
    """Remove messages marked as deleted (RFC 3501 section 6.4.3)."""
    if not session.writable:
        return no("The mailbox is open for reading only.", Code("NOPERM"))
    gone = await ask(session.mbox, "expunge")
    # Highest first: then each number is right whatever has gone before it.
    for message in sorted(gone, reverse=True):
        session.untagged(number(message), b"EXPUNGE")
    return ok("Expunged.")


async def create(session: ReferralServer, name: str) -> Answer:
    """Make a mailbox (RFC 3501 section 6.3.3)."""
    if name == "INBOX":
        return no("INBOX is always there.", Code("ALREADYEXISTS"))
    made = await ask(session.account, "create", name)
    return ok("Mailbox created.") if made else no("Mailbox not created.", Code("CANNOT"))


async def delete(session: ReferralServer, name: str) -> Answer:
    """Remove a mailbox (RFC 3501 section 6.3.4)."""
    if name == "INBOX":
        return no("INBOX cannot be deleted.", Code("CANNOT"))
    await ask(session.account, "delete", name)
    return ok("Mailbox deleted.")


async def rename(session: ReferralServer, old: str, new: str) -> Answer:
    """Give a mailbox another name (RFC 3501 section 6.3.5)."""
    if "INBOX" in (old, new):
        return no("INBOX cannot be renamed here.", Code("CANNOT"))
    await ask(session.account, "rename", old, new)
    return ok("Mailbox renamed.")


async def subscribe(session: ReferralServer, name: str) -> Answer:
    """Add a name to the subscriptions (RFC 3501 section 6.3.6)."""
    await ask(session.account, "subscribe", name)
    return ok("Subscribed.")


async def unsubscribe(session: ReferralServer, name: str) -> Answer:
    """Take a name from the subscriptions (RFC 3501 section 6.3.7)."""
    await ask(session.account, "unsubscribe", name)
    return ok("Unsubscribed.")


async def list_(session: ReferralServer, reference: str, pattern: str) -> Answer:
    """List names (RFC 3501 section 6.3.8)."""
    return await _list(session, b"LIST", reference, pattern)


async def lsub(session: ReferralServer, reference: str, pattern: str) -> Answer:
    """List subscribed names (RFC 3501 section 6.3.9)."""
    return await _list(session, b"LSUB", reference, pattern)


async def _list(session: ReferralServer, kind: bytes, reference: str, pattern: str) -> Answer:
    boxes = list(await ask(session.account, "listMailboxes", "", "*"))
    delimiter = boxes[0][1].getHierarchicalDelimiter() if boxes else "/"
    if not pattern:
        session.untagged(kind, paren_list(b"\\Noselect"), quoted(delimiter), b'""')
        return ok("Listed.")
    # The account's own matching is not relied upon: only its names are.
    matches = compile_pattern(reference, pattern, delimiter)
    for name, box in boxes:
        if not matches(name):
            continue
        if kind == b"LSUB" and not await ask(session.account, "isSubscribed", name):
            continue
        session.untagged(kind, paren_list(*attributes_of(box)), quoted(delimiter), mailbox(name))
    return ok("Listed.")


async def status(session: ReferralServer, name: str, items: tuple[str, ...]) -> Answer:
    """Tell counts of a mailbox without opening it (RFC 3501 section 6.3.10)."""
    unknown = [item for item in items if item not in STATUS_ITEMS]
    if unknown:
        return no("A status item that is not known here.", Code("CANNOT"))
    box = await open_mailbox(session, name, False)
    found = await ask(box, "requestStatus", list(items))
    told = [part for item in items for part in (item.encode("ascii"), number(int(found[item])))]
    session.untagged(b"STATUS", mailbox(name), paren_list(*told))
    return ok("Status told.")


async def namespace(session: ReferralServer) -> Answer:
    """Tell the namespaces: personal, other users', shared (RFC 2342)."""
    presenter: Any = INamespacePresenter(session.account, None)
    told: list[Any] = [[[b"", b"/"]], None, None]
    if presenter is not None:
        told = [
            presenter.getPersonalNamespaces(),
            presenter.getUserNamespaces(),
            presenter.getSharedNamespaces(),
        ]
    shown: bytes = collapseNestedLists([part or None for part in told])  # type: ignore[no-untyped-call]
    session.untagged(b"NAMESPACE", shown)
    return ok("Namespaces told.")
