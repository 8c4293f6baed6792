"""UIDPLUS: which UIDs messages got, and removal of chosen messages only (RFC 4315).

A mailbox need not know of it. What it says that it gave a new message is told only where that is
indeed the UID at its end: a wrong one would make a client lose mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from referrald.mailmodel import Placed
from referrald.session import edge
from referrald.session.table import Answer
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, no, ok
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

DELETED: Final = "\\Deleted"


async def appended(box: Any, made: Any) -> Code | None:
    """Tell the UID that a message got."""
    if not await at_the_end(box, [made]):
        return None
    return Code("APPENDUID", f"{await edge.ask(box, 'getUIDValidity')} {made}")


async def copied(box: Any, originals: Sequence[int], made: Sequence[Any]) -> Code | None:
    """Tell the UIDs that copies got, in the order of the originals."""
    if not made or len(made) != len(originals) or not await at_the_end(box, made):
        return None
    validity = await edge.ask(box, "getUIDValidity")
    return Code("COPYUID", f"{validity} {spans(originals)} {spans(made)}")


def placed(by_store: Placed) -> Code | None:
    """Tell the UIDs that a store has given copies (RFC 4315 section 3)."""
    if not by_store.uids:
        return None
    sources, copies = spans(by_store.sources), spans(by_store.uids)
    return Code("COPYUID", f"{by_store.uid_validity} {sources} {copies}")


async def at_the_end(box: Any, made: Sequence[Any]) -> bool:
    """Say whether these are the UIDs of the last messages."""
    count = int(await edge.ask(box, "getMessageCount"))
    first = count - len(made) + 1
    return first >= 1 and await edge.uids(box, first, count) == list(made)


def spans(uids: Sequence[int]) -> str:
    """Write UIDs as a sequence set."""
    ranges = edge.message_set(uids).ranges
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges)


def one_set(command: Command) -> tuple[SequenceSet]:
    """Read a command that takes a sequence set and nothing else."""
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.end()
    return (messages,)


async def uid_expunge(session: ReferralServer, messages: SequenceSet) -> Answer:
    """Remove those of the messages that are marked as deleted, and no others."""
    if not session.writable:
        return no("The mailbox is open for reading only.", Code("NOPERM"))
    view = session.view
    assert view is not None, "for the selected state only"
    box = session.mbox
    await remove_marked(box, view.pick(messages, True) or ())
    session.newMessages(await edge.ask(box, "getMessageCount"), None)
    return ok("Expunged.")


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
