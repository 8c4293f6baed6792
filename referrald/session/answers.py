"""Turn decisions and errors into what the client is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.mail.imap4 import (
    MailboxCollision,
    MailboxException,
    NegativeResponse,
    NoSuchMailbox,
    ReadOnlyMailbox,
)

from referrald.errors import (
    AuthenticationFailed,
    LoginReferral,
    MailboxReferral,
    ReferraldError,
    WireError,
)
from referrald.model import Refer, Refuse
from referrald.session import referring
from referrald.session.audience import host_of
from referrald.wire.response import Code, Kind, Status, StatusError, body, no, referral
from referrald.wire.response import refused as wrong

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

SERVER: Final = "{server}"
"""What stands for the home server in a text of the operator's."""

DRAINING = "This server takes no connections, use the other one."

MAILBOX_CODES: tuple[tuple[type[Exception], str], ...] = (
    (NoSuchMailbox, "NONEXISTENT"),
    (MailboxCollision, "ALREADYEXISTS"),
    (ReadOnlyMailbox, "NOPERM"),
)


def referred(decision: Refer, text: str) -> bytes:
    """Render a login referral without its tag, once a decision (RFC 2221 section 4.1).

    text: what people read; ``{server}`` in it stands for the server.
    """
    rendered = decision.memo.get(text)
    if rendered is None:
        kind: Kind = "OK" if decision.authenticated else "NO"
        rendered = decision.memo[text] = body(
            referral(kind, decision.url, text.replace(SERVER, str(decision.server)))
        )
    return rendered


def refused(decision: Refuse) -> Status:
    """Say NO with the decision's code and text."""
    return no(decision.text, None if decision.code is None else Code(decision.code))


def drained(url: str) -> Status:
    """Send the client elsewhere before any login (RFC 2221 section 4.2)."""
    return referral("BYE", (url,), DRAINING)


def status_of(error: BaseException, session: ReferralServer) -> Status:
    """Give the status for an error that ended a command; write down the unexpected ones.

    What the client reads never comes from an exception that was not made for clients.
    """
    if isinstance(error, StatusError):
        return error.status
    if isinstance(error, ReferraldError):
        return _own_status(error, session)
    if isinstance(error, MailboxException | NegativeResponse):
        return _mailbox_status(error)
    if isinstance(error, LoginFailed | UnhandledCredentials):
        return no(AuthenticationFailed.public, Code("AUTHENTICATIONFAILED"))
    session.door.notes.fault(f"{session.session_id} {session.peer}: command failed", error)
    return no(ReferraldError.public, Code("SERVERBUG"))


def _own_status(error: ReferraldError, session: ReferralServer) -> Status:
    if isinstance(error, WireError):
        return wrong(error)
    if isinstance(error, LoginReferral):
        text = session.door.referral_text.replace(SERVER, host_of(error.urls[0]))
        return referral("NO", error.urls, text)
    if isinstance(error, MailboxReferral):
        return referring.status(session, error)
    if error.temporary:
        session.door.notes.note(f"unavailable {error}", f"{session.session_id}: {error}")
    return no(error.public, None if error.code is None else Code(error.code))


def _mailbox_status(error: Exception) -> Status:
    for kind, code in MAILBOX_CODES:
        if isinstance(error, kind):
            return no("Not possible with that mailbox.", Code(code))
    return no("Not possible with that mailbox.", Code("CANNOT"))
