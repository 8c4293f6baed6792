"""Clients that take the user out of a referral as it stands there, and come back with it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import attrs

from referrald.errors import AuthenticationFailed
from referrald.model import Home, Server
from referrald.relay.connector import RelayConnector
from referrald.relay.settings import RelaySettings
from referrald.routing.directory import Directory
from referrald.routing.guard import StormBreaker
from referrald.routing.router import Router
from referrald.session.choosing import Choosing
from referrald.session.programs import Programs
from referrald.testing import MemoryBackend
from tests.proves import proves
from tests.session.athome import AtHomeCase
from tests.session.relaycase import HOME, RelayCase, Wire
from tests.session.support import House, Passwords

IDENT = b'i ID ("name" "Horde")'
ENCODED = b"bob%40example.org"
REFERRED = b"a NO [REFERRAL imap://bob%40example.org;AUTH=*@home.example/] "
FAILED = b"b NO [AUTHENTICATIONFAILED] "


class Accounts(Passwords):
    """Knows the passwords of some users; asked lists whose were tried."""

    def __init__(self, **passwords: bytes) -> None:
        super().__init__()
        self.known = {"bob@example.org": b"secret", **passwords}
        self.asked: list[str] = []

    async def password(
        self, user: str, password: bytes, authzid: str = "", home: Any = None
    ) -> str:
        self.asked.append(user)
        if self.known.get(user) != password:
            raise AuthenticationFailed("no")
        return authzid or user


class ReturningCase(RelayCase):
    """One front door, to which clients connect again and again."""

    how = "auto"
    follow = ("horde",)
    storm_count = 5

    def setUp(self) -> None:
        super().setUp()
        self.serve("home.example")
        self.backend = MemoryBackend({"bob@example.org": Home(servers=(HOME,))})
        self.accounts = Accounts()
        self.breaker = StormBreaker(clock=self.net.clock.seconds, count=self.storm_count)
        self.open()

    def open(self) -> None:
        """Make the front door anew; what was seen is kept."""
        directory = Directory([("memory", self.backend)], clock=self.net.clock)
        self.house = House(
            authenticator=self.accounts,
            router=Router(directory, None, self.breaker),
            relay=RelayConnector(self.net.clock, RelaySettings(), dial=self.net.dial),
            choosing=Choosing(how=self.how, follow=Programs(self.follow)),
        )

    def client(self, address: str = "192.0.2.7") -> Wire:
        client = Wire(self.net, self.house)
        client.session.peer_host = address
        client.say(IDENT)
        return client

    def refer(self, user: bytes = b"bob@example.org") -> None:
        answer = self.client().say(b'a LOGIN "%b" secret' % user)
        self.assertTrue(answer.startswith(b"a NO [REFERRAL "), answer)

    def come_back(self, user: bytes = ENCODED, password: bytes = b"secret", **more: Any) -> bytes:
        return self.client(**more).say(b'b LOGIN "%b" %b' % (user, password))


class Returning(ReturningCase):
    def test_the_second_login_is_relayed(self) -> None:
        answer = self.client().say(b'a LOGIN "bob@example.org" secret')
        self.assertTrue(answer.startswith(REFERRED), answer)
        self.assertTrue(self.come_back().startswith(b"b OK "))
        # As that user, with the password as it came, by the name that the home knows.
        sent = self.made[-1].seen[0].rpartition(b" ")[2]
        self.assertEqual(b64decode(sent), b"\0bob@example.org\0secret")
        found = [(event.user, event.result) for event in self.house.logins]
        self.assertEqual(found, [("bob@example.org", "referred"), ("bob@example.org", "relayed")])

    def test_so_it_is_by_each_mechanism(self) -> None:
        plain = b64encode(b"\0" + ENCODED + b"\0secret")
        named = b64encode(ENCODED + b"\0" + ENCODED + b"\0secret")
        for line in (b"b AUTHENTICATE PLAIN " + plain, b"b AUTHENTICATE PLAIN " + named):
            self.refer()
            self.assertTrue(self.client().say(line).startswith(b"b OK "), line)
            sent = self.made[-1].seen[0].rpartition(b" ")[2]
            self.assertEqual(b64decode(sent), b"\0bob@example.org\0secret")
            self.net.clock.advance(60)

    def test_and_on_the_connection_on_which_it_was_sent_away(self) -> None:
        client = self.client()
        client.say(b'a LOGIN "bob@example.org" secret')
        self.assertTrue(client.say(b'b LOGIN "%b" secret' % ENCODED).startswith(b"b OK "))

    def test_the_name_may_be_another_one_at_home(self) -> None:
        self.backend.set("bob@example.org", Home(servers=(HOME,), user="robert"))
        self.open()
        self.refer()
        self.assertTrue(self.come_back(b"robert").startswith(b"b OK "))
        sent = self.made[-1].seen[0].rpartition(b" ")[2]
        self.assertEqual(b64decode(sent), b"\0robert\0secret")

    def test_where_somebody_has_that_name_here_it_is_his(self) -> None:
        self.backend.set("bob@example.org", Home(servers=(HOME,), user="robert"))
        self.backend.set("robert", Home(servers=(Server(host="other.example"),)))
        self.accounts.known["robert"] = b"his own"
        self.open()
        self.refer()
        answer = self.come_back(b"robert", b'"his own"')
        self.assertTrue(answer.startswith(b"b NO [REFERRAL imap://robert;AUTH=*@other."), answer)

    def test_a_user_who_has_moved_here_meanwhile_is_not_relayed(self) -> None:
        self.refer()
        self.backend.set("bob@example.org", Home())
        self.open()
        self.assertTrue(self.come_back().startswith(b"b OK "))
        self.assertEqual(self.house.logins[-1].result, "served")


class NotReturning(ReturningCase):
    @proves("L7")
    def test_the_password_has_to_be_right(self) -> None:
        self.refer()
        self.assertTrue(self.come_back(password=b"wrong").startswith(FAILED))
        event = self.house.logins[-1]
        self.assertEqual((event.result, event.user), ("failed", ENCODED.decode()))

    def test_who_was_not_referred_is_nobody(self) -> None:
        self.assertTrue(self.come_back().startswith(FAILED))
        self.assertEqual(self.accounts.asked, [ENCODED.decode()])

    def test_nor_is_who_comes_from_elsewhere_or_too_late(self) -> None:
        self.refer()
        self.assertTrue(self.come_back(address="192.0.2.8").startswith(FAILED))
        self.net.clock.advance(60)
        self.assertTrue(self.come_back().startswith(FAILED))

    def test_only_the_name_as_it_was_sent_counts(self) -> None:
        self.refer()
        for name in (b"bob%2540example.org", b"bo%62%40example.org", b"BOB%40example.org"):
            self.assertTrue(self.come_back(name).startswith(FAILED), name)
        self.assertNotIn("bob@example.org", self.accounts.asked[1:])

    def test_nobody_becomes_another_by_way_of_it(self) -> None:
        self.refer()
        message = b64encode(b"root\0" + ENCODED + b"\0secret")
        answer = self.client().say(b"b AUTHENTICATE PLAIN " + message)
        self.assertTrue(answer.startswith(FAILED), answer)

    def test_where_nobody_is_relayed_it_is_refused_as_ever(self) -> None:
        self.how = "refer"
        self.open()
        self.refer()
        self.assertTrue(self.come_back().startswith(FAILED))
        client = self.client()
        client.say(b'a LOGIN "bob@example.org" secret')
        self.assertTrue(client.say(b'a LOGIN "bob@example.org" secret').startswith(REFERRED))

    def test_a_failure_counts_once(self) -> None:
        self.refer()
        client = self.client()
        client.say(b'b LOGIN "%b" wrong' % ENCODED)
        self.assertEqual(client.session.failed_logins, 1)


class AskedAtHome(AtHomeCase):
    """The same where nobody's password is known but at home."""

    how = "auto"

    def test_the_password_is_tried_at_home_for_the_user_who_was_sent_away(self) -> None:
        self.serve()
        self.open_house()
        choosing = Choosing(how="auto", follow=Programs(("horde",)))
        self.house.factory.door = attrs.evolve(self.house.door, choosing=choosing)
        client = self.connect()
        client.say(IDENT)
        answer, _ = client.answer(b"LOGIN alice secret")
        self.assertTrue(answer.startswith(b"a NO [REFERRAL imap://al;"), answer)
        for password, start in ((b"wrong", b"a NO [AUTHENTICATIONFAILED]"), (b"secret", b"a OK ")):
            client = self.connect()
            client.say(IDENT)
            answer, _ = client.answer(b"LOGIN al " + password)
            self.assertTrue(answer.startswith(start), answer)
        self.assertEqual(self.results(), ["referred", "failed", "relayed"])
        # The relay goes on with the connection that has proved it.
        self.assertEqual(self.net.dialled, [("home.example", 143)] * 3)


class SwitchedOff(ReturningCase):
    storm_count = 0

    def test_without_a_storm_breaker_nothing_is_remembered(self) -> None:
        self.refer()
        self.assertTrue(self.come_back().startswith(FAILED))
