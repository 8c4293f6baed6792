"""UIDPLUS: which UIDs messages got, and removal of chosen messages only (RFC 4315)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from referrald.mailmodel import Placed
from referrald.session import edge
from referrald.session.table import Answer
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, no, ok
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


def appended(placed: Placed) -> Code | None:
    """Tell the UIDs that new messages got, where they are known (RFC 4315 section 3)."""
    if not placed.uids:
        return None
    return Code("APPENDUID", f"{placed.uid_validity} {spans(placed.uids)}")


def copied(placed: Placed) -> Code | None:
    """Tell the UIDs that copies got, in the order of the originals, where they are known."""
    if not placed.uids or len(placed.uids) != len(placed.sources):
        return None
    return Code("COPYUID", f"{placed.uid_validity} {spans(placed.sources)} {spans(placed.uids)}")


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
    await session.folder.expunge(view.pick(messages, True) or ())
    # What is gone is told with everything else that has changed, in the client's own numbers.
    session.look_again()
    return ok("Expunged.")
