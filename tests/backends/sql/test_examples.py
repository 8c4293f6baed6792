"""The files that the reference shows, and what it says that comes of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

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
        for statement in SQLITE[0]:
            if statement.startswith("CREATE TABLE "):
                self.assertIn(f"| `{statement.split()[2]}` |", page)
