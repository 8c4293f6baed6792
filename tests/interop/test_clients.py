"""Real clients at the front door: what their users see."""

from __future__ import annotations

import imaplib
import subprocess

from tests.interop.programs import mbsync
from tests.interop.support import InteropCase, need
from tests.proves import proves

REFERRAL = "[REFERRAL imap://alice;AUTH=*@127.0.0.1:{port}/]"
CLEAR = '[referral]\nallow_clear = ["127.0.0.1"]'


class Clients(InteropCase):
    """A user whose home is elsewhere, and one who is served here."""

    def setUp(self) -> None:
        users = (
            "alice:{PLAIN}secret::::::host=127.0.0.1 port=4143 nologin\nbob:{PLAIN}secret::::::\n"
        )
        self.front = self.start_referrald(users, CLEAR + '\n[serve]\nstore = "memory"', CLEARTEXT)

    @proves("L1", "L2", "L3")
    def test_imaplib_sees_the_referral_and_can_log_in_as_another_user(self) -> None:
        client = imaplib.IMAP4("127.0.0.1", self.front.port)
        self.addCleanup(client.logout)
        self.assertIn("LOGIN-REFERRALS", client.capabilities)
        error = self.assertRaises(imaplib.IMAP4.error, client.login, "alice", "secret")
        self.assertIn(REFERRAL.format(port=4143), str(error))
        self.assertEqual(client.login("bob", "secret")[0], "OK")
        self.assertEqual(client.select("INBOX"), ("OK", [b"2"]))
        kind, data = client.fetch("1:*", "(FLAGS RFC822.SIZE)")
        self.assertEqual((kind, len(data)), ("OK", 2))

    @proves("L3")
    def test_curl_says_that_the_login_was_denied_and_shows_the_referral(self) -> None:
        done = self.curl("alice:secret")
        self.assertEqual(done.returncode, 67, done.stderr)
        self.assertIn(REFERRAL.format(port=4143), done.stderr)
        done = self.curl("bob:secret", "/INBOX;MAILINDEX=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Subject: Welcome home", done.stdout)

    def curl(self, user: str, path: str = "/") -> subprocess.CompletedProcess[str]:
        """Run curl as ``user``."""
        url = f"imap://127.0.0.1:{self.front.port}{path}"
        command = [need("curl"), "-v", "--max-time", "30", "--user", user, url]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    @proves("L3")
    def test_mbsync_shows_the_referral_and_syncs_a_user_who_lives_here(self) -> None:
        done = self.mbsync("alice")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("REFERRAL imap://alice;AUTH=*@127.0.0.1:4143/", done.stdout + done.stderr)
        done = self.mbsync("bob")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def mbsync(self, user: str) -> subprocess.CompletedProcess[str]:
        """Run mbsync for the INBOX of ``user``."""
        return mbsync(self.folder(), self.front.port, user, patterns="INBOX")


CLEARTEXT = 'tls = "none"\nallow_cleartext = true'


class OddPasswords(InteropCase):
    """Passwords that clients quote, escape or send as literals."""

    PASSWORDS = ('p"w', "p\\w", "100%", "blub%e9blub", 'p\\"w{5}', "(a) [b] *", "pässwörd", "日本")

    @proves("S3")
    def test_imaplib_and_curl_log_in_with_every_one_of_them(self) -> None:
        lines = [
            f"user{number}:{{PLAIN}}{password}::::::host=h{number}.example nologin\n"
            for number, password in enumerate(self.PASSWORDS)
        ]
        front = self.start_referrald("".join(lines), "", CLEARTEXT)
        for number, password in enumerate(self.PASSWORDS):
            expected = f"@h{number}.example/]"
            client = imaplib.IMAP4("127.0.0.1", front.port)
            # imaplib quotes; what is not ASCII it sends through AUTHENTICATE.
            message = f"\0user{number}\0{password}".encode()
            error = self.assertRaises(
                imaplib.IMAP4.error, client.authenticate, "PLAIN", lambda _, m=message: m
            )
            self.assertIn(expected, str(error))
            if password.isascii():
                error = self.assertRaises(
                    imaplib.IMAP4.error, client.login, f"user{number}", password
                )
                self.assertIn(expected, str(error))
            client.logout()
            done = subprocess.run(
                [need("curl"), "-v", "--user", f"user{number}:{password}",
                 "--login-options", "AUTH=*", f"imap://127.0.0.1:{front.port}/"],
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            self.assertIn(expected, done.stderr, password)
        for password in self.PASSWORDS:
            self.assertNotIn(password, front.log.replace("user", ""))
