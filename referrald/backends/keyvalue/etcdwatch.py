"""What a watch of etcd says: a line of JSON for each event."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from referrald.backends.keyvalue.store import Told, understood
from referrald.errors import Unavailable

LONGEST_LINE = 64 * 1024 * 1024
SETTLED = 10.0
"""Seconds; an etcd that is well tells what is old within a tenth of one."""


class Watch:
    """Takes lines and tells the keys in them.

    revision: up to which everything has been told. begun: when it began, and the revision then.
    compacted: what was to be told is there no more.
    """

    def __init__(
        self,
        told: Told,
        begun: Callable[[], object],
        revision: int,
        seconds: Callable[[], float],
    ) -> None:
        self._told = told
        self._seconds = seconds
        self._tell_begun = begun
        self._rest = bytearray()
        self.revision = revision
        self.begun: tuple[float, int] | None = None
        self.compacted = False

    def take(self, data: bytes) -> None:
        """Take bytes as they come; raises `Unavailable` when there is nothing more to expect."""
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > LONGEST_LINE:
                raise Unavailable("an event is too long")
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            self._take_line(bytes(line))

    def end(self) -> None:
        """Take what came last, which is a complaint; raises `Unavailable`."""
        self._take_line(bytes(self._rest))

    def settle(self) -> None:
        """Take it that all that was old when it began has come by now, if that is long ago.

        Where little changes, what was seen last would be compacted away else.
        """
        if self.begun is not None and self._seconds() - self.begun[0] >= SETTLED:
            self.revision = max(self.revision, self.begun[1])

    def _take_line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise Unavailable("the watch says what is no JSON") from None
        result = said.get("result") if isinstance(said, dict) else None
        if not isinstance(result, dict):
            raise Unavailable(f"the watch is refused: {_reason(said)}")
        with understood("the watch"):
            self._take_result(result)

    def _take_result(self, result: dict[str, Any]) -> None:
        if result.get("canceled"):
            self.compacted = "compact_revision" in result
            raise Unavailable(f"the watch was ended: {result.get('cancel_reason') or 'no reason'}")
        if result.get("created"):
            self.begun = self._seconds(), int(result["header"]["revision"])
            self._tell_begun()
        events = [event["kv"] for event in result.get("events", ())]
        if events:
            # Not that of the header: what is old comes in portions, all with the newest one.
            newest = max(int(each["mod_revision"]) for each in events)
            self.revision = max(self.revision, newest)
            self._told([b64decode(each["key"]) for each in events])


def _reason(said: Any) -> str:
    error = said.get("error") if isinstance(said, dict) else None
    found = error.get("message") if isinstance(error, dict) else error
    return str(found or "no reason")[:200]
