"""STORE: new flags for messages (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from referrald.mailmodel import Stored
from referrald.session import condstore, recents, uidplus
from referrald.session.pace import Pace
from referrald.session.table import Answer
from referrald.session.targets import (
    GONE,
    NO_SUCH_FLAG,
    NO_SUCH_NUMBER,
    READ_ONLY,
    SOME_GONE,
    known_flags,
    view_of,
)
from referrald.wire.response import Code, no, ok, paren_list
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

MODES: Final = {"": 0, "+": 1, "-": -1}
BATCH: Final = 2500
"""Messages whose flags are changed in one go."""


async def store(
    session: ReferralServer,
    messages: SequenceSet,
    sign: str,
    silent: bool,
    flags: tuple[str, ...],
    since: int | None = None,
    *,
    by_uid: bool = False,
) -> Answer:
    """Change the flags of messages, but of none that has changed after ``since``."""
    if since is not None:
        condstore.use(session)
    uids = view_of(session).pick(messages, by_uid)
    if uids is None:
        return NO_SUCH_NUMBER
    if not session.writable:
        return READ_ONLY
    if not await known_flags(session.folder, flags):
        return NO_SUCH_FLAG
    found = 0
    failed: list[int] = []
    pace = Pace(session.door.clock, session.door.wheel)
    for at in range(0, len(uids), BATCH):
        stored: Stored = await session.folder.store(
            uids[at : at + BATCH], flags, MODES[sign], since
        )
        found += len(stored.flags)
        failed += stored.unchanged
        await _tell(session, stored, silent, by_uid)
        await pace.breathe()
    if uids and not found and not by_uid:
        # Who wants to hear nothing is told that all is done that can be (RFC 2180 section 4.2.1).
        return SOME_GONE if silent else GONE
    return _answer(session, len(uids) - found, failed, by_uid)


async def _tell(session: ReferralServer, stored: Stored, silent: bool, by_uid: bool) -> None:
    spared = set(stored.unchanged)
    made = {uid: modseq for uid, modseq in stored.modseqs.items() if uid not in spared}
    session.changed_by_client(made)
    lines = b"".join(_lines(session, stored, silent, by_uid))
    if lines:
        await session.send((lines,))


def _lines(session: ReferralServer, stored: Stored, silent: bool, by_uid: bool) -> Iterator[bytes]:
    """Yield FETCH responses.

    A client that wants modification sequences is told them, however silent it wants it, and what
    messages are like that it has failed to change.
    """
    view, spared = view_of(session), set(stored.unchanged)
    modseqs = stored.modseqs if session.condstore else {}
    shown: dict[tuple[str, ...], bytes] = {}
    yield session.new_flags(stored.flags.values())
    for uid, names in stored.flags.items():
        number, items = view.number(uid), []
        if not silent or uid in spared:
            names = recents.names_of(view, uid, names)
            flags = shown.get(names) or shown.setdefault(names, paren_list(*names))
            items.append(b"FLAGS " + flags)
        if uid in modseqs:
            items.append(b"MODSEQ (%d)" % modseqs[uid])
        if number is None or not items:
            continue
        if by_uid:
            items.append(b"UID %d" % uid)
        yield b"* %d FETCH (%b)\r\n" % (number, b" ".join(items))


def _answer(session: ReferralServer, gone: int, failed: Sequence[int], by_uid: bool) -> Answer:
    if not failed:
        return SOME_GONE if gone and not by_uid else ok("Stored.")
    view = view_of(session)
    numbers = failed if by_uid else [number for uid in failed if (number := view.number(uid))]
    code = Code("MODIFIED", uidplus.spans(numbers))
    if gone and not by_uid:
        return no("Some of the messages are gone, others have changed.", code)
    return ok("Stored, but not where the flags had changed.", code)
