"""``\\Recent``: the messages that this session was the first to hear of (RFC 3501 section 2.3.2).

A store knows from which UID on nobody has been told (`referrald.interfaces.IRecents`); the session
keeps in mind what it was the one to be told of. IMAP4rev2 has no such thing (RFC 9051 appendix E):
such a session counts as having been told, and says nothing of it. A mailbox that somebody wrote for
Twisted has ``\\Recent`` among the flags of its messages, and counts them itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from referrald.errors import ReferraldError
from referrald.interfaces import IRecents
from referrald.mailmodel import Changes, FolderState
from referrald.session.view import View
from referrald.wire.response import untagged

if TYPE_CHECKING:
    from referrald.session.notices import Notices

RECENT: Final = "\\Recent"
_RECENT: Final = b"\\Recent"

Rows = Sequence[Sequence[Any]]


def first_view(folder: Any, uids: Sequence[int]) -> View:
    """Give what a client knows that has just opened a mailbox."""
    return View(uids, knows_recent=IRecents(folder, None) is not None)


async def told(session: Notices, view: View, folder: Any, recent: int | None, last: int) -> None:
    """Take note that the client is told of the messages up to a UID.

    recent: how many there were, a moment ago, of which nobody had been told.
    """
    recents: Any = IRecents(folder, None)
    if recents is None or not recent:
        return
    # What the client is told does not depend on it.
    with suppress(ReferraldError):
        first = await recents.recent_from(last)
        if first <= last and not session.rev2:
            view.add_recent(first, last)


async def told_of_changes(session: Notices, view: View, folder: Any, changes: Changes) -> None:
    """Take note that the client is told of messages that have arrived."""
    uids = changes.arrived if changes.uids is None else changes.uids
    if uids and uids[-1] > view.last_uid:
        await told(session, view, folder, changes.recent, uids[-1])


def forget(session: Notices) -> None:
    """Know of none from now on, if the client has said that it speaks IMAP4rev2."""
    if session.rev2 and session.view is not None:
        session.view.recent.clear()


def first_line(view: View, opened: FolderState) -> bytes:
    """Give the RECENT response of a mailbox that is being opened."""
    view.told_recent = view.count_recent()
    return untagged(b"%d" % (view.told_recent if view.knows_recent else opened.recent), b"RECENT")


def line(view: View, changes: Changes | None, *, arrived: bool) -> bytes:
    """Give the RECENT response that is due, if one is (RFC 3501 section 7.3.2)."""
    if not view.knows_recent:
        if changes is None or changes.recent is None:
            return b""
        return untagged(b"%d" % changes.recent, b"RECENT")
    count, before = view.count_recent(), view.told_recent
    view.told_recent = count
    return b"* %d RECENT\r\n" % count if arrived or count != before else b""


def names_of(view: View, uid: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the flags of a message as this session shows them."""
    return (*names, RECENT) if view.recent and view.is_recent(uid) else names


def shown(view: View, rows: Rows, at: int) -> Rows:
    """Give the rows of a mailbox with ``\\Recent`` among the flags, which are the ``at``-th."""
    if not view.recent or not rows or rows[-1][0] < view.recent[0][0]:
        return rows
    uids = [row[0] for row in rows]
    marked: dict[bytes, bytes] = {}
    done: list[Sequence[Any]] = []
    end = 0
    for first, last in view.recent:
        start = max(end, bisect_left(uids, first))
        done += rows[end:start]
        end = max(start, bisect_right(uids, last))
        done += [_marked(row, at, marked) for row in rows[start:end]]
    return [*done, *rows[end:]]


def _marked(row: Sequence[Any], at: int, marked: dict[bytes, bytes]) -> Sequence[Any]:
    flags = row[at]
    if flags not in marked:
        marked[flags] = b"%b %b" % (flags, _RECENT) if flags else _RECENT
    return (*row[:at], marked[flags], *row[at + 1 :])
