"""What becomes of a redis backend when its servers fail, and how it gets in at them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import formatEvent, globalLogPublisher

from referrald.errors import Unavailable
from referrald.testing.backends import deferred
from tests.backends.redis.server import RedisServer, free_port
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
from tests.interop.support import make_certificate

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "redis-backend.md"


class FaultCase(RedisTestCase):
    def setUp(self) -> None:
        need_library()
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: Any) -> None:
        line = formatEvent(event)
        if line.startswith("redis "):
            self.logged.append(line)


@pytest.mark.interop
class Stopped(FaultCase):
    def test_one_that_is_stopped_and_started_under_load_is_asked_again(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            heard: list[str | None] = []
            backend.watch(heard.append)
            outcomes: list[Any] = []
            asking = True

            async def ask() -> None:
                while asking:
                    try:
                        outcomes.append(await self.home(backend, "alice"))
                    except Unavailable:
                        outcomes.append(None)

            load = [deferred(ask()) for _ in range(16)]
            await until(lambda: ON_A in outcomes)
            self.server.stop()
            await until(lambda: None in outcomes and "cannot be reached" in "".join(self.logged))
            self.server.start()
            del outcomes[:]
            await until(lambda: ON_A in outcomes and None in heard)
            asking = False
            await gatherResults(load)
            # Nobody was ever sent anywhere else.
            self.assertTrue(all(each in (ON_A, None) for each in outcomes))
            self.assertEqual(len([line for line in self.logged if "cannot be reached" in line]), 1)
            await backend.set_home({"bob": ON_B}, ME)
            await until(lambda: "bob" in heard)

        return self.run_with(work)

    def test_a_front_door_starts_while_it_is_down(self) -> Deferred[None]:
        self.server.stop()

        async def work(backend: Any) -> None:
            await self.failing(self.home(backend, "alice"))
            await self.failing(backend.set_home({"alice": ON_A}, ME))
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.server.start()
            await until(lambda: heard == [None])
            await backend.set_home({"alice": ON_A}, ME)
            self.assertEqual(await self.home(backend, "alice"), ON_A)
            self.assertIn("can be reached again", self.logged[-1])

        return self.run_with(work)

    def test_one_that_hangs_is_given_up_and_missed_by_who_listens(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.server.hang()
            begun = clock.seconds()
            await self.failing(self.home(backend, "alice"))
            # It hangs for ever; that much is for a machine that is busy with others.
            self.assertLess(clock.seconds() - begun, 30)
            await until(lambda: any("cannot be reached" in line for line in self.logged))
            self.server.go_on()
            await until(lambda: None in heard)
            self.assertEqual(await self.home(backend, "alice"), ON_A)

        # A machine that is busy with others takes its time for the rest.
        return self.run_with(work, timeout=4.0)

    def test_after_the_stop_there_is_no_answer(self) -> Deferred[None]:
        async def work() -> None:
            backend = self.build()
            await backend.start()
            await backend.stop()
            await self.failing(self.home(backend, "alice"))

        return Deferred.fromCoroutine(work())


@pytest.mark.interop
class SeveralServers(FaultCase):
    def setUp(self) -> None:
        super().setUp()
        self.replica = RedisServer(
            f"replicaof 127.0.0.1 {self.server.port}\nrepl-diskless-sync-delay 0"
        )
        self.addCleanup(self.replica.remove)
        self.both = [self.replica.url, self.server.url]

    async def replicated(self, user: str) -> None:
        await until(lambda: self.replica.run("EXISTS", f"referrald:home:{user}"))

    def test_a_replica_answers_while_the_other_is_down_and_takes_over(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            await self.replicated("alice")
            self.server.stop()
            self.assertEqual(await self.home(backend, "alice"), ON_A)
            said = await self.failing(backend.set_home({"alice": ON_B}, ME))
            self.assertIn("is a replica", said)
            await until(lambda: any("cannot be reached" in line for line in self.logged))
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.replica.run("REPLICAOF", "NO", "ONE")
            await until(lambda: heard == [None])
            await backend.set_home({"alice": ON_B}, ME)
            await until(lambda: heard == [None, "alice"])
            self.assertEqual(await self.home(backend, "alice"), ON_B)
            # The old one comes back with what it knew, and is not believed.
            self.server.start()
            await backend.set_home({"bob": ON_B}, ME)
            self.assertEqual(await self.home(backend, "alice"), ON_B)
            self.assertFalse(self.server.run("EXISTS", "referrald:home:bob"))

        return self.run_with(work, servers=self.both)

    def test_a_change_goes_to_the_one_that_takes_it_whatever_the_order(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for order in (self.both, self.both[::-1]):

                async def other(second: Any) -> None:
                    heard: list[str | None] = []
                    second.watch(heard.append)
                    await second.set_home({"alice": ON_A, "bob": ON_B}, ME)
                    await until(lambda: "bob" in heard)
                    await second.remove(["alice", "bob"], ME)

                await self.run_with(other, servers=order)
            self.assertTrue(self.server.run("EXISTS", "referrald:history"))

        return self.run_with(work, servers=self.both)


@pytest.mark.interop
class GettingIn(FaultCase):
    def test_a_password_is_needed_and_may_change_while_we_run(self) -> Deferred[None]:
        secret = Path(self.mktemp())
        secret.write_text("hush\n", encoding="utf-8")
        guarded = RedisServer("requirepass hush")
        self.addCleanup(guarded.remove)

        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)

            async def refused(other: Any) -> None:
                said = await self.failing(self.home(other, "alice"))
                self.assertNotIn("wrong-hush", said + "".join(self.logged) + repr(other))

            await self.run_with(refused, servers=[guarded.url], password="wrong-hush")
            secret.write_text("other", encoding="utf-8")
            said = await self.failing(self.home(self.build(servers=[guarded.url]), "alice"))
            self.assertNotIn("hush", said)

            async def other(second: Any) -> None:
                self.assertIn("password", await self.failing(self.home(second, "alice")))
                secret.write_text("hush", encoding="utf-8")
                self.assertEqual(await self.home(second, "alice"), ON_A)

            await self.run_with(other, servers=[guarded.url], password_file=str(secret))

        return self.run_with(work, servers=[guarded.url], password_file=str(secret))

    def test_the_rights_that_the_page_names_are_enough(self) -> Deferred[None]:
        page = PAGE.read_text(encoding="utf-8")
        rules = re.findall(r"^ACL SETUSER ([^`]+?)\n```", page, re.MULTILINE)
        self.assertEqual([rule.split()[0] for rule in rules], ["imap", "operator"])
        for rule in rules:
            self.server.run("ACL", "SETUSER", *rule.split())

        async def front(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)

            async def operator(other: Any) -> None:
                await other.set_home({"alice": ON_A, "bob": ON_A}, ME)
                await until(lambda: heard == ["alice", "bob"])
                await other.hold(["bob"], ME)
                await other.remove(["bob"], ME)
                self.assertEqual(dict(await other.export()), {"alice": ON_A})
                self.assertEqual(list(await other.targets()), [A])
                self.assertEqual(len(await other.history("bob")), 3)
                self.assertEqual(len(await other.history()), 4)

            await self.run_with(operator, username="operator", password="wonderland")
            self.assertEqual(await self.home(backend, "alice"), ON_A)
            self.assertIsNone(await backend.password("alice"))
            said = await self.failing(backend.set_home({"alice": ON_B}, ME))
            self.assertIn("no permissions", said.lower())
            self.assertEqual(self.logged, [])

        return self.run_with(front, username="imap", password="wonderland")

    def test_tls_is_spoken_and_the_certificate_looked_at(self) -> Deferred[None]:
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = (str(path.absolute()) for path in make_certificate(folder))
        port = free_port()
        safe = RedisServer(
            f"port 0\ntls-port {port}\ntls-cert-file {certificate}\ntls-key-file {key}\n"
            f"tls-ca-cert-file {certificate}"
        )
        self.addCleanup(safe.remove)
        known = {"ca": certificate, "certificate": certificate, "key": key}

        async def work(backend: Any) -> None:
            await backend.set_home({"alice": ON_A}, ME)
            self.assertEqual(await self.home(backend, "alice"), ON_A)

        async def refused(backend: Any) -> None:
            await self.failing(self.home(backend, "alice"))

        async def all_of_them() -> None:
            await self.run_with(work, servers=[f"rediss://localhost:{port}"], **known)
            for servers, options in (
                # Another name than in the certificate, nobody who vouches, no certificate of ours.
                ([f"rediss://127.0.0.1:{port}"], known),
                ([f"rediss://localhost:{port}"], known | {"ca": None}),
                ([f"rediss://localhost:{port}"], {"ca": certificate}),
                ([f"redis://localhost:{port}"], {}),
            ):
                await self.run_with(refused, servers=servers, **options)

        return Deferred.fromCoroutine(all_of_them())
