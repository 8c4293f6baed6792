"""The backend does what every backend has to do."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from typing import Any

from my_backend import factory
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from referrald.model import Home, Server
from referrald.testing import BackendContract


class SqliteTests(BackendContract, TestCase):
    more_homes = {
        "erin": Home(servers=(Server(host="b.example"), Server(host="a.example", port=1143))),
        "o'brien": Home(),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        """Make a backend that knows exactly these users."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        database = os.path.join(folder, "homes.db")
        fill(database, homes)
        self.assertEqual(factory.check({"database": database}), [])
        return factory.build({"database": database}, reactor)


def fill(database: str, homes: Mapping[str, Home]) -> None:
    """Put users into a new database."""
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE homes (user, host, port, security, rank)")
    for user, home in homes.items():
        rows = [
            (user, server.host, server.port, server.security.value, rank)
            for rank, server in enumerate(home.servers)
        ]
        nowhere = [(user, None, None, None, 0)]
        connection.executemany("INSERT INTO homes VALUES (?, ?, ?, ?, ?)", rows or nowhere)
    connection.commit()
    connection.close()
