"""Remote mailboxes in JSON: entries as ``[[mailboxes]]`` of the table file has them."""

from __future__ import annotations

from referrald.backends.homespec import HomeReader
from referrald.backends.mailboxsection import MailboxSection
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable

FAULTS_TOLD = 3


def read_mailboxes(user: str, value: object) -> MailboxTable:
    """Read the entries that a user may see; raises `Unavailable`."""
    faults: list[str] = []

    def tell(table: str, key: str, wrong: Wrong) -> None:
        faults.append(" ".join(filter(None, (table, key, str(wrong)))))

    said = MailboxSection(HomeReader({}), str, tell).read(value)
    if faults:
        more = len(faults) - FAULTS_TOLD
        told = "; ".join(faults[:FAULTS_TOLD]) + (f"; and {more} more" if more > 0 else "")
        raise Unavailable(f"the answer about the mailboxes of {user!r}: {told}")
    return MailboxTable(said)
