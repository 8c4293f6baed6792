"""Messages that are copied from one account into another: as they would come from a client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from referrald.mailmodel import NewMessage, Placed, StoredMessage
from referrald.store import rights

PIECE: Final = 256 * 1024
"""Bytes that are in memory at a time."""


async def copy(folder: Any, uids: Sequence[int], account: Any, name: str, letters: str) -> Placed:
    """Copy messages into a mailbox of another account: all or none.

    letters: the rights there, which say what flags the copies have (RFC 4314 section 4).
    """
    sources: list[int] = []
    messages: list[NewMessage] = []
    try:
        for each in await folder.fetch(uids):
            incoming = await _carry(folder, each, account, name)
            if incoming is None:
                continue
            flags = [flag for flag in each.flags if flag.lower() != "\\recent"]
            messages.append(
                NewMessage(
                    content=incoming,
                    flags=rights.settable(flags, letters),
                    received=each.received,
                )
            )
            sources.append(each.uid)
        placed: Placed = await account.append(name, messages)
    except BaseException:
        for message in messages:
            message.content.discard()
        raise
    return Placed(uid_validity=placed.uid_validity, uids=placed.uids, sources=tuple(sources))


async def _carry(folder: Any, message: StoredMessage, account: Any, name: str) -> Any:
    """Bring the bytes of a message over; gives the `IIncoming`, None where it is gone."""
    content = await folder.read(message.uid)
    if content is None:
        return None
    try:
        incoming = await account.incoming(name, content.size)
        try:
            for at in range(0, content.size, PIECE):
                await incoming.write(await content.read(at, PIECE))
        except BaseException:
            incoming.discard()
            raise
    finally:
        content.close()
    return incoming
