"""Alpine: the client that follows login referrals, from the front door to a real Dovecot."""

from __future__ import annotations

import re

from tests.interop.support import SUBJECT, InteropCase, need
from tests.interop.terminal import Terminal
from tests.proves import proves

PINERC = """\
inbox-path={{127.0.0.1:{port}/user=alice/notls}}INBOX
user-domain=home.example
last-version-used=9.99
disable-password-caching=yes
feature-list=disable-password-caching,disable-password-file-saving,quell-maildomain-warning
"""


class Alpine(InteropCase):
    def read_inbox(self, port: int) -> list[int]:
        """Start it and wait for the message; gives the ports where it asked for the password."""
        folder = self.folder()
        (folder / "pinerc").write_text(PINERC.format(port=port), encoding="ascii")
        terminal = Terminal([need("alpine"), "-p", str(folder / "pinerc"), "-i"], folder)
        asked = []
        try:
            while True:
                shown = terminal.expect("ENTER PASSWORD: ", SUBJECT[:20], "[Yes]")
                if shown == SUBJECT[:20]:
                    return asked
                if shown == "[Yes]":
                    terminal.type("n")
                    continue
                found = re.findall(rb"HOST: (\S+)", terminal.seen)
                asked.append(int(found[-1].decode().rpartition(":")[2]))
                terminal.type("secret\r")
        finally:
            terminal.close()

    @proves("L3", "L8")
    def test_it_is_referred_and_shows_the_inbox_that_lies_in_dovecot(self) -> None:
        home = self.start_dovecot([("alice", "secret")])
        front = self.start_referrald(
            f"alice:{{PLAIN}}secret::::::host=127.0.0.1 port={home} nologin\n",
            '[referral]\nallow_clear = ["127.0.0.1"]\n[auth]\nsasl = false',
        )
        # Once at the front door and once at home: it followed at the first referral.
        self.assertEqual(self.read_inbox(front.port), [front.port, home])
        line = front.wait_for_log("result=referred")
        self.assertIn(f"target=127.0.0.1:{home}", line)

    def test_beside_others_it_is_relayed_until_it_has_said_what_it_is(self) -> None:
        # It does so after the login only.
        home = self.start_dovecot([("alice", "secret")])
        front = self.start_referrald(
            f"alice:{{PLAIN}}secret::::::host=127.0.0.1 port={home}\n",
            '[referral]\nlogin = "auto"\nfollow = ["alpine/2*"]\nallow_clear = ["127.0.0.1"]\n'
            "[auth]\nsasl = false",
        )
        self.assertEqual(self.read_inbox(front.port), [front.port])
        front.wait_for_log("result=relayed")
        self.assertEqual(self.read_inbox(front.port), [front.port, home])
        front.wait_for_log("result=referred")
