"""The demo does what it says."""

from __future__ import annotations

import imaplib
import re
import subprocess
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from referrald.demo import NOTICE, PASSWORD, Demo, guide
from tests.interop.support import PATIENCE, free_port, need
from tests.proves import proves


def commands(told: str) -> list[str]:
    """Give what a guide says to type, but for the program that needs a screen."""
    lines = re.findall(r"^    ((?:curl|python3) (?:.*\\\n)*.*)$", told, re.MULTILINE)
    return [line for line in lines if line]


def typed(command: str) -> str:
    """Have a shell run a command; give all that it shows."""
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return done.stdout + done.stderr


class TheDemo(TestCase):
    @proves("L3")
    def test_login_is_answered_with_the_referral_that_was_announced(self) -> Deferred[None]:
        async def work() -> None:
            ports = free_port(), free_port()
            demo = Demo(reactor, *ports)
            demo.privilegedStartService()
            demo.startService()
            self.addCleanup(lambda: maybeDeferred(demo.stopService))
            told = guide(*ports)
            refused = await deferToThread(self.log_in, ports[0], "alice")
            self.assertIn(refused, told)
            self.assertIn(f"127.0.0.1:{ports[1]}/", refused)
            self.assertEqual(await deferToThread(self.log_in, ports[1], "alice"), "2")
            self.assertEqual(await deferToThread(self.log_in, ports[0], "bob"), "2")
            names, refused = await deferToThread(self.look_for_folder, ports[0])
            self.assertEqual(names, [b'(\\HasNoChildren) "/" Shared'])
            self.assertIn(refused, told)
            self.assertEqual(await deferToThread(self.log_in, ports[1], "bob", "Shared"), "1")

        return ensureDeferred(work())

    def test_what_it_says_to_type_shows_what_it_says(self) -> Deferred[None]:
        async def work() -> None:
            ports = free_port(), free_port()
            demo = Demo(reactor, *ports)
            demo.privilegedStartService()
            demo.startService()
            self.addCleanup(lambda: maybeDeferred(demo.stopService))
            need("curl")
            await demo.servers[-1].ready
            shown = [await deferToThread(typed, each) for each in commands(guide(*ports))]
            referral, alice, bob, listed, read, referred, there = shown
            told = guide(*ports).splitlines()
            (answer,) = [line.strip() for line in told if line.startswith("    [REFERRAL ")]
            self.assertIn(answer, referral)
            for mail in (alice, bob):
                self.assertIn("Subject: Welcome home", mail)
            self.assertIn("Shared", listed)
            for mail in (read, there):
                self.assertIn("Subject: For everyone", mail)
            (answer,) = [line.strip() for line in told if line.startswith("    NO [REFERRAL ")]
            self.assertIn(answer, referred)

        return ensureDeferred(work())

    def look_for_folder(self, port: int) -> tuple[list[bytes], str]:
        """List the folder in both ways and open it, as the guide says."""
        client: Any = imaplib.IMAP4("127.0.0.1", port)
        try:
            client.login("bob", PASSWORD)
            shared = b'(\\HasNoChildren) "/" Shared'
            self.assertEqual(client.list()[1], [b'(\\HasNoChildren) "/" INBOX', shared])
            self.assertEqual(client.select("Shared"), ("OK", [b"1"]))
            self.assertIn(NOTICE, client.fetch("1", "BODY[]")[1][0])
            client.xatom("RLIST", '""', "S%")
            names = client.response("LIST")[1]
            kind, text = client.select("Shared")
            return names, f"{kind} {text[0].decode()}"
        finally:
            client.logout()

    def log_in(self, port: int, user: str, mailbox: str = "INBOX") -> str:
        """Log in as the guide says; give the error, or the number of messages."""
        client: Any = imaplib.IMAP4("127.0.0.1", port)
        try:
            client.login(user, PASSWORD)
        except imaplib.IMAP4.error as error:
            return error.args[0].decode()
        else:
            return client.select(mailbox)[1][0].decode()
        finally:
            client.logout()
