"""What home servers are told of the clients that are relayed to them."""

from __future__ import annotations

from referrald.model import Refer
from referrald.networks import Networks
from referrald.relay.proxyheader import proxy_header
from referrald.relay.settings import RelaySettings
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.native import Site
from tests.session.relaycase import HELLO, HOME, LOGIN, RelayCase


class Told(RelayCase):
    def test_a_server_that_believes_us_is_told_where_the_client_comes_from(self) -> None:
        told = b'ID ("name" "referrald" "x-originating-ip" "192.0.2.7" "x-originating-port" "4711" '
        greeting = HELLO.replace(b"SASL-IR", b"SASL-IR ID")
        for patterns, offered, seen in (
            (("home.example",), greeting, True), (("*.EXAMPLE",), greeting, True),
            (("other.example",), greeting, False), (("home.example",), HELLO, False),
        ):  # fmt: skip
            self.serve("home.example", offered)
            self.settings = RelaySettings(allowed=("*.example",), told=patterns)
            client = self.connect()
            self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
            first = self.made[-1].seen[0]
            self.assertEqual(first.startswith(told), seen, first)
            self.assertEqual(first.endswith(b' "x-proxy-ttl" "5")'), seen, first)

    def test_a_server_that_expects_it_gets_a_header_before_anything_else(self) -> None:
        self.serve("home.example")
        self.serve("second.example")
        for patterns in ((), ("HOME.*",)):
            self.settings = RelaySettings(allowed=("*.example",), proxy=patterns)
            client = self.connect()
            self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        own = client.transport.getHost()
        header = proxy_header("192.0.2.7", 4711, own.host, own.port)
        self.assertEqual(self.net.announced, [b"", header])

    def test_a_client_of_another_proxy_is_passed_on_fewer_times(self) -> None:
        self.serve("home.example", HELLO.replace(b"SASL-IR", b"SASL-IR ID"))
        self.settings = RelaySettings(allowed=("*.example",), told=("*",))
        client = self.connect()
        client.say(b'i ID ("x-proxy-ttl" "2" "x-originating-ip" "198.51.100.9")')
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        self.assertIn(b'"x-originating-ip" "192.0.2.7"', self.made[0].seen[0])
        self.assertIn(b'"x-proxy-ttl" "1"', self.made[0].seen[0])

    @proves("S1")
    def test_who_has_come_through_too_many_is_not_passed_on(self) -> None:
        self.serve("home.example")
        for said in (b"1", b"0"):
            client = self.connect()
            client.say(b'i ID ("x-proxy-ttl" "%b")' % said)
            answer = client.say(b"a " + LOGIN)
            self.assertTrue(answer.startswith(b"a NO [UNAVAILABLE] "), answer)
            self.assertIn(b" in a circle", answer)
            self.assertFalse(client.lost)
            self.assertIn("too many proxies", self.house.logins[0].cause)
        self.assertEqual(self.net.dialled, [])

    def test_home_learns_the_address_that_a_trusted_front_gives(self) -> None:
        self.serve("home.example", HELLO.replace(b"SASL-IR", b"SASL-IR ID"))
        self.settings = RelaySettings(allowed=("*.example",), told=("*",), proxy=("*",))
        client = self.connect(trusted=Networks(("192.0.2.0/24",)))
        client.say(b'i ID ("x-originating-ip" "198.51.100.9" "x-originating-port" "7" '
                   b'"x-session-id" "front1")')  # fmt: skip
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        told = (b'ID ("name" "referrald" "x-originating-ip" "198.51.100.9" "x-originating-port" "7"'
                b' "x-session-id" "front1" "x-proxy-ttl" "5")')  # fmt: skip
        self.assertEqual(self.made[0].seen[0], told)
        own = client.transport.getHost()
        header = proxy_header("198.51.100.9", 7, own.host, own.port)
        self.assertEqual(self.net.announced, [header])

    def test_a_real_session_behind_it(self) -> None:
        site = Site(SIMPLE)
        self.net.servers["home.example", 143] = lambda: site.house.factory.buildProtocol(None)
        self.decision = Refer(url="imap://bob;AUTH=*@home.example/", server=HOME, user="bob")
        client = self.connect()
        self.assertIn(b" MAILBOX-REFERRALS ", client.say(b"a LOGIN bob secret"))
        self.assertIn(b"* 1 EXISTS", client.say(b"b SELECT INBOX"))
        self.assertIn(SIMPLE, client.say(b"c FETCH 1 BODY[]"))
        answer = client.say(b"d APPEND INBOX {5}", b"hello", b"e LOGOUT")
        self.assertIn(b"d OK [APPENDUID ", answer)
        self.assertIn(b"* BYE Good-bye.", answer)
        self.assertTrue(client.lost)
