"""Clients that do not follow referrals, relayed to a real Dovecot."""

from __future__ import annotations

import array
import fcntl
import imaplib
import re
import select
import signal
import socket
import termios

from tests.interop.shared import message, open_client
from tests.interop.support import Dovecot, InteropCase, Referrald
from tests.interop.together import MANY, processes, send
from tests.proves import proves

HOST = "127.0.0.1"
RELAY = f'[referral]\nlogin = "relay"\nallow_clear = ["{HOST}"]\n'


def waiting_in(raw: socket.socket) -> int:
    """Count the bytes that have come and were not read."""
    count = array.array("i", [0])
    fcntl.ioctl(raw, termios.FIONREAD, count)
    return count[0]


class Relay(InteropCase):
    def start(self, extra: str = "", users: str = "alice") -> tuple[Referrald, Dovecot]:
        names = users.split()
        home = self.start_home([(name, "secret") for name in names], folders=["Sent"])
        lines = [
            f"{name}:{{PLAIN}}secret::::::host={HOST} port={home.port} nologin\n" for name in names
        ]
        return self.start_referrald("".join(lines), RELAY + extra), home

    def test_imaplib_reads_and_appends_mail_that_lies_in_dovecot(self) -> None:
        front, home = self.start()
        with open_client(front.port) as client:
            self.assertIn(b" IDLE ", client.capability()[1][0])
            client.append("Sent", "", None, message("by relay"))  # type: ignore[arg-type]
            self.assertEqual(client.select("Sent")[1], [b"1"])
            found = client.fetch("1", "(BODY[])")[1][0]
            assert isinstance(found, tuple)
            self.assertIn(b"Subject: by relay", found[1])
        self.assertEqual(len(home.messages("alice", "Sent")), 1)
        front.wait_for_log("result=relayed target=")
        line = front.wait_for_log("relayed to")
        self.assertRegex(line, r"alice relayed to 127\.0\.0\.1:\d+: \d+ bytes to home, \d+ bytes")

    def test_dovecot_logs_the_address_that_it_is_told(self) -> None:
        front, home = self.start(f'[relay]\ntold = ["{HOST}"]\n')
        with open_client(front.port):
            session = front.wait_for_log("result=relayed").partition(" s=")[2].split()[0]
        self.assertIn("rip=127.0.0.1", home.log)
        self.assertIn(f"session=<{session}>", home.log)

    def test_a_client_that_closes_its_half_is_answered_before_the_end(self) -> None:
        front, home = self.start()
        with front.connect() as raw:
            raw.sendall(b"a LOGIN alice secret\r\n")
            seen = b""
            while b"a OK" not in seen:
                seen += raw.recv(4096)
            text = message("last words")
            raw.sendall(
                b"b APPEND Sent {%d+}\r\n%b\r\nc STATUS Sent (MESSAGES)\r\n" % (len(text), text)
            )
            raw.shutdown(socket.SHUT_WR)
            seen = b""
            while data := raw.recv(4096):
                seen += data
        self.assertIn(b"\r\nc OK", seen)
        self.assertEqual(len(home.messages("alice", "Sent")), 1)
        self.assertIn("the client broke off", front.wait_for_log("relayed to"))

    def test_idle_is_told_of_what_happens(self) -> None:
        front, home = self.start()
        raw = front.connect()
        self.addCleanup(raw.close)
        file = raw.makefile("rb")
        for line in (b"a LOGIN alice secret", b"b SELECT INBOX", b"c IDLE"):
            raw.sendall(line + b"\r\n")
            while not (got := file.readline()).startswith((line[:1] + b" OK", b"+ ")):
                self.assertTrue(got)
        with home.login("alice", "secret") as client:
            client.append("INBOX", "", None, message("news"))  # type: ignore[arg-type]
        self.assertEqual(file.readline(), b"* 2 EXISTS\r\n")

    @proves("S1")
    def test_many_sessions_at_once_and_a_home_that_dies(self) -> None:
        front, home = self.start(MANY)
        idle: list[socket.socket] = []
        for _ in range(60):
            raw = front.connect()
            self.addCleanup(raw.close)
            raw.sendall(b"a LOGIN alice secret\r\n")
            self.assertRegex(raw.recv(4096), rb"a OK \[CAPABILITY [^\]]*IDLE")
            idle.append(raw)
        # When it has to go in good order Dovecot takes its time.
        send(processes(home, "imap"), signal.SIGKILL)
        home.stop()
        for raw in idle:
            left = b""
            while piece := raw.recv(4096):
                left += piece
            self.assertIn(b"* BYE", left)
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            open_client(front.port)
        self.assertIn(b"[UNAVAILABLE]", caught.exception.args[0])

    def test_a_client_that_does_not_read_costs_no_memory(self) -> None:
        front, _ = self.start()
        with open_client(front.port) as client:
            client.select("INBOX")
            client.append("INBOX", "", None, message("big") + b"\r\n" * 5_000_000)  # type: ignore[arg-type]
        before = self.memory(front)
        raw = front.connect()
        self.addCleanup(raw.close)
        raw.sendall(b"a LOGIN alice secret\r\nb SELECT INBOX\r\n")
        raw.sendall(b"c FETCH 2 BODY.PEEK[]\r\n" * 9)
        seen = [-1]
        while seen[-1] <= 0 or seen[-1] != seen[-5:][0] or len(seen) < 5:
            # Until nothing more comes: what is on its way is held back at Dovecot then.
            select.select([], [], [], 0.05)
            seen.append(waiting_in(raw))
        self.assertLess(self.memory(front) - before, 8_000)

    def memory(self, front: Referrald) -> int:
        """Give KiB of resident memory."""
        with open(f"/proc/{front.process.pid}/status", encoding="ascii") as file:
            found = re.search(r"VmRSS:\s+(\d+)", file.read())
        assert found is not None
        return int(found[1])
