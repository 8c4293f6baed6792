"""Mailboxes whose servers know little, do wrong, or die at an exact moment."""

from __future__ import annotations

import imaplib
import re
import socket
from collections.abc import Callable, Mapping

from tests.interop.homes import Caller, ScriptedHome
from tests.interop.mixed import folders, put
from tests.interop.shared import entry, message, open_client, subjects, table
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald
from tests.interop.together import HOST, MANY, TogetherCase
from tests.proves import proves

STORED = {b"11": message("eleven"), b"12": message("twelve")}
Answers = Mapping[bytes, Callable[[Caller, bytes], None]]
UNKNOWN = (b"AUTHENTICATE", b"IDLE", b"MOVE", b"UNSELECT", b"ID", b"ENABLE", b"NAMESPACE")


def fetch(caller: Caller, line: bytes) -> None:
    """Send the message that the last number of the command names."""
    uid = line.split()[3]
    content = STORED[uid]
    caller.say(b'* %d FETCH (UID %b FLAGS (\\Flagged) INTERNALDATE "01-Nov-2026 10:00:00 +0000" '
               b"BODY[] {%d}\r\n%b)\r\n" % (int(uid) - 10, uid, len(content), content))  # fmt: skip
    caller.answer(line)


def search(caller: Caller, line: bytes) -> None:
    """Find what is asked for: all, or the numbers themselves."""
    asked = re.search(rb"UID ([0-9,]+)\Z", line)
    found = b"11 12" if asked is None else asked[1].replace(b",", b" ")
    if asked is None and line.split()[-1].isdigit():
        found = b"%d" % (10 + int(line.split()[-1]))
    caller.say(b"* SEARCH " + found + b"\r\n")
    caller.answer(line)


def select(caller: Caller, line: bytes) -> None:
    """Open any mailbox."""
    caller.say(b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] there\r\n")
    caller.answer(line, b"OK [READ-WRITE] open")


def bare(caller: Caller, answers: Answers | None = None) -> None:
    """Know RFC 3501 and nothing else; whoever asks for more has not looked."""
    known = {b"SELECT": select, b"EXAMINE": select, b"SEARCH": search, b"FETCH": fetch}
    known |= answers or {}
    caller.say(b"* OK ready\r\n")
    while True:
        line = caller.hear()
        while line.endswith(b"}"):
            assert not line.endswith(b"+}"), line
            caller.say(b"+ go on\r\n")
            size = int(line[line.rindex(b"{") + 1 : -1])
            content = b""
            while len(content) < size:
                content += caller.more()
            rest = content[size:]
            line = line[: line.rindex(b"{")] + content[:size].replace(b"\r\n", b"|")
            line += rest.rstrip(b"\r\n") if rest else caller.hear()
        words = line.split(b" ", 2)
        name = words[1].upper()
        if name == b"UID":
            name = words[2].split()[0].upper()
        assert name not in UNKNOWN, line
        if name == b"CAPABILITY":
            caller.say(b"* CAPABILITY IMAP4rev1\r\n")
        if name in known:
            known[name](caller, line)
        else:
            caller.answer(line)


def refusing(text: bytes) -> Callable[[Caller], None]:
    """Answer SELECT with something else."""
    return lambda caller: bare(caller, {b"SELECT": lambda home, line: home.answer(line, text)})


def saying(data: bytes, command: bytes = b"FETCH") -> Callable[[Caller], None]:
    """Say something when a command comes, and hang up."""

    def script(caller: Caller) -> None:
        def last(home: Caller, line: bytes) -> None:
            home.say(data)
            raise _Over

        try:
            bare(caller, {command: last})
        except _Over:
            return

    return script


class _Over(Exception):
    """The script has come to its end."""


