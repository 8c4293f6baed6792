"""A real Dovecot that is stopped or killed in the middle of relayed sessions."""

from __future__ import annotations

import imaplib
import os
import re
import select
import signal
import socket
import time

from tests.interop.shared import message
from tests.interop.support import PATIENCE, InteropCase
from tests.interop.together import HOST, TwoHomes, processes, send
from tests.proves import proves

BIG = message("big") + b"0123456789abcdef\r\n" * 1_000_000


class HomeStopped(TwoHomes):
    """alice's home is what goes wrong; that of bob never does."""

    relay = 'timeout = "1s"\n'

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Put a big message where there is no other."""
        super().start(servers)
        with cls.home.login("alice", "secret") as client:
            client.append("Sent", "", "", BIG)

    def client(self, *commands: bytes) -> socket.socket:
        """Log alice in and carry out commands; give the connection."""
        raw = self.front.connect()
        self.addCleanup(raw.close)
        for command in (b"LOGIN alice secret", *commands):
            raw.sendall(b"a " + command + b"\r\n")
            self.read_until(raw, rb"(?m)^a OK .*\n")
        return raw

    def read_until(self, raw: socket.socket, pattern: bytes) -> bytes:
        """Read until a pattern has come; give all that was read."""
        seen = b""
        while not re.search(pattern, seen):
            piece = raw.recv(4096)
            self.assertTrue(piece, seen[-200:])
            seen += piece
        return seen

    def rest(self, raw: socket.socket) -> bytes:
        """Read to the end."""
        pieces = []
        while piece := raw.recv(65_536):
            pieces.append(piece)
        return b"".join(pieces)

    def signal(self, number: signal.Signals, name: str = "") -> None:
        """Send a signal to processes that alice's home has started."""
        send(processes(self.home, name), number)

    def others_are_served(self) -> None:
        """Log bob in, and read."""
        with imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE) as client:
            client.login("bob", "secret")
            self.assertEqual(client.select("INBOX")[0], "OK")

    def test_a_session_that_stands_still_goes_on_when_its_home_does(self) -> None:
        raw = self.client(b"SELECT INBOX")
        self.signal(signal.SIGSTOP, "imap")
        try:
            raw.sendall(b"b NOOP\r\n")
            self.others_are_served()
        finally:
            self.signal(signal.SIGCONT, "imap")
        self.read_until(raw, rb"b OK ")

    def test_killed_in_the_middle_of_a_message_it_leaves_half_of_it_and_no_more(self) -> None:
        raw = self.client(b"SELECT Sent")
        raw.sendall(b"b FETCH 1 BODY.PEEK[]\r\n")
        head = self.read_until(raw, rb"\{\d+\}\r\n")
        self.signal(signal.SIGKILL, "imap")
        whole = head[head.index(b"}\r\n") + 3 :] + self.rest(raw)
        self.assertLess(len(whole), len(BIG))
        self.assertTrue(BIG.startswith(whole), "something was put into the message")
        self.others_are_served()

    def test_killed_while_the_client_sends_a_message_it_says_good_bye(self) -> None:
        raw = self.client()
        raw.sendall(b"b APPEND INBOX {%d}\r\n" % len(BIG))
        self.read_until(raw, rb"\A\+ ")
        raw.sendall(BIG[: len(BIG) // 2])
        self.signal(signal.SIGKILL, "imap")
        self.assertRegex(self.rest(raw), rb"\A\* BYE [^\r\n]+\r\n\Z")
        self.front.wait_for_log("alice relayed to .*; the home server broke off")
        self.others_are_served()

    def test_killed_while_the_client_waits_it_says_good_bye(self) -> None:
        raw = self.client(b"SELECT INBOX")
        raw.sendall(b"b IDLE\r\n")
        self.read_until(raw, rb"\A\+ ")
        self.signal(signal.SIGKILL, "imap")
        self.assertRegex(self.rest(raw), rb"\A(\* [^B][^\r\n]+\r\n)*\* BYE [^\r\n]+\r\n\Z")
        self.others_are_served()

    @proves("S1")
    def test_stopped_as_a_whole_it_is_unavailable_until_it_is_back(self) -> None:
        self.signal(signal.SIGSTOP)
        os.kill(self.home.process.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            answer = self.log_in()
            self.assertIn(b"a NO [UNAVAILABLE] ", answer)
            self.assertLess(time.monotonic() - began, 5)
            # It is known by now: the next one does not have to wait.
            began = time.monotonic()
            self.assertIn(b"a NO [UNAVAILABLE] ", self.log_in())
            self.assertLess(time.monotonic() - began, 0.9)
            self.others_are_served()
        finally:
            os.kill(self.home.process.pid, signal.SIGCONT)
            self.signal(signal.SIGCONT)
        self.front.wait_for_log(f"home server .* is left alone: .*{self.home.port} did not answer")
        self.front.wait_for_log(f"{self.home.port} is left alone after a failure")
        end = time.monotonic() + PATIENCE
        while b"a OK " not in (answer := self.log_in()):
            self.assertLess(time.monotonic(), end, answer)
            select.select([], [], [], 0.1)
        self.front.wait_for_log(f"home server .*{self.home.port} works again after [0-9]+ s")

    def log_in(self) -> bytes:
        """Give the answer to a login of alice."""
        with self.front.connect() as raw:
            raw.sendall(b"a LOGIN alice secret\r\n")
            return self.read_until(raw, rb"\n")
