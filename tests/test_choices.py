"""From a configuration to the choice at each listener, and to the doors."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock

from referrald.assembly import Assembly, Lasting
from referrald.choices import choosing_for
from referrald.config.settings import Config
from referrald.session.choosing import Choice
from referrald.testing import MemoryBackend
from tests.config.fakes import GOOD, ConfigTestCase

MORE = """
[[listener]]
name = "office"
endpoint = "tcp:144"
tls = "none"
allow_cleartext = true
login = "auto"

[[network]]
networks = ["10.1.0.0/16", "2001:db8::/32"]
login = "refer"

[[network]]
networks = ["10.0.0.0/8"]
login = "relay"

[referral]
follow = ["alpine/2*"]
one_url = ["pine"]
text_unfollowed = "Go to {server}."
"""


class Choices(ConfigTestCase):
    def setUp(self) -> None:
        super().setUp()
        loaded = self.load(GOOD + MORE)
        assert loaded.config is not None, loaded.problems
        self.config: Config = loaded.config

    def test_every_word_has_its_place(self) -> None:
        plain, office = (choosing_for(self.config, each) for each in self.config.listeners)
        for choosing, host, how, said_by in (
            (plain, "192.0.2.7", "refer", "referral.login"),
            (office, "192.0.2.7", "auto", "listener office"),
            (office, "10.1.2.3", "refer", "network 10.1.0.0/16"),
            (plain, "10.2.2.3", "relay", "network 10.0.0.0/8"),
        ):
            self.assertEqual(choosing.explain(None, host), Choice(how=how, said_by=said_by))
        self.assertTrue(office.follow.include({"name": "Alpine", "version": "2.26"}))

    def test_doors_have_it_and_a_relay_for_whoever_asks(self) -> None:
        self.patch(self.factory, "build", lambda options, reactor: MemoryBackend())
        reactor = MemoryReactorClock()
        lasting = Lasting(reactor, self.config)
        self.addCleanup(lasting.close)
        assembly = Assembly(self.config, reactor, lasting)
        for listener in self.config.listeners:
            door = assembly.door(listener)
            self.assertEqual(door.choosing, choosing_for(self.config, listener))
            self.assertIsNotNone(door.relay)
            self.assertEqual(door.unfollowed_text, "Go to {server}.")
            self.assertTrue(door.one_url.include({"name": "Pine"}))
