"""Home servers that remember who came where, and what was made of files of other programs."""

from __future__ import annotations

import base64
import imaplib
from collections.abc import Iterable
from typing import Any

from referrald.ctl.origins import ORIGINS
from referrald.ctl.origins.found import Found, Wishes
from referrald.model import Home
from tests.interop.homes import Caller, ScriptedHome
from tests.interop.support import InteropCase

HOST = "127.0.0.1"
GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"

Landing = tuple[str, int, str]
"""A host, a port, and the name that was used there."""


class Homes:
    """Home servers that let everybody in and remember who came where."""

    def __init__(self, case: InteropCase, addresses: Iterable[tuple[str, int]]) -> None:
        self.landed: list[Landing] = []
        self.ports = [self._start(case, *address) for address in addresses]

    def _start(self, case: InteropCase, host: str, port: int) -> int:
        def script(caller: Caller) -> None:
            caller.say(GREETING)
            while True:
                self._command(caller, host, home.port)

        home = ScriptedHome(case, script, GREETING, (host, port))
        return home.port

    def _command(self, caller: Caller, host: str, port: int) -> None:
        words = self._words(caller)
        verb = words[1].upper()
        if verb == b"CAPABILITY":
            caller.say(b"* CAPABILITY IMAP4rev1\r\n")
        elif verb == b"AUTHENTICATE":
            secret = base64.b64decode(words[3])
            self.landed.append((host, port, secret.split(b"\0")[1].decode()))
        elif verb == b"LOGIN":
            self.landed.append((host, port, words[2].decode()))
        caller.say(words[0] + b" OK done\r\n")

    def _words(self, caller: Caller) -> list[bytes]:
        """Read a command; literals and quoted strings are words."""
        words: list[bytes] = []
        line = caller.hear()
        while line.endswith(b"}"):
            head, _, size = line[:-1].rpartition(b"{")
            words += head.split()
            caller.say(b"+ go on\r\n")
            rest = caller.hear()
            words.append(rest[: int(size)])
            line = rest[int(size) :]
        if line.count(b'"') == 4:
            head, user, _, _, _ = line.split(b'"')
            return [*words, *head.split(), user]
        return words + line.split()

    def where(self, port: int, user: str) -> Landing | None:
        """Log in somewhere, and say where that went; None when it was refused."""
        self.landed.clear()
        client = imaplib.IMAP4(HOST, port, timeout=60)
        try:
            answer, _ = client._simple_command("LOGIN", f'"{user}"', '"secret"')
        finally:
            client.shutdown()
        if answer != "OK":
            return None
        (landing,) = self.landed
        return landing


def landing(home: Home | None, user: str) -> Landing | None:
    """Say where a home leads to."""
    if home is None:
        return None
    (server,) = home.servers
    return server.host, server.port, home.user or user


def convert(origin: str, data: bytes, **wishes: Any) -> Found:
    """Read what a program has, or has printed."""
    return ORIGINS[origin].read(data, "file", Wishes(**wishes))
