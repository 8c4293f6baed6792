"""Two front doors under load whose database stops, starts and hangs."""

from __future__ import annotations

import select
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from tests.backends.sql.cluster import Cluster
from tests.interop.loginload import LoginLoad, Outcome, log_in, p99
from tests.interop.support import PATIENCE, InteropCase, Referrald
from tests.proves import proves

DEADLINE = 1.0
SLOW = 4.0
"""Seconds that a busy machine may take for a login on top."""
KNOWN = [f"known{number}" for number in range(8)]
LATER = [f"later{number}" for number in range(8)]
OLD, NEW = "imap1.example.org", "imap2.example.org"


class UnderLoad(InteropCase):
    """Front doors that know some users before anything happens.

    section: their backend. gone, back: what they log of the database.
    """

    section = ""
    gone = ""
    back = ""

    def begin(self) -> None:
        """Start front doors, and give everybody a home."""
        self.fronts = [self.front(), self.front()]
        users = ", ".join(f"('{user}', '{OLD}')" for user in KNOWN + LATER)
        self.run_sql(f"INSERT INTO homes (username, servers) VALUES {users}")

    def run_sql(self, statement: str) -> None:
        """Change the database."""
        raise NotImplementedError

    def front(self) -> Referrald:
        checker = ":".join(["memory", *(f"{user}:secret" for user in KNOWN + LATER)])
        return self.start_referrald(
            "",
            f"""
[[backend]]
{self.section}

[directory]
deadline = {DEADLINE}
cache_found = "0.2s"

[auth]
backends = []
checkers = ["{checker}"]

[referral]
storm_count = 0

[limits]
connections_per_address = 0
""",
        )

    def load(self) -> LoginLoad:
        return LoginLoad([front.port for front in self.fronts], KNOWN)

    def strangers(self) -> list[Outcome]:
        """Log users in whom no front door knows from before."""
        return [log_in(front.port, user) for front in self.fronts for user in LATER[:2]]

    def wait_until_said(self, what: str, times: int) -> None:
        """Wait until each front door has logged something so often."""
        begun = time.monotonic()
        while any(front.log.count(what) < times for front in self.fronts):
            self.assertLess(time.monotonic() - begun, PATIENCE)
            select.select([], [], [], 0.02)

    def wait_for_move(self, user: str) -> None:
        """Wait until both front doors send a user to the new place."""
        begun = time.monotonic()
        while [log_in(front.port, user).host for front in self.fronts] != [NEW, NEW]:
            self.assertLess(time.monotonic() - begun, PATIENCE)

    def move(self, user: str) -> None:
        self.run_sql(f"UPDATE homes SET servers = '{NEW}' WHERE username = '{user}'")

    def check(self, load: LoginLoad) -> None:
        """All were referred to where they live or lived, and waited for no database for long."""
        self.assertEqual({each.host for each in load.outcomes} - {OLD, NEW}, set())
        moved = {each.user for each in load.outcomes if each.host == NEW}
        self.assertLessEqual(moved, {KNOWN[0]})
        self.assertLess(p99(load.outcomes), DEADLINE + SLOW)

    def come_and_go(self, stop: Callable[[], object], start: Callable[[], object]) -> None:
        """Take the database away and give it back, twice."""
        with self.load() as load:
            load.wait_for(2 * len(KNOWN))
            for times in (1, 2):
                stop()
                self.wait_until_said(self.gone, times)
                load.wait_for(20)
                for each in self.strangers():
                    self.assertIn("UNAVAILABLE", each.host)
                    self.assertLess(each.seconds, DEADLINE + SLOW)
                start()
                self.wait_until_said(self.back, times)
                load.wait_for(20)
            self.move(KNOWN[0])
            self.wait_for_move(KNOWN[0])
            self.assertEqual({each.host for each in self.strangers()}, {OLD})
        self.check(load)


class Postgresql(UnderLoad):
    gone, back = "cannot be reached", "can be reached again"

    def setUp(self) -> None:
        self.cluster = Cluster()
        self.addCleanup(self.cluster.remove)
        self.section = f'type = "postgresql"\ndsn = "{self.cluster.dsn()}"'
        self.begin()

    def run_sql(self, statement: str) -> None:
        self.cluster.run(statement)

    @proves("S1")
    def test_known_users_feel_nothing_of_a_database_that_stops_and_starts_again(self) -> None:
        self.come_and_go(self.cluster.stop, self.cluster.start)

    @proves("S1")
    def test_known_users_feel_nothing_of_a_database_that_hangs(self) -> None:
        with self.load() as load:
            load.wait_for(2 * len(KNOWN))
            self.cluster.hang()
            self.addCleanup(self.cluster.go_on)
            for each in self.strangers():
                self.assertIn("UNAVAILABLE", each.host)
                self.assertLess(each.seconds, DEADLINE + SLOW)
            load.wait_for(40)
            self.cluster.go_on()
            self.move(KNOWN[0])
            self.wait_for_move(KNOWN[0])
            self.assertEqual({each.host for each in self.strangers()}, {OLD})
        self.check(load)


class Sqlite(UnderLoad):
    gone, back = "cannot be read", "can be read again"

    def setUp(self) -> None:
        self.path = self.folder() / "homes.db"
        self.section = f'type = "sqlite"\ndatabase = "{self.path}"'
        self.begin()

    def run_sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as connection, connection:
            connection.execute(statement)

    @proves("S1")
    def test_known_users_feel_nothing_of_a_file_that_is_taken_away_and_put_back(self) -> None:
        away = self.path.parent / "away"
        away.mkdir()
        files = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm")]

        def stop() -> None:
            for file in files:
                if file.exists():
                    file.rename(away / file.name)

        def start() -> None:
            # The file itself last: whoever opens it needs what lies beside it.
            for file in files[::-1]:
                if (away / file.name).exists():
                    (away / file.name).rename(file)

        self.come_and_go(stop, start)
