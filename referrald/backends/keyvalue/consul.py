"""Consul's key/value store, asked at any agent, with blocking queries for what changes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from referrald.backends.http.asking import Answer
from referrald.backends.keyvalue.servers import Servers
from referrald.backends.keyvalue.store import (
    EACH,
    LONGEST,
    SMALL,
    Entry,
    Told,
    Write,
    parsed,
    understood,
)
from referrald.errors import NotPossible, Unavailable
from referrald.workers import Pool

OK, MISSING, CONFLICT, TOO_MUCH = 200, 404, 409, 413

FEW: Final = 64
"""So many values are asked for one by one, and more of them by the list of all."""

WAIT: Final = 30
"""Seconds that a blocking query lasts; Consul adds up to a sixteenth of them."""

LISTING: Final = 30.0
"""Seconds that the list of all users may take, beyond those for an answer."""

CALM: Final = 0.2
"""Seconds between two of them, so that many changes are one list."""

BLIND: Final = 1.0
"""The same where a server gives no index to wait for another one."""

STALE: Final = "is stale"
"""What Consul says of a key that has been changed meanwhile."""

Revisions = Mapping[bytes, int]


class ConsulStore:
    """Keys and values in a datacenter.

    datacenter: another one than the agent's own, when not empty. most: operations of a transaction.
    """

    def __init__(
        self, servers: Servers, watching: Servers, pool: Pool, *, prefix: str,
        most: int, token: str, datacenter: str,
    ) -> None:  # fmt: skip
        self.name = f"Consul at {servers.name}"
        self._servers = servers
        self._watching = watching
        self._pool = pool
        self._prefix = prefix
        self._most = most
        self._headers = {"X-Consul-Token": token} if token else {}
        self._where = {"dc": datacenter} if datacenter else {}
        self._seen: Revisions | None = None
        self._index = 0
        self._blocking = False

    # -- values ------------------------------------------------------------------------------

    async def get(self, key: str) -> Entry | None:
        """Give one value."""
        for _, entry in await self._entries(await self._ask(self._servers, key)):
            return entry
        return None

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """Give the values of those keys that are there."""
        if len(keys) > FEW:
            wanted = set(keys)
            listed = await self._list(self._prefix)
            named = {key.decode("utf-8", "replace"): entry for key, entry in listed}
            return {key: entry for key, entry in named.items() if key in wanted}
        answers = await gatherResults(
            [Deferred.fromCoroutine(self.get(key)) for key in keys], consumeErrors=True
        ).addErrback(_first)
        return {key: entry for key, entry in zip(keys, answers, strict=True) if entry is not None}

    async def scan(
        self, prefix: str, *, after: bytes = b"", limit: int = 0, latest: bool = False
    ) -> Sequence[tuple[bytes, Entry]]:
        """Give a page of keys with their values."""
        if 0 < limit <= FEW:
            keys = _page(await self._keys(prefix), after, limit, latest)
            found = await self.get_many([key.decode("ascii") for key in keys if key.isascii()])
            return [(key.encode("ascii"), found[key]) for key in found]
        entries = dict(await self._list(prefix))
        return [(key, entries[key]) for key in _page(entries, after, limit, latest)]

    async def _keys(self, prefix: str) -> Sequence[bytes]:
        answer = await self._ask(self._servers, prefix, keys="")
        found = await self._read(answer)
        with understood(self.name):
            return [key.encode() for key in found]

    async def _list(self, prefix: str) -> Sequence[tuple[bytes, Entry]]:
        return await self._entries(await self._ask(self._servers, prefix, recurse=""))

    async def commit(self, writes: Sequence[Write]) -> int | None:
        """Make changes in one transaction."""
        if len(writes) > self._most:
            raise NotPossible(f"Consul takes {self._most} changes at once")
        body = await self._pool.run(_operations, writes)
        answer = await self._servers.ask(
            "PUT", "/v1/txn", data=body, params=self._where, longest=LONGEST,
            longer=EACH * len(writes),
            headers={**self._headers, "Content-Type": "application/json"},
        )  # fmt: skip
        if answer.code == CONFLICT:
            self._check_stale(await self._read(answer, CONFLICT))
            return None
        found = await self._read(answer)
        with understood(self.name):
            return max(int(each["KV"]["ModifyIndex"]) for each in found["Results"])

    def _check_stale(self, found: Any) -> None:
        """Raise `Unavailable` where a transaction has failed for another reason than a conflict."""
        with understood(self.name):
            said = [str(each["What"]) for each in found["Errors"]]
        for each in said:
            if STALE not in each:
                raise Unavailable(f"{self.name}: {each[:200]}")

    # -- changes -----------------------------------------------------------------------------

    async def position(self) -> None:
        """Note what is there, and an index from before."""
        index = await self._changed_at({})
        self._seen, self._index, self._blocking = await self._revisions(), index, index > 0

    async def follow(self, told: Told, begun: Callable[[], object]) -> float:
        """Wait for changes once, and tell them.

        What has changed is found out by comparing all that is there, so an index that was set back
        loses nothing; but then it may be another store, which may have other values at old indexes.
        """
        blocking, self._blocking = self._blocking, False
        waiting = {"index": str(self._index), "wait": f"{WAIT}s"} if blocking else {}
        index = await self._changed_at(waiting)
        before, now = self._seen, self._seen
        if not blocking or index != self._index:
            now = await self._revisions()
        is_other = before is None or 0 < index < self._index
        self._seen, self._index, self._blocking = now, index, index > 0
        begun()
        if is_other:
            told(None)
        elif now is not before:
            told(await self._pool.run(_changed, before, now))
        return CALM if index > 0 else BLIND

    async def _changed_at(self, waiting: Mapping[str, str]) -> int:
        """Give the index of the last change below the prefix, by the shortest answer that has it.

        Without its slash the prefix is the only key up to the next separator.
        """
        above, separator = self._prefix[:-1], self._prefix[-1]
        answer = await self._ask(self._watching, above, keys="", separator=separator, **waiting)
        await self._read(answer)
        return _index(answer)

    async def _revisions(self) -> Revisions:
        answer = await self._ask(self._watching, self._prefix, recurse="")
        return {key: entry.revision for key, entry in await self._entries(answer)}

    # -- questions ---------------------------------------------------------------------------

    async def _ask(self, servers: Servers, key: str, **params: str) -> Answer:
        longer = LISTING if "recurse" in params else 0.0
        if "wait" in params:
            longer = WAIT * 17 / 16
        return await servers.ask(
            "GET", "/v1/kv/" + quote(key), params={**self._where, **params},
            headers=self._headers, longest=LONGEST, longer=longer,
        )  # fmt: skip

    async def _entries(self, answer: Answer) -> Sequence[tuple[bytes, Entry]]:
        found = await self._read(answer)
        with understood(self.name):
            if len(answer.body) <= SMALL:
                return _decoded(found)
            return await self._pool.run(_decoded, found)

    async def _read(self, answer: Answer, fine: int = OK) -> Any:
        """Read an answer; one that there is nothing is an empty list. Raises `Unavailable`."""
        if answer.code == MISSING:
            return []
        body = answer.body
        if answer.code == TOO_MUCH:
            raise NotPossible(f"{self.name}: {_text(body)}")
        if answer.code != fine:
            raise Unavailable(f"{self.name}: HTTP status {answer.code}: {_text(body)}")
        found = await parsed(self._pool, body)
        if not isinstance(found, list | dict):
            raise Unavailable(f"{self.name}: the answer is no JSON")
        return found


def _operations(writes: Sequence[Write]) -> bytes:
    return json.dumps([{"KV": _operation(each)} for each in writes]).encode("ascii")


def _operation(write: Write) -> Mapping[str, Any]:
    index = {} if write.revision is None else {"Index": write.revision}
    if write.value is None:
        return {"Verb": "delete-cas" if index else "delete", "Key": write.key, **index}
    value = b64encode(write.value).decode("ascii")
    return {"Verb": "cas" if index else "set", "Key": write.key, "Value": value, **index}


def _decoded(found: Any) -> Sequence[tuple[bytes, Entry]]:
    return [
        (each["Key"].encode(), Entry(b64decode(each["Value"] or ""), int(each["ModifyIndex"])))
        for each in found
    ]


def _changed(before: Revisions, now: Revisions) -> list[bytes]:
    gone = [key for key in before if key not in now]
    return gone + [key for key, revision in now.items() if before.get(key) != revision]


def _page(
    keys: Mapping[bytes, object] | Sequence[bytes], after: bytes, limit: int, latest: bool
) -> list[bytes]:
    """Give those behind ``after`` in their order, or those in front of it the other way round."""
    behind = [key for key in keys if not after or (key < after if latest else key > after)]
    ordered = sorted(behind, reverse=latest)
    return ordered[:limit] if limit else ordered


def _index(answer: Answer) -> int:
    """Give the index of an answer; 0, from which nothing can be waited for, where it has none."""
    text = answer.headers.get("x-consul-index", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _text(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()


def _first(failure: Failure) -> Failure:
    """Give the error that one of several questions has ended in."""
    failure.trap(FirstError)  # type: ignore[no-untyped-call]
    found: Failure = failure.value.subFailure  # type: ignore[union-attr]
    return found
