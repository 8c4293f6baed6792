"""The postgresql backend against a real server, which each run of these tests starts itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from unittest import SkipTest

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from referrald.backends.sql import pgschema
from referrald.backends.sql.pgschema import STEPS
from referrald.backends.sql.postgresql import factory
from referrald.errors import NoSuchUser, Unavailable
from referrald.interfaces import (
    ICheckingFactory,
    IReferralBackendFactory,
    IWatchableBackend,
    IWritableBackend,
)
from referrald.model import Home, Login, Server, StoredPassword
from referrald.testing import RICH_HOMES, BackendContract
from tests.backends.sql import mailboxes
from tests.backends.sql.cluster import Cluster
from tests.backends.sql.support import HOME, ME, PASSWORD, TARGETS
from tests.backends.support import filled

A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")
SITE = """
CREATE TABLE virtual_users (email TEXT PRIMARY KEY, password TEXT, host TEXT, port INT, tls BOOL,
    enabled BOOL);
INSERT INTO virtual_users VALUES
    ('alice@example.org', '{PLAIN}wonderland', 'imap-a.example.org', NULL, NULL, true),
    ('none@example.org', NULL, NULL, NULL, NULL, true),
    ('empty@example.org', '', '', NULL, NULL, true),
    ('zero@example.org', NULL, 'imap-a.example.org', 0, NULL, true),
    ('six@example.org', NULL, '2001:db8::7', NULL, NULL, true);
