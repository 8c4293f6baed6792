"""Commands on whole mailboxes, through the account that the realm gave (`IReferralAccount`).

A name that belongs to another server makes the account raise `MailboxReferral`; what the client is
told then is up to `referrald.session.referring`. The listing commands are in
`referrald.session.listing`, STATUS is in `referrald.session.counting`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from referrald.errors import MailboxReferral, MalformedName, NoPermission
from referrald.mailmodel import FolderState
from referrald.model import Serve
from referrald.session import beyond, condstore, naming, recents, referring
from referrald.session.accounts import has_store
from referrald.session.edge import ask, native
from referrald.session.foreign import presenter
from referrald.session.names import NON_EXISTENT
from referrald.session.table import Answer
from referrald.session.targets import view_of
from referrald.wire.response import (
    Code,
    Wire,
    no,
    nstring,
    number,
    ok,
    paren_list,
    quoted,
    render,
    untagged,
)

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

BETWEEN_SERVERS: Final = no(
    "A mailbox cannot be renamed from one server to another; copy its messages instead.",
    Code("CANNOT"),
)


async def select(session: ReferralServer, name: str, modseqs: bool = False) -> Answer:
    """Open a mailbox (RFC 3501 section 6.3.1)."""
    return await _select(session, name, modseqs, writable=True)


async def examine(session: ReferralServer, name: str, modseqs: bool = False) -> Answer:
    """Open a mailbox for reading only (RFC 3501 section 6.3.2)."""
    return await _select(session, name, modseqs, writable=False)


async def _leave(session: ReferralServer) -> None:
    """Close what is selected: a SELECT that fails leaves nothing so (RFC 3501 section 6.3.1)."""
    was_selected = session.mbox is not None
    await session.leave_mailbox()
    if was_selected and session.rev2:
        session.write(render(None, ok("Previous mailbox closed.", Code("CLOSED"))))


async def _select(session: ReferralServer, name: str, modseqs: bool, *, writable: bool) -> Answer:
    await _leave(session)
    if modseqs:
        condstore.enable(session)
    said, name = name, await naming.meant(session, name)
    try:
        folder = await session.mail.open(name, writable)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        return await beyond.select(session, error.replicas, name, writable)
    opened: FolderState = await folder.state()
    writable = writable and bool(folder.writable)
    view = recents.first_view(folder, opened.uids)
    await recents.told(session, view, folder, opened.recent, opened.uid_next - 1)
    session.write_ahead(untagged(number(len(opened.uids)), b"EXISTS"))
    if not session.rev2:
        session.write_ahead(recents.first_line(view, opened))
    session.write_ahead(untagged(b"FLAGS", paren_list(*opened.flags)))
    session.selected(folder, opened, view, writable, name)
    for code in _codes(session, opened):
        session.write_ahead(render(None, ok("Mailbox data.", code)))
    if session.rev2:
        await naming.tell(session, name, said)
    return ok("Mailbox selected.", Code("READ-WRITE" if writable else "READ-ONLY"))


async def misnamed(session: ReferralServer, command: str, error: MalformedName) -> Answer:
    """Refuse a name that no mailbox can have; SELECT of one leaves nothing selected either."""
    if command in ("SELECT", "EXAMINE"):
        await _leave(session)
    raise error


def _codes(session: ReferralServer, opened: FolderState) -> list[Code]:
    permanent = opened.permanent if session.writable else ()
    codes = [
        Code("PERMANENTFLAGS", paren_list(*permanent).decode("ascii")),
        Code("UIDVALIDITY", str(opened.uid_validity)),
        Code("UIDNEXT", str(opened.uid_next)),
        condstore.highest(session),
    ]
    if opened.first_unseen is None or session.rev2:
        # IMAP4rev2 does not tell of it (RFC 9051 appendix E).
        return codes
    return [*codes, Code("UNSEEN", str(view_of(session).number(opened.first_unseen)))]


async def close(session: ReferralServer) -> Answer:
    """Expunge silently and deselect (RFC 3501 section 6.4.2)."""
    if session.writable:
        # Who may not remove messages can close a mailbox all the same (RFC 4314 section 4).
        with suppress(NoPermission):
            await session.folder.expunge()
    await session.leave_mailbox()
    return ok("Mailbox closed.")


async def unselect(session: ReferralServer) -> Answer:
    """Deselect and expunge nothing (RFC 3691)."""
    await session.leave_mailbox()
    return ok("Mailbox closed, nothing expunged.")


async def check(session: ReferralServer) -> Answer:
    """Do nothing more than NOOP does (RFC 3501 section 6.4.1)."""
    return ok("Checked.")


async def expunge(session: ReferralServer) -> Answer:
    """Remove messages marked as deleted (RFC 3501 section 6.4.3)."""
    if not session.writable:
        return no("The mailbox is open for reading only.", Code("NOPERM"))
    await session.folder.expunge()
    # What is gone is told with everything else that has changed, in the client's own numbers.
    session.look_again()
    return ok("Expunged.")


async def create(session: ReferralServer, name: str, special_use: tuple[str, ...] = ()) -> Answer:
    """Make a mailbox (RFC 3501 section 6.3.3, RFC 6154 section 3)."""
    said, name = name, naming.normal(name)
    try:
        await session.mail.create(name, special_use)
    except MailboxReferral as error:
        if beyond.carried(session, error):
            return await beyond.command(session, error, "CREATE")
        return referring.taken(session, error)
    if said != name and session.rev2:
        await naming.tell(session, undelimited(session, name), undelimited(session, said))
    return ok("Mailbox created.")


async def delete(session: ReferralServer, name: str) -> Answer:
    """Remove a mailbox (RFC 3501 section 6.3.4)."""
    said, name = name, await naming.meant(session, name)
    try:
        await session.mail.delete(name)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        return await beyond.command(session, error, "DELETE")
    if said != name and session.rev2:
        naming.send(session, (NON_EXISTENT,), name, said)
    return ok("Mailbox deleted.")


async def rename(session: ReferralServer, old: str, new: str) -> Answer:
    """Give a mailbox another name (RFC 3501 section 6.3.5)."""
    said = old, new
    old, new = await naming.meant(session, old), naming.normal(new)
    try:
        await session.mail.rename(old, new)
    except MailboxReferral as error:
        if beyond.carried(session, error):
            return await beyond.rename(session, error)
        if session.relays:
            return BETWEEN_SERVERS
        if isinstance(await session.mail.locate(old), Serve):
            return referring.taken(session, error)
        raise
    if said != (old, new) and session.rev2:
        await naming.tell(session, undelimited(session, new), said[0])
    return ok("Mailbox renamed.")


async def subscribe(session: ReferralServer, name: str) -> Answer:
    """Add a name to the subscriptions (RFC 3501 section 6.3.6)."""
    name = await naming.meant(session, name)
    try:
        await session.mail.subscribe(name)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        await session.mail.remember(name)
    return ok("Subscribed.")


async def unsubscribe(session: ReferralServer, name: str) -> Answer:
    """Take a name from the subscriptions (RFC 3501 section 6.3.7)."""
    if name not in await session.mail.subscriptions():
        name = await naming.meant(session, name)
    try:
        await session.mail.unsubscribe(name)
    except MailboxReferral as error:
        if referring.audience(session).is_told(error) and not beyond.carried(session, error):
            raise
        # For this client the mailbox is gone; it may have subscribed to it when it was here.
        await session.mail.forget(name)
    return ok("Unsubscribed.")


async def namespace(session: ReferralServer) -> Answer:
    """Tell the namespaces: personal, other users', shared (RFC 2342)."""
    own: Any = None if has_store(session) else presenter(session.account)
    if own is None:
        if not has_store(session):
            # It knows its delimiter from its mailboxes only.
            await session.mail.entries()
        told = _told(session)
    else:
        told = [
            _namespaces(session, await ask(own, method))
            for method in ("getPersonalNamespaces", "getUserNamespaces", "getSharedNamespaces")
        ]
    session.untagged(b"NAMESPACE", *told)
    return ok("Namespaces told.")


def _told(session: ReferralServer) -> list[Wire]:
    mail = session.mail
    given = mail.namespaces()
    kinds = (given.personal, given.others, given.shared)
    return [_namespaces(session, [(prefix, mail.delimiter) for prefix in kind]) for kind in kinds]


def _namespaces(session: ReferralServer, given: Iterable[tuple[Any, Any]] | None) -> Wire:
    """Render the prefixes and delimiters of one kind of namespace."""
    shown = [
        paren_list(
            naming.shown_prefix(session, native(prefix)),
            quoted(native(delimiter)) if delimiter else nstring(None),
        )
        for prefix, delimiter in given or ()
    ]
    return Wire(b"(" + b"".join(shown) + b")") if shown else nstring(None)


def undelimited(session: ReferralServer, name: str) -> str:
    """Drop the delimiter that a client may put after a new name (RFC 3501 section 6.3.3)."""
    delimiter = session.mail.delimiter
    return name.removesuffix(delimiter) if delimiter else name
