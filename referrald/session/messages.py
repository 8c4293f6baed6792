"""Commands on messages: FETCH, STORE, SEARCH, their UID forms, and IDLE.

Messages are asked for by UID, whatever the client calls them: see `referrald.session.view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from referrald.errors import WireError
from referrald.session.table import Answer
from referrald.wire.reader import Command
from referrald.wire.response import (
    continuation,
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
