"""A client that only waits for the end of each answer."""

from __future__ import annotations

import re
import socket
import time


class Late(Exception):
    """A server did not answer in the time that it had."""


class Client:
    """A session of a user. exists: the messages of the mailbox that is open, as last told.

    patience: seconds that each command has.
    """

    def __init__(self, port: int, user: str, patience: float = 1800.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._patience = patience
        self._number = 0
        self.exists = 0
        self._socket.recv(4096)
        self.say(f"LOGIN {user} pass")

    def say(self, command: str) -> bytes:
        """Send a command and wait for its answer, which must be OK."""
        return self._answer(self.begin(command))

    def begin(self, command: str) -> bytes:
        """Send a command; gives its tag."""
        self._number += 1
        tag = b"tag%d" % self._number
        self._socket.sendall(tag + b" " + command.encode("ascii") + b"\r\n")
        return tag

    def end(self, tag: bytes) -> bytes:
        """Wait for the answer of a command that was begun."""
        return self._answer(tag)

    def _receive(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0:
            raise Late
        self._socket.settimeout(left)
        try:
            return self._socket.recv(1 << 18)
        except TimeoutError:
            raise Late from None

    def _answer(self, tag: bytes) -> bytes:
        got = bytearray()
        until = time.monotonic() + self._patience
        while True:
            data = self._receive(until)
            if not data:
                raise RuntimeError(f"the server has gone: {bytes(got[-200:])!r}")
            got += data
            if got.endswith(b"\r\n"):
                last = got.rfind(b"\r\n", 0, len(got) - 2)
                if got.startswith(tag + b" ", last + 2 if last >= 0 else 0):
                    break
        if not got.startswith(tag + b" OK", last + 2 if last >= 0 else 0):
            raise RuntimeError(bytes(got[-300:]).decode("ascii", "replace"))
        for count in re.findall(rb"^\* (\d+) EXISTS", got, re.M) if len(got) < 10_000 else ():
            self.exists = int(count)
        return bytes(got)

    def select(self, name: str) -> None:
        """Open a mailbox."""
        self.say(f"SELECT {name}")

    def append(self, name: str, content: bytes) -> None:
        """Append a message, without waiting for leave to send it."""
        self._number += 1
        tag = b"tag%d" % self._number
        head = f" APPEND {name} {{{len(content)}}}\r\n".encode("ascii")
        self._socket.sendall(tag + head)
        if not self._receive(time.monotonic() + self._patience).startswith(b"+"):
            raise RuntimeError("a literal was refused")
        self._socket.sendall(content + b"\r\n")
        self._answer(tag)

    def close(self) -> None:
        """End the session."""
        self._socket.close()
