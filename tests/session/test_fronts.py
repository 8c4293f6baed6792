"""Proxies in front of us: what they say of a client, and what anybody may say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import MAX_PROXIES
from referrald.networks import Networks
from referrald.session.fronts import Origin, hops_left, origin, within
from tests.session.support import Client, House

FRONT = Networks(("192.0.2.0/28",))
SAID = (
    b'i ID ("x-originating-ip" "198.51.100.9" "x-originating-port" "50007" '
    b'"x-session-id" "Yk3+/a" "x-proxy-ttl" "4")'
)


class TheFields(SynchronousTestCase):
    def test_an_address_a_port_and_a_name(self) -> None:
        said = {"x-originating-ip": "2001:DB8:0::9", "x-originating-port": "7", "x-session-id": "s"}
        self.assertEqual(origin(said), Origin("2001:db8::9", 7, "s"))
        self.assertEqual(origin({"x-originating-ip": "::ffff:192.0.2.9"}), Origin("192.0.2.9"))

    def test_what_cannot_be_is_left_out(self) -> None:
        for address in (None, "", "evil.example", "1.2.3", "1.2.3.4 x", "1.2.3.4\n"):
            self.assertIsNone(origin({"x-originating-ip": address, "x-session-id": "s"}))
        for port in ("", "65536", "-1", "9" * 30, "٣", "1 "):
            said = {"x-originating-ip": "192.0.2.9", "x-originating-port": port}
            self.assertEqual(origin(said), Origin("192.0.2.9"), port)
        for name in ("", "a b", 'a"', "a\n", "x" * 65, "é"):
            said = {"x-originating-ip": "192.0.2.9", "x-session-id": name}
            self.assertEqual(origin(said), Origin("192.0.2.9"), name)

    @given(st.dictionaries(st.text(), st.one_of(st.none(), st.text())), st.text())
    def test_nothing_that_is_said_makes_more_hops(self, fields: Any, said: str) -> None:
        self.assertLessEqual(hops_left({**fields, "x-proxy-ttl": said}), MAX_PROXIES)

    def test_hops_are_counted_down(self) -> None:
        for said, left in (
            ("5", 4), ("4", 3), ("1", 0), ("0", -1), ("99", MAX_PROXIES), (" 3 ", 2),
            ("", MAX_PROXIES), ("-7", MAX_PROXIES), ("two", MAX_PROXIES), (None, MAX_PROXIES),
        ):  # fmt: skip
            self.assertEqual(hops_left({"x-proxy-ttl": said}), left, said)
        self.assertEqual(hops_left(None), MAX_PROXIES)

    def test_networks(self) -> None:
        networks = Networks(("192.0.2.0/28", "2001:db8::/64"))
        for host, inside in (
            ("192.0.2.7", True), ("::ffff:192.0.2.7", True), ("2001:db8::1", True),
            ("2001:db8::1%eth0", True), ("192.0.2.16", False), ("unix", False), ("", False),
        ):  # fmt: skip
            self.assertEqual(within(host, networks), inside, host)


class Sessions(SynchronousTestCase):
    def connect(self, **changes: Any) -> Client:
        self.house = House(**changes)
        client = self.house.connect()
        client.read()
        return client

    def test_a_trusted_front_speaks_for_its_client(self) -> None:
        client = self.connect(trusted=FRONT)
        client.ask(SAID)
        client.ask(b"a LOGIN alice secret")
        (event,) = self.house.logins
        self.assertEqual((event.peer, event.session), ("198.51.100.9:50007", "Yk3+/a"))
        # The storm breaker and routing go by the client as well.
        self.assertEqual(self.house.router.asked[0].peer, "198.51.100.9")

    def test_anybody_else_only_says_so(self) -> None:
        client = self.connect(trusted=Networks(("203.0.113.0/24",)))
        own = client.session.session_id
        client.ask(SAID)
        client.ask(b"a LOGIN alice secret")
        (event,) = self.house.logins
        self.assertEqual((event.peer, event.session), ("192.0.2.7:4711", own))

    def test_after_the_login_nobody_becomes_somebody_else(self) -> None:
        client = self.connect(trusted=FRONT)
        client.ask(b"a LOGIN bob secret")
        client.ask(SAID)
        self.assertEqual(client.session.peer, "192.0.2.7:4711")
        self.assertEqual(client.session.client_id["x-proxy-ttl"], "4")

    def test_what_was_said_in_the_clear_is_forgotten_with_starttls(self) -> None:
        client = self.connect(trusted=FRONT, secure=False, tls=object())
        own = client.session.session_id
        client.ask(SAID)
        client.ask(b"b STARTTLS")
        session = client.session
        self.assertEqual((session.peer, session.session_id), ("192.0.2.7:4711", own))
        self.assertIsNone(session.client_id)

    def test_a_connection_is_counted_off_where_it_was_counted(self) -> None:
        for networks, counted in ((Networks(), "192.0.2.7"), (FRONT, "")):
            seen: list[str] = []
            house = House(trusted=networks)
            house.counts.admit = seen.append  # type: ignore[method-assign, assignment]
            house.counts.release = seen.append  # type: ignore[method-assign]
            client = house.connect()
            client.ask(SAID)
            client.transport.loseConnection()
            self.assertEqual(seen, [counted, counted])
