"""A front door that knows nobody's password, before a real Dovecot."""

from __future__ import annotations

import imaplib
import subprocess
import sys

from tests.interop.shared import message
from tests.interop.support import PATIENCE, ROOT, SUBJECT, Dovecot, Referrald, need
from tests.interop.together import HOST, MANY, InteropCase, TogetherCase, relaying

ASKING = "[auth]\nhome = true\nbackends = []\n"
QUICK = MANY + "failure_delay = 0\n"


class WithoutPasswords(TogetherCase):
    front: Referrald
    home: Dovecot

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        cls.home = servers.start_home([("alice", "secret"), ("bob", "an other")], folders=["Sent"])
        users = "".join(
            f"{user}:::::::host={HOST} port={cls.home.port} nologin\n" for user in ("alice", "bob")
        )
        cls.front = servers.start_referrald(users, relaying() + ASKING + QUICK)

    def test_imaplib_reads_and_appends_by_one_login_at_home(self) -> None:
        before = self.home.log.count("Login: user=<alice>")
        client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(client.logout)
        self.assertIn(b"AUTH=PLAIN", client.capability()[1][0])
        self.assertNotIn(b"SCRAM", client.capability()[1][0])
        client.login("alice", "secret")
        self.assertEqual(client.append("Sent", "", "", message("asked"))[0], "OK")
        self.assertEqual(client.select("INBOX")[0], "OK")
        found = client.fetch("1", "(BODY[])")[1][0]
        assert isinstance(found, tuple)
        self.assertIn(SUBJECT.encode(), found[1])
        self.assertIn("Subject: asked", self.home.messages("alice", "Sent")[-1])
        self.assertEqual(self.home.log.count("Login: user=<alice>") - before, 1)
        self.front.wait_for_log('user="alice".*result=relayed')

    def test_curl_logs_in_by_sasl(self) -> None:
        done = self.curl("bob:an other")
        self.assertIn(f"Subject: {SUBJECT}".encode(), done.stdout)
        self.front.wait_for_log('user="bob" mech=PLAIN.*result=relayed')

    def test_wrong_passwords_and_unknown_users_are_refused_alike(self) -> None:
        said = set()
        # Few, and in one test: Dovecot makes who comes from an address wait longer each time.
        for user, password in (("alice", "wr0ng"), ("nobody", "secret")):
            client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
            self.addCleanup(client.logout)
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login(user, password)
            said.add(str(caught.exception))
        self.assertEqual(said, {"b'[AUTHENTICATIONFAILED] Authentication failed.'"})
        self.assertEqual(self.curl("nobody:wr0ng").returncode, 67)
        self.front.wait_for_log('user="nobody".*result=failed')
        self.assertNotIn("wr0ng", self.front.log)

    def test_referralctl_tries_it_at_home(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "referrald.ctl.main",
             "-c", str(self.front.folder / "referrald.toml"), "auth", "alice"],
            input="secret", capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT,
            check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("a1 OK [CAPABILITY ", done.stdout)

    def curl(self, user: str) -> subprocess.CompletedProcess[bytes]:
        """Run curl for the first message."""
        return subprocess.run(
            [need("curl"), "-sS", "--user", user,
             f"imap://{HOST}:{self.front.port}/INBOX;MAILINDEX=1"],
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip


class Referring(InteropCase):
    def test_dovecot_has_seen_us_log_out_before_the_client_is_referred(self) -> None:
        home = self.start_home([("alice", "secret")])
        front = self.start_referrald(
            f"alice:::::::host={HOST} port={home.port} nologin\n",
            f'[referral]\nallow_clear = ["{HOST}"]\n{ASKING}home_cache = "1m"\n',
        )
        for _ in range(2):
            client = imaplib.IMAP4(HOST, front.port, timeout=PATIENCE)
            self.addCleanup(client.logout)
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login("alice", "secret")
            self.assertIn(f"imap://alice;AUTH=*@{HOST}:{home.port}/", str(caught.exception))
            self.assertEqual(home.log.count("Login: user=<alice>"), 1)
            self.assertIn("Disconnected: Logged out", home.log)
