"""Two front doors that share a real etcd, or a double of Consul, with real homes and imaplib."""

from __future__ import annotations

import imaplib
import json
import subprocess
import sys
import time
from typing import Any

from tests.backends.keyvalue.consulserver import Consul
from tests.backends.keyvalue.etcdserver import Etcd
from tests.interop.support import PATIENCE, InteropCase, Referrald

HOST = "127.0.0.1"
ODD = ("*", ")", "\\", "'", "%", "/", "ann\n", "a/b", "x" * 10_000)


class Shared(InteropCase):
    """With etcd. kind: of the backend."""

    kind = "etcd"

    def start_store(self) -> Any:
        return Etcd()

    def setUp(self) -> None:
        self.store = self.start_store()
        self.addCleanup(self.store.remove)
        self.homes = [self.start_home([("ann", "secret")]) for _ in range(2)]
        self.fronts = [self.front(), self.front()]

    def front(self) -> Referrald:
        return self.start_referrald(
            "",
            f"""
[auth]
home = true

[[backend]]
type = "{self.kind}"
name = "kv"
servers = ["{self.store.url}"]
timeout = "1s"

[directory]
cache_found = "1h"
stale = "1h"

[referral]
login = "refer"
storm_count = 0
allowed = ["{HOST}"]
allow_clear = ["{HOST}"]
""",
        )

    def place(self, number: int) -> str:
        return f"{HOST}:{self.homes[number].port}"

    def refusal(self, front: Referrald, user: str = "ann", password: str = "secret") -> str:
        """Try to log in, and give the refusal."""
        with imaplib.IMAP4(HOST, front.port, timeout=PATIENCE) as client:
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            return str(caught.exception)

    def wait_for(self, number: int) -> float:
        """Wait until both front doors send people to a home; give the seconds."""
        begun = time.monotonic()
        referral = f"REFERRAL imap://ann;AUTH=*@{self.place(number)}/"
        while not all(referral in self.refusal(front) for front in self.fronts):
            self.assertLess(time.monotonic() - begun, PATIENCE)
        return time.monotonic() - begun

    def move(self, number: int) -> None:
        home = {"server": f"{self.place(number)}/none"}
        self.store.put("referrald/homes/ann", json.dumps({"home": home}))

    def referralctl(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "referrald.ctl.main", "-c",
             str(self.fronts[0].folder / "referrald.toml"), *words],
            capture_output=True, text=True, check=False, cwd=self.fronts[0].folder,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_move_is_in_effect_at_both_at_once_and_after_an_outage(self) -> None:
        self.move(0)
        self.wait_for(0)
        self.move(1)
        # A second, and the logins of a machine that has much else to do.
        self.assertLess(self.wait_for(1), 20)
        self.store.stop()
        self.fronts[0].wait_for_log("cannot be reached")
        self.wait_for(1)
        self.store.start()
        self.move(0)
        self.wait_for(0)
        self.store.delete("referrald/homes/ann")
        begun = time.monotonic()
        while not all("AUTHENTICATIONFAILED" in self.refusal(front) for front in self.fronts):
            self.assertLess(time.monotonic() - begun, PATIENCE)

    def test_users_are_moved_from_the_command_line(self) -> None:
        self.move(0)
        self.wait_for(0)
        place = self.place(1) + "/none"
        self.referralctl("home", "set", "--why", "a full disk", "--to", place, "ann")
        self.wait_for(1)
        self.assertIn("a full disk", self.referralctl("home", "history"))

    def test_nobody_gets_in_or_breaks_anything_by_an_odd_name(self) -> None:
        self.move(0)
        for key in ("", "x/y", "*", "a"):
            self.store.put(f"referrald/homes/{key}", json.dumps({"home": self.place(0)}))
        for user in ODD:
            self.assertIn("AUTHENTICATIONFAILED", self.refusal(self.fronts[0], user), user[:20])
        self.store.put("referrald/homes/bob", "no home")
        self.assertIn("UNAVAILABLE", self.refusal(self.fronts[0], "bob"))
        self.wait_for(0)


class SharedConsul(Shared):
    """With the double of Consul."""

    kind = "consul"

    def start_store(self) -> Any:
        return Consul()
