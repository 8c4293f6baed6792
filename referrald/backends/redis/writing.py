"""Changes to homes in Redis: all users of one in a transaction, with its entries in the history."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from referrald.backends.homerows import write_row
from referrald.backends.keeping import Work, home_of, text_of
from referrald.backends.redis.clients import Client, Overtaken, failing
from referrald.backends.redis.keys import Keys
from referrald.backends.redis.rows import AT_ONCE, Reading, users_after
from referrald.backends.watching import CHANGES_TOLD
from referrald.errors import Unavailable
from referrald.model import Home, HomeChange, LoggedChange, Occasion

TRIES = 20
PAUSE = 0.02


class RedisHomes:
    """The homes that there are while nobody changes the version that ``pipe`` watches."""

    def __init__(self, client: Client, pipe: Any, keys: Keys, reading: Reading) -> None:
        self._client = client
        self._pipe = pipe
        self._keys = keys
        self._reading = reading

    def some(self, users: Iterable[str]) -> dict[str, Home]:
        """Give the homes of those users who have one."""
        return self._reading.homes(self._client, self._keys, list(users))

    def all(self) -> dict[str, Home]:
        """Give everybody's home."""
        return dict(page(self._client, self._keys, self._reading, "", None))

    def write(self, changes: Sequence[HomeChange], occasion: Occasion) -> None:
        """Queue changes, their entries in the history, and the news of them."""
        version, now = self._next_version(changes), repr(time.time())
        pipe, keys = self._pipe, self._keys
        pipe.multi()
        pipe.set(keys.version, version)
        for number, each in enumerate(changes):
            self._put(each)
            entry = {"time": now, "who": occasion.who, "why": occasion.why, "user": each.user}
            entry |= _told(each)
            pipe.xadd(keys.history, entry, id=f"{version}-{number}")
            pipe.rpush(keys.history_of(each.user), f"{version}-{number}")
        few = len(changes) <= CHANGES_TOLD
        for user in [each.user for each in changes] if few else [""]:
            pipe.publish(keys.changes, user)

    def _put(self, change: HomeChange) -> None:
        pipe, key = self._pipe, self._keys.home(change.user)
        pipe.delete(key)
        if change.after is None:
            pipe.zrem(self._keys.homes, change.user)
            return
        row = write_row(change.after)
        pipe.hset(key, mapping={name: _value(it) for name, it in row.items() if it is not None})
        pipe.zadd(self._keys.homes, {change.user: 0})

    def _next_version(self, changes: Sequence[HomeChange]) -> int:
        """Give a number above all that were used; Redis undoes nothing, so that types count."""
        client, keys = self._client, self._keys
        client.zcard(keys.homes)
        with client.pipeline(transaction=False) as pipe:
            for each in changes:
                pipe.llen(keys.history_of(each.user))
            pipe.execute()
        latest = client.xrevrange(keys.history, count=1)
        used = int(latest[0][0].partition(b"-")[0]) if latest else 0
        return max(used, int(client.get(keys.version) or 0)) + 1


def _value(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _told(change: HomeChange) -> dict[str, str]:
    texts = {"before": text_of(change.before), "after": text_of(change.after)}
    return {name: text for name, text in texts.items() if text is not None}


def do(client: Client, keys: Keys, reading: Reading, work: Work) -> list[HomeChange]:
    """Make a change, all of it or nothing, as if nobody else made one; raises `Unavailable`."""
    for turn in range(TRIES):
        try:
            with client.pipeline() as pipe, failing("transaction"):
                pipe.watch(keys.version)
                changes = work(RedisHomes(client, pipe, keys, reading))
                pipe.execute()
                return changes
        except Overtaken:
            time.sleep(PAUSE * (turn + 1))
    raise Unavailable("others change homes all the time")


def page(
    client: Client, keys: Keys, reading: Reading, after: str, limit: int | None
) -> list[tuple[str, Home]]:
    """Give the users behind a name with their homes, all of them without a limit."""
    found: list[tuple[str, Home]] = []
    while limit is None or len(found) < limit:
        size = AT_ONCE if limit is None else min(AT_ONCE, limit - len(found))
        users = users_after(client, keys, after, size)
        if not users:
            break
        after = users[-1]
        # A user whose hash somebody has removed is passed over.
        found += reading.homes(client, keys, users).items()
    return found


def history(client: Client, keys: Keys, user: str | None, limit: int) -> list[LoggedChange]:
    """Give changes, the latest first."""
    if user is None:
        return [_logged(entry) for _, entry in client.xrevrange(keys.history, count=limit)]
    ids = client.lrange(keys.history_of(user), -limit, -1)
    with client.pipeline(transaction=False) as pipe:
        for each in reversed(ids):
            pipe.xrange(keys.history, each, each)
        # Entries that somebody has trimmed away are passed over.
        return [_logged(entry) for found in pipe.execute() for _, entry in found]


def _logged(entry: dict[bytes, bytes]) -> LoggedChange:
    fields = {name.decode(): value.decode() for name, value in entry.items()}
    return LoggedChange(
        when=float(fields["time"]),
        who=fields["who"],
        why=fields["why"],
        change=HomeChange(
            user=fields["user"],
            before=home_of(fields.get("before")),
            after=home_of(fields.get("after")),
        ),
    )
