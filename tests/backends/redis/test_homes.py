"""The redis backend with a hash for each user, against a real server."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from referrald.backends.redis.factory import factory
from referrald.errors import NoSuchUser, NotPossible
from referrald.interfaces import IWatchableBackend, IWritableBackend
from referrald.model import Home, HomeChange, Occasion, Security, Server, StoredPassword
from referrald.testing import RICH_HOMES, BackendContract
from referrald.testing.backends import ODD_NAMES, deferred
from tests.backends.redis.server import RedisServer
from tests.backends.redis.support import (
    ME,
    ON_A,
    ON_B,
    A,
    RedisTestCase,
    clock,
    need_library,
    until,
)
from tests.backends.support import filled

shared: Any = None


def setUpModule() -> None:
    global shared
    need_library()
    shared = RedisServer()


def tearDownModule() -> None:
    if shared is not None:
        shared.remove()


@pytest.mark.interop
class OwnLayoutContract(BackendContract, TestCase):
    more_homes = RICH_HOMES

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        shared.run("FLUSHALL")
        backend: Any = factory.build(filled(factory, servers=[shared.url], timeout=30.0), clock)
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return factory.build(filled(factory, servers=[shared.url], timeout=30.0), clock)

    async def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        backend = await self.make_backend(dict.fromkeys(passwords, Home()))
        for user, password in passwords.items():
            shared.run("SET", f"referrald:password:{user}", f"{{PLAIN}}{password}")
        return backend

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)


class SharedServer(RedisTestCase):
    """Uses the server of the module, emptied before."""

    def setUp(self) -> None:
        shared.run("FLUSHALL")
        self._server = shared


@pytest.mark.interop
class Changing(SharedServer):
    def test_it_is_writable_and_told_by_name(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            verifyObject(IWritableBackend, backend)
            verifyObject(IWatchableBackend, backend)
            heard: list[str | None] = []
            backend.watch(heard.append)
            said = await backend.set_home({"Alice": ON_A, "bob": ON_A}, ME)
            self.assertEqual(
                said, [HomeChange(user=name, before=None, after=ON_A) for name in ("alice", "bob")]
            )
            await until(lambda: heard == ["alice", "bob"])
            self.assertEqual(await self.home(backend, "ALICE"), Home(servers=(A,), ttl=0))

        return self.run_with(work)

    def test_a_change_at_one_front_door_is_in_effect_at_another(self) -> Deferred[None]:
        async def work(one: Any) -> None:
            async def other(second: Any) -> None:
                heard: list[str | None] = []
                second.watch(heard.append)
                took = []
                for number, home in enumerate([ON_B, ON_A, ON_B], 1):
                    await one.set_home({"carol": home}, ME)
                    took.append(await until(lambda: len(heard) == number))  # noqa: B023
                    self.assertEqual(await self.home(second, "carol"), home)
                self.assertEqual(set(heard), {"carol"})
                # The quickest: others may keep the machine busy at any one moment.
                self.assertLess(min(took), 1.0)

            await self.run_with(other, servers=[self.server.socket_url])

        return self.run_with(work)

    def test_a_dry_run_says_the_same_and_changes_nothing(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A, "bob": ON_A}, ME)
            keys = sorted(self.server.run("KEYS", "*"))
            for name, what in (
                ("set_home", {"alice": ON_B}),
                ("import_", {"alice": ON_B}),
                ("hold", ["alice"]),
                ("remove", ["alice"]),
            ):
                dry = await getattr(backend, name)(what, Occasion(who="me", dry_run=True))
                self.assertTrue(dry)
                self.assertEqual(sorted(self.server.run("KEYS", "*")), keys)
                self.assertEqual(dict(await backend.export()), {"alice": ON_A, "bob": ON_A}, name)
            self.assertEqual(len(await backend.history()), 2)

        return self.run_with(work)

    def test_users_are_held_released_and_removed_all_of_them_or_none(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A, "bob": ON_A}, ME)
            for name in ("hold", "release", "remove"):
                said = await self.failing(getattr(backend, name)(["alice", "no"], ME), NoSuchUser)
                self.assertEqual(said, "there is nobody called no")
            self.assertEqual(dict(await backend.export()), {"alice": ON_A, "bob": ON_A})
            await backend.hold(["alice", "ALICE"], ME)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,), held=True))
            await backend.release(["alice"], ME)
            self.assertEqual(await self.home(backend, "alice"), ON_A)
            await backend.remove(["alice"], ME)
            self.assertIsNone(await self.home(backend, "alice"))
            self.assertEqual(dict(await backend.export()), {"bob": ON_A})

        return self.run_with(work)

    def test_what_cannot_be_kept_keeps_the_rest_from_being_changed(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for homes in (
                *({"alice": ON_A, name: ON_A} for name in ("", " x", "a\0", "x" * 256, "\ud800")),
                {"alice": ON_A, "bob": Home(servers=(Server(host="::1"),))},
                {"alice": ON_A, "Alice": ON_B},
            ):
                await self.failing(backend.set_home(homes, ME), NotPossible)
            self.assertEqual(self.server.run("KEYS", "*"), [])

        return self.run_with(work)

    def test_ten_thousand_users_are_one_change_with_a_history(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            homes = {f"user{number:05}": ON_A for number in range(10_000)}
            self.assertEqual(len(await backend.import_(homes, ME)), 10_000)
            await until(lambda: heard)
            self.assertEqual(heard, [None])
            self.assertEqual(dict(await backend.export("", 20_000)), homes)
            page = await backend.export("user00009", 2)
            self.assertEqual([user for user, _ in page], ["user00010", "user00011"])
            await backend.hold(["user00000"], ME)
            latest, first = await backend.history("USER00000")
            self.assertEqual((latest.who, latest.why), (ME.who, ME.why))
            held = Home(servers=(A,), held=True)
            self.assertEqual(latest.change, HomeChange(user="user00000", before=ON_A, after=held))
            self.assertEqual(first.change, HomeChange(user="user00000", before=None, after=ON_A))
            self.assertGreaterEqual(latest.when, first.when)
            self.assertEqual((await backend.history(None, 1)), [latest])
            await backend.import_({}, ME)
            self.assertEqual(await backend.export(), [])

        return self.run_with(work)

    def test_two_that_change_at_once_see_each_other(self) -> Deferred[None]:
        async def work(one: Any) -> None:
            async def other(two: Any) -> None:
                await one.set_home({"alice": ON_A}, ME)
                turns = [
                    deferred((one, two)[number % 2].set_home({"alice": home}, ME))
                    for number, home in enumerate([ON_B, ON_A] * 5)
                ]
                await gatherResults(turns)
                changes = [each.change for each in await one.history("alice")]
                # Each has begun with what the one before has left.
                for later, earlier in pairwise(changes):
                    self.assertEqual(later.before, earlier.after)
                self.assertEqual(await self.home(one, "alice"), changes[0].after)

            await self.run_with(other)

        return self.run_with(work)

    def test_what_was_trimmed_of_the_history_is_passed_over(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for home in (ON_A, ON_B, ON_A):
                await backend.set_home({"alice": home}, ME)
            self.server.run("XTRIM", "referrald:history", "MAXLEN", 1)
            (logged,) = await backend.history("alice")
            self.assertEqual(logged.change.after, ON_A)
            self.server.run("DEL", "referrald:history", "referrald:version")
            await backend.set_home({"alice": ON_B}, ME)
            self.assertEqual(len(await backend.history()), 1)

        return self.run_with(work)

    def test_a_key_of_another_type_keeps_a_change_from_being_begun(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for key in ("homes", "history", "version", "history:bob"):
                self.server.run("FLUSHALL")
                await backend.set_home({"alice": ON_A}, ME)
                self.server.run("DEL", f"referrald:{key}")
                self.server.run("HSET", f"referrald:{key}", "a", "b")
                said = await self.failing(backend.set_home({"alice": ON_B, "bob": ON_B}, ME))
                self.assertIn("WRONGTYPE", said)
                self.assertEqual(await self.home(backend, "alice"), ON_A, key)
                self.assertIsNone(await self.home(backend, "bob"), key)

        return self.run_with(work)

    def test_a_server_without_room_changes_nothing(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            self.server.run("CONFIG", "SET", "maxmemory", "1")
            try:
                said = await self.failing(backend.set_home({"alice": ON_B, "bob": ON_B}, ME))
            finally:
                self.server.run("CONFIG", "SET", "maxmemory", "0")
            self.assertIn("maxmemory", said)
            self.assertEqual(dict(await backend.export()), {"alice": ON_A})
            self.assertEqual(len(await backend.history()), 1)

        return self.run_with(work)


@pytest.mark.interop
class ByHand(SharedServer):
    def test_the_commands_of_the_reference_do(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            run = self.server.run
            run("HSET", "referrald:home:alice", "host", "imap-a.example.org", "port", "993")
            run("ZADD", "referrald:homes", 0, "alice")
            run("SET", "referrald:password:alice", "{PLAIN}wonderland")
            run("PUBLISH", "referrald:changes", "Alice")
            await until(lambda: heard == ["alice"])
            tls = Server(host="imap-a.example.org", port=993, security=Security.TLS)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(tls,)))
            self.assertEqual(
                await backend.password("Alice"),
                StoredPassword(scheme="PLAIN", encoded=b"wonderland"),
            )
            self.assertEqual(list(await backend.targets()), [tls])
            run("PUBLISH", "referrald:changes", "")
            await until(lambda: heard == ["alice", None])

        return self.run_with(work)

    def test_rows_that_make_no_home_are_no_answer(self) -> Deferred[None]:
        rows = {
            "empty": {"host": ""},
            "none": {"name": "x"},
            "zero": {"host": "imap-a.example.org", "port": "0"},
            "six": {"host": "2001:db8::7"},
            "typo": {"host": "imap-a.example.org", "clsed": "moved"},
            "bytes": {"host": b"\xff"},
            "hold": {"servers": "imap-a.example.org", "held": "perhaps"},
        }

        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            for user, row in rows.items():
                self.server.run(
                    "HSET", f"referrald:home:{user}", *(x for it in row.items() for x in it)
                )
                self.server.run("ZADD", "referrald:homes", 0, user)
                said = await self.failing(self.home(backend, user))
                self.assertIn(f"the row of {user!r}", said)
            self.assertEqual(list(await backend.targets()), [A])
            self.assertEqual(await self.home(backend, "alice"), ON_A)

        return self.run_with(work)

    def test_a_row_without_host_may_mean_here(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.server.run("HSET", "referrald:home:none", "auth", "PLAIN")
            self.assertEqual(await self.home(backend, "none"), Home(auth="PLAIN"))

        return self.run_with(work, without_host="here")

    def test_keys_of_another_type_are_no_answer_for_their_user(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"bob": ON_A}, ME)
            self.server.run("SET", "referrald:home:alice", "imap-a.example.org")
            self.server.run("HSET", "referrald:password:alice", "hash", "x")
            self.assertIn("WRONGTYPE", await self.failing(self.home(backend, "alice")))
            self.assertIn("WRONGTYPE", await self.failing(backend.password("alice")))
            self.assertEqual(await self.home(backend, "bob"), ON_A)

        return self.run_with(work)

    def test_a_password_that_cannot_be_one_is_never_told(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.server.run("SET", "referrald:password:alice", "hush" * 2_000)
            self.assertNotIn("hush", await self.failing(backend.password("alice")))
            self.server.run("SET", "referrald:password:bob", "")
            self.assertIsNone(await backend.password("bob"))

        return self.run_with(work)

    def test_a_name_is_a_part_of_a_key_and_nothing_else(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A, "a*b": ON_B}, ME)
            before = sorted(self.server.run("KEYS", "*"))
            for user in (
                *ODD_NAMES, "alice\r\nFLUSHALL\r\n", "a?b", "[a]lice", "alice referrald:home:alice",
                "*1\r\n$8\r\nFLUSHALL\r\n", "../home:alice", ":alice",
            ):  # fmt: skip
                self.assertIsNone(await self.home(backend, user), user[:40])
                self.assertIsNone(await backend.password(user), user[:40])
            self.assertEqual(await self.home(backend, "a*b"), ON_B)
            self.assertEqual(sorted(self.server.run("KEYS", "*")), before)

        return self.run_with(work)

    def test_redis_itself_tells_of_changes_where_it_is_asked_to(self) -> Deferred[None]:
        self.server.run("CONFIG", "SET", "notify-keyspace-events", "Kg$hx")

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.server.run("HSET", "a*b:home:alice", "host", "imap-a.example.org", database=3)
            self.server.run("HSET", "aXb:home:bob", "host", "imap-a.example.org", database=3)
            self.server.run("SET", "a*b:password:carol", "{PLAIN}x", database=3)
            await until(lambda: heard == ["alice", "carol"])
            self.server.run("DEL", "a*b:home:alice", database=3)
            await until(lambda: heard[2:] == ["alice"])

        return self.run_with(work, keyspace_events=True, prefix="a*b:", database=3)

    def test_many_changes_together_are_everybody(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            script = "for n = 1, 500 do redis.call('PUBLISH', 'referrald:changes', 'u' .. n) end"
            self.server.run("EVAL", script, 0)
            await until(lambda: None in heard)
            self.assertLessEqual(len(heard), 500)

        return self.run_with(work)
