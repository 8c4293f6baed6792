"""The redis backend with the layout of Dovecot's dict driver, against a real server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from referrald.backends.redis.factory import factory
from referrald.model import Home, Security, Server, StoredPassword
from referrald.testing import RICH_HOMES, BackendContract
from tests.backends.redis.server import RedisServer
from tests.backends.redis.support import ON_A, A, RedisTestCase, clock, need_library, until
from tests.backends.support import filled

shared: Any = None


def setUpModule() -> None:
    global shared
    need_library()
    shared = RedisServer()


def tearDownModule() -> None:
    if shared is not None:
        shared.remove()


def fields_of(home: Home) -> dict[str, Any]:
    """Write a home as fields of Dovecot's passdb."""
    if home.closed is not None:
        return {"nologin": "y", "reason": home.closed}
    found: dict[str, Any] = {"held": True} if home.held else {}
    if home.servers:
        (server,) = home.servers
        kind = "ssl" if server.security is Security.TLS else "starttls"
        found |= {"host": server.host, "port": server.port, kind: "yes"}
    if home.user is not None:
        found["destuser"] = home.user.replace("%", "%%")
    return found


@pytest.mark.interop
class DovecotContract(BackendContract, TestCase):
    more_homes: ClassVar[Mapping[str, Home]] = {
        user: RICH_HOMES[user] for user in ("heidi", "lena", "j\u00fcrgen", "o'brien", "with space")
    } | {"frank@example.com": Home(servers=(A,), user="fr ank@ex%mple")}

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        shared.run("FLUSHALL")
        for user, home in homes.items():
            shared.run("SET", f"passdb/{user}", json.dumps(fields_of(home)))
        return self._made()

    def _made(self) -> Any:
        options = {"layout": "dovecot", "channel": "changes", "timeout": 30.0}
        return factory.build(filled(factory, servers=[shared.url]) | options, clock)

    def change(self, backend: Any, user: str, home: Home) -> None:
        shared.run("SET", f"passdb/{user}", json.dumps(fields_of(home)))
        shared.run("PUBLISH", "changes", user)

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        shared.run("FLUSHALL")
        for user, word in passwords.items():
            value = json.dumps({"password": f"{{PLAIN}}{word}"})
            shared.run("SET", f"passdb/{user}", value)
        return self._made()


@pytest.mark.interop
class DovecotLayout(RedisTestCase):
    def put(self, user: str, value: Any) -> None:
        self.server.run("SET", f"passdb/{user}", json.dumps(value))

    def test_values_are_read_and_told_where_the_site_tells_them(self) -> Deferred[None]:
        self.put("alice", {"password": "{PLAIN}x", "host": A.host, "proxy": "y"})

        async def work(backend: Any) -> None:
            self.assertEqual(await self.home(backend, "alice"), ON_A)
            self.assertEqual(await self.home(backend, "Alice"), Home(servers=(A,), ttl=0))
            stored = StoredPassword(scheme="PLAIN", encoded=b"x")
            self.assertEqual(await backend.password("ALICE"), stored)
            self.assertIsNone(await self.home(backend, "bob"))
            for user in ("../passdb/alice", "x/../alice", "*", "alice\0", "alice\n", "x" * 10_000):
                self.assertIsNone(await self.home(backend, user))
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.put("alice", {"host": "imap-b.example.org"})
            self.server.run("PUBLISH", "mail-changes", "alice")
            await until(lambda: heard == ["alice"])
            b = Home(servers=(Server(host="imap-b.example.org"),))
            self.assertEqual(await self.home(backend, "alice"), b)

        return self.run_with(work, layout="dovecot", channel="mail-changes")

    def test_redis_itself_tells_of_values(self) -> Deferred[None]:
        self.server.run("CONFIG", "SET", "notify-keyspace-events", "KA")

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.put("bob", {})
            self.server.run("SET", "userdb/carol", "{}")
            self.put("alice", {})
            self.server.run("DEL", "passdb/bob")
            await until(lambda: len(heard) == 3)
            self.assertEqual(heard, ["bob", "alice", "bob"])

        return self.run_with(work, layout="dovecot", keyspace_events=True)

    def test_values_that_make_no_home_and_keys_of_another_type_are_no_answer(
        self,
    ) -> Deferred[None]:
        self.put("alice", {"host": A.host, "port": 0})
        self.server.run("HSET", "passdb/bob", "host", A.host)
        self.put("carol", {"host": A.host})

        async def work(backend: Any) -> None:
            self.assertIn("port", await self.failing(self.home(backend, "alice")))
            self.assertIn("WRONGTYPE", await self.failing(self.home(backend, "bob")))
            self.assertEqual(await self.home(backend, "carol"), ON_A)
            await backend.reload()

        return self.run_with(work, layout="dovecot")
