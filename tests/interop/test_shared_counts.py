"""Front doors that count referrals and failed logins together, each a process of its own."""

from __future__ import annotations

import imaplib
import threading
import time

from tests.backends.redis.server import RedisServer
from tests.interop.support import PATIENCE, InteropCase, Referrald

HOST = "127.0.0.1"
USERS = "alice:{PLAIN}secret::::::host=127.0.0.1 port=%d nologin\nbob:{PLAIN}secret::::::\n"


class SharedCounts(InteropCase):
    def setUp(self) -> None:
        self.redis = RedisServer()
        self.addCleanup(self.redis.remove)

    def front(self, more: str, home: int = 10143) -> Referrald:
        return self.start_referrald(
            USERS % home,
            f"""
[serve]
store = "memory"

[limits]
failure_delay = 0
failures_per_user = 4

[shared]
servers = ["{self.redis.url}"]
timeout = "1s"

{more}
""",
        )

    def answer(self, front: Referrald, user: str = "alice", password: str = "secret") -> str:
        with imaplib.IMAP4(HOST, front.port, timeout=PATIENCE) as client:
            try:
                return str(client.login(user, password)[1])
            except imaplib.IMAP4.error as error:
                return str(error)

    def until(self, front: Referrald, words: str, user: str, password: str = "secret") -> None:
        """Log in until the answer has these words in it."""
        end = time.monotonic() + PATIENCE
        while words not in (answer := self.answer(front, user, password)):
            self.assertLess(time.monotonic(), end, answer)
            threading.Event().wait(0.01)

    def told(self, events: int) -> None:
        """Wait until so much has been told; the others hear of it at once."""
        end = time.monotonic() + PATIENCE
        while self.redis.run("XLEN", "referrald:shared") < events:
            self.assertLess(time.monotonic(), end)
            threading.Event().wait(0.01)

    def test_a_storm_over_two_front_doors_is_one(self) -> None:
        referral = f'[referral]\nstorm_count = 4\nallow_clear = ["{HOST}"]\n'
        one, other = self.front(referral), self.front(referral)
        for front in (one, other, one):
            self.assertIn("REFERRAL", self.answer(front))
        self.told(3)
        # One more here or there, and it is a storm at both.
        self.until(other, "LIMIT", "alice")
        self.until(one, "LIMIT", "alice")
        self.assertEqual(self.redis.run("XLEN", "referrald:shared"), 4)
        # One that is started now has heard of it.
        self.until(self.front(referral), "LIMIT", "alice")

    def test_who_was_referred_at_one_is_relayed_at_the_other(self) -> None:
        home = self.start_dovecot([("alice", "secret")])
        referral = f'[referral]\nlogin = "auto"\nfollow = ["imaplib"]\nallow_clear = ["{HOST}"]\n'
        fronts = [self.front(referral, home) for _ in range(2)]
        with imaplib.IMAP4(HOST, fronts[0].port, timeout=PATIENCE) as client:
            client.xatom("ID", '("name" "imaplib")')
            with self.assertRaisesRegex(imaplib.IMAP4.error, "REFERRAL"):
                client.login("alice", "secret")
        self.told(1)
        end = time.monotonic() + PATIENCE
        relayed = False
        while not relayed:
            # A program that follows, which would be referred but for what the other has told.
            with imaplib.IMAP4(HOST, fronts[1].port, timeout=PATIENCE) as client:
                client.xatom("ID", '("name" "imaplib")')
                try:
                    relayed = client.login("alice", "secret")[0] == "OK"
                except imaplib.IMAP4.error:
                    self.assertLess(time.monotonic(), end)
        fronts[1].wait_for_log("result=relayed")
        self.assertNotIn("result=referred", fronts[1].log)

    def test_failed_logins_at_two_front_doors_count_together(self) -> None:
        one, other = self.front(""), self.front("")
        for front in (one, other, one):
            self.assertIn("AUTHENTICATIONFAILED", self.answer(front, "bob", "wrong"))
        self.told(3)
        self.until(other, "LIMIT", "bob", "wrong")
        self.until(one, "LIMIT", "bob")
        self.assertIn("LIMIT", self.answer(other, "bob"))
        self.assertEqual(self.redis.run("XLEN", "referrald:shared"), 4)

    def test_without_redis_each_counts_for_itself_and_nobody_waits(self) -> None:
        one, other = self.front(""), self.front("")
        self.redis.hang()
        for front in (one, other):
            front.wait_for_log("counts are not shared")
        begun = time.monotonic()
        for _ in range(4):
            self.assertIn("AUTHENTICATIONFAILED", self.answer(one, "bob", "wrong"))
        self.assertIn("LIMIT", self.answer(one, "bob"))
        self.assertIn("Logged in", self.answer(other, "bob"))
        # The server hangs for longer than that with every question.
        self.assertLess(time.monotonic() - begun, 30)
        self.redis.go_on()
        one.wait_for_log("counts are shared again")
        other.wait_for_log("counts are shared again")
        for _ in range(3):
            self.answer(other, "alice", "wrong")
        self.told(3)
        self.until(one, "LIMIT", "alice", "wrong")
