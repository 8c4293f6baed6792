"""Commands on mailboxes elsewhere that are carried out there, for clients that never asked for
remote names: for them such a mailbox is like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from referrald.errors import MailboxReferral, NoSuchMailbox, ReferraldError, Unavailable
from referrald.mailmodel import ReferMailbox, RemoteMailbox
from referrald.session import capabilities
from referrald.session.away import AwayMailbox, as_status, passed
from referrald.session.table import Answer

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

BELOW_KEPT = 15.0
"""Seconds for which the names below a mailbox elsewhere are not asked for again."""


def carried(session: ReferralServer, error: MailboxReferral) -> bool:
    """Say whether a command is carried out at the other server, rather than referred there."""
    return bool(error.replicas) and session.relays


async def select(
    session: ReferralServer, places: Sequence[Any], name: str, writable: bool
) -> Answer:
    """Open a mailbox elsewhere."""
    errands = session.errands
    opened = await errands.select(places, not writable)
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


# -- what is below mailboxes elsewhere ---------------------------------------------------------


async def with_below(
    session: ReferralServer, remote: Sequence[RemoteMailbox]
) -> Sequence[RemoteMailbox]:
    """Add the names that only the other servers know: those below mailboxes that are listed.

    What cannot be had at the moment is left out.
    """
    known = {box.name for box in remote}
    found = [*remote]
    for box in remote:
        if box.subtree and box.location.replicas:
            for below in await _below(session, box):
                if below.name not in known:
                    known.add(below.name)
                    found.append(below)
    return found


async def _below(session: ReferralServer, box: RemoteMailbox) -> Sequence[RemoteMailbox]:
    now = session.door.clock()
    kept = session.below.get(box.name)
    if kept is not None and now - kept[0] < BELOW_KEPT:
        return kept[1]
    try:
        found = await _ask_below(session, box)
    except ReferraldError as error:
        session.door.notes.note(
            f"below {error}", f"{session.session_id}: what is below {box.name!r}: {error}"
        )
        found = ()
    session.below[box.name] = now, found
    return found


async def _ask_below(session: ReferralServer, box: RemoteMailbox) -> tuple[RemoteMailbox, ...]:
    decision = await session.mail.locate(box.name)
    if not isinstance(decision, ReferMailbox):
        return ()
    delimiter = session.mail.delimiter
    found = []
    place, lines = await session.errands.below(decision.replicas)
    for line in lines:
        theirs = line.delimiter or "/"
        if not line.name.startswith(place.name + theirs):
            continue
        rest = line.name[len(place.name) + len(theirs) :]
        if delimiter != theirs and delimiter in rest:
            # No name here can have that.
            continue
        name = box.name + delimiter + rest.replace(theirs, delimiter)
        there = await session.mail.locate(name)
        # A backend may have another opinion of some names, and its word counts.
        if isinstance(there, ReferMailbox) and any(
            (each.server, each.name) == (place.server, line.name) for each in there.replicas
        ):
            location = box.location
            found.append(RemoteMailbox(name=name, location=location, attributes=line.attributes))
    return tuple(found)
