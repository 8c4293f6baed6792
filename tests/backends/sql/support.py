"""What the tests of databases share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from referrald.backends.sql.sqlite import factory
from referrald.model import Home, Occasion
from tests.backends.support import BackendTestCase, filled

SITE = """
CREATE TABLE virtual_users (
    email TEXT COLLATE NOCASE PRIMARY KEY, password, host, port, tls, enabled
);
INSERT INTO virtual_users VALUES
    ('alice@example.org', '{PLAIN}wonderland', 'imap-a.example.org', NULL, NULL, 1),
    ('bob@example.org', '$6$salt$hash', 'imap-b.example.org', 993, 1, 1),
    ('gone@example.org', '{PLAIN}x', 'imap-a.example.org', NULL, NULL, 0),
    ('none@example.org', NULL, NULL, NULL, NULL, 1),
    ('empty@example.org', '', '', NULL, NULL, 1),
    ('zero@example.org', NULL, 'imap-a.example.org', 0, NULL, 1),
    ('six@example.org', NULL, '2001:db8::7', NULL, NULL, 1),
    ('blob@example.org', 7, x'00ff', NULL, NULL, 1);
"""
HOME = "SELECT host, port, tls FROM virtual_users WHERE email = :user AND enabled"
PASSWORD = "SELECT password FROM virtual_users WHERE email = :user AND enabled"
TARGETS = "SELECT DISTINCT host, port, tls FROM virtual_users WHERE enabled"
OWN = {"home_query": HOME, "password_query": PASSWORD, "targets_query": TARGETS}
ME = Occasion(who="tester", why="a test")


def make_site(path: Path, script: str = SITE) -> None:
    """Make a database of another program."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


class SqliteTestCase(BackendTestCase):
    """Has a path for a database; backends on it work at once, without threads."""

    def setUp(self) -> None:
        super().setUp()
        self.path = (self.folder / "homes.db").absolute()

    def open(self, homes: Mapping[str, Home] | None = None, **options: Any) -> Any:
        """Make and start a backend; with ``homes`` it gets them."""
        backend = factory.build(filled(factory, database=str(self.path)) | options, self.clock)
        self.result(backend.start())
        self.addCleanup(lambda: self.result(backend.stop()))
        if homes:
            self.result(backend.set_home(homes, ME))
        return backend

    def elsewhere(self, *statements: str) -> None:
        """Change the database as another process does."""
        connection = sqlite3.connect(self.path)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
