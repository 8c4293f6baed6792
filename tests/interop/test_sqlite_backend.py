"""A front door over an SQLite file that somebody else keeps for himself."""

from __future__ import annotations

import imaplib
import re
import signal
import sqlite3
import time

from tests.backends.sql.support import make_site
from tests.interop.support import PATIENCE, InteropCase

SITE = """
CREATE TABLE users (name, host);
INSERT INTO users VALUES ('ann', 'imap1.example.org');
"""


class Locked(InteropCase):
    def test_a_reload_that_waits_for_the_file_keeps_nobody_waiting(self) -> None:
        path = self.folder() / "site.db"
        make_site(path, SITE)
        front = self.start_referrald(
            "bob:{PLAIN}secret::::::\n",
            f"""
[[backend]]
type = "sqlite"
database = "{path}"
home_query = "SELECT host FROM users WHERE name = :user"
""",
        )
        other = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        front.process.send_signal(signal.SIGHUP)
        begun, longest = time.monotonic(), 0.0
        with imaplib.IMAP4("127.0.0.1", front.port, timeout=PATIENCE) as client:
            while not re.search("not reloaded: .*database is locked", front.log):
                before = time.monotonic()
                self.assertEqual(client.noop()[0], "OK")
                longest = max(longest, time.monotonic() - before)
                self.assertLess(before - begun, PATIENCE)
        # That long the file was waited for; a machine that is busy with others is slow as well.
        self.assertGreater(time.monotonic() - begun, 4)
        self.assertLess(longest, 1)
