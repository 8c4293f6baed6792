"""Names that only another server knows: those below a mailbox that backends list, and those at the
home of a user who reads public mailboxes here. They are asked for when a client lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from referrald.errors import ReferraldError
from referrald.mailmodel import ReferMailbox, RemoteMailbox

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

INBOX: Final = "INBOX"
NO_SELECT: Final = "\\Noselect"
KEPT: Final = 15.0
"""Seconds for which such names are not asked for again."""


async def with_below(
    session: ReferralServer, remote: Sequence[RemoteMailbox]
) -> Sequence[RemoteMailbox]:
    """Add the names that only the other servers know: those below mailboxes that are listed.

    What cannot be had at the moment is left out.
    """
    found = {box.name: box for box in remote}
    for box in remote:
        if box.location.replicas and (box.subtree or box.name == INBOX):
            for more in await _recent(session, box):
                if more.name == box.name and _cannot_be_opened(more):
                    # It is there as a level only: a client that opened it would get a NO.
                    found[box.name] = attrs.evolve(box, attributes=(*box.attributes, NO_SELECT))
                found.setdefault(more.name, more)
    return [*found.values()]


def _cannot_be_opened(box: RemoteMailbox) -> bool:
    return any(each.lower() in ("\\noselect", "\\nonexistent") for each in box.attributes)


async def _recent(session: ReferralServer, box: RemoteMailbox) -> Sequence[RemoteMailbox]:
    now = session.door.clock()
    kept = session.below.get(box.name)
    if kept is not None and now - kept[0] < KEPT:
        return kept[1]
    try:
        found = await _ask(session, box)
    except ReferraldError as error:
        session.door.notes.note(
            f"names {error}",
            f"{session.session_id}: lists lack what the server of {box.name!r} has: {error}",
        )
        found = ()
    session.below[box.name] = now, found
    return found


async def _ask(session: ReferralServer, box: RemoteMailbox) -> tuple[RemoteMailbox, ...]:
    decision = await session.mail.locate(box.name)
    if not isinstance(decision, ReferMailbox):
        return ()
    if box.subtree:
        place, lines = await session.errands.below(decision.replicas)
    elif decision.personal:
        place, lines = await session.errands.everything(decision.replicas)
    else:
        return ()
    found = []
    for line in lines:
        # At home everything has the name that it has here.
        name = line.name
        if box.subtree:
            name = _name_here(session.mail.delimiter, box.name, place.name, line)
        if name and await _is_there(session, name, place.server, line.name):
            found.append(
                RemoteMailbox(name=name, location=box.location, attributes=line.attributes)
            )
    return tuple(found)


def _name_here(delimiter: str, root: str, root_there: str, line: Any) -> str:
    """Give the name here of a mailbox below ``root``; empty where it cannot have one."""
    theirs = line.delimiter or "/"
    if line.name == root_there:
        return root
    rest = line.name.removeprefix(root_there + theirs)
    if rest == line.name or (delimiter != theirs and delimiter in rest):
        return ""
    return root + delimiter + str(rest.replace(theirs, delimiter))


async def _is_there(session: ReferralServer, name: str, server: Any, name_there: str) -> bool:
    """Say whether routing agrees: a backend may have another opinion, and its word counts."""
    decision = await session.mail.locate(name)
    return isinstance(decision, ReferMailbox) and any(
        (each.server, each.name) == (server, name_there) for each in decision.replicas
    )
