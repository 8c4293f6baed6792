"""What Twisted's IMailbox has no method for, done with those that it has.

It removes all messages that are marked, never some; it need not say which UID a message got, and
what it says is believed only where that is indeed the UID at its end: a wrong one would make a
client lose mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from io import BytesIO
from typing import Any, Final

from twisted.logger import Logger
from twisted.mail.imap4 import IMessageCopier, IMessageFile

from referrald.mailmodel import NewMessage, Placed
from referrald.session import edge
from referrald.session.held import Held

DELETED: Final = "\\Deleted"
Breathe = Callable[[], Awaitable[None]]
"""Lets others have a turn, if it is time."""

_log = Logger(namespace="referrald")


async def add(box: Any, messages: Sequence[NewMessage], breathe: Breathe) -> Placed:
    """Put new messages in, all or none; `Placed` has no UIDs where they are not known."""

    async def put(new: NewMessage) -> Any:
        date = None if new.received is None else edge.date_time(new.received).encode("ascii")
        content = new.content.value if isinstance(new.content, Held) else new.content
        return await edge.ask(box, "addMessage", BytesIO(content), list(new.flags), date)

    return await _placed(box, await _all_or_none(box, messages, put, breathe))


async def copy(box: Any, messages: Sequence[Any], breathe: Breathe) -> Placed:
    """Copy messages of another IMailbox with flags and dates, all or none."""
    sources = [int(await edge.ask(message, "getUID")) for message in messages]

    async def put(message: Any) -> Any:
        return await _copy(message, box)

    made = await _all_or_none(box, messages, put, breathe)
    return await _placed(box, made, tuple(sources))


async def _all_or_none(
    box: Any, messages: Sequence[Any], put: Callable[[Any], Awaitable[Any]], breathe: Breathe
) -> list[Any]:
    """Put messages in; take them back when one of them fails. Gives what is said of each."""
    made: list[Any] = []
    try:
        for message in messages:
            made.append(await put(message))
            await breathe()
    except Exception:
        uids = sorted(uid for uid in made if isinstance(uid, int))
        if uids:
            await _take_back(box, uids)
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


async def _take_back(box: Any, uids: list[int]) -> None:
    """Remove messages again."""
    try:
        await mark(box, uids, 1)
        await remove_marked(box, uids)
    except Exception:  # noqa: BLE001 - what failed first is what the client is told
        _log.failure("messages could not be taken back")


async def _placed(box: Any, made: Sequence[Any], sources: tuple[int, ...] = ()) -> Placed:
    validity = int(await edge.ask(box, "getUIDValidity"))
    if not made or not await _at_the_end(box, made):
        return Placed(uid_validity=validity, uids=(), sources=sources)
    return Placed(uid_validity=validity, uids=tuple(made), sources=sources)


async def _at_the_end(box: Any, made: Sequence[Any]) -> bool:
    count = int(await edge.ask(box, "getMessageCount"))
    first = count - len(made) + 1
    return first >= 1 and await edge.uids(box, first, count) == list(made)


async def remove_marked(box: Any, uids: Sequence[int]) -> None:
    """Remove those of the messages that are marked as deleted, and no others.

    An IMailbox removes all that are marked: the others lose the mark for the time being.
    """
    chosen = set(uids)
    spared = [uid for uid in await _marked(box) if uid not in chosen]
    await mark(box, spared, -1)
    try:
        await edge.ask(box, "expunge")
    finally:
        await mark(box, spared, 1)


async def _marked(box: Any) -> list[int]:
    """Give the UIDs of the messages that an expunge would remove."""
    count = int(await edge.ask(box, "getMessageCount"))
    marked = []
    for batch in edge.batches(await edge.uids(box, 1, count)):
        for message in await edge.messages(box, batch):
            if DELETED in edge.flag_names(await edge.ask(message, "getFlags")):
                marked.append(int(await edge.ask(message, "getUID")))
    return sorted(marked)


async def mark(box: Any, uids: Sequence[int], mode: int) -> None:
    """Mark messages as deleted (mode 1), or take the mark away (-1)."""
    if uids:
        await edge.ask(box, "store", edge.message_set(uids), [DELETED], mode, True)
