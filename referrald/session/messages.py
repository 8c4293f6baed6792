"""Commands on messages: FETCH, STORE, SEARCH, their UID forms, and IDLE.

Messages are asked for by UID, whatever the client calls them: see `referrald.session.view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from referrald.errors import WireError
from referrald.session import edge
from referrald.session.candidate import NUMBERS, Candidate
from referrald.session.pace import Pace
from referrald.session.searching import CHARSETS, Search
from referrald.session.table import Answer
from referrald.session.targets import (
    view_of,
)
from referrald.session.view import View
from referrald.wire.reader import Command
from referrald.wire.response import (
    Code,
    continuation,
    no,
    number,
    ok,
)

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def uid(session: ReferralServer, inner: Command) -> Answer:
    """Carry out the UID form of a command, which stands in the table as ``UID NAME``."""
    spec = session.door.table.find(session.state, b"UID " + inner.name)
    if spec is None:
        raise WireError("No such command with UID.")
    return await spec.handler(session, *spec.grammar(inner))


# -- SEARCH ----------------------------------------------------------------------------------


async def search(session: ReferralServer, wanted: Search, *, by_uid: bool = False) -> Answer:
    """Tell which messages match (RFC 3501 section 6.4.4)."""
    if wanted.charset is not None:
        known = " ".join(CHARSETS)
        return no("That charset is not known here.", Code("BADCHARSET", f"({known})"))
    view = view_of(session)
    pace = Pace(session.door.clock, session.door.wheel)
    found: list[int] = []
    for batch in edge.batches(_possible(view, wanted)):
        for stored in await session.folder.fetch(batch):
            its_number = view.number(stored.uid)
            if its_number is not None:
                candidate = Candidate(
                    its_number, stored.uid, len(view), view.last_uid, stored, session.folder
                )
                if await _matches(candidate, wanted):
                    found.append(stored.uid if by_uid else its_number)
            await pace.breathe()
    session.untagged(b"SEARCH", *map(number, sorted(found)))
    return ok("Searched.")


def _possible(view: View, wanted: Search) -> list[int]:
    """Give the UIDs of the messages that pass the tests for which no message is needed."""
    keys = [key for key in wanted.keys if key.cost == NUMBERS]
    count, last = len(view), view.last_uid
    return [
        its_uid
        for its_number, its_uid in enumerate(view.uids, 1)
        if all(key.test(Candidate(its_number, its_uid, count, last)) for key in keys)
    ]


async def _matches(candidate: Candidate, wanted: Search) -> bool:
    for key in wanted.keys:
        await candidate.learn(key.cost)
        if not key.test(candidate):
            return False
    return True


# -- IDLE ------------------------------------------------------------------------------------


async def idle(session: ReferralServer) -> Answer:
    """Tell of changes as they happen, until the client says DONE (RFC 2177).

    The time counts as silence: a client says IDLE again every 29 minutes, as the RFC asks.
    """
    await session.report()
    session.write(continuation("idling"))
    session.idling = True
    try:
        line = await session.read_line()
    finally:
        session.idling = False
    if line.upper() != b"DONE":
        raise WireError("Expected DONE.")
    return ok("Idled.")
