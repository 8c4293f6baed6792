"""COPY: put messages of one IMailbox into another, all of them or none."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.mail.imap4 import IMessageCopier, IMessageFile

from referrald.session import edge
from referrald.session.pace import Pace

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def copy_all(session: ReferralServer, messages: list[Any], target: Any) -> None:
    """Copy messages with flags and dates; take them back when one of them fails."""
    pace = Pace(session.door.clock, session.door.wheel)
    made: list[int] = []
    try:
        for message in messages:
            uid = await _copy(message, target)
            if isinstance(uid, int):
                made.append(uid)
            await pace.breathe()
    except Exception:
        if made:
            await _take_back(session, target, made)
        raise


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
    """Remove copies again; only mark them where others would go with them."""
    deleted = "\\Deleted"
    try:
        await edge.ask(target, "store", edge.message_set(uids), [deleted], 1, True)
        marked = set()
        count = int(await edge.ask(target, "getMessageCount"))
        for message in await edge.messages(target, await edge.uids(target, 1, count)):
            if deleted in edge.flag_names(await edge.ask(message, "getFlags")):
                marked.add(await edge.ask(message, "getUID"))
        if marked <= set(uids):
            await edge.ask(target, "expunge")
    except Exception as error:  # noqa: BLE001 - what failed first is what the client is told
        session.door.notes.fault(f"{session.session_id}: copies could not be taken back", error)
