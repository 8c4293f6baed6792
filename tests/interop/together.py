"""Servers that all tests of a class use: they are started once, before the first of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.interop.support import Dovecot, InteropCase, Referrald

HOST = "127.0.0.1"
MANY = "[limits]\nconnections_per_address = 0\n"
# So many sessions in one process: a test needs no walls between them.
ONE_PROCESS = """
service imap {
  service_count = 0
  client_limit = 500
}
mailbox_idle_check_interval = 1 secs
"""


def relaying(*hosts: str, login: str = "relay") -> str:
    """Write the section that makes a front door relay, in the clear; to this machine at least."""
    listed = json.dumps([HOST, *hosts])
    return f'[referral]\nlogin = "{login}"\nallowed = {listed}\nallow_clear = {listed}\n'


def lives(user: str, port: int) -> str:
    """Write a user whose home is at a port of this machine."""
    return f"{user}:{{PLAIN}}secret::::::host={HOST} port={port} nologin\n"


def processes(home: Dovecot, name: str = "") -> list[int]:
    """Give the processes that a Dovecot has started, of one name or all."""
    pid = home.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if name in ("", _name_of(child))]


def _name_of(pid: str) -> str | None:
    """Name a program that runs; None for one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended by themselves."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


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
