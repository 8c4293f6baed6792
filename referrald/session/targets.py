"""What commands on messages work on, and what they say where it is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import NoSuchMailbox as TwistedNoSuchMailbox

from referrald.errors import NoSuchMailbox
from referrald.session.view import View
from referrald.wire.arguments import SYSTEM_FLAGS
from referrald.wire.response import Code, StatusError, bad, no, ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

READ_ONLY: Final = no("The mailbox is open for reading only.", Code("NOPERM"))
TRY_CREATE: Final = no("There is no such mailbox.", Code("TRYCREATE"))
NO_SUCH_FLAG: Final = no("There is no such system flag.", Code("CANNOT"))
NO_SUCH_NUMBER: Final = bad("No message has that number.")
_EXPUNGED: Final = Code("EXPUNGEISSUED")
GONE: Final = no("The messages no longer exist: they have been deleted.", _EXPUNGED)
"""What is said where nothing is left of what numbers mean (RFC 2180 section 4)."""

SOME_GONE: Final = ok("Done, as far as the messages still exist.", _EXPUNGED)
"""What is said where others have been looked at or changed as asked for (RFC 5530 section 3)."""


def view_of(session: ReferralServer) -> View:
    """Give what the client knows of the selected mailbox."""
    view = session.view
    assert view is not None, "for the selected state only"
    return view


@asynccontextmanager
async def target(session: ReferralServer, name: str) -> AsyncIterator[Any]:
    """Give the folder of a mailbox that takes messages, for the time being, or raise."""
    try:
        folder = await session.mail.open(name, True)
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        raise StatusError(TRY_CREATE) from None
    try:
        if not folder.writable:
            raise StatusError(READ_ONLY)
        yield folder
    finally:
        await folder.close()


async def known_flags(folder: Any, flags: Sequence[str]) -> bool:
    """Say whether none of ``flags`` is a system flag that nobody knows."""
    strange = [flag for flag in flags if flag[0] == "\\" and flag not in SYSTEM_FLAGS.values()]
    if not strange:
        return True
    known = {flag.lower() for flag in (await folder.state()).flags}
    return all(flag.lower() in known for flag in strange)