def shut(caller: Caller) -> None:
    """Let nobody log in."""
    caller.say(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    while True:
        caller.answer(caller.hear(), b"NO [AUTHENTICATIONFAILED] who?")


class Odd(TogetherCase):
    """Each mailbox is at a server of its own; it is called after what that does."""

    home: Dovecot
    front: Referrald
    logins: list[str]

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start all of them."""
        cls.home = servers.start_home([("alice", "secret")], folders=["shared/Minutes"])
        onward = f"NO [REFERRAL imap://{HOST}:{cls.home.port}/shared/Minutes] over there"
        cls.logins = []

        def counted(caller: Caller) -> None:
            cls.logins.append("Bare")
            bare(caller)

        scripts: dict[str, Callable[[Caller], None]] = {
            "Bare": counted,
            "Onward": refusing(onward.encode("ascii")),
            "Elsewhere": refusing(b"NO [REFERRAL imap://evil.example/x] over there"),
            "Gone": refusing(b"NO [NONEXISTENT] no such thing"),
            "Wordless": refusing(b"NO"),
            "Lying": refusing(b"OK [CAPABILITY IMAP4rev1 X-LIE] \xff\x00open"),
            "Shut": shut,
            "Half": saying(b"* 1 FETCH (BODY[] {1000}\r\nSubject: half\r\n"),
            "Between": saying(b"* 1 FETCH (FLAGS ())\r\n"),
            "Bye": saying(b"* BYE the disk is full\r\n"),
            "Garbage": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "Garbled": saying(b"\x00\x01\x02\r\n", b"SELECT"),
            "Asking": saying(b"+ what?\r\n+ what?\r\n"),
        }
        ports = {name: ScriptedHome(servers, each).port for name, each in scripts.items()}
        rows = [entry(name, name) for name in ports]
        allowed = f'allowed = ["{HOST}"]'
        cls.front = servers.start_shared(table(ports, *rows), referral=allowed, more=MANY)

    def client(self) -> imaplib.IMAP4:
        """Open a session."""
        client = open_client(self.front.port)
        self.addCleanup(client.shutdown)
        return client

    def raw(self, mailbox: str) -> socket.socket:
        """Open a session that selects a mailbox."""
        raw = self.front.connect()
        self.addCleanup(raw.close)
        raw.settimeout(PATIENCE)
        for command in (b"a LOGIN alice secret", b"b SELECT %b" % mailbox.encode("ascii")):
            raw.sendall(command + b"\r\n")
            self.answer(raw, command[:1])
        return raw

    def answer(self, raw: socket.socket, tag: bytes) -> bytes:
        """Read up to the answer with a tag."""
        got = b""
        while not re.search(rb"(?m)^%b [^\n]*\n\Z" % tag, got):
            more = raw.recv(65_536)
            self.assertTrue(more, got)
            got += more
        return got

    def test_a_server_that_knows_nothing_new_is_asked_for_nothing_new(self) -> None:
        client = self.client()
        client.create("Here")
        self.assertEqual(client.select("Bare"), ("OK", [b"2"]))
        told = client.response("CAPABILITY")[1][-1].split()
        self.assertIn(b"IDLE", told)
        self.assertNotIn(b"MOVE", told)
        self.assertNotIn(b"UIDPLUS", told)
        # A literal that the client need not wait for is one that we wait for there.
        self.assertEqual(client.xatom("SEARCH", "SUBJECT", "{3+}\r\nyes")[0], "OK")
        self.assertEqual(client.copy("1", "Here")[0], "OK")
        self.assertEqual(client.uid("COPY", "12", "Here")[0], "OK")
        self.assertEqual(client.append("Bare", "", "", message("more"))[0], "OK")
        logins = len(self.logins)
        for name in ("MOVE", "UID MOVE"):
            status, data = client.xatom(*name.split(), "1", "Here")
            self.assertEqual((status, data[0][:9]), ("NO", b"[CANNOT] "))
        self.assertEqual(client.unselect()[0], "OK")
        self.assertIn(b"MOVE", client.response("CAPABILITY")[1][-1].split())
        self.assertEqual(subjects(client, "Here"), ["Subject: eleven", "Subject: twelve"])
        client.select("Bare")
        # It cannot leave a mailbox without removing what is marked: a new connection is made.
        self.assertEqual(len(self.logins), logins + 1)

    def test_idle_is_there_for_a_server_without_it(self) -> None:
        raw = self.raw("Bare")
        raw.sendall(b"c IDLE\r\n")
        self.assertTrue(raw.recv(100).startswith(b"+ "))
        raw.sendall(b"DONE\r\nd NOOP\r\n")
        self.assertRegex(self.answer(raw, b"d"), rb"\Ac OK [^\r]+\r\nd OK ")

    def test_a_move_into_it_is_a_copy_and_a_removal_here(self) -> None:
        client = self.client()
        client.create("Source")
        put(client, "Source", "wanderer")
        client.select("Source")
        self.assertEqual(client.xatom("MOVE", "1", "Bare")[0], "OK")
        self.assertEqual(client.select("Source"), ("OK", [b"0"]))

    @proves("M9")
    def test_a_server_that_refers_is_followed_where_that_is_allowed(self) -> None:
        client = self.client()
        put(self.home.login("alice", "secret"), "shared/Minutes", "found")
        self.assertEqual(subjects(client, "Onward"), ["Subject: found"])
        status, data = client.select("Elsewhere")
        self.assertEqual((status, data[0][:14]), ("NO", b"[UNAVAILABLE] "))
        self.assertNotIn(b"evil", data[0])
        self.front.wait_for_log("evil.example.*not allowed")

    def test_what_it_answers_is_passed_on_as_far_as_it_is_for_the_client(self) -> None:
        client = self.client()
        self.assertEqual(client.select("Gone"), ("NO", [b"[NONEXISTENT] no such thing"]))
        self.assertEqual(client.select("Wordless")[0], "NO")
        self.assertEqual(client.select("Lying")[0], "OK")
        self.assertNotIn(b"X-LIE", b"".join(client.response("CAPABILITY")[1]))
        status, data = client.select("Garbled")
        self.assertEqual((status, data[0][:14]), ("NO", b"[UNAVAILABLE] "))
        status, data = client.select("Shut")
        self.assertEqual((status, data[0][:9]), ("NO", b"[NOPERM] "))
        self.front.wait_for_log("does not let alice in: .*who")
        self.assertEqual(client.select("INBOX")[0], "OK")
        self.assertIn("Bare", folders(client))

    def test_a_message_that_breaks_off_ends_the_connection_without_a_word(self) -> None:
        raw = self.raw("Half")
        raw.sendall(b"c FETCH 1 BODY[]\r\n")
        got = b""
        while piece := raw.recv(65_536):
            got += piece
        self.assertEqual(got, b"* 1 FETCH (BODY[] {1000}\r\nSubject: half\r\n")
        self.front.wait_for_log("in mid-answer")

    def test_a_server_that_dies_between_responses_ends_the_selection_only(self) -> None:
        for name in ("Between", "Bye", "Garbage", "Asking"):
            raw = self.raw(name)
            raw.sendall(b"c FETCH 1 FLAGS\r\nd NOOP\r\ne FETCH 1 FLAGS\r\nf SELECT INBOX\r\n")
            lines = self.answer(raw, b"f").split(b"\r\n")
            closed = [line for line in lines if line.startswith(b"* OK [CLOSED] ")]
            self.assertEqual(len(closed), 1, lines)
            heads = [line[:18] for line in lines if line[:1] in b"cdef" and line]
            self.assertEqual(heads[0], b"c NO [UNAVAILABLE]", name)
            self.assertEqual(heads[1][:4], b"d OK")
            self.assertEqual(heads[2], b"e NO [UNAVAILABLE]")
            self.assertEqual(heads[3][:4], b"f OK")
            self.front.wait_for_log(f"selected mailbox '{name}' was closed: {HOST}")
        self.assertIn("the disk is full", self.front.log)
