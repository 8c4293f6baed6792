"""A small double of a Consul agent: its key/value store as HashiCorp's documentation has it.

``/v1/kv`` with ``recurse``, ``keys``, ``separator``, ``cas``, ``dc`` and blocking queries
(``index``, ``wait``), ``/v1/txn`` with its limits, ``X-Consul-Token``, paths that are tidied up by
a redirection, and a ``PUT /v1/snapshot`` that puts in place what it is given, with older indexes.
What it has is in memory, and in a file for the next start.

Run as ``python consuldouble.py PORT FILE [TOKEN]``.
"""

from __future__ import annotations

import json
import posixpath
import random
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

MOST_OPERATIONS = 128
LONGEST_VALUE = 512 * 1024
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}

clock: Any = reactor


class Conflict(Exception):
    """An operation of a transaction that cannot be made."""


class Keys:
    """Keys with values, indexes, and what is remembered of those that are gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.index = 1
        self.entries: dict[str, dict[str, Any]] = {}
        self._gone: dict[str, int] = {}
        self.waiting: dict[Any, Any] = {}
        if path.exists():
            self.load(json.loads(path.read_text(encoding="utf-8")))

    def load(self, given: dict[str, Any]) -> None:
        """Have what is given and nothing else; whoever waits is answered."""
        self.index, self.entries, self._gone = given["index"], given["entries"], {}
        self._save()
        self._wake(lambda waiter: True)

    def _save(self) -> None:
        given = {"index": self.index, "entries": self.entries}
        self._path.write_text(json.dumps(given), encoding="utf-8")

    def below(self, prefix: str) -> list[dict[str, Any]]:
        """Give the entries that begin with a prefix."""
        return [self.entries[key] for key in sorted(self.entries) if key.startswith(prefix)]

    def index_of(self, prefix: str, exactly: bool) -> int:
        """Give the index of the last change to a key or below a prefix."""

        def concerned(key: str) -> bool:
            return key == prefix if exactly else key.startswith(prefix)

        indexes = [each["ModifyIndex"] for key, each in self.entries.items() if concerned(key)]
        indexes += [index for key, index in self._gone.items() if concerned(key)]
        return max(indexes, default=self.index)

    def change(self, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make changes, all or none; raises `Conflict`."""
        index = self.index + 1
        entries, gone = dict(self.entries), dict(self._gone)
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for number, each in enumerate(operations):
            try:
                results += self._operate(each["KV"], index, entries, gone)
            except Conflict as error:
                errors.append({"OpIndex": number, "What": str(error)})
        if errors:
            raise Conflict(errors)
        self.index, self.entries, self._gone = index, entries, gone
        self._save()
        keys = [each["KV"]["Key"] for each in operations]
        self._wake(lambda waiter: any(waiter.concerned(key) for key in keys))
        return results

    def _operate(
        self, given: dict[str, Any], index: int, entries: Any, gone: Any
    ) -> list[dict[str, Any]]:
        key, verb = given["Key"], given["Verb"]
        there = entries.get(key)
        if verb.endswith("cas") and given["Index"] != (there["ModifyIndex"] if there else 0):
            what = "delete" if verb == "delete-cas" else "set"
            raise Conflict(f'failed to {what} key "{key}", index is stale')
        if verb in ("delete", "delete-cas"):
            if entries.pop(key, None) is not None:
                gone[key] = index
            return []
        if verb not in ("set", "cas"):
            raise Conflict(f"unknown KV verb {verb!r}")
        entries[key] = {
            "LockIndex": 0,
            "Key": key,
            "Flags": given.get("Flags", 0),
            "Value": given["Value"] or None,
            "CreateIndex": there["CreateIndex"] if there else index,
            "ModifyIndex": index,
        }
        return [{"KV": {**entries[key], "Value": None}}]

    def _wake(self, wanted: Any) -> None:
        for waiter in [each for each in self.waiting if wanted(each)]:
            self.waiting.pop(waiter).cancel()
            waiter.answer()


class Waiter:
    """A blocking query."""

    def __init__(self, agent: Agent, request: Any, key: str, recurse: bool) -> None:
        self.agent, self.request, self.key, self.recurse = agent, request, key, recurse

    def concerned(self, key: str) -> bool:
        return key.startswith(self.key) if self.recurse else key == self.key

    def answer(self) -> None:
        self.request.write(self.agent.say(self.request, self.key))
        self.request.finish()


