"""STATUS, and the counts that LIST tells along with names.

RFC 3501 section 6.3.10, RFC 5819 (LIST-STATUS), RFC 7162 (HIGHESTMODSEQ), RFC 7889 (APPENDLIMIT),
RFC 8438 (SIZE), RFC 9051 and RFC 9208 (DELETED, DELETED-STORAGE).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from twisted.mail.imap4 import MailboxException, NegativeResponse

from referrald.errors import MailboxReferral, ReferraldError
from referrald.mailmodel import MailboxStatus
from referrald.session import beyond, condstore, naming, referring
from referrald.session.accounts import append_limit, has_store
from referrald.session.pace import Pace
from referrald.session.table import Answer
from referrald.wire.response import Wire, bad, number, ok, paren_list, untagged

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

_COUNTS: Final[Mapping[str, Callable[[MailboxStatus], int]]] = {
    "MESSAGES": lambda counts: counts.messages,
    "RECENT": lambda counts: counts.recent,
    "UIDNEXT": lambda counts: counts.uid_next,
    "UIDVALIDITY": lambda counts: counts.uid_validity,
    "UNSEEN": lambda counts: counts.unseen,
    "SIZE": lambda counts: counts.size,
    "DELETED": lambda counts: counts.deleted,
    "DELETED-STORAGE": lambda counts: counts.deleted_size,
    "HIGHESTMODSEQ": lambda counts: counts.modseq,
}
APPENDLIMIT: Final = "APPENDLIMIT"
_STORES: Final = frozenset({*_COUNTS, APPENDLIMIT})
_FOREIGN: Final = frozenset(
    {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", APPENDLIMIT}
)


def known(session: ReferralServer, items: Iterable[str]) -> bool:
    """Say whether all this can be told of the mailboxes of an account.

    An account that somebody wrote for Twisted counts neither bytes nor what is marked as deleted.
    """
    can = _STORES if has_store(session) else _FOREIGN
    return can.issuperset(items)


async def status(session: ReferralServer, name: str, items: tuple[str, ...]) -> Answer:
    """Tell counts of a mailbox without opening it."""
    if not known(session, items):
        return bad("Unknown status item.")
    note_items(session, items)
    try:
        session.write_ahead(await _status_line(session, name, items))
    except MailboxReferral as error:
        return referring.counts(session, error)
    return ok("Status told.")


def note_items(session: ReferralServer, items: Iterable[str]) -> None:
    """Take a client that asks for HIGHESTMODSEQ for one that knows CONDSTORE (RFC 7162, 3.1)."""
    if "HIGHESTMODSEQ" in items:
        condstore.enable(session)


async def _status_line(session: ReferralServer, name: str, items: Sequence[str]) -> bytes:
    try:
        found = await session.mail.status(await naming.meant(session, name))
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        counts = await beyond.counts(session, error.replicas, items)
        told = [part for item in items for part in (item.encode("ascii"), number(counts[item]))]
        return untagged(b"STATUS", naming.shown(session, name), paren_list(*told))
    return Teller(session, items).line(name, found)


class Teller:
    """Renders the STATUS responses of one command; what they have in common is looked up once."""

    def __init__(self, session: ReferralServer, items: Iterable[str]) -> None:
        self._session = session
        self._limit = append_limit(session) if APPENDLIMIT in items else 0
        self._tells = [_COUNTS.get(item, self._append_limit) for item in items]
        # All that differs from line to line is numbers.
        self._form = b"(%b)" % b" ".join(item.encode("ascii") + b" %d" for item in items)

    def _append_limit(self, _counts: MailboxStatus) -> int:
        return self._limit

    def line(self, name: str, counts: MailboxStatus) -> bytes:
        """Give the response for one mailbox."""
        told = Wire(self._form % tuple([tell(counts) for tell in self._tells]))
        return untagged(b"STATUS", naming.shown(self._session, name), told)


# -- many at once ----------------------------------------------------------------------------


async def lines(
    session: ReferralServer, here: Sequence[str], items: Sequence[str], pace: Pace
) -> dict[str, bytes]:
    """Give the STATUS responses of mailboxes that are here; those that have none are left out."""
    note_items(session, items)
    teller = Teller(session, items)
    found: dict[str, bytes] = {}
    # A store counts all in one go; others are asked one by one, and are to hold nobody up.
    step = max(len(here), 1) if has_store(session) else 1
    for at in range(0, len(here), step):
        counts = await session.mail.statuses(here[at : at + step])
        await pace.breathe()
        found.update((name, teller.line(name, count)) for name, count in counts.items())
    await pace.breathe()
    return found


async def line_elsewhere(session: ReferralServer, name: str, items: Sequence[str]) -> bytes:
    """Give the STATUS response of a mailbox elsewhere, nothing where it has none."""
    try:
        return await _status_line(session, name, items)
    except (ReferraldError, MailboxException, NegativeResponse):
        # Its server cannot be asked, or cannot tell: the name itself is all there is to tell.
        return b""
