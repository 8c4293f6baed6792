"""imaplib in mailboxes of a Dovecot behind the front door: every command, large mail, the end."""

from __future__ import annotations

import hashlib
import imaplib
import re
import socket
import time
from pathlib import Path

from tests.interop.mixed import MixedCase, flags_of, folders, kill, put
from tests.interop.shared import entry, listed, message, referral, subjects, table
from tests.interop.support import PATIENCE, InteropCase, Referrald, quoted
from tests.interop.together import HOST
from tests.proves import proves

MEGABYTE = 1024 * 1024
NAMES = ["a b", "Übung & Co", "100%", 'say "so"', "日本", "under_score*star"]


def tagged(raw: socket.socket, tag: bytes) -> bytes:
    """Read up to the answer with a tag."""
    got = b""
    while not re.search(rb"(?m)^%b [^\n]*\n\Z" % tag, got):
        more = raw.recv(65_536)
        assert more, got
        got += more
    return got


class Commands(MixedCase):
    def test_select_fetch_store_search_and_expunge(self) -> None:
        client = self.client()
        client.create("Team/Read")
        put(client, "Team/Read", "one", "two", "three")
        self.assertEqual(client.select("Team/Read"), ("OK", [b"3"]))
        self.assertEqual(client.search(None, "SUBJECT", "two")[1], [b"2"])
        self.assertEqual(client.uid("SEARCH", "ALL")[1], [b"1 2 3"])
        self.assertIn(b"\\Flagged", client.store("2", "+FLAGS", "\\Flagged \\Deleted")[1][0])
        self.assertIn(b"Subject: three", client.fetch("3", "(BODY.PEEK[])")[1][0][1])
        self.assertEqual(client.expunge()[1], [b"2"])
        self.assertEqual(client.noop()[0], "OK")
        self.assertEqual(client.close()[0], "OK")
        self.assertEqual(set(flags_of(self.direct(), "shared/Read")), {"one", "three"})
        self.assertRegex(client.status("Team/Read", "(MESSAGES)")[1][0], rb"MESSAGES 2\b")
        # A search whose text is a literal.
        client.select("Team/Read", readonly=True)
        client.literal = b"three"
        self.assertEqual(client.search(None, "SUBJECT")[1], [b"2"])
        client.store("1", "+FLAGS", "\\Answered")
        self.assertNotIn("\\Answered", flags_of(self.direct(), "shared/Read")["one"])
        self.assertEqual(client.check()[0], "OK")

    def test_copy_and_move_go_both_ways(self) -> None:
        client = self.client()
        for name in ("Here", "Team/There"):
            client.create(name)
        put(client, "Here", "from here", flags="\\Flagged")
        put(client, "Team/There", "from there", flags="\\Answered")
        client.select("Here")
        self.assertEqual(client.copy("1", "Team/There")[0], "OK")
        client.select("Team/There")
        self.assertEqual(client.copy("1", "Here")[0], "OK")
        self.assertEqual(flags_of(client, "Here"),
                         {"from here": {"\\Flagged"}, "from there": {"\\Answered"}})  # fmt: skip
        self.assertEqual(flags_of(self.direct(), "shared/There"),
                         {"from here": {"\\Flagged"}, "from there": {"\\Answered"}})  # fmt: skip
        client.select("Here")
        self.assertEqual(client.uid("MOVE", "1", "Team/There")[0], "OK")
        self.assertEqual(subjects(client, "Here"), ["Subject: from there"])
        client.select("Team/There")
        self.assertEqual(client.uid("MOVE", "1", "Here")[0], "OK")
        self.assertEqual(len(subjects(client, "Here")), 2)
        self.assertEqual(len(self.home.messages("alice", "shared/There")), 2)
        # Within the Dovecot it is done there.
        client.select("Team/There")
        client.xatom("MOVE", "1", "Team/Plans/2026")
        self.assertEqual(len(self.home.messages("alice", "shared/There")), 1)

    @proves("M9", "M14")
    def test_lists_and_subscriptions_show_one_account(self) -> None:
        client = self.client()
        client.create("Local/Deep")
        found = folders(client)
        for name in ("INBOX", "Local/Deep", "Team/Minutes", "Team/Plans/2026"):
            self.assertIn(name, found)
        below = [line.rpartition(b" ")[2] for line in client.list('"Team/"', "P%")[1]]
        self.assertEqual(below, [b"Team/Plans"])
        for name in ("Local/Deep", "Team/Plans"):
            client.subscribe(name)
        lines = [line.rpartition(b" ")[2] for line in client.lsub()[1]]
        self.assertEqual(lines, [b"INBOX", b"Local/Deep", b"Team/Plans"])
        client.unsubscribe("Team/Plans")
        self.assertEqual(len(client.lsub()[1]), 2)

    @proves("M3", "M9")
    def test_a_client_that_asks_for_remote_names_is_referred_all_the_same(self) -> None:
        client, other = self.client(), self.client()
        names = [line.rpartition(b" ")[2] for line in listed(client, "RLIST", '""', "*")]
        self.assertIn(b"Team", names)
        status, data = client.select("Team/Minutes")
        (url,) = referral(data[0])
        self.assertEqual((status, url.mailbox), ("NO", "shared/Minutes"))
        # Another program of the same user at the same place never asked.
        self.assertEqual(other.select("Team/Minutes")[0], "OK")

    def test_idle_hears_what_comes_to_the_other_server(self) -> None:
        direct = self.direct()
        raw = self.front.connect()
        self.addCleanup(raw.close)
        raw.settimeout(PATIENCE)
        raw.sendall(b"a LOGIN alice secret\r\n")
        tagged(raw, b"a")
        raw.sendall(b"b SELECT Team/Plans\r\n")
        tagged(raw, b"b")
        raw.sendall(b"c IDLE\r\n")
        self.assertTrue(raw.recv(4096).startswith(b"+ "))
        put(direct, "shared/Plans", "news")
        began = time.monotonic()
        heard = b""
        while b"EXISTS\r\n" not in heard:
            heard += raw.recv(4096)
        self.assertLess(time.monotonic() - began, 2)
        raw.sendall(b"DONE\r\nd NOOP\r\n")
        heard = tagged(raw, b"d")
        self.assertIn(b"c OK", heard)