class Agent(Resource):
    """The HTTP interface."""

    isLeaf = True

    def __init__(self, keys: Keys, token: str) -> None:
        super().__init__()
        self.keys, self.token = keys, token

    def render(self, request: Any) -> Any:
        path = unquote(request.path.decode("ascii"))
        if not path.isprintable():
            return refuse(request, 400, "Invalid path")
        tidy = posixpath.normpath(path) + ("/" if path.endswith("/") else "")
        if tidy != path:
            request.setHeader("Location", tidy)
            return refuse(request, 301, "Moved Permanently")
        if self.token and request.getHeader("x-consul-token") != self.token:
            return refuse(request, 403, "Permission denied: token with AccessorID 'x' lacks it")
        if request.args.get(b"dc", [b"dc1"])[0] != b"dc1":
            return refuse(request, 500, "No path to datacenter")
        return self.answer(request, request.method.decode("ascii"), path)

    def answer(self, request: Any, method: str, path: str) -> Any:
        if path.startswith("/v1/kv/"):
            return getattr(self, f"kv_{method}")(request, path.removeprefix("/v1/kv/"))
        if method == "PUT" and path == "/v1/txn":
            return self.txn(request)
        if method == "PUT" and path == "/v1/snapshot":
            self.keys.load(json.loads(request.content.read()))
            return b""
        return refuse(request, 404, "")

    def kv_GET(self, request: Any, key: str) -> Any:
        recurse = b"recurse" in request.args or b"keys" in request.args
        index = int(request.args.get(b"index", [b"0"])[0])
        if not index or self.keys.index_of(key, not recurse) > index:
            return self.say(request, key)
        wait = seconds(request.args.get(b"wait", [b"5m"])[0].decode("ascii"))
        waiter = Waiter(self, request, key, recurse)
        wait += random.random() * wait / 16

        def enough() -> None:
            del self.keys.waiting[waiter]
            waiter.answer()

        def gone(_: Any) -> None:
            if waiter in self.keys.waiting:
                self.keys.waiting.pop(waiter).cancel()

        self.keys.waiting[waiter] = clock.callLater(wait, enough)
        request.notifyFinish().addErrback(gone)
        return NOT_DONE_YET

    def say(self, request: Any, key: str) -> bytes:
        """Answer a question about what is there."""
        recurse = b"recurse" in request.args or b"keys" in request.args
        index = self.keys.index_of(key, not recurse)
        request.setHeader("X-Consul-Index", str(index))
        request.setHeader("X-Consul-KnownLeader", "true")
        request.setHeader("Content-Type", "application/json")
        found = self.keys.below(key)
        if not recurse:
            found = [each for each in found if each["Key"] == key]
        if not found:
            request.setResponseCode(404)
            return b""
        if b"keys" in request.args:
            names = [each["Key"] for each in found]
            separator = request.args.get(b"separator", [b""])[0].decode("ascii")
            if separator:
                names = [rolled_up(name, key, separator) for name in names]
            return json.dumps(list(dict.fromkeys(names))).encode()
        return json.dumps(found).encode()

    def kv_PUT(self, request: Any, key: str) -> bytes:
        value = b64encode(request.content.read()).decode("ascii")
        operation: dict[str, Any] = {"Verb": "set", "Key": key, "Value": value}
        if b"cas" in request.args:
            operation |= {"Verb": "cas", "Index": int(request.args[b"cas"][0])}
        try:
            self.keys.change([{"KV": operation}])
        except Conflict:
            return b"false"
        return b"true"

    def kv_DELETE(self, request: Any, key: str) -> bytes:
        keys = [key]
        if b"recurse" in request.args:
            keys = [each["Key"] for each in self.keys.below(key)]
        self.keys.change([{"KV": {"Verb": "delete", "Key": each}} for each in keys])
        return b"true"

    def txn(self, request: Any) -> bytes:
        operations = json.loads(request.content.read())
        count = len(operations)
        if count > MOST_OPERATIONS:
            said = f"Transaction contains too many operations ({count} > {MOST_OPERATIONS})"
            return refuse(request, 413, said)
        for each in operations:
            if len(b64decode(each["KV"].get("Value") or "")) > LONGEST_VALUE:
                return refuse(request, 413, f"Value for key {each['KV']['Key']} is too large")
        request.setHeader("Content-Type", "application/json")
        try:
            results = self.keys.change(operations)
        except Conflict as error:
            request.setResponseCode(409)
            return json.dumps({"Results": None, "Errors": error.args[0]}).encode()
        return json.dumps({"Results": results, "Errors": None}).encode()


def refuse(request: Any, code: int, said: str) -> bytes:
    request.setResponseCode(code)
    return said.encode()


def rolled_up(name: str, prefix: str, separator: str) -> str:
    """Cut a key behind the first separator that is behind the prefix."""
    first, found, _ = name.removeprefix(prefix).partition(separator)
    return prefix + first + found


def seconds(text: str) -> float:
    unit = next(unit for unit in UNITS if text.endswith(unit))
    return float(text.removesuffix(unit)) * UNITS[unit]


if __name__ == "__main__":
    port, file, *given = sys.argv[1:]
    agent = Agent(Keys(Path(file)), *(given or [""]))
    clock.listenTCP(int(port), Site(agent), interface="127.0.0.1")
    clock.run()
