"""Servers that all tests of a class use: they are started once, before the first of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.interop.support import Dovecot, InteropCase, Referrald

HOST = "127.0.0.1"
MANY = "[limits]\nconnections_per_address = 0\n"


def relaying(*hosts: str, login: str = "relay") -> str:
    """Write the section that makes a front door relay, in the clear; to this machine at least."""
    listed = json.dumps([HOST, *hosts])
    return f'[referral]\nlogin = "{login}"\nallowed = {listed}\nallow_clear = {listed}\n'


def lives(user: str, port: int) -> str:
    """Write a user whose home is at a port of this machine."""
    return f"{user}:{{PLAIN}}secret::::::host={HOST} port={port} nologin\n"


class _Starter(InteropCase):
    """Starts servers for a class."""

    def __init__(self, case: type[TogetherCase]) -> None:
        super().__init__()
        self._case = case

    def addCleanup(self, f: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Do that behind the last test of the class."""
        self._case.addClassCleanup(f, *args, **kwargs)


class TogetherCase(InteropCase):
    """Tests that share the servers that `start` starts."""

    @classmethod
    def setUpClass(cls) -> None:
        """Start them."""
        super().setUpClass()
        cls.start(_Starter(cls))

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start what the tests need, and keep it at the class."""


class TwoHomes(TogetherCase):
    """A front door that relays alice and bob, who live in two Dovecots.

    relay: lines of that section.
    """

    relay = ""
    front: Referrald
    home: Dovecot
    other: Dovecot

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start the three of them."""
        cls.home = servers.start_home([("alice", "secret")], folders=["Sent"])
        cls.other = servers.start_home([("bob", "secret")], folders=["Sent"])
        users = lives("alice", cls.home.port) + lives("bob", cls.other.port)
        cls.front = servers.start_referrald(users, f"{relaying()}{MANY}[relay]\n{cls.relay}")
