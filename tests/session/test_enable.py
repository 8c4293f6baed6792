"""ENABLE (RFC 5161)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.proves import proves
from tests.session.inbox import Home
from tests.session.native import Site
from tests.session.support import Client


class Enabling(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Site().log_in()

    def ask(self, line: bytes, client: Client | None = None) -> list[bytes]:
        return (client or self.client).ask(b"x " + line)

    @proves("base:UNSELECT/ENABLE/ID")
    def test_what_is_offered_can_be_enabled_in_any_case_and_the_rest_is_passed_over(self) -> None:
        said = self.ask(b"ENABLE utf8=accept X-NEVER imap4REV2 IDLE condstore UTF8=ACCEPT")
        self.assertEqual(said[0], b"* ENABLED UTF8=ACCEPT IMAP4rev2 CONDSTORE")
        self.assertEqual(said[-1], b"x OK Enabled what is known.")
        expected = frozenset({"UTF8=ACCEPT", "IMAP4rev2", "CONDSTORE"})
        self.assertEqual(self.client.session.enabled, expected)

    def test_what_is_enabled_stays_so(self) -> None:
        self.ask(b"ENABLE UTF8=ACCEPT")
        self.assertEqual(self.ask(b"ENABLE IDLE")[0], b"* ENABLED")
        self.assertEqual(self.ask('CREATE "é"'.encode())[0][:4], b"x OK")

    def test_the_very_next_command_is_read_with_it(self) -> None:
        said = self.client.say('x ENABLE UTF8=ACCEPT\r\ny CREATE "é"\r\n'.encode())
        self.assertIn(b"y OK ", said)

    def test_it_takes_a_name_and_a_login(self) -> None:
        for line in (b"ENABLE", b"ENABLE ", b'ENABLE "IDLE"', b"ENABLE (IDLE)"):
            self.assertEqual(self.ask(line)[0][:6], b"x BAD ", line)
        stranger = Site().house.connect()
        stranger.read()
        self.assertEqual(self.ask(b"ENABLE IMAP4rev2", stranger)[0][:6], b"x BAD ")

    def test_what_an_account_cannot_do_is_not_enabled(self) -> None:
        said = self.ask(b"ENABLE IMAP4rev2", Home().log_in(b""))
        self.assertEqual(said[0], b"* ENABLED")
