"""The files that the reference shows, and what it says that comes of them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import mailboxrows
from referrald.backends.homerows import COLUMNS
from referrald.backends.sql.schema import SQLITE
from referrald.config.load import load
from referrald.model import Home, Security, Server
from tests.backends.sql.support import ME, SqliteTestCase, make_site

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS / "examples"
PAGE = DOCS / "reference" / "sqlite-backend.md"
A = Server(host="imap-a.example.org", port=993, security=Security.TLS)


class Examples(SqliteTestCase):
    def configured(self, name: str) -> Any:
        shutil.copy(EXAMPLES / name, self.folder / name)
        loaded = load(str(self.folder / name))
        assert loaded.config is not None, loaded.problems
        (settings,) = loaded.config.backends
        backend = settings.factory.build(settings.options, self.clock)
        self.result(backend.start())
        self.addCleanup(lambda: self.result(backend.stop()))
        return backend

    def test_tables_of_our_own_are_made(self) -> None:
        backend = self.configured("sqlite.toml")
        self.assertIsNone(self.home(backend, "alice"))
        self.result(backend.set_home({"alice": Home(servers=(A,))}, ME))
        self.assertEqual(self.home(backend, "alice"), Home(servers=(A,)))

    def test_mailboxes_are_where_the_rows_say(self) -> None:
        backend = self.open(mailboxes=True)
        make_site(self.path, (EXAMPLES / "shared-mailboxes.sql").read_text(encoding="utf-8"))
        for user, listed in (
            ("bob", ["Shared", "Shared/Help", "Shared/Minutes", "Shared/Plans"]),
            ("b@example.org", ["Shared", "Shared/Help", "Shared/Minutes", "Shared/Plans", "Team"]),
        ):
            names = [each.name for each in self.result(backend.remote_mailboxes(user))]
            self.assertEqual(sorted(names), listed)
        archive = self.result(backend.mailbox("alice@example.org", "Archive")).replicas[0]
        self.assertEqual((archive.server.host, archive.user), ("archive.example.org", "alice"))
        below = self.result(backend.mailbox("bob", "Shared/Any/Depth")).replicas[0]
        self.assertEqual(below.name, "Public/Any/Depth")
        self.assertTrue(self.result(backend.mailbox("bob", "Shared/Help")).here)

    def test_the_query_on_the_page_works(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        text = page[page.index('mailboxes_query = """') :].split("```")[0]
        make_site(
            self.path,
            "CREATE TABLE folders (owner, folder, host); INSERT INTO folders VALUES "
            "('all', 'Plans', 'a'), ('all', 'Team', 'a'), ('bob', 'Plans', 'b')",
        )
        query = tomllib.loads(text)["mailboxes_query"]
        backend = self.open(home_query="SELECT 'here' AS host", mailboxes_query=query)
        for user, host in (("bob", "b"), ("ann", "a")):
            plans = self.result(backend.mailbox(user, "Plans"))
            self.assertEqual([each.server.host for each in plans.replicas], [host])

    def test_a_table_of_virtual_users_is_read(self) -> None:
        script = (EXAMPLES / "virtual-users.sql").read_text(encoding="utf-8")
        make_site(self.folder / "virtual-users.db", script)
        backend = self.configured("virtual-users.toml")
        alice = Home(servers=(A,), user="alice")
        self.assertEqual(self.home(backend, "alice@example.org"), alice)
        self.assertEqual(self.home(backend, "bob@example.org"), Home())
        for user in ("gone@example.org", "alice", "alice@example.com"):
            self.assertIsNone(self.home(backend, user))
        stored = self.result(backend.password("bob@example.org"))
        self.assertEqual((stored.scheme, stored.encoded), ("PLAIN", b"builder"))


class ThePage(SynchronousTestCase):
    def test_it_has_every_column_and_table(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for column in COLUMNS:
            self.assertIn(f"`{column}`", page)
        for column in (*mailboxrows.WRITTEN, "username", "mailbox", "rank", "level"):
            self.assertIn(f"`{column}`", page)
        for statement in (each for step in SQLITE for each in step):
            if statement.startswith("CREATE TABLE "):
                self.assertIn(f"| `{statement.split()[2]}` |", page)