"""
OWN = {"home_query": HOME, "password_query": PASSWORD, "targets_query": TARGETS}

clock: Any = reactor
cluster: Any = None
databases = 0


def setUpModule() -> None:
    global cluster
    if find_spec("psycopg") is None:
        raise SkipTest("psycopg is not installed")
    cluster = Cluster()


def tearDownModule() -> None:
    if cluster is not None:
        cluster.remove()


def new_database() -> str:
    """Make an empty database; gives its name."""
    global databases
    databases += 1
    cluster.run(f"CREATE DATABASE mail{databases}")
    return f"mail{databases}"


async def until(condition: Any) -> float:
    """Wait until something is true; gives the seconds that it took."""
    begun = clock.seconds()
    while not condition():
        assert clock.seconds() - begun < 30, "waited for too long"
        await deferLater(clock, 0.02, lambda: None)
    return float(clock.seconds() - begun)


@pytest.mark.interop
class OwnTablesContract(BackendContract, TestCase):
    more_homes = RICH_HOMES
    more_options: Mapping[str, Any] = {}

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        self.database = new_database()
        backend = self.again()
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return self.again()

    def again(self) -> Any:
        """Make another backend on the same database."""
        options = filled(factory, dsn=cluster.dsn(self.database)) | dict(self.more_options)
        return factory.build(options, clock)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)

    async def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        backend = await self.make_backend(dict.fromkeys(passwords, Home()))
        for user, word in passwords.items():
            user, word = (text.replace("'", "''") for text in (user, word))
            cluster.run(
                f"INSERT INTO passwords VALUES ('{user}', 'PLAIN', '{word}')",
                database=self.database,
            )
        return backend


@pytest.mark.interop
class OwnMailboxesContract(mailboxes.MailboxesInRows, OwnTablesContract):
    pass


class PostgresqlTestCase(TestCase):
    def setUp(self) -> None:
        self.database = new_database()

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

    def build(self, **options: Any) -> Any:
        return factory.build(filled(factory, dsn=cluster.dsn(self.database)) | options, clock)

    def elsewhere(self, *statements: str) -> list[Any]:
        rows: list[Any] = cluster.run(*statements, database=self.database)
        return rows

    async def home(self, backend: Any, user: str) -> Home | None:
        home: Home | None = await backend.home(Login(user=user))
        return home

    async def unavailable(self, work: Any) -> str:
        try:
            await work
        except Unavailable as error:
            return str(error)
        raise AssertionError("there was an answer")


@pytest.mark.interop
class OwnTables(PostgresqlTestCase):
    def test_a_change_by_another_program_is_told_by_name_within_a_second(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": Home(servers=(A,)), "bob": Home(servers=(A,))}, ME)
            heard: list[str | None] = []
            await until(lambda: heard or (backend.watch(heard.append) and True))
            self.elsewhere("UPDATE homes SET servers = 'imap-b.example.org' WHERE username = 'bob'")
            self.assertLess(await until(lambda: "bob" in heard), 1.0)
            self.assertEqual(await self.home(backend, "bob"), Home(servers=(B,)))

        return self.run_with(work)

    def test_a_change_at_one_front_door_is_in_effect_at_another(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def other(second: Any) -> None:
                heard: list[str | None] = []
                second.watch(heard.append)
                await backend.set_home({"carol": Home(servers=(B,))}, ME)
                self.assertLess(await until(lambda: "carol" in heard), 1.0)
                self.assertEqual(await self.home(second, "carol"), Home(servers=(B,)))

            await self.run_with(other)

        return self.run_with(work)

    def test_changes_are_one_transaction_with_a_history(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            verifyObject(IWritableBackend, backend)
            homes = {f"user{n:05}": Home(servers=(A,)) for n in range(3_000)}
            self.assertEqual(len(await backend.import_(homes, ME)), 3_000)
            try:
                await backend.hold(["user00000", "nobody"], ME)
            except NoSuchUser:
                pass
            else:
                raise AssertionError("nobody was held")
            self.assertEqual(dict(await backend.export("", 10_000)), homes)
            await backend.hold(["user00000"], ME)
            (logged, _) = await backend.history("user00000")
            self.assertEqual((logged.who, logged.why), (ME.who, ME.why))
            self.assertEqual(logged.change.after, Home(servers=(A,), held=True))
            await backend.import_({}, ME)
            self.assertEqual(await backend.export(), [])

        return self.run_with(work)

    def test_passwords_and_their_samples_are_kept_beside(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.elsewhere("INSERT INTO passwords VALUES ('alice', 'PLAIN', 'hush')")
            stored = StoredPassword(scheme="PLAIN", encoded=b"hush")
            await until(backend.password_samples)
            self.assertEqual(list(backend.password_samples()), [stored])
            self.assertEqual(await backend.password("Alice"), stored)

        return self.run_with(work)

    def test_two_that_start_at_once_make_the_tables_once(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            rows = self.elsewhere("SELECT version FROM referrald_schema")
            self.assertEqual(rows, [(version,) for version in range(1, len(STEPS) + 1)])

        first, second = self.run_with(work), self.run_with(work)
        return first.addCallback(lambda _: second)

    def test_tables_of_a_newer_referrald_are_left_alone(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.elsewhere("INSERT INTO referrald_schema VALUES (99)")
            newer = self.build()
            await newer.start()
            await newer.stop()
            (count,) = self.elsewhere("SELECT count(*) FROM referrald_schema")
            self.assertEqual(count, (len(STEPS) + 1,))

        return self.run_with(work)


@pytest.mark.interop
class OthersTables(PostgresqlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.elsewhere(*SITE.split(";\n")[:-1])

    def test_a_table_of_virtual_users_works_by_configuration(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            found = await self.home(backend, "Alice@example.org")
            self.assertEqual(found, Home(servers=(A,), ttl=0))
            self.assertIsNone(await self.home(backend, "nobody@example.org"))
            stored = await backend.password("alice@example.org")
            self.assertEqual(stored, StoredPassword(scheme="PLAIN", encoded=b"wonderland"))
            self.assertEqual(list(await backend.targets()), [A])
            self.assertFalse(IWatchableBackend.providedBy(backend))
            for user in ("none", "empty", "zero", "six"):
                said = await self.unavailable(self.home(backend, f"{user}@example.org"))
                self.assertIn("the row of", said)

        return self.run_with(work, **OWN)

    def test_a_user_is_a_value_and_never_a_part_of_the_query(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for user in (
                "alice@example.org' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE virtual_users; --",
                "alice%", "%(user)s", "%s", "%", "*", ")", "\\", "'", "a\0", "a\n", "$1", ":user",
                "x" * 10_000, "\ud800",
            ):  # fmt: skip
                self.assertIsNone(await self.home(backend, user), user[:40])
            self.assertIsNotNone(await self.home(backend, "alice@example.org"))

        return self.run_with(work, **OWN)

    def test_a_query_cannot_change_anything(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            said = await self.unavailable(self.home(backend, "alice"))
            self.assertIn("read-only", said)

        return self.run_with(work, home_query="DELETE FROM virtual_users RETURNING host")

    def test_changes_are_told_where_the_site_tells_them(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.elsewhere("NOTIFY \"Homes\", 'alice@example.org'")
            await until(lambda: heard == ["alice@example.org"])
            self.elsewhere('NOTIFY "Homes"')
            await until(lambda: heard == ["alice@example.org", None])

        return self.run_with(work, **OWN, channel="Homes")


@pytest.mark.interop
class OthersMailboxes(PostgresqlTestCase):
    def test_a_column_of_another_type_is_told_and_is_no_answer(self) -> Deferred[None]:
        query = "SELECT 'Plans' AS mailbox, 'imap-b.example.org' AS host, ARRAY['x'] AS attributes"

        async def work(backend: Any) -> None:
            said = await self.unavailable(backend.mailbox("ann", "Plans"))
            self.assertIn("the mailboxes of 'ann': \"Plans\": attributes is not text", said)

        home = "SELECT 'here' AS host"
        return self.run_with(work, home_query=home, mailboxes_query=query)


@pytest.mark.interop
class ManyChanges(PostgresqlTestCase):
    def test_through_us_they_are_told_once_and_as_of_everybody(self) -> Deferred[None]:
        import psycopg

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            with psycopg.connect(cluster.dsn(self.database), autocommit=True) as other:
                other.execute("LISTEN referrald")
                await backend.set_home({f"u{n}": Home() for n in range(500)}, ME)
                await backend.set_home({"last": Home()}, ME)
                await until(lambda: "last" in heard)
                payloads = [each.payload for each in other.notifies(timeout=30, stop_after=2)]
            self.assertEqual(payloads, ["", "last"])
            self.assertEqual(heard, [None, "last"])

        return self.run_with(work)

    def test_by_others_they_are_told_together_and_the_reactor_goes_on(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.elsewhere(
                "INSERT INTO homes (username, servers) "
                "SELECT 'u' || n, 'here' FROM generate_series(1, 30000) AS n",
                "UPDATE homes SET servers = 'imap-b.example.org' WHERE username = 'u7'",
            )
            await until(lambda: heard and heard[-1] in (None, "u7"))
            await until(lambda: not backend._database._telling and not backend._database._heard)
            self.assertLess(len(heard), 60)
            self.assertEqual(await self.home(backend, "u7"), Home(servers=(B,)))

        return self.run_with(work)


@pytest.mark.interop
class OurMailboxes(PostgresqlTestCase):
    def test_a_change_is_told_to_the_user_or_to_everybody(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            await until(lambda: heard or (backend.watch(heard.append) and True))
            for username, told_of in (("ann", "ann"), ("*@x.org", None), ("*", None)):
                self.elsewhere(
                    "INSERT INTO mailboxes (username, mailbox, servers) "
                    f"VALUES ('{username}', 'Plans', 'imap-b.example.org')"
                )
                await until(lambda: heard)
                self.assertEqual(heard.pop(), told_of)
            self.assertIsNotNone(await backend.mailbox("bob@x.org", "Plans"))
            self.assertEqual([*await backend.targets()], [B])

        return self.run_with(work, mailboxes=True)

    def test_tables_from_before_get_the_new_one(self) -> Deferred[None]:
        patch = self.patch(pgschema, "STEPS", STEPS[:1])

        async def before(backend: Any) -> None:
            await backend.set_home({"alice": Home(servers=(A,))}, ME)
            patch.restore()

        async def after(backend: Any) -> None:
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,)))
            self.assertEqual([*await backend.remote_mailboxes("alice")], [])

        done = self.run_with(before)
        return done.addCallback(lambda _: self.run_with(after, mailboxes=True))


@pytest.mark.interop
class Faults(PostgresqlTestCase):
    def test_a_server_that_stops_is_no_answer_until_it_is_back(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": Home(servers=(A,))}, ME)
            heard: list[str | None] = []
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,)))
            cluster.stop()
            try:
                await self.unavailable(self.home(backend, "alice"))
                backend.watch(heard.append)
            finally:
                cluster.start()
            await until(lambda: None in heard)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,)))
            self.elsewhere("UPDATE homes SET servers = 'here'")
            await until(lambda: "alice" in heard)
            self.assertEqual(await self.home(backend, "alice"), Home())

        return self.run_with(work)

    def test_a_server_that_is_down_at_the_start_is_waited_for(self) -> Deferred[None]:
        cluster.stop()

        async def work(backend: Any) -> None:
            try:
                await self.unavailable(self.home(backend, "alice"))
            finally:
                cluster.start()
            heard: list[str | None] = []
            backend.watch(heard.append)
            await until(lambda: heard)
            self.assertIsNone(await self.home(backend, "alice"))

        return self.run_with(work)

    def test_a_stop_does_not_wait_for_a_query_that_hangs_nor_does_the_reactor(
        self,
    ) -> Deferred[None]:
        import psycopg

        async def work(backend: Any) -> None:
            await self.home(backend, "alice")
            with psycopg.connect(cluster.dsn(self.database)) as other:
                other.execute("LOCK TABLE homes IN ACCESS EXCLUSIVE MODE")
                asking = Deferred.fromCoroutine(backend.home(Login(user="alice")))
                await until(lambda: backend._database._active)
                begun = clock.seconds()
                await backend.stop()
                self.assertLess(clock.seconds() - begun, 5)
                await self.unavailable(asking)

        return self.run_with(work)

    def test_a_replica_that_is_down_is_passed_over(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"alice": Home(servers=(A,))}, ME)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,)))

        return self.run_with(work, read_dsn="host=127.0.0.1 port=1 dbname=mail", lag=0.0)

    def test_a_replica_that_lags_is_not_asked_for_a_while_after_a_change(self) -> Deferred[None]:
        replica = new_database()

        async def prepare(backend: Any) -> None:
            await backend.set_home({"alice": Home(servers=(A,))}, ME)

        async def work(backend: Any) -> None:
            self.elsewhere("INSERT INTO homes (username, servers) VALUES ('alice', 'b')")
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.elsewhere("UPDATE homes SET servers = 'imap-b.example.org'")
            await until(lambda: heard)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(B,)))
            await deferLater(clock, 1.1, lambda: None)
            self.assertEqual(await self.home(backend, "alice"), Home(servers=(A,)))

        first, self.database = self.database, replica
        done = self.run_with(prepare)
        self.database = first
        return done.addCallback(
            lambda _: self.run_with(work, read_dsn=cluster.dsn(replica), lag=1.0)
        )


class Checking(SynchronousTestCase):
    def check(self, **options: Any) -> list[str]:
        return list(map(str, factory.check(filled(factory, dsn="host=a dbname=b") | options)))

    def test_it_is_what_it_says(self) -> None:
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)

    def test_nothing_is_connected_to(self) -> None:
        self.assertEqual(self.check(), [])
        self.assertEqual(self.check(**OWN, channel="homes", read_dsn="postgresql://b/c"), [])

    def test_what_is_wrong_is_told_without_what_is_secret(self) -> None:
        (said,) = self.check(dsn="host=a password=hush hush2")
        self.assertIn("dsn: is no connection string", said)
        self.assertNotIn("hush", said)
        for options, wrong in (
            ({"home_query": "SELECT :password"}, "home_query: has a parameter :password"),
            ({"password_query": "SELECT 1"}, "password_query: stands alone"),
            ({"channel": "x"}, "channel: is for queries of your own"),
            ({"read_dsn": "x"}, "read_dsn: is no connection string"),
        ):
            (said,) = self.check(**options)
            self.assertIn(wrong, said)

    def test_without_psycopg_it_says_what_to_install(self) -> None:
        self.patch(sys.modules[factory.__module__], "find_spec", lambda name: None)
        (said,) = self.check()
        self.assertIn("referrald[postgresql]", said)

    def test_its_name_has_nothing_secret(self) -> None:
        backend = factory.build(filled(factory, dsn="host=a dbname=b password=hush"), clock)
        self.assertEqual(repr(backend), "<KeptBackend postgresql a/b>")
