"""CONDSTORE: modification sequences of messages, for clients that want them (RFC 7162)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from referrald.wire.response import Code, StatusError, bad, ok, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

CONDSTORE: Final = "CONDSTORE"
NO_MODSEQS: Final = bad("This mailbox has no modification sequences.")


def use(session: ReferralServer) -> None:
    """Take note of a command on the selected mailbox that enables CONDSTORE (section 3.1).

    Raises where the mailbox has no modification sequences (section 3.1.2.2).
    """
    if not session.has_modseqs:
        raise StatusError(NO_MODSEQS)
    enable(session)


def enable(session: ReferralServer) -> None:
    """Tell of modification sequences from now on."""
    session.enable([CONDSTORE])


def begin(session: ReferralServer) -> None:
    """Tell a client that has just enabled CONDSTORE where the selected mailbox is (section 3.1)."""
    if session.folder is not None and session.has_modseqs:
        session.write(render(None, ok("From here on.", highest(session))))


def highest(session: ReferralServer) -> Code:
    """Tell the highest modification sequence of the selected mailbox that the client knows of."""
    if not session.has_modseqs:
        return Code("NOMODSEQ")
    return Code("HIGHESTMODSEQ", str(session.modseq))