class Names(MixedCase):
    FOLDERS = [f"shared/{name}" for name in NAMES]

    def test_names_of_all_kinds_are_the_same_as_at_the_dovecot(self) -> None:
        self.check(self.front)

    def check(self, front: Referrald) -> None:
        client = imaplib.IMAP4(HOST, front.port, timeout=PATIENCE)
        self.addCleanup(client.shutdown)
        client.login("alice", "secret")
        wanted = {quoted(f"Team/{name}").strip('"') for name in NAMES}
        self.assertLessEqual(wanted, set(folders(client)))
        for name in NAMES:
            put(client, f"Team/{name}", "hello")
            self.assertEqual(subjects(client, f"Team/{name}"), ["Subject: hello"])
            told = client.status(quoted(f"Team/{name}"), "(MESSAGES)")[1][0]
            self.assertRegex(told, rb"\(MESSAGES 1\)")
            self.assertEqual(client.copy("1", quoted(f"Team/{name}"))[0], "OK")
            self.assertEqual(client.close()[0], "OK")

    def test_a_server_with_another_delimiter_looks_the_same(self) -> None:
        folders_there = [f"shared.{name}" for name in (*NAMES, "deep.er.down")]
        home = self.start_home(
            [("alice", "secret")], folders=folders_there,
            settings="namespace inbox {\n  separator = .\n}\n",
        )  # fmt: skip
        rows = entry("Team/", "a", name="shared.", delimiter=".")
        front = self.start_shared(table({"a": home.port}, rows))
        self.check(front)
        client = imaplib.IMAP4(HOST, front.port, timeout=PATIENCE)
        self.addCleanup(client.shutdown)
        client.login("alice", "secret")
        self.assertIn("Team/deep/er/down", folders(client))
        self.assertEqual(client.create("Team/deep/fresh")[0], "OK")
        put(client, "Team/deep/fresh", "at last")
        self.assertIn("Team/deep/fresh", folders(client))
        self.assertEqual(client.rename("Team/deep/fresh", "Team/other")[0], "OK")
        self.assertEqual(subjects(client, "Team/other"), ["Subject: at last"])
        # A dot would be a level there.
        status, data = client.select("Team/with.dot")
        self.assertEqual((status, data[0][:9]), ("NO", b"[CANNOT] "))
        self.assertNotIn("does not answer", front.log)


