"""Search a mailbox that cannot search by itself: message after message, as far as need be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from referrald.mime.criteria import Known
from referrald.mime.matching import Matcher, narrowed
from referrald.query import Found, Query
from referrald.session import edge

Breathe = Callable[[], Awaitable[None]]


async def search(folder: Any, query: Query, uids: Sequence[int], breathe: Breathe) -> Found:
    """Find messages among ``uids`` with what ``folder`` tells by ``fetch`` and ``content``.

    breathe: lets others have a turn if it is time.
    """
    matcher = Matcher(query, datetime.now(UTC))
    found: list[int] = []
    highest = 0
    for batch in edge.batches(narrowed(query, uids)):
        messages = {uid: Known(uid) for uid in batch}
        await _learn(folder, messages)
        for uid, known in messages.items():
            if await _matches(folder, matcher, known, breathe):
                found.append(uid)
                highest = max(highest, known.attributes.modseq if known.attributes else 0)
            await breathe()
    return Found(uids=found, modseq=highest if matcher.modseqs else 0)


async def _learn(folder: Any, messages: dict[int, Known]) -> None:
    """Find out what is known without reading; forget those that are gone."""
    told = {each.uid: each for each in await folder.fetch(list(messages))}
    for uid in [*messages]:
        if uid in told:
            messages[uid].attributes = told[uid]
        else:
            del messages[uid]


async def _matches(folder: Any, matcher: Matcher, known: Known, breathe: Breathe) -> bool:
    verdict = matcher.judge(known)
    if verdict is None:
        content = await folder.content(known.uid)
        if content is None:
            return False
        for _step in matcher.look_at_content(known, content):
            await breathe()
        verdict = matcher.judge(known)
    return bool(verdict)
