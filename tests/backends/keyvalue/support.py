"""What the tests of this room share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from referrald.backends.jsonhomes import write_home
from referrald.errors import Unavailable
from referrald.model import Home, Login, Occasion, Server
from tests.backends.support import filled

A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")
ON_A, ON_B = Home(servers=(A,)), Home(servers=(B,))
ME = Occasion(who="tester", why="because")
PREFIX = "referrald/homes/"

PATIENT = 30.0
"""Seconds for an answer where no test is about them."""

SOON = 3.0
"""A second, in which a change is told, and two for a machine that has much else to do."""

clock: Any = reactor


def value(home: Home) -> str:
    """Write a value as a site does."""
    return json.dumps({"home": write_home(home)})


async def until(condition: Callable[[], Any]) -> float:
    """Wait until something is true; gives the seconds that it took."""
    begun = clock.seconds()
    while not condition():
        assert clock.seconds() - begun < 60, "waited for too long"
        await deferLater(clock, 0.01, lambda: None)
    return float(clock.seconds() - begun)


class StoreTestCase(TestCase):
    """Works with a backend that is started. factory, given: how it is made."""

    factory: Any

    def given(self) -> dict[str, Any]:
        """Give the options that are there by default."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self) -> str:
        """Give everything that was logged, whatever it is in."""
        return "\n".join(
            each["log_format"].format(**each) for each in self.events if each.get("log_format")
        )

    def build(self, **options: Any) -> Any:
        given = {"timeout": PATIENT, **self.given(), **options}
        return self.factory.build(filled(self.factory, **given), clock)

    def run_with(self, work: Callable[[Any], Any], **options: Any) -> Deferred[None]:
        """Do ``work(backend)`` with a backend that is started."""

        async def doing() -> None:
            backend = self.build(**options)
            await backend.start()
            try:
                await work(backend)
            finally:
                await backend.stop()

        return Deferred.fromCoroutine(doing())

    async def home(self, backend: Any, user: str) -> Home | None:
        home: Home | None = await backend.home(Login(user=user))
        return home

    async def failure(self, work: Any, kind: type[Exception] = Unavailable) -> str:
        """Give the text of the error in which something ends."""
        try:
            await work
        except kind as error:
            return str(error)
        raise AssertionError(f"no {kind.__name__}")


class Hanging(Protocol):
    """Takes whatever comes, and says nothing."""


def hang(case: TestCase) -> str:
    """Start a server that takes connections and never answers; gives its URL."""
    port = clock.listenTCP(0, Factory.forProtocol(Hanging), interface="127.0.0.1")
    case.addCleanup(port.stopListening)
    return f"http://127.0.0.1:{port.getHost().port}"
