"""Our client, from a front door of ours to real Dovecots, in the clear and by STARTTLS."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from docs.examples.follow import show
from referrald.client import (
    CredentialPolicy,
    Credentials,
    LoginFollower,
    NotReached,
    ReferralClient,
    Step,
    Trust,
)
from tests.interop.shared import entry, message, table
from tests.interop.support import InteropCase, make_certificate
from tests.proves import proves

HOST = "127.0.0.1"


class Follower(InteropCase, TestCase):
    @proves("L10", "M2", "M9")
    def test_the_program_of_the_page_lists_what_is_on_two_servers(self) -> Deferred[None]:
        shared = self.start_home([("alice", "secret")], folders=["Geteilt/Minutes"])
        front = self.start_shared(
            table({"a": shared.port}, entry("Shared/Minutes", "a", name="Geteilt/Minutes"))
        )
        with shared.login("alice", "secret") as client:
            client.append("Geteilt/Minutes", "", "", message("one"))

        async def work() -> None:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                url = f"imap://{HOST}:{front.port}/"
                await show(reactor, url, "alice", "secret", allow_clear=(HOST,))
            self.assertEqual(
                sorted(out.getvalue().splitlines()),
                [
                    "INBOX: 2 EXISTS",
                    "Shared/Minutes: 1 EXISTS",
                    f"alice lives at {HOST}:{front.port}",
                ],
            )

        return ensureDeferred(work())

    @proves("L10", "L12")
    def test_a_login_is_followed_to_dovecot_and_mail_is_copied_across(self) -> Deferred[None]:
        home = self.start_home([("alice", "secret")], folders=["Copies"])
        users = f"alice:{{PLAIN}}secret::::::host={HOST} port={home.port} nologin\n"
        front = self.start_referrald(users, f'[referral]\nallow_clear = ["{HOST}"]\n')
        steps: list[Step] = []

        async def work() -> None:
            policy = CredentialPolicy(origin=HOST, allow_clear=(HOST,))
            own = Credentials(user="alice", password="secret")
            follower = LoginFollower(reactor, own, policy, on_step=steps.append)
            client = ReferralClient(follower)
            arrived = await client.start(f"imap://{HOST}:{front.port}/")
            self.assertEqual(arrived.target.port, home.port)
            self.assertEqual([step.outcome for step in steps], ["referred", "here"])
            found = await client.select("INBOX")
            await client.copy(found.connection, [1], "Copies")
            await client.append("Copies", message("by us"), b"(\\Seen)")
            self.assertEqual(len(home.messages("alice", "Copies")), 2)
            await client.close()

        return ensureDeferred(work())

    @proves("L12")
    def test_certificates_are_checked(self) -> Deferred[None]:
        folder = self.folder()
        certificate, key = make_certificate(folder, "localhost")
        tls = f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n[serve]\nstore = "memory"\n'
        front = self.start_referrald("alice:{PLAIN}secret\n", tls, 'tls = "starttls"')

        async def log_in(trust: Trust, host: str) -> Any:
            own = Credentials(user="alice", password="secret")
            policy = CredentialPolicy(origin=host)
            follower = LoginFollower(reactor, own, policy, trust=trust, patience=10)
            arrived = await follower.open(f"imap://{host}:{front.port}/")
            self.assertTrue(arrived.connection.secure)
            await arrived.connection.logout()

        async def work() -> None:
            await log_in(Trust.from_file(str(certificate)), "localhost")
            for trust, host in ((Trust(), "localhost"), (Trust.from_file(str(certificate)), HOST)):
                with self.assertRaises(NotReached):
                    await log_in(trust, host)

        return ensureDeferred(work())
