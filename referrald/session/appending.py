"""APPEND: a message from the client into a mailbox (RFC 3501 section 6.3.11)."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

from referrald.errors import MailboxReferral, WireError
from referrald.session import beyond, edge, naming, transfer, uidplus
from referrald.session.copying import target
from referrald.session.messages import NO_SUCH_FLAG, known_flags
from referrald.session.table import Answer
from referrald.wire.reader import Literal
from referrald.wire.response import ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def append(
    session: ReferralServer,
    name: str,
    flags: tuple[str, ...],
    date: datetime | None,
    message: Literal,
) -> Answer:
    """Put a message into a mailbox."""
    if message.binary:
        raise WireError("A literal8 is not allowed there.")
    name = await naming.meant(session, name)
    try:
        async with target(session, name) as box:
            if not await known_flags(box, flags):
                return NO_SUCH_FLAG
            when = None if date is None else edge.date_time(date).encode("ascii")
            made = await edge.ask(box, "addMessage", BytesIO(message.value), list(flags), when)
            return ok("Appended.", await uidplus.appended(box, made))
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        return await transfer.append_there(session, error.replicas, flags, date, message)
