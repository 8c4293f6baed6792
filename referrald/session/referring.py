"""A session's mailbox referrals: the answer, a line in the log, and an eye on clients in a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from referrald.errors import MailboxReferral
from referrald.session.audience import Audience
from referrald.wire.response import Code, Status, no

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

LOOP: Final = no(
    "Your mail program is sent here for this mailbox again and again; two servers may disagree.",
    Code("LIMIT"),
)


def audience(session: ReferralServer) -> Audience:
    """Give what answers depend on."""
    door = session.door
    return Audience(
        asks=session.asks_for_remote,
        unasked=session.unasked,
        refer_status=door.refer_status,
        one_url=door.one_url.include(session.client_id),
    )


def status(session: ReferralServer, error: MailboxReferral) -> Status:
    """Refer, or deny that there is such a mailbox."""
    return _sent(session, error, audience(session).answer(error))


def taken(session: ReferralServer, error: MailboxReferral) -> Status:
    """Refer, or say that a new mailbox cannot have that name."""
    return _sent(session, error, audience(session).answer_to_create(error))


def counts(session: ReferralServer, error: MailboxReferral) -> Status:
    """Answer STATUS."""
    return _sent(session, error, audience(session).answer_to_status(error))


def _sent(session: ReferralServer, error: MailboxReferral, answer: Status) -> Status:
    """Note a referral that is about to be sent, unless it has been sent too often."""
    if answer.code is None or answer.code.name != "REFERRAL":
        return answer
    url, who = error.urls[0], f"{session.session_id} {session.peer}: {session.user}"
    notes, loops = session.door.notes, session.door.loops
    if loops is not None:
        # No person is so fast.
        if loops.is_storm(f"{session.user} {url}", session.peer_host):
            notes.note(
                f"loop {session.user} {url}",
                f"{who} was referred to {url} too often; do both servers say of the other "
                "that the mailbox is there?",
            )
            return LOOP
        loops.note_referred(f"{session.user} {url}", session.peer_host)
    notes.note(f"mailbox of {session.user}", f"{who} referred to {url}")
    return answer
