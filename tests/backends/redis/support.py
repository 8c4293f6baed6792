"""What the tests of Redis share: one server for a module, backends on it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from referrald.backends.redis.factory import factory
from referrald.errors import ReferraldError, Unavailable
from referrald.model import Home, Login, Occasion, Server
from tests.backends.redis.server import RedisServer
from tests.backends.support import filled

clock: Any = reactor
A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")
ON_A, ON_B = Home(servers=(A,)), Home(servers=(B,))
ME = Occasion(who="tester", why="a test")


def need_library() -> None:
    """Skip the module without redis-py."""
    if find_spec("redis") is None:
        raise SkipTest("redis-py is not installed")


async def until(condition: Any) -> float:
    """Wait until something is true; gives the seconds that it took."""
    begun = clock.seconds()
    while not condition():
        assert clock.seconds() - begun < 60, "waited for too long"
        await deferLater(clock, 0.01, lambda: None)
    return float(clock.seconds() - begun)


class RedisTestCase(TestCase):
    """Has a server of its own, started when it is first asked for.

    settings: further lines of its configuration.
    """

    settings = ""
    _server: RedisServer | None = None

    @property
    def server(self) -> RedisServer:
        """The server of this test."""
        if self._server is None:
            need_library()
            self._server = RedisServer(self.settings)
            self.addCleanup(self._server.remove)
        return self._server

    def build(self, **options: Any) -> Any:
        """Make a backend."""
        return factory.build(
            filled(factory, servers=[self.server.url], timeout=30.0) | options, clock
        )

    def run_with(self, work: Any, **options: Any) -> Deferred[None]:
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
        """Look a user up."""
        home: Home | None = await backend.home(Login(user=user))
        return home

    async def failing(self, work: Any, kind: type[ReferraldError] = Unavailable) -> str:
        """Give what is said when there is no answer."""
        try:
            found = await work
        except kind as error:
            return str(error)
        raise AssertionError(f"there was an answer: {found!r}")
