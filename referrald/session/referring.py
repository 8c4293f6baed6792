"""What a client is told of a mailbox that is on another server (RFC 2193).

A client that has asked for remote names gets the referral. For any other it is policy: the mailbox
does not exist (``hide``), or a text tells a person where it is (``say``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from referrald.errors import MailboxReferral, NoSuchMailbox
from referrald.wire.response import Code, Status, no, referral

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

TAKEN: Final = no("That name belongs to another server.", Code("CANNOT"))
NO_COUNTS: Final = no("Counts of a mailbox on another server are not told here.")
LOOP: Final = no(
    "Your mail program is sent here for this mailbox again and again; two servers may disagree.",
    Code("LIMIT"),
)
NONE: Final = no(NoSuchMailbox.public, Code("NONEXISTENT"))


def is_told(session: ReferralServer, error: MailboxReferral) -> bool:
    """Say whether this client may learn where the mailbox is."""
    # Where all of a user's mail is, the client was told when it logged in.
    return error.personal or session.door.unasked == "say" or session.asks_for_remote


def status(session: ReferralServer, error: MailboxReferral) -> Status:
    """Refer, or deny that there is such a mailbox."""
    if not is_told(session, error):
        return NONE
    if _goes_round(session, error.urls[0]):
        return LOOP
    return referral("NO", error.urls, f"{error.public[:-1]}: {_host(error.urls[0])}.")


def _goes_round(session: ReferralServer, url: str) -> bool:
    """Notice a client that two servers send to each other: no person is so fast."""
    loops = session.door.loops
    if loops is None:
        return False
    if loops.is_storm(f"{session.user} {url}", session.peer_host):
        session.door.notes.note(
            f"loop {session.user} {url}",
            f"{session.session_id} {session.peer}: {session.user} was referred to {url} too often; "
            "is this server told there that it has the mailbox?",
        )
        return True
    loops.note_referred(f"{session.user} {url}", session.peer_host)
    return False


def _host(url: str) -> str:
    """Give the server of a URL of ours, for people."""
    return url.rpartition("@")[2].partition("/")[0]


def taken(session: ReferralServer, error: MailboxReferral) -> Status:
    """Refer, or say that a new mailbox cannot have that name."""
    return status(session, error) if is_told(session, error) else TAKEN


def counts(session: ReferralServer, error: MailboxReferral) -> Status:
    """Answer STATUS, which refers only where that is switched on: clients send hundreds."""
    if is_told(session, error) and not session.door.refer_status:
        return NO_COUNTS
    return status(session, error)
