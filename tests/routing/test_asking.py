"""What a backend may answer."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home, Security, Server
from referrald.routing.asking import wrong_with
from tests.proves import proves
from tests.routing.support import home


class AnswersTests(SynchronousTestCase):
    def test_homes_of_all_kinds_are_right(self) -> None:
        right = [
            Home(),
            home(),
            home(user="a", auth="GSSAPI", public_here=True, ttl=0, closed=""),
            home(ttl=1.5),
            Home(servers=(Server(host="::1", port=1, security=Security.CLEAR), Server(host="b"))),
        ]
        for each in right:
            with self.subTest(repr(each)):
                self.assertEqual(wrong_with(each), "")

    @proves("S1")
    def test_a_home_with_a_wrong_part_is_wrong(self) -> None:
        server = Server(host="a")
        wrong: list[dict[str, Any]] = [
            {"servers": [server]},
            {"servers": None},
            {"servers": ("a",)},
            {"servers": (server, Server(host=""))},
            {"servers": (attrs.evolve(server, host=b"a"),)},
            {"servers": (attrs.evolve(server, port=0),)},
            {"servers": (attrs.evolve(server, port=65536),)},
            {"servers": (attrs.evolve(server, port="143"),)},
            {"servers": (attrs.evolve(server, port=True),)},
            {"servers": (attrs.evolve(server, security="none"),)},
            {"user": ""},
            {"user": b"a"},
            {"auth": ""},
            {"auth": None},
            {"public_here": 1},
            {"held": 1},
            {"closed": True},
            {"ttl": -1},
            {"ttl": float("nan")},
            {"ttl": "60"},
            {"ttl": True},
        ]
        for parts in wrong:
            with self.subTest(repr(parts)):
                self.assertNotEqual(wrong_with(Home(**parts)), "")

    @proves("S1")
    def test_what_is_no_home_is_wrong(self) -> None:
        for each in ("a.example", (), True, Home, object()):
            with self.subTest(repr(each)):
                self.assertNotEqual(wrong_with(each), "")
