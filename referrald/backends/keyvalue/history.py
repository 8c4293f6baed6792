"""The history: a value for every transaction, under a key that begins with its time.

A JSON object with ``when`` (seconds since 1970), ``who``, ``why``, and the ``changes``: a list of
objects with ``user``, ``before`` and ``after``, which are homes as `referrald.backends.jsonhomes`
has them, or null.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from referrald.backends.jsonhomes import JsonHomes, read_object, write_home
from referrald.backends.keyvalue.store import Store, understood
from referrald.model import Home, HomeChange, LoggedChange, Occasion
from referrald.workers import Pool

HOMES = JsonHomes()
PAGE = 20
"""Records may be long."""


def new_key(prefix: str, now: float) -> str:
    """Make a key that nobody else makes; keys are in the order of time."""
    when = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{prefix}{when}-{secrets.token_hex(8)}"


def write_record(changes: Sequence[HomeChange], occasion: Occasion, now: float) -> bytes:
    """Write what a transaction changes."""
    told = [
        {"user": each.user, "before": _written(each.before), "after": _written(each.after)}
        for each in changes
    ]
    record = {"when": now, "who": occasion.who, "why": occasion.why, "changes": told}
    return json.dumps(record).encode("ascii")


async def read_history(
    store: Store, pool: Pool, prefix: str, user: str | None, limit: int
) -> Sequence[LoggedChange]:
    """Give changes, the latest first; raises `Unavailable`."""
    found: list[LoggedChange] = []
    after = b""
    while page := await store.scan(prefix, after=after, limit=PAGE, latest=True):
        for key, entry in page:
            found += await pool.run(_changes, key, entry.value, user)
            if len(found) >= limit:
                return found[:limit]
        after = page[-1][0]
    return found


def _changes(key: bytes, value: bytes, user: str | None) -> list[LoggedChange]:
    """Read a record, what was changed last first; raises `Unavailable`."""
    with understood(f"the history at {key.decode('ascii', 'replace')}"):
        return [each for each in _read(value) if user is None or each.change.user == user]


def _read(value: bytes) -> Iterator[LoggedChange]:
    record = read_object(value) or {}
    for each in reversed(record["changes"]):
        user = str(each["user"])
        change = HomeChange(
            user=user, before=_home(user, each["before"]), after=_home(user, each["after"])
        )
        yield LoggedChange(
            when=float(record["when"]),
            who=str(record["who"]),
            why=str(record["why"]),
            change=change,
        )


def _written(home: Home | None) -> dict[str, Any] | None:
    return None if home is None else write_home(home)


def _home(user: str, value: object) -> Home | None:
    return None if value is None else HOMES.read(user, value)