class Large(MixedCase):
    MORE = '[limits]\nconnections_per_address = 0\nwrite_stall = "2s"\n'

    def setUp(self) -> None:
        self.content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 1024 * 1280
        direct = self.direct()
        direct.create("shared/Large")
        if direct.select("shared/Large")[1] == [b"0"]:
            direct.append("shared/Large", "", "", self.content)

    def peak(self) -> int:
        """Give the most memory that the front door has had, in bytes."""
        status = Path(f"/proc/{self.front.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def fetching(self) -> socket.socket:
        """Begin to fetch it, with little room for what comes."""
        raw = socket.socket()
        self.addCleanup(raw.close)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        raw.settimeout(PATIENCE)
        raw.connect((HOST, self.front.port))
        raw.recv(4096)
        for tag, command in ((b"a", b"LOGIN alice secret"), (b"b", b"SELECT Team/Large")):
            raw.sendall(tag + b" " + command + b"\r\n")
            tagged(raw, tag)
        raw.sendall(b"c FETCH 1 BODY.PEEK[]\r\n")
        return raw

    def test_it_comes_as_it_is_and_is_never_held_as_a_whole(self) -> None:
        before = self.peak()
        raw = self.fetching()
        got = bytearray()
        # Slowly at first: the Dovecot and the front door have to wait, and others need not.
        other = self.client()
        for _ in range(100):
            got += raw.recv(16_384)
            self.assertEqual(other.noop()[0], "OK")
        while not got.endswith(b"secs).\r\n"):
            got += raw.recv(1_048_576)
        size = len(self.content)
        head, _, rest = bytes(got).partition(b"\r\n")
        self.assertTrue(head.endswith(b"{%d}" % size), head)
        digest = hashlib.sha256(rest[:size]).digest()
        self.assertEqual(digest, hashlib.sha256(self.content).digest())
        self.assertLess(self.peak() - before, 20 * MEGABYTE)

    def test_who_stops_reading_is_cut_off_and_others_go_on(self) -> None:
        raw = self.fetching()
        raw.recv(1024)
        client = self.client()
        self.assertEqual(client.select("Team/Large"), ("OK", [b"1"]))
        self.front.wait_for_log("does not read; cut off")
        self.assertEqual(client.fetch("1", "(FLAGS)")[0], "OK")
        raw.settimeout(PATIENCE)
        with self.assertRaises(ConnectionError):
            while raw.recv(1_048_576):
                pass
            raise ConnectionResetError


class Replicas(InteropCase):
    def start(self) -> None:
        homes = [
            self.start_home([("alice", "secret")], folders=["shared/Minutes"]) for _ in range(2)
        ]
        self.first, self.second = homes
        put(self.second.login("alice", "secret"), "shared/Minutes", "at the second")
        put(self.first.login("alice", "secret"), "shared/Minutes", "at the first")
        ports = {"a": self.first.port, "b": self.second.port}
        rows = entry("Team/", ["a", "b"], name="shared/")
        self.front = self.start_shared(table(ports, rows))
        self.client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(self.client.shutdown)
        self.client.login("alice", "secret")

    def test_the_next_serves_when_one_is_down_and_it_is_said_when_none_is_left(self) -> None:
        self.start()
        client = self.client
        self.assertEqual(subjects(client, "Team/Minutes"), ["Subject: at the first"])
        kill(self.first)
        # The selection has ended, the connection has not.
        status, data = client.fetch("1", "(FLAGS)")
        self.assertEqual((status, data[0][:14]), ("NO", b"[UNAVAILABLE] "))
        self.assertEqual(client.response("CLOSED")[0], "CLOSED")
        self.assertEqual(subjects(client, "Team/Minutes"), ["Subject: at the second"])
        client.unselect()
        kill(self.second)
        status, data = client.select("Team/Minutes")
        self.assertEqual((status, data[0][:14]), ("NO", b"[UNAVAILABLE] "))
        self.assertEqual(client.status("Team/Minutes", "(MESSAGES)")[0], "NO")
        self.assertEqual(client.append("Team/Minutes", "", "", message("x"))[0], "NO")
        self.assertEqual(client.select("INBOX")[0], "OK")
        self.assertIn("Team", folders(client))
        # Who keeps the server learns which server, and why.
        for port in (self.first.port, self.second.port):
            self.assertIn(f"{HOST}:{port}", self.front.log)

    def test_idle_is_told_at_once(self) -> None:
        self.start()
        raw = self.front.connect()
        self.addCleanup(raw.close)
        for tag, command in ((b"a", b"LOGIN alice secret"), (b"b", b"SELECT Team/Minutes")):
            raw.sendall(tag + b" " + command + b"\r\n")
            tagged(raw, tag)
        raw.sendall(b"c IDLE\r\n")
        self.assertTrue(raw.recv(4096).startswith(b"+ "))
        kill(self.first)
        heard = b""
        while b"\r\n" not in heard:
            heard += raw.recv(4096)
        self.assertTrue(heard.startswith(b"* OK [CLOSED] "), heard)
        raw.sendall(b"DONE\r\n")
        self.assertIn(b"c OK", tagged(raw, b"c"))
        raw.sendall(b"d SELECT Team/Minutes\r\n")
        self.assertIn(b"d OK", tagged(raw, b"d"))
        self.front.wait_for_log(rf"selected mailbox 'Team/Minutes'.*{self.first.port}")
