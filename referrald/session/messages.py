"""Commands on messages: FETCH, STORE, SEARCH, their UID forms, and IDLE.

Messages are asked for by UID, whatever the client calls them: see `referrald.session.view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import MailboxException

from referrald.errors import NoPermission, WireError
from referrald.mailmodel import Stored
from referrald.session import edge
from referrald.session.candidate import NUMBERS, Candidate
from referrald.session.fetching import FLAGS, UID, Item, Subject, columns_of
from referrald.session.pace import Pace
from referrald.session.searching import CHARSETS, Search
from referrald.session.table import Answer
from referrald.session.targets import (
    GONE,
    NO_SUCH_FLAG,
    NO_SUCH_NUMBER,
    READ_ONLY,
    known_flags,
    view_of,
)
from referrald.session.view import View
from referrald.wire.reader import Command
from referrald.wire.response import (
    Code,
    continuation,
    no,
    number,
    ok,
    paren_list,
)
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

SEEN: Final = "\\Seen"
_SEEN: Final = b"\\Seen"
MODES: Final = {"": 0, "+": 1, "-": -1}


async def uid(session: ReferralServer, inner: Command) -> Answer:
    """Carry out the UID form of a command, which stands in the table as ``UID NAME``."""
    spec = session.door.table.find(session.state, b"UID " + inner.name)
    if spec is None:
        raise WireError("No such command with UID.")
    return await spec.handler(session, *spec.grammar(inner))


# -- FETCH -----------------------------------------------------------------------------------


async def fetch(
    session: ReferralServer,
    messages: SequenceSet,
    items: tuple[Item, ...],
    *,
    by_uid: bool = False,
) -> Answer:
    """Send what is asked for of messages (RFC 3501 section 6.4.5)."""
    view = view_of(session)
    uids = view.pick(messages, by_uid)
    if uids is None:
        return NO_SUCH_NUMBER
    if by_uid and UID not in items:
        items = (UID, *items)
    sent = 0
    pace = Pace(session.door.clock, session.door.wheel)
    columns = columns_of(items)
    for batch in edge.batches(uids):
        for row in await session.folder.rows(batch, columns):
            sent += await _send(session, view, row, items, pace)
    return GONE if sent < len(uids) and not by_uid else ok("Fetched.")


async def _send(
    session: ReferralServer, view: View, row: Any, items: tuple[Item, ...], pace: Pace
) -> bool:
    """Send one message's answer; False for a message that the client does not know."""
    its_uid, flags, *others = row
    its_number = view.number(its_uid)
    if its_number is None:
        return False
    if session.writable and _SEEN not in flags and any(item.marks_seen for item in items):
        seen = await _mark_seen(session, its_uid)
        if seen is not None:
            flags = seen
            items = items if FLAGS in items else (*items, FLAGS)
    subject = Subject(session.folder, its_uid, flags, others)
    if await session.send(await subject.answer(its_number, items)):
        pace.rested()
    await pace.breathe()
    return True


async def _mark_seen(session: ReferralServer, its_uid: int) -> bytes | None:
    """Set ``\\Seen``; give the flags as they are then, None where it could not be set."""
    try:
        stored: Stored = await session.folder.store([its_uid], [SEEN], 1)
    except (MailboxException, NoPermission):
        return None
    session.changed_by_client(stored.modseqs)
    flags = stored.flags.get(its_uid)
    return None if flags is None else " ".join(flags).encode("ascii")


# -- STORE -----------------------------------------------------------------------------------


async def store(
    session: ReferralServer,
    messages: SequenceSet,
    sign: str,
    silent: bool,
    flags: tuple[str, ...],
    *,
    by_uid: bool = False,
) -> Answer:
    """Change the flags of messages (RFC 3501 section 6.4.6)."""
    uids = view_of(session).pick(messages, by_uid)
    if uids is None:
        return NO_SUCH_NUMBER
    if not session.writable:
        return READ_ONLY
    if not await known_flags(session.folder, flags):
        return NO_SUCH_FLAG
    stored: Stored = await session.folder.store(uids, flags, MODES[sign])
    session.changed_by_client(stored.modseqs)
    if not silent:
        _tell_stored(session, stored, by_uid)
    return GONE if len(stored.flags) < len(uids) and not by_uid else ok("Stored.")


def _tell_stored(session: ReferralServer, stored: Stored, by_uid: bool) -> None:
    view = view_of(session)
    for its_uid, names in stored.flags.items():
        its_number = view.number(its_uid)
        if its_number is None:
            continue
        items = [b"FLAGS", paren_list(*names)]
        if by_uid:
            items += [b"UID", number(its_uid)]
        session.untagged(number(its_number), b"FETCH", paren_list(*items))


# -- SEARCH ----------------------------------------------------------------------------------


async def search(session: ReferralServer, wanted: Search, *, by_uid: bool = False) -> Answer:
    """Tell which messages match (RFC 3501 section 6.4.4)."""
    if wanted.charset is not None:
        known = " ".join(CHARSETS)
        return no("That charset is not known here.", Code("BADCHARSET", f"({known})"))
    view = view_of(session)
    pace = Pace(session.door.clock, session.door.wheel)
    found: list[int] = []
    for batch in edge.batches(_possible(view, wanted)):
        for stored in await session.folder.fetch(batch):
            its_number = view.number(stored.uid)
            if its_number is not None:
                candidate = Candidate(
                    its_number, stored.uid, len(view), view.last_uid, stored, session.folder
                )
                if await _matches(candidate, wanted):
                    found.append(stored.uid if by_uid else its_number)
            await pace.breathe()
    session.untagged(b"SEARCH", *map(number, sorted(found)))
    return ok("Searched.")


def _possible(view: View, wanted: Search) -> list[int]:
    """Give the UIDs of the messages that pass the tests for which no message is needed."""
    keys = [key for key in wanted.keys if key.cost == NUMBERS]
    count, last = len(view), view.last_uid
    return [
        its_uid
        for its_number, its_uid in enumerate(view.uids, 1)
        if all(key.test(Candidate(its_number, its_uid, count, last)) for key in keys)
    ]


async def _matches(candidate: Candidate, wanted: Search) -> bool:
    for key in wanted.keys:
        await candidate.learn(key.cost)
        if not key.test(candidate):
            return False
    return True


# -- IDLE ------------------------------------------------------------------------------------


async def idle(session: ReferralServer) -> Answer:
    """Tell of changes as they happen, until the client says DONE (RFC 2177).

    The time counts as silence: a client says IDLE again every 29 minutes, as the RFC asks.
    """
    await session.report()
    session.write(continuation("idling"))
    session.idling = True
    try:
        line = await session.read_line()
    finally:
        session.idling = False
    if line.upper() != b"DONE":
        raise WireError("Expected DONE.")
    return ok("Idled.")
