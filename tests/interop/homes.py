"""Home servers that do wrong at an exact moment: each connection is a thread that runs a script."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.interop.support import PATIENCE, InteropCase

GREETING = b"* OK [CAPABILITY IMAP4rev1 IDLE ID] ready\r\n"
PLAIN = b"* OK [CAPABILITY IMAP4rev1 IDLE ID SASL-IR AUTH=PLAIN] ready\r\n"
"""With this there is a shorter way to log in, which the relay takes."""


class Hungup(Exception):
    """The other side has gone."""


class Caller:
    """A connection to a scripted home server."""

    def __init__(self, raw: socket.socket, greeting: bytes = GREETING) -> None:
        self.raw = raw
        self._greeting = greeting
        self._read = b""

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self.raw.sendall(data)
        except OSError:
            raise Hungup from None

    def hear(self) -> bytes:
        """Read a line, without its end."""
        while b"\n" not in self._read:
            self._read += self.more()
        line, _, self._read = self._read.partition(b"\n")
        return line.rstrip(b"\r")

    def more(self) -> bytes:
        """Read what there is, behind the lines that were heard."""
        if self._read:
            data, self._read = self._read, b""
            return data
        try:
            data = self.raw.recv(65_536)
        except OSError:
            data = b""
        if not data:
            raise Hungup
        return data

    def linger(self) -> None:
        """Say nothing until the other side has gone."""
        while True:
            self.more()

    def drip(self, data: bytes) -> None:
        """Send a byte every now and then, until the other side has gone."""
        for byte in data:
            self.say(bytes([byte]))
            # What is said meanwhile is not wanted; that nobody is there any more is.
            if select.select([self.raw], [], [], 0.05)[0]:
                self.more()

    def reset(self) -> None:
        """End the connection at once, as a machine does that has just been started again."""
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def answer(self, line: bytes, text: bytes = b"OK done") -> None:
        """Answer a command with its tag."""
        self.say(line.partition(b" ")[0] + b" " + text + b"\r\n")

    def greet(self) -> None:
        """Say what is offered."""
        self.say(self._greeting)

    def admit(self) -> None:
        """Greet, and let anybody log in."""
        self.greet()
        while True:
            line = self.hear()
            if line.split(b" ")[1].upper() in (b"LOGIN", b"AUTHENTICATE"):
                self.answer(line, b"OK [CAPABILITY IMAP4rev1 IDLE] welcome")
                return
            self.answer(line)


Script = Callable[[Caller], None]


class ScriptedHome:
    """Listens on a port and runs a script for each connection."""

    def __init__(
        self,
        servers: InteropCase,
        script: Script,
        greeting: bytes = GREETING,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self._greeting = greeting
        self.faults: list[BaseException] = []
        self._script = script
        self._listening = socket.create_server(address, backlog=100)
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        servers.addCleanup(self._stop)
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(raw)
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(Hungup):
            try:
                self._script(Caller(raw, self._greeting))
            except Hungup:
                raise
            except BaseException as error:  # noqa: BLE001 - the test tells of it
                self.faults.append(error)

    def _stop(self) -> None:
        # Closing alone wakes nobody who waits in accept() or recv().
        for raw in [self._listening, *self._open]:
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        if self.faults:
            raise AssertionError(f"a scripted home went wrong: {self.faults}")
