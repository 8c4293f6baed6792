"""Commands that only the home of a mailbox can carry out: access rights and quota.

RFC 4314, RFC 9208. For a mailbox that is on another server they refer there, so that a client can
manage it through any server's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from referrald.errors import MailboxReferral
from referrald.model import Refuse, Serve
from referrald.session import answers
from referrald.wire.response import Code, StatusError, no

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

NOT_HERE: Final = no("That is not available for mailboxes of this server.", Code("CANNOT"))


async def insist_here(session: ReferralServer, name: str) -> None:
    """Raise unless a mailbox is here: what refers to its home, or says why not."""
    decision = await session.mail.locate(name)
    if isinstance(decision, Refuse):
        raise StatusError(answers.refused(decision))
    if not isinstance(decision, Serve):
        raise MailboxReferral(decision.urls, personal=decision.personal, replicas=decision.replicas)
