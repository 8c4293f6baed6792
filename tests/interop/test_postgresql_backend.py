"""Two front doors that share a real PostgreSQL."""

from __future__ import annotations

import imaplib
import re
import time

from tests.backends.sql.cluster import Cluster
from tests.interop.support import PATIENCE, InteropCase, Referrald

HOST = "127.0.0.1"


class Shared(InteropCase):
    def setUp(self) -> None:
        self.cluster = Cluster()
        self.addCleanup(self.cluster.remove)
        self.fronts = [self.front(), self.front()]
        self.cluster.run(
            "INSERT INTO passwords VALUES ('ann', 'PLAIN', 'secret')",
            "INSERT INTO homes (username, servers) VALUES ('ann', 'imap1.example.org')",
        )

    def front(self) -> Referrald:
        return self.start_referrald(
            "",
            f"""
[[backend]]
type = "postgresql"
dsn = "{self.cluster.dsn()}"

[directory]
cache_found = "1h"

[auth]
cache = "0s"

[referral]
storm_count = 0
""",
        )

    def home(self, front: Referrald) -> str:
        """Log in, and give the host in the answer."""
        with imaplib.IMAP4(HOST, front.port, timeout=PATIENCE) as client:
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login("ann", "secret")
            found = re.findall(r"REFERRAL imap://ann;AUTH=\*@([^/]+)/", str(caught.exception))
            return found[0] if found else str(caught.exception)

    def wait_for(self, host: str) -> float:
        """Wait until both front doors send people there; give the seconds."""
        begun = time.monotonic()
        while [self.home(front) for front in self.fronts] != [host, host]:
            self.assertLess(time.monotonic() - begun, PATIENCE)
        return time.monotonic() - begun

    def test_a_move_is_in_effect_at_both_at_once_and_after_an_outage(self) -> None:
        self.wait_for("imap1.example.org")
        self.move("imap2.example.org")
        self.assertLess(self.wait_for("imap2.example.org"), 5)
        self.cluster.stop()
        self.fronts[0].wait_for_log("cannot be reached")
        # The home is known from before, but the passwords are in the database as well.
        self.assertIn("UNAVAILABLE", self.home(self.fronts[0]))
        self.cluster.start()
        self.move("imap3.example.org")
        self.wait_for("imap3.example.org")

    def move(self, host: str) -> None:
        self.cluster.run(f"UPDATE homes SET servers = '{host}' WHERE username = 'ann'")
