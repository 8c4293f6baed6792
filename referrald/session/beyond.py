"""Commands on mailboxes elsewhere that are carried out there, for clients that never asked for
remote names: for them such a mailbox is like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from referrald.errors import MailboxReferral, NoSuchMailbox, Unavailable
from referrald.mailmodel import ReferMailbox
from referrald.model import Refuse
from referrald.session import answers, capabilities
from referrald.session.away import AwayMailbox, as_status, passed
from referrald.session.table import Answer
from referrald.wire.response import StatusError

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


def carried(session: ReferralServer, error: MailboxReferral) -> bool:
    """Say whether a command is carried out at the other server, rather than referred there."""
    return bool(error.replicas) and session.relays


async def require_here(session: ReferralServer, name: str) -> None:
    """Raise unless a mailbox of that name belongs to this server."""
    decision = await session.mail.locate(name)
    if isinstance(decision, ReferMailbox):
        raise MailboxReferral(decision.urls, personal=decision.personal, replicas=decision.replicas)
    if isinstance(decision, Refuse):
        note = f"{session.session_id} {session.user}: {name!r}: {decision.cause}"
        session.door.notes.note(f"refused {decision.cause}", note)
        raise StatusError(answers.refused(decision))


async def select(
    session: ReferralServer, places: Sequence[Any], name: str, writable: bool
) -> Answer:
    """Open a mailbox elsewhere."""
    errands = session.errands
    opened = await errands.select(places, not writable, session.condstore)
    answer = passed(opened.answer)
    if not opened.answer.upper().startswith(b"OK"):
        errands.park(opened)
        return answer
    box = AwayMailbox(session, errands, opened)
    box.chosen = places
    session.selected_away(box, name)
    if opened.data:
        session.write(opened.data)
    if box.lacking:
        session.untagged(b"CAPABILITY", capabilities.line(session))
    session.door.notes.note(
        f"mailbox of {session.user}",
        f"{session.session_id} {session.peer}: {session.user} relayed to mailbox "
        f"{opened.place.name!r} at {opened.place.server}",
    )
    return answer


async def command(session: ReferralServer, error: MailboxReferral, name: str) -> Answer:
    """Carry out a command that names but the mailbox."""
    session.below.clear()
    return told(await session.errands.command(error.replicas, name))


async def rename(session: ReferralServer, error: MailboxReferral) -> Answer:
    """Give a mailbox elsewhere another name there."""
    session.below.clear()
    return told(await session.errands.rename(*error.replicas))


def told(done: Any) -> Answer:
    """Give what a server answered as our own answer."""
    reply = done.reply
    return passed(b"%b %b\r\n" % (reply.kind.encode("ascii"), reply.text))


async def counts(
    session: ReferralServer, places: Sequence[Any], items: Sequence[str]
) -> dict[str, int]:
    """Give the counts of a mailbox elsewhere; raises where its server tells none."""
    done, found = await session.errands.status(places, items)
    if not done.reply.ok:
        code = as_status(told(done)).code
        if code is not None and code.name == "NONEXISTENT":
            raise NoSuchMailbox
        raise Unavailable(f"{done.place.server} tells no counts of {done.place.name!r}")
    if not set(items) <= found.keys():
        raise Unavailable(f"{done.place.server} does not tell all counts")
    return {item: found[item] for item in items}
