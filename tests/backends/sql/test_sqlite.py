"""The sqlite backend: our own tables, those of others, and what happens when the file is gone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from referrald.backends.sql import schema, sqliteopen
from referrald.backends.sql.sqlite import factory
from referrald.errors import Unavailable
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IPasswordSamples,
    IPasswordStore,
    IReferralBackend,
    IReferralBackendFactory,
    IReloadable,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from referrald.model import Home, Login, Security, Server, StoredPassword
from referrald.testing import RICH_HOMES, BackendContract
from tests.backends.sql.support import HOME, ME, OWN, SITE, SqliteTestCase, make_site
from tests.backends.support import filled, told

A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")


class OwnTablesContract(BackendContract, TestCase):
    """Our own tables, in threads."""

    more_homes = RICH_HOMES
    more_options: Mapping[str, Any] = {}

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        self.path = os.path.abspath(self.mktemp())
        backend = self.again()
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return self.again()

    def again(self) -> Any:
        """Make another backend on the same file."""
        options = filled(factory, database=self.path, poll=0.1) | dict(self.more_options)
        return factory.build(options, reactor)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)

    async def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        backend = await self.make_backend(dict.fromkeys(passwords, Home()))
        connection = sqlite3.connect(self.path)
        with connection:
            connection.executemany(
                "INSERT INTO passwords VALUES (?, 'PLAIN', ?)", [*passwords.items()]
            )
        connection.close()
        return backend


class OthersTablesContract(BackendContract, TestCase):
    """A table of another program, which a second connection changes."""

    more_homes = {
        "erin": Home(servers=(B, A)),
        "o'brien": Home(servers=(A,), user="robert"),
        "j\u00fcrgen": Home(),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        self.path = Path(self.mktemp()).absolute()
        make_site(self.path, "CREATE TABLE homes (who, rank, host, port, security, login)")
        for user, home in homes.items():
            self.put(user, home)
        query = (
            "SELECT host, port, security, login AS name FROM homes WHERE who = :user ORDER BY rank"
        )
        targets = "SELECT DISTINCT host, port, security FROM homes"
        options = {"database": str(self.path), "home_query": query, "targets_query": targets}
        return factory.build(
            filled(factory) | options | {"without_host": "here", "poll": 0.1}, reactor
        )

    def change(self, backend: Any, user: str, home: Home) -> None:
        self.put(user, home)

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        path = Path(self.mktemp()).absolute()
        make_site(path, "CREATE TABLE people (who, word)")
        connection = sqlite3.connect(path)
        with connection:
            connection.executemany(
                "INSERT INTO people VALUES (?, '{PLAIN}' || ?)", [*passwords.items()]
            )
        connection.close()
        options = {
            "home_query": "SELECT 'here' AS host FROM people WHERE who = :user",
            "password_query": "SELECT word AS password FROM people WHERE who = :user",
        }
        return factory.build(filled(factory, database=str(path)) | options | {"poll": 0.1}, reactor)

    def put(self, user: str, home: Home) -> None:
        rows = [
            (user, rank, server.host, server.port, server.security.value, home.user)
            for rank, server in enumerate(home.servers)
        ]
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("DELETE FROM homes WHERE who = ?", (user,))
            connection.executemany(
                "INSERT INTO homes VALUES (?, ?, ?, ?, ?, ?)",
                rows or [(user, 0, None, None, None, None)],
            )
        connection.close()


class OurTables(SqliteTestCase):
    def test_the_file_is_made_when_there_is_none(self) -> None:
        backend = self.open()
        self.assertTrue(self.path.exists())
        self.assertIsNone(self.home(backend, "alice"))

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        backend = self.open()
        for interface in (
            IReferralBackend, ILifecycle, IWatchableBackend, IReloadable, ITargets,
            IWritableBackend, IPasswordStore, IPasswordSamples,
        ):  # fmt: skip
            verifyObject(interface, backend)
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)
        self.assertEqual(repr(backend), f"<KeptBackend {self.path}>")

    def test_names_in_any_case_are_the_same_user_but_only_one_form_is_kept(self) -> None:
        backend = self.open({"Alice": Home(servers=(A,))})
        self.assertEqual(self.home(backend, "alice"), Home(servers=(A,)))
        self.assertEqual(self.home(backend, "ALICE"), Home(servers=(A,), ttl=0))

    def test_case_counts_where_the_operator_wants_it(self) -> None:
        backend = self.open({"Alice": Home(servers=(A,))}, lowercase=False)
        self.assertIsNone(self.home(backend, "alice"))
        self.assertEqual(self.home(backend, "Alice"), Home(servers=(A,)))

    def test_servers_are_named_once(self) -> None:
        homes = {f"u{n}": Home(servers=(A, B) if n % 2 else (B,)) for n in range(9)}
        backend = self.open(homes | {"here": Home()})
        self.assertEqual(set(self.result(backend.targets())), {A, B})
        self.assertEqual(set(factory.targets(filled(factory, database=str(self.path)))), {A, B})

    def test_tables_that_name_no_server_yet_may_name_one_later(self) -> None:
        self.open({"here": Home()})
        self.assertIsNone(factory.targets(filled(factory, database=str(self.path))))

    def test_passwords_are_kept_beside(self) -> None:
        backend = self.open({"alice": Home()})
        self.elsewhere("INSERT INTO passwords VALUES ('alice', 'PLAIN', 'hush')")
        stored = StoredPassword(scheme="PLAIN", encoded=b"hush")
        self.assertEqual(self.result(backend.password("Alice")), stored)
        self.assertIsNone(self.result(backend.password("bob")))

    def test_samples_follow_the_passwords_the_most_used_scheme_first(self) -> None:
        backend = self.open()
        self.assertEqual(backend.password_samples(), [])
        self.elsewhere(
            "INSERT INTO passwords VALUES ('a', 'PLAIN', 'x'), ('b', 'CRYPT', 'y'), "
            "('c', 'CRYPT', 'z')"
        )
        self.clock.advance(0.5)
        self.assertEqual([each.scheme for each in backend.password_samples()], ["CRYPT", "PLAIN"])

    def test_a_row_that_somebody_spoilt_is_no_answer(self) -> None:
        backend = self.open({"alice": Home(servers=(A,))})
        for servers in ("", "::1", "a:0", "a,,b", "a/ssl"):
            self.elsewhere(f"UPDATE homes SET servers = '{servers}'")
            error = self.failure(backend.home(Login(user="alice")), Unavailable)
            self.assertIn("the row of 'alice'", str(error))

    def test_tables_of_a_newer_referrald_are_left_alone(self) -> None:
        self.open()
        self.elsewhere("INSERT INTO referrald_schema VALUES (99)")
        options = filled(factory, database=str(self.path))
        (problem,) = factory.check(options)
        self.assertIn("its tables have version 99", str(problem))
        self.failure(factory.build(options, self.clock).start(), Unavailable)

    def test_a_step_to_a_newer_version_keeps_what_is_there(self) -> None:
        self.open({"alice": Home(servers=(A,))})
        step = ("ALTER TABLE homes ADD COLUMN colour TEXT", "UPDATE homes SET colour = 'green'")
        self.patch(schema, "SQLITE", (*schema.SQLITE, step))
        backend = self.open()
        self.assertEqual(self.home(backend, "alice"), Home(servers=(A,)))
        connection = sqlite3.connect(self.path)
        self.assertEqual(connection.execute(schema.VERSION).fetchone(), (len(schema.SQLITE),))
        connection.close()

    def test_a_step_that_fails_changes_nothing(self) -> None:
        self.open({"alice": Home(servers=(A,))})
        step = ("ALTER TABLE homes ADD COLUMN colour TEXT", "no such statement")
        whole = schema.SQLITE
        self.patch(schema, "SQLITE", (*whole, step))
        newer = factory.build(filled(factory, database=str(self.path)), self.clock)
        error = self.failure(newer.start(), Unavailable)
        self.assertIn("syntax error", str(error))
        self.patch(schema, "SQLITE", whole)
        self.assertEqual(self.home(self.open(), "alice"), Home(servers=(A,)))

    def test_a_database_of_somebody_else_is_not_touched(self) -> None:
        make_site(self.path)
        before = self.path.read_bytes()
        options = filled(factory, database=str(self.path))
        (problem,) = factory.check(options)
        self.assertIn("tables of somebody else", str(problem))
        self.failure(factory.build(options, self.clock).start(), Unavailable)
        self.assertIn(b"virtual_users", before)


class OthersTables(SqliteTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_site(self.path)
        self.backend = self.open(**OWN)

    def test_a_table_of_virtual_users_works_by_configuration(self) -> None:
        self.assertEqual(self.home(self.backend, "Alice@example.org").servers, (A,))
        tls = Server(host=B.host, port=993, security=Security.TLS)
        self.assertEqual(self.home(self.backend, "bob@example.org"), Home(servers=(tls,)))
        self.assertIsNone(self.home(self.backend, "gone@example.org"))
        self.assertIsNone(self.home(self.backend, "nobody@example.org"))

    def test_its_passwords_are_checked_too(self) -> None:
        stored = self.result(self.backend.password("alice@example.org"))
        self.assertEqual(stored, StoredPassword(scheme="PLAIN", encoded=b"wonderland"))
        stored = self.result(self.backend.password("bob@example.org"))
        self.assertEqual(stored, StoredPassword(scheme="CRYPT", encoded=b"$6$salt$hash"))
        for user in ("none", "empty", "gone", "nobody"):
            self.assertIsNone(self.result(self.backend.password(f"{user}@example.org")))
        self.failure(self.backend.password("blob@example.org"), Unavailable)

    def test_a_row_that_is_no_home_is_no_answer(self) -> None:
        for user, wrong in (
            ("none", "has no host"),
            ("empty", "has no host"),
            ("zero", '"0" is not a port'),
            ("six", "is an IPv6 address"),
            ("blob", "is not text"),
        ):
            login = Login(user=f"{user}@example.org")
            self.assertIn(wrong, str(self.failure(self.backend.home(login), Unavailable)))

    def test_a_row_without_host_may_mean_here(self) -> None:
        backend = self.open(**OWN, without_host="here")
        self.assertEqual(self.home(backend, "none@example.org"), Home())
        self.assertEqual(self.home(backend, "empty@example.org"), Home())

    def test_a_user_is_a_value_and_never_a_part_of_the_query(self) -> None:
        for user in (
            "alice@example.org' OR '1'='1", "' OR 1=1 --", "alice@example.org'; DROP TABLE x; --",
            "alice%", "alic_@example.org", "alice@example.org\0", "alice@example.org\n", "*", ")",
            "\\", "'", "%", "a\\' OR 1=1 --", ":user", "?", "x" * 10_000,
        ):  # fmt: skip
            self.assertIsNone(self.home(self.backend, user), user[:40])
            self.assertIsNone(self.result(self.backend.password(user)))
        self.assertEqual(self.home(self.backend, "alice@example.org").servers, (A,))

    def test_a_query_cannot_change_anything(self) -> None:
        backend = self.open(home_query="DELETE FROM virtual_users RETURNING host")
        error = self.failure(backend.home(Login(user="alice")), Unavailable)
        self.assertIn("readonly", str(error))
        self.assertIsNotNone(self.home(self.backend, "alice@example.org"))

    def test_parts_of_the_name_can_be_asked_for(self) -> None:
        self.elsewhere("CREATE TABLE domains (name, host)", "INSERT INTO domains VALUES ('b', 'x')")
        backend = self.open(
            home_query="SELECT host, :local AS name FROM domains WHERE name = :domain"
        )
        self.assertEqual(self.home(backend, "al@b"), Home(servers=(Server(host="x"),), user="al"))

    def test_it_offers_only_what_there_are_queries_for(self) -> None:
        backend = self.open(home_query=HOME)
        for interface in (IPasswordStore, ITargets, IWritableBackend, IPasswordSamples):
            self.assertFalse(interface.providedBy(backend), interface)
        self.assertTrue(IPasswordStore.providedBy(self.backend))
        self.assertTrue(ITargets.providedBy(self.backend))

    def test_rows_that_are_no_homes_are_no_targets(self) -> None:
        tls = Server(host=B.host, port=993, security=Security.TLS)
        self.assertEqual(set(self.result(self.backend.targets())), {A, tls})
        options = filled(factory, database=str(self.path)) | OWN
        self.assertEqual(set(factory.targets(options)), {A, tls})


class Checking(SqliteTestCase):
    def check(self, **options: Any) -> list[str]:
        found = factory.check(filled(factory, database=str(self.path)) | options)
        return [each.strip() for each in told(tuple(found), self.path)]

    def test_a_file_that_is_still_to_be_made_is_no_problem_and_is_not_made(self) -> None:
        self.assertEqual(self.check(), [])
        self.assertFalse(self.path.exists())
        self.assertIsNone(factory.targets(filled(factory, database=str(self.path))))

    def test_a_folder_that_is_not_there_is_one(self) -> None:
        path = self.folder.absolute() / "none" / "homes.db"
        (problem,) = factory.check(filled(factory, database=str(path)))
        self.assertIn("cannot be made in", str(problem))

    def test_our_own_tables_are_no_problem(self) -> None:
        self.open({"alice": Home()})
        self.assertEqual(self.check(), [])

    def test_queries_of_ones_own_need_a_file(self) -> None:
        self.assertEqual(self.check(**OWN), ["database: unable to open database file"])

    def test_a_file_that_is_no_database_is_one(self) -> None:
        self.path.write_text("not a database, whatever its name says " * 100)
        for options in ({}, OWN):
            self.assertEqual(self.check(**options), ["database: file is not a database"])

    def test_queries_are_tried(self) -> None:
        make_site(self.path)
        self.assertEqual(self.check(**OWN), [])
        for query, wrong in (
            ("SELECT host FROM missing", "home_query: no such table: missing"),
            ("SELECT hots FROM virtual_users", "home_query: no such column: hots"),
            ("SELECT host, email FROM virtual_users", 'home_query: gives a column "email"'),
            ("SELECT port FROM virtual_users", "home_query: does not give what is needed"),
            ("SELECT host FROM virtual_users WHERE email = :name", "home_query: has a parameter"),
            ("DROP TABLE virtual_users", "home_query: near"),
            ("SELECT host FROM virtual_users; DROP TABLE virtual_users", "home_query: near"),
        ):
            (problem,) = self.check(home_query=query)
            self.assertTrue(problem.startswith(wrong), problem)
        (problem,) = self.check(home_query=HOME, password_query="SELECT host FROM virtual_users")
        self.assertEqual(problem, 'password_query: gives a column "host"')

    def test_a_query_for_passwords_alone_is_a_mistake(self) -> None:
        self.assertEqual(self.check(password_query="SELECT 1"), ["password_query: stands alone"])

    def test_a_scheme_that_is_none_is_a_mistake(self) -> None:
        self.assertEqual(self.check(scheme=""), ["scheme: cannot be used"])


class Changing(SqliteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backend = self.open({"alice": Home(servers=(A,)), "bob": Home(servers=(A,))})
        self.clock.advance(0.5)
        self.heard: list[str | None] = []
        self.backend.watch(self.heard.append)

    def test_a_change_by_another_process_is_told_by_name_within_a_second(self) -> None:
        self.elsewhere("UPDATE homes SET servers = 'imap-b.example.org' WHERE username = 'bob'")
        self.clock.advance(0.5)
        self.assertEqual(self.heard, ["bob"])
        self.assertEqual(self.home(self.backend, "bob").servers, (B,))

    def test_a_change_of_ones_own_is_told_at_once(self) -> None:
        self.result(self.backend.hold(["alice"], ME))
        self.assertEqual(self.heard, ["alice"])

    def test_a_dry_run_is_not_told(self) -> None:
        self.result(self.backend.set_home({"alice": Home()}, type(ME)(who="x", dry_run=True)))
        self.clock.advance(1)
        self.assertEqual(self.heard, [])

    def test_who_gets_another_name_is_told_by_both(self) -> None:
        self.elsewhere("UPDATE homes SET username = 'robert' WHERE username = 'bob'")
        self.clock.advance(0.5)
        self.assertEqual(set(self.heard), {"bob", "robert"})

    def test_a_new_and_a_lost_user_are_told(self) -> None:
        self.elsewhere("INSERT INTO homes (username, servers) VALUES ('carol', 'here')")
        self.elsewhere("DELETE FROM homes WHERE username = 'bob'")
        self.clock.advance(0.5)
        self.assertEqual(self.heard, ["carol", "bob"])

    def test_many_changes_are_everybody(self) -> None:
        self.result(self.backend.set_home({f"u{n}": Home() for n in range(101)}, ME))
        self.assertEqual(self.heard, [None])

    def test_more_changes_than_are_noted_are_everybody(self) -> None:
        self.elsewhere(*(f"UPDATE homes SET ttl = {n} WHERE username = 'bob'" for n in range(999)))
        self.elsewhere("UPDATE homes SET ttl = 1 WHERE username = 'alice'")
        self.clock.advance(0.5)
        self.assertEqual(self.heard, [None])
        connection = sqlite3.connect(self.path)
        self.assertEqual(connection.execute("SELECT count(*) FROM changes").fetchone(), (1000,))
        connection.close()

    def test_no_change_is_not_told(self) -> None:
        self.clock.advance(10)
        self.elsewhere("UPDATE homes SET ttl = NULL WHERE username = 'nobody'")
        self.clock.advance(0.5)
        self.assertEqual(self.heard, [])

    def test_a_change_in_tables_of_others_may_concern_anybody(self) -> None:
        self.path = self.folder.absolute() / "site.db"
        make_site(self.path)
        backend = self.open(**OWN)
        heard: list[str | None] = []
        backend.watch(heard.append)
        self.elsewhere("UPDATE virtual_users SET host = 'x.example'")
        self.clock.advance(0.5)
        self.assertEqual(heard, [None])
        self.assertEqual(self.home(backend, "alice@example.org").servers[0].host, "x.example")


class Faults(SqliteTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_site(self.path)
        self.backend = self.open(**OWN)
        self.alice = Login(user="alice@example.org")
        self.assertEqual(self.result(self.backend.home(self.alice)).servers, (A,))
        self.heard: list[str | None] = []
        self.backend.watch(self.heard.append)

    def test_a_file_that_is_gone_is_no_answer_until_it_is_back(self) -> None:
        away = self.path.with_name("away.db")
        self.path.rename(away)
        self.clock.advance(0.5)
        self.failure(self.backend.home(self.alice), Unavailable)
        self.clock.advance(5)
        self.assertEqual(len(self.events("error")), 1, "it is logged once")
        self.assertEqual(self.heard, [])
        away.rename(self.path)
        self.clock.advance(0.5)
        self.assertEqual(self.result(self.backend.home(self.alice)).servers, (A,))
        self.assertEqual(self.heard, [None])
        self.assertIn(f"{self.path} can be read again", self.events("info"))

    def test_a_file_that_takes_its_place_is_read(self) -> None:
        other = self.path.with_name("other.db")
        make_site(other, SITE.replace("imap-a", "imap-z"))
        other.rename(self.path)
        self.clock.advance(0.5)
        self.assertEqual(self.heard, [None])
        self.assertEqual(
            self.result(self.backend.home(self.alice)).servers[0].host, "imap-z.example.org"
        )

    def test_a_table_that_is_gone_is_no_answer(self) -> None:
        self.elsewhere("ALTER TABLE virtual_users RENAME TO users")
        error = self.failure(self.backend.home(self.alice), Unavailable)
        self.assertIn("no such table", str(error))
        self.elsewhere("ALTER TABLE users RENAME TO virtual_users")
        self.assertEqual(self.result(self.backend.home(self.alice)).servers, (A,))

    def test_after_the_stop_there_is_no_answer(self) -> None:
        self.result(self.backend.stop())
        self.failure(self.backend.home(self.alice), Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_query_without_end_is_ended(self) -> None:
        self.patch(sqliteopen, "LONGEST_QUERY", 0.01)
        backend = self.open(
            home_query="WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
            "SELECT max(x) AS host FROM n"
        )
        error = self.failure(backend.home(self.alice), Unavailable)
        self.assertIn("interrupted", str(error))

    def test_a_writer_that_goes_on_keeps_nobody_from_reading(self) -> None:
        path, self.path = self.path, self.folder.absolute() / "own.db"
        backend = self.open({"alice": Home(servers=(A,))})
        writer = sqlite3.connect(self.path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE homes SET servers = 'here'")
        self.assertEqual(self.home(backend, "alice").servers, (A,))
        writer.execute("COMMIT")
        self.assertEqual(self.home(backend, "alice"), Home())
        writer.close()
        self.assertTrue(path.exists())


SCRIPT = """\
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("UPDATE homes SET servers = 'imap-b.example.org'")
"""


class AnotherProcess(TestCase):
    def test_its_change_is_in_effect_within_a_second(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.work())

    async def work(self) -> None:
        path = os.path.abspath(self.mktemp())
        clock: Any = reactor
        backend: Any = factory.build(filled(factory, database=path), clock)
        await backend.start()
        try:
            await backend.set_home({"alice": Home(servers=(A,))}, ME)
            heard: Deferred[str | None] = Deferred()
            backend.watch(heard.callback)
            subprocess.run([sys.executable, "-c", SCRIPT, path], check=True)
            begun = clock.seconds()
            self.assertEqual(await heard, "alice")
            self.assertLess(clock.seconds() - begun, 1.0)
            home = await backend.home(Login(user="alice"))
            self.assertEqual(home.servers, (B,))
        finally:
            await backend.stop()
