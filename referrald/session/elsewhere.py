"""Commands that work at the home of a mailbox only: access rights and quota (RFC 4314, RFC 9208).

For a mailbox that is on another server they refer there, so that a client can manage it through
any server's name. For those that are here they have nothing to offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from referrald.errors import MailboxReferral
from referrald.model import Refuse, Serve
from referrald.session import answers
from referrald.session.table import Answer
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, no

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

NAMES: Final = ("SETACL", "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS", "GETQUOTAROOT")
NOT_HERE: Final = no("That is not available for mailboxes of this server.", Code("CANNOT"))


def about(command: Command) -> tuple[str]:
    """Read the mailbox that a command begins with; what follows is for its home to read."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    arguments.rest()
    return (name,)


async def refer(session: ReferralServer, name: str) -> Answer:
    """Refer to the home of a mailbox."""
    decision = await session.mail.locate(name)
    if isinstance(decision, Refuse):
        return answers.refused(decision)
    if isinstance(decision, Serve):
        return NOT_HERE
    raise MailboxReferral(decision.urls, personal=decision.personal)
