"""The demo does what it says."""

from __future__ import annotations

import imaplib
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from referrald.demo import PASSWORD, Demo, guide
from tests.interop.support import free_port
from tests.proves import proves


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

        return ensureDeferred(work())

    def log_in(self, port: int, user: str) -> str:
        """Log in as the guide says; give the error, or the number of messages."""
        client: Any = imaplib.IMAP4("127.0.0.1", port)
        try:
            client.login(user, PASSWORD)
        except imaplib.IMAP4.error as error:
            return error.args[0].decode()
        else:
            return client.select("INBOX")[1][0].decode()
        finally:
            client.logout()
