"""Homes in JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.jsonhomes import JsonHomes, read_object, write_home
from referrald.errors import Unavailable
from referrald.model import Home, Security, Server
from referrald.testing import HOMES, RICH_HOMES

SERVERS = st.lists(
    st.builds(
        Server,
        host=st.sampled_from(("a", "here", "a.example", "192.0.2.1")),
        port=st.integers(1, 65535),
        security=st.sampled_from(Security),
        weight=st.integers(1, 9),
    ),
    unique_by=lambda server: server.host,
    max_size=3,
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=9)
OF_SERVERS: dict[str, Any] = {
    "user": st.none() | TEXTS,
    "how": st.sampled_from((None, "refer", "relay", "auto")),
    "spread": st.booleans(),
    "auth": st.sampled_from(("*", "PLAIN")),
}


class JsonHomesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.homes = JsonHomes()

    def back(self, home: Home) -> Home:
        return self.homes.read("ann", json.loads(json.dumps(write_home(home))))

    def test_every_home_comes_back(self) -> None:
        for home in (*HOMES.values(), *RICH_HOMES.values(), Home(closed="No.", held=True)):
            self.assertEqual(self.back(home), home)

    @given(st.data())
    def test_any_home_comes_back(self, data: st.DataObject) -> None:
        servers = tuple(data.draw(SERVERS))
        more = {key: data.draw(values) for key, values in OF_SERVERS.items()} if servers else {}
        home = Home(
            servers=servers,
            held=data.draw(st.booleans()),
            closed=data.draw(st.none() | TEXTS),
            ttl=data.draw(st.none() | st.floats(0, 1e6)),
            **more,
        )
        self.assertEqual(JsonHomes().read("ann", json.loads(json.dumps(write_home(home)))), home)

    def test_what_is_no_home_is_told_with_the_user(self) -> None:
        for value, what in (
            ("", "home"),
            ("nohost", "nohost"),
            ({"server": ""}, "server"),
            ({"host": "a.example"}, "host there is no such key"),
            ("a.example:0", "not a port"),
            ("2001:db8::7", "IPv6"),
            ("a.example/ssl", "no kind of security"),
            ("a.example*0", "not a weight"),
            (None, "home"),
        ):
            error = self.assertRaises(Unavailable, self.homes.read, "ann", value)
            self.assertIn("'ann'", str(error))
            self.assertIn(what, str(error))

    def test_only_an_object_is_one(self) -> None:
        self.assertEqual(read_object(b'{"a": 1}'), {"a": 1})
        for data in (b"", b"[]", b"{", b"\xff", b"[" * 60_000, b"null"):
            self.assertIsNone(read_object(data))
