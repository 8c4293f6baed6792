"""Who is told what of a mailbox that is on another server (RFC 2193): policy, and nothing else.

A client that has asked for remote names gets the referral. For any other it is policy: the mailbox
does not exist (``hide``), a text tells a person where it is (``say``), or it is like any other and
commands are carried out there (``relay``).
"""

from __future__ import annotations

from typing import Final, Literal

import attrs

from referrald.errors import MailboxReferral, NoSuchMailbox
from referrald.wire.response import Code, Status, no, referral

TAKEN: Final = no("That name belongs to another server.", Code("CANNOT"))
NO_COUNTS: Final = no("Counts of a mailbox on another server are not told here.")
NONE: Final = no(NoSuchMailbox.public, Code("NONEXISTENT"))


@attrs.frozen(kw_only=True)
class Audience:
    """A client, as far as answers depend on it.

    asks: it has asked for remote names. unasked: the policy for those that have not.
    refer_status: STATUS refers too; by default it does not, as clients send hundreds.
    one_url: it takes several URLs for one, and gets the first only.
    """

    asks: bool
    unasked: Literal["hide", "say", "relay"]
    refer_status: bool
    one_url: bool = False

    def is_told(self, error: MailboxReferral) -> bool:
        """Say whether this client may learn where the mailbox is."""
        # Where all of a user's mail is, the client was told when it logged in.
        return self.asks or error.personal or self.unasked != "hide"

    def answer(self, error: MailboxReferral) -> Status:
        """Refer, or deny that there is such a mailbox."""
        if not self.is_told(error):
            return NONE
        urls = error.urls[:1] if self.one_url and not error.pairs else error.urls
        return referral("NO", urls, f"{error.public[:-1]}: {host_of(error.urls[0])}.")

    def answer_to_create(self, error: MailboxReferral) -> Status:
        """Refer, or say that a new mailbox cannot have that name."""
        return self.answer(error) if self.is_told(error) else TAKEN

    def answer_to_status(self, error: MailboxReferral) -> Status:
        """Refer where that is switched on."""
        if self.is_told(error) and not self.refer_status:
            return NO_COUNTS
        return self.answer(error)


def host_of(url: str) -> str:
    """Give the server of a URL of ours, for people."""
    return url.rpartition("@")[2].partition("/")[0]
