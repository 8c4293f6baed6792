"""Homes that refer, and servers in a circle: the relay goes on as far as that is right."""

from __future__ import annotations

import imaplib
import time

from tests.interop.shared import message, subjects
from tests.interop.support import PATIENCE, SUBJECT, Dovecot, InteropCase, Referrald
from tests.interop.together import HOST, MANY, TogetherCase, lives, relaying
from tests.proves import proves

ANOTHER = "localhost"
"""A name of this machine that the front door does not know as its own."""


class HomesThatRefer(TogetherCase):
    """Everybody is said to live at a Dovecot that refers.

    It refers alice to another Dovecot, bob back to the front door, and carol back to it by a name
    that the front door does not know. dave is said to live there by mistake.
    """

    front: Referrald
    old: Dovecot
    new: Dovecot

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start a home, one that refers, and the front door."""
        moved = servers.folder() / "moved"
        moved.touch()
        passdb = f"driver = passwd-file\nargs = scheme=PLAIN username_format=%u {moved}"
        cls.new = servers.start_home([("alice", "secret")])
        cls.old = servers.start_home([], passdb=passdb)
        users = "".join(lives(name, cls.old.port) for name in ("alice", "bob", "carol"))
        cls.front = servers.start_referrald(users, relaying(ANOTHER) + MANY)
        targets = {
            "alice": (HOST, cls.new.port),
            "bob": (HOST, cls.front.port),
            "carol": (ANOTHER, cls.front.port),
        }
        moved.write_text(
            "".join(
                f"{user}:{{PLAIN}}secret::::::nologin=y reason=moved host={host} port={port}\n"
                for user, (host, port) in targets.items()
            ),
            encoding="ascii",
        )
        astray = lives("dave", cls.front.port).replace(HOST, ANOTHER)
        (cls.front.folder / "users").write_text(users + astray, encoding="ascii")
        cls.front.wait_for_log("(?i)users.*(changed|reread|loaded|again)")

    def client(self) -> imaplib.IMAP4:
        """Connect to the front door."""
        client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(client.logout)
        return client

    def test_the_client_is_where_the_home_refers_to_and_sees_nothing_of_it(self) -> None:
        # That this Dovecot really refers is seen by asking it.
        with imaplib.IMAP4(HOST, self.old.port) as direct:
            error = self.assertRaises(imaplib.IMAP4.error, direct.login, "alice", "secret")
            self.assertIn("[REFERRAL imap://", str(error))
        client = self.client()
        status, answer = client.login("alice", "secret")
        self.assertEqual((status, b"REFERRAL imap" in answer[0]), ("OK", False), answer)
        self.assertEqual(subjects(client, "INBOX"), [f"Subject: {SUBJECT}"])
        client.append("INBOX", "", "", message("by relay"))
        self.assertEqual(len(self.new.messages("alice", "")), 2)
        line = self.front.wait_for_log('user="alice"')
        self.assertIn(f"result=relayed target={HOST}:{self.new.port}", line)

    @proves("L9")
    def test_a_home_that_refers_back_here_is_not_followed(self) -> None:
        client = self.client()
        error = self.assertRaises(imaplib.IMAP4.error, client.login, "bob", "secret")
        self.assertIn("[UNAVAILABLE]", str(error))
        self.assertIn("leads back to this server", self.front.wait_for_log('user="bob"'))
        self.assertEqual(client.noop()[0], "OK")

    @proves("L9")
    def test_a_circle_by_a_name_that_is_not_known_as_our_own_ends_soon(self) -> None:
        for user in ("carol", "dave"):
            client = self.client()
            began = time.monotonic()
            error = self.assertRaises(imaplib.IMAP4.error, client.login, user, "secret")
            self.assertIn("[UNAVAILABLE]", str(error))
            self.assertLess(time.monotonic() - began, 5)
            # One line of the log is that of the login that came back, the other the client's.
            self.front.wait_for_log(f'user="{user}" .*comes from this very server')
            self.front.wait_for_log(
                f'user="{user}" .*{ANOTHER}:{self.front.port} says: NO .*circle'
            )
            self.assertEqual(self.front.log.count(f'user="{user}"'), 2)
            self.assertEqual(client.noop()[0], "OK")
