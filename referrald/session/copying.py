"""COPY: put messages of one IMailbox into another, all of them or none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import IMessageCopier, IMessageFile
from twisted.mail.imap4 import NoSuchMailbox as TwistedNoSuchMailbox

from referrald.errors import NoSuchMailbox
from referrald.session import edge, uidplus
from referrald.session.pace import Pace
from referrald.wire.response import Code, StatusError, no

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


READ_ONLY: Final = no("The mailbox is open for reading only.", Code("NOPERM"))
TRY_CREATE: Final = no("There is no such mailbox.", Code("TRYCREATE"))


@asynccontextmanager
async def target(session: ReferralServer, name: str) -> AsyncIterator[Any]:
    """Give a mailbox that takes messages, for the time being, or raise."""
    try:
        box = await session.mail.open(name, True)
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        raise StatusError(TRY_CREATE) from None
    try:
        if not await edge.ask(box, "isWriteable"):
            raise StatusError(READ_ONLY)
        yield box
    finally:
        if getattr(box, "folder", None) is not None:
            await edge.ask(box, "close")


async def copy_all(session: ReferralServer, messages: list[Any], target: Any) -> list[Any]:
    """Copy messages with flags and dates; take them back when one of them fails.

    Gives what the mailbox says of each copy: its UID, if it says anything.
    """
    pace = Pace(session.door.clock, session.door.wheel)
    made: list[Any] = []
    try:
        for message in messages:
            made.append(await _copy(message, target))
            await pace.breathe()
    except Exception:
        uids = sorted(uid for uid in made if isinstance(uid, int))
        if uids:
            await _take_back(session, target, uids)
        raise
    return made


async def _copy(message: Any, target: Any) -> Any:
    copier: Any = IMessageCopier(target, None)
    if copier is not None:
        return await edge.ask(copier, "copy", message)
    flags = await edge.ask(message, "getFlags")
    date = await edge.ask(message, "getInternalDate")
    if IMessageFile.providedBy(message):
        file = await edge.ask(message, "open")
    else:
        file = BytesIO(await edge.content(message))
    try:
        return await edge.ask(target, "addMessage", file, flags, date)
    finally:
        file.close()


async def _take_back(session: ReferralServer, target: Any, uids: list[int]) -> None:
    """Remove copies again."""
    try:
        await uidplus.mark(target, uids, 1)
        await uidplus.remove_marked(target, uids)
    except Exception as error:  # noqa: BLE001 - what failed first is what the client is told
        session.door.notes.fault(f"{session.session_id}: copies could not be taken back", error)
