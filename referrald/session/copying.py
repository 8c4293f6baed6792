"""COPY and MOVE: messages of the selected mailbox into another one, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.mail.imap4 import NoSuchMailbox as TwistedNoSuchMailbox

from referrald.errors import MailboxReferral, NoPermission, NoSuchMailbox
from referrald.mailmodel import Placed
from referrald.session import beyond, naming, rights, transfer, uidplus
from referrald.session.table import Answer
from referrald.session.targets import GONE, NO_SUCH_NUMBER, READ_ONLY, TRY_CREATE, view_of
from referrald.wire.response import Code, StatusError, ok, render
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def copy(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Copy messages to the end of a mailbox (RFC 3501 section 6.4.7)."""
    uids = _picked(session, messages, by_uid)
    name = await naming.meant(session, name)
    try:
        await beyond.require_here(session, name)
    except MailboxReferral as error:
        code = (await _put_there(session, error, uids, name, by_uid))[1]
        return ok("Copied.", code)
    placed = await _put_here(session, uids, name, by_uid, moving=False)
    return ok("Copied.", uidplus.copied(placed))


async def move(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Move messages to the end of a mailbox (RFC 6851)."""
    if not session.writable:
        return READ_ONLY
    uids = _picked(session, messages, by_uid)
    name = await naming.meant(session, name)
    try:
        await beyond.require_here(session, name)
    except MailboxReferral as error:
        if beyond.carried(session, error) and not await rights.may_move(session):
            raise NoPermission(session.selected_name) from None
        originals, code = await _put_there(session, error, uids, name, by_uid)
        await _remove(session.folder, originals)
    else:
        code = uidplus.copied(await _put_here(session, uids, name, by_uid, moving=True))
    # The UIDs have to be told before the messages are gone (RFC 6851 section 4.3).
    if code is not None:
        session.write(render(None, ok("Moved.", code)))
    session.look_again()
    return ok("Moved.")


def _picked(session: ReferralServer, messages: SequenceSet, by_uid: bool) -> Sequence[int]:
    uids = view_of(session).pick(messages, by_uid)
    if uids is None:
        raise StatusError(NO_SUCH_NUMBER)
    return uids


async def _put_here(
    session: ReferralServer, uids: Sequence[int], name: str, by_uid: bool, *, moving: bool
) -> Placed:
    uids = await _present(session, uids, by_uid)
    folder = session.folder
    try:
        placed: Placed = await (folder.move if moving else folder.copy)(uids, name)
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        # It may be the selected mailbox that is gone.
        raise await _which_is_gone(session, name) from None
    return placed


async def _which_is_gone(session: ReferralServer, name: str) -> Exception:
    try:
        await (await session.mail.open(name, False)).close()
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        return StatusError(TRY_CREATE)
    return NoSuchMailbox(session.selected_name)


async def _present(session: ReferralServer, uids: Sequence[int], by_uid: bool) -> Sequence[int]:
    """Give those that are still there; raises where a message number means one that is gone."""
    if by_uid:
        return uids
    rows = await session.folder.rows(uids, ())
    if len(rows) < len(uids):
        raise StatusError(GONE)
    return uids


async def _put_there(
    session: ReferralServer,
    error: MailboxReferral,
    uids: Sequence[int],
    name: str,
    by_uid: bool,
) -> tuple[list[int], Code | None]:
    """Copy into a mailbox of another server, or refer there."""
    if not beyond.carried(session, error):
        raise error
    uids = await _present(session, uids, by_uid)
    letters = transfer.letters_here(session.folder, uids)
    return await transfer.deliver(session, letters, name)


async def _remove(folder: Any, uids: Sequence[int]) -> None:
    if uids:
        await folder.store(uids, ["\\Deleted"], 1)
        await folder.expunge(uids)
