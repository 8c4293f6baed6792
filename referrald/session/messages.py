"""Commands on messages: FETCH, STORE, COPY, SEARCH, their UID forms, and IDLE.

Messages are asked for by UID, whatever the client calls them: see `referrald.session.view`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import MailboxException

from referrald.errors import MailboxReferral, NoPermission, WireError
from referrald.session import beyond, edge, naming, transfer, uidplus
from referrald.session.candidate import NUMBERS, Candidate
from referrald.session.copying import READ_ONLY, copy_all, target
from referrald.session.fetching import FLAGS, UID, Item, Subject
from referrald.session.pace import Pace
from referrald.session.searching import CHARSETS, Search
from referrald.session.table import Answer
from referrald.session.view import View
from referrald.wire.arguments import SYSTEM_FLAGS
from referrald.wire.reader import Command
from referrald.wire.response import (
    Code,
    StatusError,
    bad,
    continuation,
    no,
    number,
    ok,
    paren_list,
    render,
)
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

NO_SUCH_NUMBER: Final = bad("No message has that number.")
GONE: Final = no("Some of the messages are gone.", Code("EXPUNGEISSUED"))
NO_SUCH_FLAG: Final = no("There is no such system flag.", Code("CANNOT"))
SEEN: Final = "\\Seen"
MODES: Final = {"": 0, "+": 1, "-": -1}


def view_of(session: ReferralServer) -> View:
    """Give what the client knows of the selected mailbox."""
    view = session.view
    assert view is not None, "for the selected state only"
    return view


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
    for batch in edge.batches(uids):
        for message in await edge.messages(session.mbox, batch):
            sent += await _send(session, view, message, items, pace)
    return GONE if sent < len(uids) and not by_uid else ok("Fetched.")


async def _send(
    session: ReferralServer, view: View, message: Any, items: tuple[Item, ...], pace: Pace
) -> bool:
    """Send one message's answer; False for a message that the client does not know."""
    its_uid = int(await edge.ask(message, "getUID"))
    its_number = view.number(its_uid)
    if its_number is None:
        return False
    flags = edge.flag_names(await edge.ask(message, "getFlags"))
    if session.writable and SEEN not in flags and any(item.marks_seen for item in items):
        seen = await _mark_seen(session, its_uid)
        if seen is not None:
            flags = seen
            items = items if FLAGS in items else (*items, FLAGS)
    if FLAGS in items:
        session.settled(its_uid, flags)
    subject = Subject(message, its_uid, flags)
    if await session.send(await subject.answer(its_number, items)):
        pace.rested()
    await pace.breathe()
    return True


async def _mark_seen(session: ReferralServer, its_uid: int) -> tuple[str, ...] | None:
    """Set ``\\Seen``; give the flags as they are then, None where it could not be set."""
    chosen = edge.message_set([its_uid])
    try:
        changed = await edge.ask(session.mbox, "store", chosen, [SEEN], 1, True)
    except (MailboxException, NoPermission):
        return None
    return next((edge.flag_names(flags) for flags in changed.values()), None)


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
    if not await known_flags(session.mbox, flags):
        return NO_SUCH_FLAG
    changed: dict[int, Any] = {}
    if uids:
        chosen = edge.message_set(uids)
        changed = await edge.ask(session.mbox, "store", chosen, list(flags), MODES[sign], True)
    await _tell_stored(session, changed, silent, by_uid)
    return GONE if len(changed) < len(uids) and not by_uid else ok("Stored.")


async def _tell_stored(
    session: ReferralServer, changed: dict[int, Any], silent: bool, by_uid: bool
) -> None:
    # The mailbox answers with its own numbers, which the client need not know yet.
    for box_number, flags in changed.items():
        its_uid = int(await edge.ask(session.mbox, "getUID", box_number))
        names = edge.flag_names(flags)
        session.settled(its_uid, names)
        its_number = view_of(session).number(its_uid)
        if silent or its_number is None:
            continue
        items = [b"FLAGS", paren_list(*names)]
        if by_uid:
            items += [b"UID", number(its_uid)]
        session.untagged(number(its_number), b"FETCH", paren_list(*items))


async def known_flags(box: Any, flags: Sequence[str]) -> bool:
    """Say whether none of ``flags`` is a system flag that nobody knows."""
    strange = [flag for flag in flags if flag[0] == "\\" and flag not in SYSTEM_FLAGS.values()]
    if not strange:
        return True
    known = {flag.lower() for flag in edge.flag_names(await edge.ask(box, "getFlags"))}
    return all(flag.lower() in known for flag in strange)


# -- COPY ------------------------------------------------------------------------------------


async def copy(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Copy messages to the end of a mailbox, all or none (RFC 3501 section 6.4.7)."""
    code = await _put(session, messages, name, by_uid, moving=False)
    return ok("Copied.", code)


async def move(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Move messages to the end of a mailbox, all or none (RFC 6851)."""
    if not session.writable:
        return READ_ONLY
    code = await _put(session, messages, name, by_uid, moving=True)
    # The UIDs have to be told before the messages are gone (RFC 6851 section 4.3).
    if code is not None:
        session.write(render(None, ok("Moved.", code)))
    session.newMessages(await edge.ask(session.mbox, "getMessageCount"), None)
    return ok("Moved.")


async def _put(
    session: ReferralServer, messages: SequenceSet, name: str, by_uid: bool, *, moving: bool
) -> Code | None:
    """Copy or move; gives what tells the UIDs, where they are known."""
    uids = view_of(session).pick(messages, by_uid)
    if uids is None:
        raise StatusError(NO_SUCH_NUMBER)
    name = await naming.meant(session, name)
    try:
        return await _put_here(session, uids, name, by_uid, moving=moving)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
    found = await _present(session, uids)
    if len(found) < len(uids) and not by_uid:
        raise StatusError(GONE)
    originals, code = await transfer.deliver(session, transfer.letters_here(found), name)
    if moving and originals:
        await uidplus.mark(session.mbox, originals, 1)
        await uidplus.remove_marked(session.mbox, originals)
    return code


async def _put_here(
    session: ReferralServer, uids: Sequence[int], name: str, by_uid: bool, *, moving: bool
) -> Code | None:
    async with target(session, name) as box:
        found = await _present(session, uids)
        if len(found) < len(uids) and not by_uid:
            raise StatusError(GONE)
        folder = inside(session, box)
        if folder is not None:
            work = folder.move if moving else folder.copy
            return uidplus.placed(await work(uids, name))
        made = await copy_all(session, found, box)
        originals = [int(await edge.ask(message, "getUID")) for message in found]
        code = await uidplus.copied(box, originals, made)
        if moving:
            await uidplus.mark(session.mbox, originals, 1)
            await uidplus.remove_marked(session.mbox, originals)
        return code


async def _present(session: ReferralServer, uids: Sequence[int]) -> list[Any]:
    found: list[Any] = []
    for batch in edge.batches(uids):
        found += await edge.messages(session.mbox, batch)
    return found


def inside(session: ReferralServer, box: Any) -> Any:
    """Give the selected folder where it and ``box`` are of one store, which copies by itself."""
    folder = getattr(session.mbox, "folder", None)
    return None if getattr(box, "folder", None) is None else folder


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
        for message in await edge.messages(session.mbox, batch):
            its_uid = int(await edge.ask(message, "getUID"))
            its_number = view.number(its_uid)
            if its_number is not None:
                candidate = Candidate(its_number, its_uid, len(view), view.last_uid, message)
                if await _matches(candidate, wanted):
                    found.append(its_uid if by_uid else its_number)
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
