"""A coarse timer that all connections share: one DelayedCall in all, whatever hangs on it.

Nearly every timer of a connection is set, then cancelled long before it is due, so that is what has
to be cheap. Entries lie in one dict for each tick, and a token says in which dict and under which
number; a cancelled entry leaves nothing behind but an empty dict, which goes when its tick comes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

Bucket = dict[int, Callable[[], None]]
Token = tuple[Bucket, int]

_ALMOST = 1 - 1e-6
"""What rounds up, but not when a sum of floats is a hair above a whole tick."""


class TimerWheel:
    """Calls back in steps of ``tick`` seconds: never early, late by less than one step.

    Times follow ``clock.seconds()``, as all delayed calls of the reactor do. The one delayed call
    comes back every tick while anything is scheduled, and ends by itself one tick after.
    """

    __slots__ = (
        "_buckets", "_call", "_clock", "_latest", "_number", "_per_second", "_running", "_seconds",
    )  # fmt: skip

    log = Logger(namespace="referrald")

    def __init__(self, clock: IReactorTime, tick: float = 1.0) -> None:
        self._clock: Any = clock
        self._seconds: Callable[[], float] = clock.seconds
        self._per_second = 1 / tick
        self._buckets: dict[int, Bucket] = {}
        self._number = count().__next__
        self._latest = 0  # the last tick whose callbacks were run
        self._call: Any = None
        self._running: Bucket = {}

    def __len__(self) -> int:
        """Count what is still to be called."""
        return sum(map(len, self._buckets.values()))

    def add(self, seconds: float, callback: Callable[[], None]) -> Token:
        """Call ``callback`` once after at least ``seconds``; give a token for `cancel`."""
        tick = int((self._seconds() + seconds) * self._per_second + _ALMOST)
        serial = self._number()
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._new_bucket(tick)
        bucket[serial] = callback
        return bucket, serial

    def cancel(self, token: Token) -> None:
        """Forget the callback of ``token``; a token that is spent does no harm."""
        token[0].pop(token[1], None)

    discard = cancel

    def soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when everybody else has had a turn; gives what takes that back."""
        call = self._clock.callLater(0, callback)

        def take_back() -> None:
            if call.active():
                call.cancel()

        return take_back

    def rest(self) -> None:
        """Take the delayed call back where nothing is scheduled; it would end at its next tick."""
        if self._call is not None and not any(self._buckets.values()):
            self.stop()

    def stop(self) -> None:
        """Forget everything; the wheel can be used again."""
        for bucket in (self._running, *self._buckets.values()):
            bucket.clear()
        self._buckets.clear()
        if self._call is not None:
            call, self._call = self._call, None
            call.cancel()

    def _new_bucket(self, tick: int) -> Bucket:
        if self._call is None:
            self._latest = int(self._seconds() * self._per_second)
            self._wait()
        tick = max(tick, self._latest + 1)
        return self._buckets.setdefault(tick, {})

    def _wait(self) -> None:
        at = (self._latest + 1) / self._per_second
        self._call = self._clock.callLater(max(0.0, at - self._seconds()), self._run)

    def _run(self) -> None:
        self._call = None
        buckets = self._buckets
        due = int(self._seconds() * self._per_second + 1 - _ALMOST)
        span: Any = range(self._latest + 1, due + 1)
        if len(span) > len(buckets):  # the clock has jumped, or the reactor was held up
            span = sorted(tick for tick in buckets if tick <= due)
        for tick in span:
            self._latest = tick
            bucket = buckets.pop(tick, None)
            if bucket:
                self._run_bucket(bucket)
        self._latest = due
        if any(buckets.values()):
            if self._call is None:
                self._wait()
        else:
            buckets.clear()

    def _run_bucket(self, bucket: Bucket) -> None:
        self._running = bucket
        for serial in list(bucket):
            callback = bucket.pop(serial, None)  # an earlier callback may have cancelled it
            if callback is None:
                continue
            try:
                callback()
            except Exception:  # noqa: BLE001 - the timers of others must go on
                self.log.failure("a timer failed")
