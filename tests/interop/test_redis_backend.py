"""Front doors that share a real Redis: each a process of its own."""

from __future__ import annotations

import contextlib
import imaplib
import json
import re
import subprocess
import sys
import threading
import time

from tests.backends.redis.server import RedisServer
from tests.interop.programs import alpine
from tests.interop.support import PATIENCE, ROOT, InteropCase, Referrald

HOST = "127.0.0.1"
PASSWORD = "{PLAIN}secret"
ODD = ("*", "ali*", "alice)", "a\\", "a'", "a%", "alice referrald:home:alice", "x" * 10_000)


class WithRedis(InteropCase):
    def setUp(self) -> None:
        self.redis = RedisServer()
        self.addCleanup(self.redis.remove)

    def front(self, more: str = "", login: str = "refer") -> Referrald:
        return self.start_referrald(
            "",
            f"""
[[backend]]
type = "redis"
servers = ["{self.redis.url}", "{self.redis.socket_url}"]

[directory]
cache_found = "1h"

[auth]
cache = "0s"
sasl = false

[referral]
login = "{login}"
storm_count = 0
allow_clear = ["{HOST}"]
{more}
""",
        )

    def know(self, user: str, password: str = PASSWORD) -> None:
        self.redis.run("SET", f"referrald:password:{user}", password)

    def referralctl(self, front: Referrald, *arguments: str) -> str:
        command = [sys.executable, "-m", "referrald.ctl.main"]
        command += ["-c", str(front.folder / "referrald.toml"), "home", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def answer(self, front: Referrald, user: str = "alice") -> str:
        """Log in; give the host and port of the referral, or what else was said."""
        with imaplib.IMAP4(HOST, front.port, timeout=PATIENCE) as client:
            try:
                return str(client.login(user, "secret")[1])
            except imaplib.IMAP4.error as error:
                found = re.findall(r"REFERRAL imap://[^;]+;AUTH=\*@([^/]+)/", str(error))
                return found[0] if found else str(error)


class TwoFrontDoors(WithRedis):
    def test_a_move_by_referralctl_is_in_effect_at_both_at_once_and_after_an_outage(self) -> None:
        fronts = [self.front(), self.front()]
        self.know("alice")
        self.referralctl(fronts[0], "set", "alice", "bob", "--to", "imap1.example.org")
        self.wait_for(fronts, "imap1.example.org")
        self.referralctl(fronts[1], "set", "alice", "--to", "imap2.example.org", "--why", "full")
        # That is not one second so that a machine that is busy with others may be slow.
        self.assertLess(self.wait_for(fronts, "imap2.example.org"), 5)
        self.assertIn("full", self.referralctl(fronts[0], "history", "alice"))
        self.assertIn("imap1", self.referralctl(fronts[0], "list", "bob"))
        self.redis.stop()
        for front in fronts:
            front.wait_for_log("cannot be reached")
        # The home is known from before, but the passwords are in Redis as well.
        self.assertIn("UNAVAILABLE", self.answer(fronts[0]))
        self.redis.start()
        self.referralctl(fronts[1], "set", "alice", "--to", "imap3.example.org")
        self.wait_for(fronts, "imap3.example.org")

    def wait_for(self, fronts: list[Referrald], host: str) -> float:
        """Wait until all front doors send alice there; give the seconds."""
        begun = time.monotonic()
        while {self.answer(front) for front in fronts} != {host}:
            self.assertLess(time.monotonic() - begun, PATIENCE)
        return time.monotonic() - begun


class Clients(WithRedis):
    def test_alpine_follows_to_where_redis_says_and_moves_with_it(self) -> None:
        homes = [self.start_dovecot([("alice", "secret")]) for _ in range(2)]
        front = self.front()
        self.know("alice")
        for home in homes:
            to = f"{HOST}:{home}/none"
            self.referralctl(front, "set", "alice", "--to", to)
            self.assertEqual(alpine(self.folder(), front.port), [front.port, home])

    def test_names_that_break_careless_servers_are_nobody(self) -> None:
        front = self.front()
        for user in ("alice", *ODD):
            # Whatever is made of the name is not there under this key, and has no password.
            self.assertIn("AUTHENTICATIONFAILED", self.answer(front, quoted(user)))
        self.referralctl(front, "set", "a*", "--to", "imap1.example.org")
        self.know("a*")
        self.assertEqual(self.answer(front, quoted("a*")), "imap1.example.org")
        self.assertIn("AUTHENTICATIONFAILED", self.answer(front, quoted("ab")))

    def test_a_server_that_is_stopped_and_started_under_load_misleads_nobody(self) -> None:
        front = self.front("[limits]\nfailure_delay = 0")
        self.know("alice")
        self.referralctl(front, "set", "alice", "--to", "imap1.example.org")
        answers: list[str] = []
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    answers.append(self.answer(front))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                self.wait_until(lambda: "imap1.example.org" in answers)
                self.redis.stop()
                self.wait_until(lambda: "UNAVAILABLE" in answers[-1])
                self.redis.start()
                del answers[:]
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual(self.answer(front), "imap1.example.org")
        for answer in answers:
            self.assertTrue(answer == "imap1.example.org" or "UNAVAILABLE" in answer, answer)

    def wait_until(self, condition: object) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():  # type: ignore[operator]
            self.assertLess(time.monotonic(), end)
            threading.Event().wait(0.01)


class DovecotsDictionary(WithRedis):
    def test_what_a_real_dovecot_reads_is_read_the_same(self) -> None:
        config = self.folder() / "dict.conf.ext"
        config.write_text(
            f"uri = redis:host={HOST}:port={self.redis.port}:prefix=mail/\n"
            "default_pass_scheme = PLAIN\n"
            "key passdb {\n  key = passdb/%u\n  format = json\n}\n"
            "passdb_objects = passdb\n",
            encoding="ascii",
        )
        home = self.start_home([], passdb=f"driver = dict\nargs = {config}")
        front = self.start_referrald(
            "",
            f"""
[[backend]]
type = "redis"
servers = ["{self.redis.url}"]
layout = "dovecot"
prefix = "mail/"
scheme = "PLAIN"
security = "none"
keyspace_events = true

[referral]
allow_clear = ["{HOST}"]
""",
        )
        self.redis.run("CONFIG", "SET", "notify-keyspace-events", "Kg$")
        value = {"password": "secret", "host": HOST, "port": home.port}
        for user in ("alice", "bob@example.org"):
            self.redis.run("SET", f"mail/passdb/{user}", json.dumps(value))
            self.assertEqual(self.answer(front, user), f"{HOST}:{home.port}")
            with home.login(user, "secret") as client:
                self.assertEqual(client.state, "AUTH")
        for asked in (front.port, home.port):
            with (
                imaplib.IMAP4(HOST, asked, timeout=PATIENCE) as client,
                self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"),
            ):
                client.login("alice", "wrong")


def quoted(user: str) -> str:
    """Write a name so that imaplib sends it as one quoted string."""
    return '"' + user.replace("\\", "\\\\") + '"'
