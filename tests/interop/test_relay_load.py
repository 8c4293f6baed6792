"""Much at once through the relay: a very big message, and very many clients that wait."""

from __future__ import annotations

import re
import selectors
import socket
import time

from tests.interop.shared import message
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald
from tests.interop.together import MANY, ONE_PROCESS, TogetherCase, lives, relaying

BIG = 50 * 1024 * 1024
LINE = b"0123456789abcdef" * 63 + b"\r\n"
GROWTH = 20 * 1024
"""KiB of memory that the big message may cost at any time."""
WAITING = 200


class RelayLoad(TogetherCase):
    front: Referrald
    home: Dovecot

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start one home and a front door."""
        cls.home = servers.start_home([("alice", "secret")], settings=ONE_PROCESS)
        cls.front = servers.start_referrald(lives("alice", cls.home.port), relaying() + MANY)

    def most_memory(self) -> int:
        """Give the KiB of memory that the front door has had at most."""
        with open(f"/proc/{self.front.process.pid}/status", encoding="ascii") as file:
            found = re.search(r"VmHWM:\s+(\d+)", file.read())
        assert found is not None
        return int(found[1])

    def client(self) -> socket.socket:
        """Open a session with INBOX selected."""
        raw = self.front.connect()
        self.addCleanup(raw.close)
        raw.sendall(b"a LOGIN alice secret\r\n")
        self.assertRegex(raw.recv(4096), rb"a OK ")
        raw.sendall(b"b SELECT INBOX\r\n")
        left = b""
        while b"b OK" not in left:
            left += raw.recv(4096)
        return raw

    def test_a_message_of_50_mb_goes_both_ways_and_costs_no_memory(self) -> None:
        raw = self.client()
        body = message("big") + LINE * (BIG // len(LINE))
        before = self.most_memory()
        raw.sendall(b"c APPEND INBOX {%d}\r\n" % len(body))
        self.assertEqual(raw.recv(4096)[:1], b"+")
        raw.sendall(body + b"\r\n")
        file = raw.makefile("rb")
        number = b""
        while not (line := file.readline()).startswith(b"c OK"):
            self.assertTrue(line)
            number = line.split()[1] if b"EXISTS" in line else number
        raw.sendall(b"d FETCH %b BODY.PEEK[]\r\n" % number)
        self.assertIn(b"{%d}" % len(body), file.readline())
        self.assertTrue(file.read(len(body)) == body)
        self.assertLess(self.most_memory() - before, GROWTH)

    def test_one_message_is_told_to_200_clients_that_wait(self) -> None:
        waiting = [self.client() for _ in range(WAITING)]
        with selectors.DefaultSelector() as selector:
            for raw in waiting:
                raw.sendall(b"c IDLE\r\n")
                self.assertIn(b"+ ", raw.recv(4096))
                selector.register(raw, selectors.EVENT_READ)
            with self.home.login("alice", "secret") as other:
                other.append("INBOX", "", "", message("news"))
            told: dict[socket.socket, bytes] = dict.fromkeys(waiting, b"")
            end = time.monotonic() + PATIENCE
            while any(b" EXISTS\r\n" not in each for each in told.values()):
                self.assertLess(time.monotonic(), end, "not all were told")
                for key, _ in selector.select(1):
                    raw = key.fileobj  # type: ignore[assignment]
                    told[raw] += raw.recv(4096)
        news = {re.findall(rb"\d+ EXISTS", each)[-1] for each in told.values()}
        self.assertEqual(len(news), 1, news)
        for raw in waiting:
            raw.sendall(b"DONE\r\n")
            self.assertIn(b"c OK", raw.recv(4096))
