"""A login on its way to a home server, and the time that it has."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from referrald.client.following import Arrived, Step
from referrald.model import Server
from referrald.relay.heard import Heard
from referrald.relay.splice import LoggedIn
from referrald.relay.straight import ShortWay, StraightLogin


class Way:
    """What happens while a login looks for its server, and the time that is left for it.

    short: how a server may be logged in to without detours. begun: that way to the first server,
    as far as it went. faults: why servers were passed over.
    referred: the one that is tried has referred on, so it works, whatever comes of the others.
    overdue: there is no time left. server, there: what has let us in, and where that has led to;
    arrived: the same in the client library's words, unless it was the short way. calls: where our
    connections come from.
    """

    def __init__(
        self,
        reactor: Any,
        limit: float,
        short: ShortWay | None = None,
        began: float | None = None,
    ) -> None:
        self._reactor = reactor
        self._limit = limit
        self._until = (reactor.seconds() if began is None else began) + limit
        self.short = short
        self.begun: StraightLogin | None = None
        self.faults: list[str] = []
        self.calls: list[tuple[str, int]] = []
        self.heard = Heard()
        self.server: Server | None = None
        self.arrived: Arrived | None = None
        self.there = ""
        self.referred = self.overdue = False

    def begin(self) -> None:
        """Go to a server of the home."""
        self.referred = False

    def step(self, step: Step) -> None:
        """Take note of what a server has answered."""
        if step.outcome == "referred":
            self.referred = True
        elif step.outcome == "here":
            self.heard.take_answer(step.said.encode("utf-8"))

    @property
    def left(self) -> float:
        """Seconds that are left."""
        left: float = self._until - self._reactor.seconds()
        return left

    async def within(self, work: Coroutine[Any, Any, LoggedIn]) -> LoggedIn:
        """Do something in the time that is left; after that it is cancelled, and overdue."""
        doing: Deferred[LoggedIn] = Deferred.fromCoroutine(work)
        call = self._reactor.callLater(max(0.0, self.left), self._end, doing)
        try:
            return await doing
        finally:
            if call.active():
                call.cancel()

    def _end(self, doing: Deferred[LoggedIn]) -> None:
        self.overdue = True
        doing.cancel()

    def __str__(self) -> str:
        faults = "; ".join(self.faults)
        if self.overdue or self.left <= 0:
            return f"after {self._limit:g} s: {faults or 'too slow'}"
        return f"lets us in: {faults}"
