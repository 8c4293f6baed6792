"""FETCH: carried out (RFC 3501 section 6.4.5)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import MailboxException

from referrald.errors import NoPermission, OverQuota, Unavailable
from referrald.mailmodel import Stored
from referrald.session import condstore, recents, sections
from referrald.session.fetching import FLAGS, MODSEQ, Item
from referrald.session.pace import Pace
from referrald.session.plan import Plan, plan
from referrald.session.sections import Reader
from referrald.session.table import Answer
from referrald.session.targets import GONE, NO_SUCH_NUMBER, SOME_GONE, view_of
from referrald.session.view import UID as UIDS
from referrald.wire.response import ok
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

SEEN: Final = "\\Seen"
_SEEN: Final = b"\\Seen"
Numbered = tuple[int, Sequence[Any]]
"""A message number, and what the mailbox knows of the message."""


async def fetch(
    session: ReferralServer,
    messages: SequenceSet,
    items: tuple[Item, ...],
    since: int | None = None,
    *,
    by_uid: bool = False,
) -> Answer:
    """Send what is asked for of messages, of those changed after ``since`` if that is given."""
    if since is not None or MODSEQ in items:
        condstore.use(session)
    view = view_of(session)
    runs = view.runs(messages, by_uid)
    if runs is None:
        return NO_SUCH_NUMBER
    how = plan(items, by_uid=by_uid, since=since is not None, modseqs=session.condstore)
    uids, numbers = view.uids_of(runs), array(UIDS, chain.from_iterable(runs))
    work = _Fetching(session, how, since)
    at, size = 0, how.size
    while at < len(uids):
        sent = await work.batch(uids[at : at + size], numbers[at : at + size])
        at, size = at + size, how.next_size(size, sent)
    if work.missing and not by_uid:
        return GONE if work.missing == len(uids) else SOME_GONE
    return ok("Fetched.")


class _Fetching:
    """One FETCH. missing: how many messages were gone."""

    def __init__(self, session: ReferralServer, how: Plan, since: int | None) -> None:
        self.missing = 0
        self._session = session
        self._plan = how
        self._since = since
        self._pace = Pace(session.door.clock, session.door.wheel)

    async def batch(self, uids: Sequence[int], numbers: Sequence[int]) -> int:
        """Answer for some messages; gives the bytes that took, where nothing was read."""
        how, session = self._plan, self._session
        rows = await session.folder.rows(uids, how.columns)
        if "flags" in how.columns:
            at = how.index("flags")
            # Another session may have made keywords of which the client has not heard.
            self._tell(session.new_flags_in(row[at] for row in rows))
            rows = recents.shown(view_of(session), rows, at)
        if len(rows) < len(uids):
            self.missing += len(uids) - len(rows)
            known = dict(zip(uids, numbers, strict=True))
            numbers = [known[row[0]] for row in rows]
        if self._since is not None:
            at, since = how.index("modseq"), self._since
            newer = [pair for pair in zip(numbers, rows, strict=True) if pair[1][at] > since]
            numbers, rows = [pair[0] for pair in newer], [pair[1] for pair in newer]
        lines = b""
        if how.reads:
            await self._read(list(zip(numbers, rows, strict=True)))
        elif rows:
            lines = how.lines(numbers, rows)
            if await session.send((lines,)):
                self._pace.rested()
        await self._pace.breathe()
        return len(lines)

    async def _read(self, messages: Sequence[Numbered]) -> None:
        """Send messages, or parts of them."""
        how, session = self._plan, self._session
        marked = await self._mark_seen(messages) if how.marks else {}
        for number, row in messages:
            more: list[Item] = []
            if row[0] in marked:
                row = marked[row[0]]
                more = [item for item in self._changed_items() if item not in how.told]
            content = await session.folder.read(row[0])
            if content is None:
                self.missing += 1
                continue
            try:
                values = await Reader(content, self._pace.breathe).values(how.reads)
                opening = how.opening(number, row, more)
                if await session.stream(sections.response(opening, values, content)):
                    self._pace.rested()
            finally:
                content.close()
            await self._pace.breathe()

    def _tell(self, line: bytes) -> None:
        if line:
            self._session.write(line)

    def _changed_items(self) -> tuple[Item, ...]:
        return (FLAGS, MODSEQ) if self._session.condstore else (FLAGS,)

    async def _mark_seen(self, messages: Sequence[Numbered]) -> dict[int, list[Any]]:
        """Set ``\\Seen`` where it is not; give what is known of those messages then."""
        session, at = self._session, self._plan.index("flags")
        rows = {row[0]: row for _number, row in messages if _SEEN not in row[at].split()}
        if not rows or not session.writable:
            return {}
        try:
            stored: Stored = await session.folder.store([*rows], [SEEN], 1)
        except (MailboxException, NoPermission, OverQuota, Unavailable):
            # What is read is sent all the same.
            return {}
        session.changed_by_client(stored.modseqs)
        self._tell(session.new_flags(stored.flags.values()))
        return {uid: self._after(rows[uid], stored) for uid in stored.flags if uid in rows}

    def _after(self, row: Sequence[Any], stored: Stored) -> list[Any]:
        how, uid, after = self._plan, row[0], list(row)
        names = recents.names_of(view_of(self._session), uid, stored.flags[uid])
        after[how.index("flags")] = " ".join(names).encode("ascii")
        if "modseq" in how.columns:
            after[how.index("modseq")] = stored.modseqs.get(uid, 0)
        return after
