"""SEARCH: the store is asked, and told is what the client wants to hear of what was found."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

from referrald.errors import ReferraldError
from referrald.query import All, Found, Query, Uids
from referrald.session import condstore
from referrald.session.charsets import CHARSETS
from referrald.session.naming import UTF8_ACCEPT
from referrald.session.pace import Pace
from referrald.session.searching import Search
from referrald.session.table import Answer
from referrald.session.targets import SOME_GONE
from referrald.session.view import View
from referrald.wire.response import (
    Code,
    StatusError,
    bad,
    no,
    number,
    number_set,
    numbers,
    ok,
    paren_list,
)
from referrald.wire.response import string as quoted
from referrald.wire.sets import Spelling

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

PIECE: Final = 10_000
"""Messages whose numbers are found out at a time."""

CLOSE: Final = 10
"""Messages for each one found, at most, where all are looked at."""

MAX_SAVED: Final = 1_000_000
"""Messages that a session remembers of a search (four bytes each)."""

UNKNOWN_CHARSET: Final = no(
    "That charset is not known here.", Code("BADCHARSET", f"({' '.join(CHARSETS)})")
)
UTF8_ONLY: Final = bad("All is UTF-8 since UTF8=ACCEPT was enabled.")
NOT_SAVED: Final = no("Too many messages were found to keep them in mind.", Code("NOTSAVED"))


async def search(session: ReferralServer, wanted: Search, *, by_uid: bool = False) -> Answer:
    """Tell which messages match (RFC 3501 section 6.4.4, RFC 4731)."""
    view = session.view
    assert view is not None, "for the selected state only"
    if wanted.charset is not None and UTF8_ACCEPT in session.enabled:
        return UTF8_ONLY
    if wanted.modseq:
        condstore.use(session)
    results = wanted.results
    if results is None and session.rev2:
        results = frozenset({"ALL"})
    saves = results is not None and "SAVE" in results
    try:
        if not wanted.known:
            raise StatusError(UNKNOWN_CHARSET)
        pace = Pace(session.door.clock, session.door.wheel)
        found = await _find(session, view, wanted.key(view))
        told = _Told(session, view, found, by_uid, pace)
        await told.look_up()
        if results is None:
            await told.plainly(wanted.modseq)
        else:
            await told.extended(wanted, results)
    except (ReferraldError, StatusError):
        if saves:
            view.saved = ()
        raise
    if not by_uid and await session.holds_removals():
        return SOME_GONE
    return ok("Searched.")


async def _find(session: ReferralServer, view: View, query: Query) -> Found:
    """Ask the store about the messages that the client knows of."""
    if not len(view):
        return Found(uids=())
    wanted = All((Uids(((view.uids[0], view.last_uid),)), query))
    found: Found = await session.folder.search(wanted)
    return found


class _Told:
    """What is told of a search. uids: what was found; names: what the client calls these."""

    def __init__(
        self, session: ReferralServer, view: View, found: Found, by_uid: bool, pace: Pace
    ) -> None:
        self._session = session
        self._pace = pace
        self._view = view
        self._found = found
        self._by_uid = by_uid
        self.uids: list[int] = []
        self.names: list[int] = []

    async def look_up(self) -> None:
        """Find the message numbers; what the client does not know of is left out."""
        known = self._view.uids
        for at in range(0, len(self._found.uids), PIECE):
            wanted = self._found.uids[at : at + PIECE]
            low, high = bisect_left(known, wanted[0]), bisect_right(known, wanted[-1])
            if high - low < len(wanted) * CLOSE:
                self._all_between(set(wanted), low, high)
            else:
                self._one_by_one(wanted, low)
            await self._pace.breathe()

    def _all_between(self, wanted: set[int], low: int, high: int) -> None:
        """Look at each message that the client knows, where most have been found."""
        known = self._view.uids[low:high]
        chosen = list(map(wanted.__contains__, known))
        uids = list(compress(known, chosen))
        self.uids += uids
        self.names += uids if self._by_uid else compress(range(low + 1, high + 1), chosen)

    def _one_by_one(self, wanted: Sequence[int], place: int) -> None:
        known = self._view.uids
        for uid in wanted:
            place = bisect_left(known, uid, place)
            if place < len(known) and known[place] == uid:
                self.uids.append(uid)
                self.names.append(uid if self._by_uid else place + 1)

    async def plainly(self, with_modseq: bool) -> None:
        """Tell all of them, in the way of IMAP4rev1."""
        parts: list[Any] = [b"SEARCH"]
        for at in range(0, len(self.names), PIECE):
            parts.append(numbers(self.names[at : at + PIECE]))
            await self._pace.breathe()
        if self.names and with_modseq:
            parts.append(paren_list(b"MODSEQ", number(self._found.modseq)))
        self._session.untagged(*parts)

    async def extended(self, wanted: Search, results: frozenset[str]) -> None:
        """Tell, and keep in mind, what RETURN asks for."""
        if "SAVE" in results:
            self._save(results)
        if results == {"SAVE"}:
            return
        parts: list[Any] = [b"ESEARCH", paren_list(b"TAG", quoted(wanted.tag))]
        if self._by_uid:
            parts.append(b"UID")
        names = self.names
        if names and "MIN" in results:
            parts += [b"MIN", number(names[0])]
        if names and "MAX" in results:
            parts += [b"MAX", number(names[-1])]
        if names and "ALL" in results:
            parts += [b"ALL", await self._as_set()]
        if "COUNT" in results:
            parts += [b"COUNT", number(len(names))]
        if names and wanted.modseq:
            parts += [b"MODSEQ", number(await self._modseq(results))]
        self._session.untagged(*parts)

    async def _as_set(self) -> bytes:
        spelling = Spelling()
        for at in range(0, len(self.names), PIECE):
            spelling.add(self.names[at : at + PIECE])
            await self._pace.breathe()
        return number_set(spelling)

    def _save(self, results: frozenset[str]) -> None:
        """Keep messages in mind; of MIN and MAX alone only these (RFC 5182 section 2.4)."""
        uids = self.uids
        if len(uids) > MAX_SAVED:
            raise StatusError(NOT_SAVED)
        ends = self._ends(results)
        self._view.saved = array("I", uids if ends is None else ends)

    def _ends(self, results: frozenset[str]) -> list[int] | None:
        """Give the messages that MIN and MAX ask for, None where others are asked for too."""
        asked = results - {"SAVE"}
        if not asked or not asked <= {"MIN", "MAX"}:
            return None
        first, last = self.uids[:1], self.uids[-1:]
        ends = {*(first if "MIN" in asked else ()), *(last if "MAX" in asked else ())}
        return sorted(ends)

    async def _modseq(self, results: frozenset[str]) -> int:
        """Give the highest modification sequence of the messages that are told (RFC 7162)."""
        ends = self._ends(results)
        if ends is None:
            return self._found.modseq
        rows = await self._session.folder.rows(ends, ["modseq"])
        return max((int(modseq) for _uid, modseq in rows), default=self._found.modseq)
