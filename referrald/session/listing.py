"""LIST, LSUB, RLIST and RLSUB (RFC 3501 section 6.3.8, RFC 2193 section 5, RFC 5258, RFC 5819)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from referrald.mailmodel import RemoteMailbox
from referrald.session import counting, namesthere, naming
from referrald.session.names import NO_SELECT, Names, Row, steps
from referrald.session.pace import Pace
from referrald.session.table import Answer
from referrald.wire.listing import ListQuery
from referrald.wire.response import bad, mailbox, nstring, ok, quoted

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

BATCH: Final = 500
"""Lines that are written at a time."""

_BARE = re.compile(r"(?!(?i:nil)\Z)[A-Za-z0-9_./-]++").fullmatch
_SPACED = re.compile(r"[A-Za-z0-9_./-]++(?: [A-Za-z0-9_./ -]*+)").fullmatch


async def list_(session: ReferralServer, query: ListQuery) -> Answer:
    """List names; with REMOTE those elsewhere as well (RFC 5258 section 3.1)."""
    if not counting.known(session, query.status):
        return bad("Unknown status item.")
    if query.remote:
        session.ask_remote()
    return await _answer(session, query, b"LIST", query.remote)


async def lsub(session: ReferralServer, query: ListQuery) -> Answer:
    """List subscribed names (RFC 3501 section 6.3.9)."""
    return await _answer(session, query, b"LSUB", False)


async def rlist(session: ReferralServer, query: ListQuery) -> Answer:
    """List names here and elsewhere (RFC 2193 section 5.1)."""
    session.ask_remote()
    return await _answer(session, query, b"LIST", True)


async def rlsub(session: ReferralServer, query: ListQuery) -> Answer:
    """List subscribed names here and elsewhere (RFC 2193 section 5.2)."""
    session.ask_remote()
    return await _answer(session, query, b"LSUB", True)


async def _answer(
    session: ReferralServer, query: ListQuery, kind: bytes, with_remote: bool
) -> Answer:
    with_remote = with_remote or session.unasked != "hide"
    query = naming.widened(query)
    is_lsub = kind == b"LSUB"
    pace = Pace(session.door.clock, session.door.wheel)
    # All is gathered before the first line goes out: there is no half an answer.
    if query.asks_root and not is_lsub:
        names = Names(local=(), delimiter=session.mail.delimiter)
    else:
        names = await _gather(session, query, is_lsub, with_remote)
    await pace.breathe()
    found = await pace.through(
        steps(names, query, lsub=is_lsub, with_remote=with_remote, relaying=session.relays)
    )
    lines = _Lines(kind, names.delimiter, session.utf8)
    for at in range(0, len(found), BATCH):
        await pace.breathe()
        batch = found[at : at + BATCH]
        if query.status:
            await _with_status(session, query, lines, batch, pace)
        elif await session.send([lines.render(batch)]):
            pace.rested()
    return ok("Listed.")


async def _gather(
    session: ReferralServer, query: ListQuery, is_lsub: bool, with_remote: bool
) -> Names:
    mail = session.mail
    entries = await mail.entries()
    subscriptions: frozenset[str] = frozenset()
    if is_lsub or query.subscribed or query.return_subscribed:
        subscriptions = await mail.subscriptions()
    remote: Sequence[RemoteMailbox] = ()
    # What is subscribed and not here may be elsewhere, and then it is to be kept quiet about.
    if with_remote or (
        (is_lsub or query.subscribed)
        and not subscriptions.issubset(entry.name for entry in entries)
    ):
        remote = await mail.remote()
        if session.relays:
            remote = await namesthere.with_below(session, remote)
    return Names(
        local=entries, remote=remote, subscriptions=subscriptions, delimiter=mail.delimiter
    )


async def _with_status(
    session: ReferralServer, query: ListQuery, lines: _Lines, batch: Sequence[Row], pace: Pace
) -> None:
    """Write lines, and behind each the counts of its mailbox (RFC 5819 section 2)."""
    here = [row.name for row in batch if row.status and not row.remote]
    counted = await counting.lines(session, here, query.status, pace)
    ready: list[bytes] = []
    for row in batch:
        if row.status and not row.remote and row.name not in counted:
            # It cannot be opened, or is there no more (RFC 5819 section 2).
            ready.append(lines.render([row._replace(attributes=(*row.attributes, NO_SELECT))]))
            continue
        ready.append(lines.render([row]))
        if not row.status:
            continue
        if not row.remote:
            ready.append(counted[row.name])
            continue
        if await session.send(ready):
            pace.rested()
        ready = [await counting.line_elsewhere(session, row.name, query.status)]
        await pace.breathe()
    if await session.send([b"".join(ready)]):
        pace.rested()


class _Lines:
    """Renders the lines of one answer; what comes before and after names repeats, and is kept."""

    def __init__(self, kind: bytes, delimiter: str, utf8: bool) -> None:
        self._utf8 = utf8
        self._kind = kind.decode("ascii")
        self._delimiter = (quoted(delimiter) if delimiter else nstring(None)).decode("ascii")
        self._heads: dict[tuple[str, ...], str] = {}
        self._tails: dict[tuple[str, ...], str] = {(): "\r\n"}

    def render(self, batch: Iterable[Row]) -> bytes:
        """Give the lines, each with its end."""
        heads, tails = self._heads, self._tails
        parts: list[str] = []
        for name, attributes, child_info, _, _ in batch:
            head = heads.get(attributes)
            if head is None:
                head = heads[attributes] = self._head(attributes)
            tail = tails.get(child_info)
            if tail is None:
                tail = tails[child_info] = _tail(child_info)
            # Most names can be shown as they are; that spares the writer's longer way.
            shown = name if _BARE(name) else f'"{name}"' if _SPACED(name) else self._shown(name)
            parts += (head, shown, tail)
        return "".join(parts).encode("utf-8")

    def _shown(self, name: str) -> str:
        return mailbox(name, utf8=self._utf8).decode("utf-8")

    def _head(self, attributes: Iterable[str]) -> str:
        return f"* {self._kind} ({' '.join(attributes)}) {self._delimiter} "


def _tail(child_info: Iterable[str]) -> str:
    told = " ".join(f'"{option}"' for option in child_info)
    return f' ("CHILDINFO" ({told}))\r\n'
