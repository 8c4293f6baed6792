"""etcd, asked through its JSON gateway (version 3.4 and newer: ``/v3``)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import DeferredLock

from referrald.backends.http.asking import Answer, TooLate
from referrald.backends.keyvalue.etcdwatch import Watch
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

PAGE: Final = 500
OK: Final = 200
REFUSED: Final = (400, 401)
"""Statuses of an answer to a token that has become too old."""

RENEW: Final = 30.0
"""Seconds after which a watch is begun anew, lest it be one that nobody feeds any more."""

WATCHING: Final = {"Grpc-Metadata-Hasleader": "true", "Connection": "close"}
"""Has a member end watches that it cannot feed because it is cut off from the others. The
connection is of no use for other questions, as it ends in the midst of an answer."""


class EtcdStore:
    """Keys and values in an etcd cluster.

    user: whom to log in as, nobody when empty. most: operations of a transaction. seconds: a clock.
    """

    def __init__(
        self, servers: Servers, watching: Servers, pool: Pool, *, prefix: str, most: int,
        seconds: Callable[[], float], user: str = "", password: str = "",
    ) -> None:  # fmt: skip
        self.name = f"etcd at {servers.name}"
        self._servers = servers
        self._watching = watching
        self._pool = pool
        self._prefix = prefix
        self._most = most
        self._seconds = seconds
        self._account = {"name": user, "password": password} if user else None
        self._token = ""
        self._logging_in = DeferredLock()
        self._seen: tuple[str, int] | None = None

    # -- values ------------------------------------------------------------------------------

    async def get(self, key: str) -> Entry | None:
        """Give one value."""
        found = await self._call("/v3/kv/range", {"key": coded(key)}, LONGEST)
        with understood(self.name):
            for _, entry in entries(found):
                return entry
        return None

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """Give the values of those keys that are there."""
        result: dict[str, Entry] = {}
        for start in range(0, len(keys), self._most):
            some = keys[start : start + self._most]
            asked = [{"request_range": {"key": coded(key)}} for key in some]
            found = await self._call(
                "/v3/kv/txn", {"success": asked}, LONGEST, longer=EACH * len(some)
            )
            with understood(self.name):
                for each in found.get("responses", ()):
                    for key, entry in entries(each["response_range"]):
                        result[key.decode()] = entry
        return result

    async def scan(
        self, prefix: str, *, after: bytes = b"", limit: int = 0, latest: bool = False
    ) -> Sequence[tuple[bytes, Entry]]:
        """Give a page of keys with their values."""
        first, end = coded(prefix), coded(past(prefix))
        if after and latest:
            end = coded(after)
        elif after:
            first = coded(after + b"\0")
        order = {"sort_order": "DESCEND", "sort_target": "KEY"} if latest else {}
        asked = {"key": first, "range_end": end, "limit": min(limit or PAGE, PAGE), **order}
        found = await self._call("/v3/kv/range", asked, LONGEST)
        with understood(self.name):
            return [*entries(found)]

    async def commit(self, writes: Sequence[Write]) -> int | None:
        """Make changes in one transaction."""
        if len(writes) > self._most:
            raise NotPossible(f"etcd takes {self._most} changes at once")
        compare = [
            {"key": coded(each.key), "target": "MOD", "mod_revision": str(each.revision)}
            for each in writes
            if each.revision is not None
        ]
        asked = {"compare": compare, "success": [_operation(each) for each in writes]}
        found = await self._call("/v3/kv/txn", asked, LONGEST, longer=EACH * len(writes))
        with understood(self.name):
            return revision(found) if found.get("succeeded") else None

    # -- changes -----------------------------------------------------------------------------

    async def position(self) -> None:
        """Note the present revision."""
        self._seen = await self._now()

    async def _now(self) -> tuple[str, int]:
        """Give the cluster and its revision, as most of its members have it."""
        asked = {"key": coded(self._prefix), "count_only": True}
        found = await self._call("/v3/kv/range", asked, servers=self._watching)
        with understood(self.name):
            return str(found["header"]["cluster_id"]), revision(found)

    async def follow(self, told: Told, begun: Callable[[], object]) -> float:
        """Tell of changes until the watch has been there for long enough."""
        now = await self._now()
        if self._seen is None or now[0] != self._seen[0] or now[1] < self._seen[1]:
            # Another cluster, or one that was set back: nobody can say what has changed.
            self._seen = now
            told(None)
        watch = Watch(told, begun, self._seen[1], self._seconds)
        try:
            await self._watch(watch)
        finally:
            self._seen = None if watch.compacted else (now[0], watch.revision)
        return 0.0

    async def _watch(self, watch: Watch) -> None:
        try:
            await self._watching.stream(
                "POST", "/v3/watch", watch.take, json=self._wish(watch), timeout=RENEW,
                headers={**WATCHING, **await self._headers()},
            )  # fmt: skip
            watch.end()
        except TooLate:
            if watch.begun is None:
                raise
            watch.settle()
        except Unavailable:
            if not watch.compacted:
                raise

    def _wish(self, watch: Watch) -> Mapping[str, Any]:
        return {
            "create_request": {
                "key": coded(self._prefix),
                "range_end": coded(past(self._prefix)),
                "start_revision": str(watch.revision + 1),
            }
        }

    # -- questions ---------------------------------------------------------------------------

    async def _call(
        self,
        path: str,
        asked: Mapping[str, Any],
        longest: int = SMALL,
        servers: Servers | None = None,
        longer: float = 0.0,
    ) -> dict[str, Any]:
        async def ask(token: Mapping[str, str]) -> Answer:
            return await (servers or self._servers).ask(
                "POST", path, json=asked, headers=token, longest=longest, longer=longer
            )

        token = await self._headers()
        answer = await ask(token)
        if token and answer.code in REFUSED:
            self._token = ""
            answer = await ask(await self._headers())
        found = await self._read(answer)
        if answer.code != OK:
            raise _refusal(self.name, answer.code, found)
        return found

    async def _read(self, answer: Answer) -> dict[str, Any]:
        found = await parsed(self._pool, answer.body)
        if not isinstance(found, dict):
            raise Unavailable(f"{self.name}: HTTP status {answer.code}, and no JSON object")
        return found

    async def _headers(self) -> Mapping[str, str]:
        """Log in where that has to be, by one question at a time."""
        if self._account is None:
            return {}
        await self._logging_in.acquire()
        try:
            if not self._token:
                answer = await self._servers.ask(
                    "POST", "/v3/auth/authenticate", json=self._account
                )
                found = await self._read(answer)
                if answer.code != OK or not isinstance(found.get("token"), str):
                    raise _refusal(self.name, answer.code, found)
                self._token = found["token"]
            return {"Authorization": self._token}
        finally:
            self._logging_in.release()


def _operation(write: Write) -> Mapping[str, Any]:
    if write.value is None:
        return {"request_delete_range": {"key": coded(write.key)}}
    value = b64encode(write.value).decode("ascii")
    return {"request_put": {"key": coded(write.key), "value": value}}


def _refusal(name: str, code: int, found: Mapping[str, Any]) -> Unavailable | NotPossible:
    said = str(found.get("message") or found.get("error") or "")[:200]
    if "too many operations" in said or "too large" in said:
        return NotPossible(f"{name}: {said}")
    return Unavailable(f"{name}: HTTP status {code}: {said}")


def coded(key: str | bytes) -> str:
    """Write a key as the gateway has it."""
    data = key.encode("ascii") if isinstance(key, str) else key
    return b64encode(data).decode("ascii")


def past(prefix: str) -> str:
    """Give the first key behind all that begin with an ASCII prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def revision(found: Mapping[str, Any]) -> int:
    """Give the revision in the header of an answer."""
    return int(found["header"]["revision"])


def entries(found: Mapping[str, Any]) -> Iterator[tuple[bytes, Entry]]:
    """Read the keys and values of an answer."""
    for each in found.get("kvs", ()):
        value = b64decode(each.get("value", ""))
        yield b64decode(each["key"]), Entry(value, int(each["mod_revision"]))
