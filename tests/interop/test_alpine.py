"""Alpine: the client that follows login referrals, from the front door to a real Dovecot."""

from __future__ import annotations

from tests.interop.programs import alpine
from tests.interop.support import InteropCase
from tests.proves import proves


class Alpine(InteropCase):
    def read_inbox(self, port: int) -> list[int]:
        return alpine(self.folder(), port)

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
