"""Remote mailboxes in Redis, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from referrald.backends.redis.factory import factory
from referrald.backends.serverwords import write_servers
from referrald.interfaces import IMailboxReferralBackend
from referrald.mailmodel import MailboxLocation
from referrald.model import Home, Server
from referrald.testing import BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes, each_of
from tests.backends.redis.server import RedisServer
from tests.backends.redis.support import ME, ON_A, A, B, RedisTestCase, clock, need_library, until
from tests.backends.support import filled

shared: Any = None


def setUpModule() -> None:
    global shared
    need_library()
    shared = RedisServer()


def tearDownModule() -> None:
    if shared is not None:
        shared.remove()


def rows_of(name: str, location: MailboxLocation) -> Iterator[dict[str, Any]]:
    """Write a mailbox."""
    common: dict[str, Any] = {"mailbox": name, "moving": location.moving or None}
    common |= {"ttl": location.ttl}
    if not location.replicas:
        yield common | ({"servers": "here"} if location.here else {})
    for replica in location.replicas:
        yield common | {
            "servers": write_servers([replica.server]),
            "remote_name": replica.name,
            "remote_user": replica.user,
            "auth": None if replica.auth == "*" else replica.auth,
        }


def put(user: str, *rows: Mapping[str, Any]) -> None:
    """Add rows to a list."""
    for row in rows:
        shared.run("RPUSH", f"referrald:mailboxes:{user}", json.dumps(row))


@pytest.mark.interop
class MailboxContract(BackendContract, TestCase):
    more_mailboxes = RICH_MAILBOXES

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        shared.run("FLUSHALL")
        backend = self.again()
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return self.again()

    def again(self) -> Any:
        options = {"mailboxes": True, "timeout": 30.0}
        return factory.build(filled(factory, servers=[shared.url]) | options, clock)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        shared.run("FLUSHALL")
        for user, name, location in each_of(mailboxes):
            put(user, *rows_of(name, location))
        return self.again()

    def change_mailbox(self, backend: Any, user: str, name: str, location: MailboxLocation) -> None:
        shared.run("DEL", f"referrald:mailboxes:{user}")
        put(user, *rows_of(name, location))
        shared.run("PUBLISH", "referrald:changes", user)

    async def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        backend = await self.make_backend({})
        for user, password in passwords.items():
            shared.run("SET", f"referrald:password:{user}", f"{{PLAIN}}{password}")
        return backend


@pytest.mark.interop
class Lists(RedisTestCase):
    def setUp(self) -> None:
        shared.run("FLUSHALL")
        self._server = shared

    def run_with(self, work: Any, **options: Any) -> Deferred[None]:
        return super().run_with(work, **{"mailboxes": True} | options)

    async def host(self, backend: Any, user: str, name: str) -> str | None:
        location = await backend.mailbox(user, name)
        return location and (location.replicas[0].server.host if location.replicas else "here")

    def test_ones_own_counts_before_the_domains_before_everybodys(self) -> Deferred[None]:
        put("*", {"mailbox": "Shared/", "servers": "all.example"})
        put("*@b.example", {"mailbox": "Shared/", "servers": "domain.example"})
        put("al@b.example", {"mailbox": "Shared/", "servers": "own.example"})
        put("*", {"mailbox": "Shared/Mine/", "servers": "here"})

        async def work(backend: Any) -> None:
            for user, host in (
                ("al@b.example", "own.example"),
                ("bo@b.example", "domain.example"),
                ("cy", "all.example"),
                ("cy@c.example", "all.example"),
                ("@b.example", "domain.example"),
            ):
                self.assertEqual(await self.host(backend, user, "Shared/x"), host, user)
            self.assertEqual(await self.host(backend, "cy", "Shared/Mine/x"), "here")
            location = await backend.mailbox("AL@b.example", "Shared/x")
            self.assertEqual((location.replicas[0].server.host, location.ttl), ("own.example", 0))
            (listed,) = [
                each for each in await backend.remote_mailboxes("CY") if each.name == "Shared"
            ]
            self.assertEqual(listed.location.ttl, 0)

        return self.run_with(work)

    def test_rows_that_say_nothing_useful_are_no_answer_for_those_whose_they_are(
        self,
    ) -> Deferred[None]:
        rows = (
            b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 10_000, b'{"mailbox": "a"}',
            b'{"mailbox": "a", "servers": ""}', b'{"mailbox": "a", "host": "::1"}',
            b'{"mailbox": "a", "host": "x", "port": 0}', b'{"servers": "x.example"}',
            b'{"mailbox": "a", "servers": ["x.example"]}', b'{"mailbox": "a", "srevers": "x"}',
            b'{"mailbox": "a", "servers": "x.example", "level": 1}',
        )  # fmt: skip

        async def work(backend: Any) -> None:
            put("bob", {"mailbox": "Archive", "servers": A.host})
            for row in rows:
                shared.run("DEL", "referrald:mailboxes:alice")
                shared.run("RPUSH", "referrald:mailboxes:alice", row)
                said = await self.failing(backend.mailbox("alice", "a"))
                self.assertIn("the mailboxes of 'alice'", said, row)
                await self.failing(backend.remote_mailboxes("alice"))
                self.assertEqual(await self.host(backend, "bob", "Archive"), A.host)
            self.assertEqual(list(await backend.targets()), [A])
            shared.run("DEL", "referrald:mailboxes:alice")
            shared.run("SET", "referrald:mailboxes:alice", "x")
            self.assertIn("WRONGTYPE", await self.failing(backend.mailbox("alice", "a")))
            self.assertEqual(list(await backend.targets()), [A])

        return self.run_with(work)

    def test_the_servers_of_mailboxes_are_among_the_targets(self) -> Deferred[None]:
        put("*", {"mailbox": "Shared/", "servers": f"{A.host}, {B.host}"})
        self.server.run("RPUSH", "Xreferrald:mailboxes:x", '{"mailbox": "x", "servers": "no"}')

        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            self.assertEqual(set(await backend.targets()), {A, B})

        return self.run_with(work)

    def test_a_change_for_many_may_concern_anybody(self) -> Deferred[None]:
        self.server.run("CONFIG", "SET", "notify-keyspace-events", "Kglh$x")
        self.addCleanup(self.server.run, "CONFIG", "SET", "notify-keyspace-events", "")

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            put("alice", {"mailbox": "Shared/", "servers": A.host})
            await until(lambda: heard == ["alice"])
            put("*@b.example", {"mailbox": "Shared/", "servers": A.host})
            await until(lambda: heard == ["alice", None])
            self.server.run("PUBLISH", "referrald:changes", "*")
            await until(lambda: heard == ["alice", None, None])

        return self.run_with(work, keyspace_events=True)

    def test_without_the_option_nobody_is_asked(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.assertFalse(IMailboxReferralBackend.providedBy(backend))

        return self.run_with(work, mailboxes=False)

    def test_a_name_is_a_part_of_a_key_and_nothing_else(self) -> Deferred[None]:
        put("*", {"mailbox": "Shared/", "servers": A.host})

        async def work(backend: Any) -> None:
            for user in ("", "alice\0", "alice\r\n", "x" * 10_000, "\ud800", " alice"):
                self.assertIsNone(await backend.mailbox(user, "Shared/x"), user[:20])
            for name in ("*", "Shared*", "x" * 10_000, "\0", "Shared/../x\r\n"):
                await backend.mailbox("alice", name)
            server = Server(host=A.host)
            self.assertEqual(list(await backend.targets()), [server])

        return self.run_with(work)
