"""Remote mailboxes as imaplib, curl and a bare socket see them, in front of a real Dovecot."""

from __future__ import annotations

import re
import subprocess

from tests.interop.shared import entry, listed, message, open_client, referral, table
from tests.interop.support import PATIENCE, InteropCase, Referrald, need, quoted
from tests.proves import proves


class NotFollowing(InteropCase):
    """Clients that do not know remote mailboxes."""

    def start(self, policy: str) -> tuple[Referrald, int]:
        home = self.start_home([("alice", "secret")], folders=["shared/Minutes", "shared/Plans"])
        shared = entry("#shared/", "a", name="shared/", folders=["Minutes", "Plans"])
        front = self.start_shared(
            table({"a": home.port}, shared), referral=f'mailboxes = "{policy}"'
        )
        return front, home.port

    @proves("M9", "M14")
    def test_where_they_are_hidden_imaplib_does_not_see_them_until_it_asks(self) -> None:
        front, home = self.start("hide")
        with open_client(front.port) as client:
            self.assertEqual(client.list()[1], [b'(\\HasNoChildren) "/" INBOX'])
            status, data = client.select(quoted("#shared/Minutes"))
            self.assertEqual((status, data[0][:14]), ("NO", b"[NONEXISTENT] "))
            self.assertEqual(client.append(quoted("#shared/Plans"), "", "", message("x"))[0], "NO")
            self.assertEqual(client.select("INBOX")[0], "OK")
            names = [line.rpartition(b'"/" ')[2] for line in listed(client, "RLIST", '""', "*")]
            self.assertIn(b"#shared/Minutes", names)
            status, data = client.select(quoted("#shared/Minutes"))
            (url,) = referral(data[0])
            self.assertEqual((status, url.port, url.mailbox), ("NO", home, "shared/Minutes"))
            self.assertEqual(client.select("INBOX")[0], "OK")
            self.assertEqual(client.noop()[0], "OK")

    @proves("M2", "M3", "M14")
    def test_where_they_are_told_of_imaplib_sees_the_referral_and_goes_on(self) -> None:
        front, home = self.start("say")
        with open_client(front.port) as client:
            self.assertIn(b"#shared/Minutes", b"\n".join(client.list()[1]))
            status, data = client.select(quoted("#shared/Minutes"))
            (url,) = referral(data[0])
            self.assertEqual((status, url.port, url.mailbox), ("NO", home, "shared/Minutes"))
            self.assertEqual(url.user, "alice")
            self.assertEqual(client.noop()[0], "OK")
            self.assertEqual(client.select("INBOX")[0], "OK")

    def curl(self, port: int, path: str, *more: str) -> tuple[int, str]:
        command = [need("curl"), "-sv", "-u", "alice:secret", f"imap://127.0.0.1:{port}/{path}"]
        done = subprocess.run([*command, *more], capture_output=True, timeout=PATIENCE, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    @proves("M9", "M14")
    def test_where_they_are_hidden_curl_finds_nothing(self) -> None:
        front, _ = self.start("hide")
        status, shown = self.curl(front.port, "")
        self.assertEqual(status, 0, shown)
        self.assertNotIn("shared", shown)
        status, shown = self.curl(front.port, "%23shared/Minutes;UID=1")
        self.assertNotEqual(status, 0)
        self.assertRegex(shown, r"< \w+ NO \[NONEXISTENT\] ")
        self.assertNotIn("REFERRAL", shown.replace("REFERRALS", ""))

    @proves("M2", "M14")
    def test_where_they_are_told_of_curl_shows_the_referral(self) -> None:
        front, home = self.start("say")
        self.assertIn("#shared/Minutes", self.curl(front.port, "")[1])
        status, shown = self.curl(front.port, "%23shared/Minutes;UID=1")
        self.assertNotEqual(status, 0)
        url = rf"imap://alice;AUTH=\*@127\.0\.0\.1:{home}/shared/Minutes"
        self.assertRegex(shown, rf"< \w+ NO \[REFERRAL {url}\] \w")


class Rows(InteropCase):
    """The rows I94 to I107 of a list of inputs for referrals, sent over a bare socket."""

    def setUp(self) -> None:
        # Nobody follows here, so nobody listens there either.
        self.ports = [11431, 11432]
        self.front = self.start_shared(
            table(
                dict(zip("ab", self.ports, strict=True)),
                entry("Minutes", "a", name="shared/Minutes"),
                entry("Plans", "b", name="shared/Plans"),
                entry("Underway", "b", moving=True),
                entry("Nowhere", None, moving=True),
            ),
        )
        self.client = self.front.connect()
        self.addCleanup(self.client.close)
        self.ask(b"x LOGIN alice secret")
        self.ask(b'x RLIST "" ""')

    def ask(self, data: bytes, tag: bytes | None = None) -> list[bytes]:
        """Send a command; give the lines of the answer, up to the tagged one."""
        self.client.sendall(data + b"\r\n")
        return self.answer(tag or data.partition(b" ")[0])

    def answer(self, tag: bytes) -> list[bytes]:
        """Read up to the line with a tag."""
        got = b""
        while not re.search(rb"(?m)^%b .*\r\n\Z" % tag, got):
            more = self.client.recv(4096)
            self.assertTrue(more, got)
            got += more
        return got.splitlines()

    def url(self, number: int, mailbox: str) -> bytes:
        return f"imap://alice;AUTH=*@127.0.0.1:{self.ports[number]}/{mailbox}".encode()

    def refers(self, line: bytes, *urls: bytes) -> None:
        """Check that a tagged line refers to these, and says something."""
        expected = rb"\w+ NO \[REFERRAL %b\] \w.*" % re.escape(b" ".join(urls))
        self.assertRegex(line, expected)

    @proves("M4", "M9")
    def test_i94_rlsub_with_a_percent(self) -> None:
        self.refers(self.ask(b"b SUBSCRIBE Minutes")[-1], self.url(0, "shared/Minutes"))
        self.ask(b"c SUBSCRIBE INBOX")
        lines = self.ask(b'a RLSUB "" %')
        self.assertIn(b'* LSUB () "/" INBOX', lines)
        self.assertTrue(lines[-1].startswith(b"a OK "), lines)

    @proves("M10")
    def test_i95_list_remote(self) -> None:
        lines = self.ask(b'a LIST (REMOTE) "" *')
        self.assertIn(b'* LIST (\\Remote) "/" Minutes', lines)
        self.assertIn(b'* LIST () "/" INBOX', lines)
        self.assertTrue(lines[-1].startswith(b"a OK "), lines)

    @proves("M5")
    def test_i97_append_with_a_literal_that_does_not_wait(self) -> None:
        self.client.sendall(b"a APPEND Minutes {5+}\r\nhello\r\nb NOOP\r\n")
        lines = self.answer(b"b")
        self.refers(lines[0], self.url(0, "shared/Minutes"))
        self.assertTrue(lines[1].startswith(b"b OK "), lines)
        self.assertEqual(len(lines), 2)

    @proves("M5")
    def test_i98_append_with_a_literal_that_waits_is_referred_instead(self) -> None:
        lines = self.ask(b"a APPEND Minutes {5}")
        self.assertEqual(len(lines), 1)
        self.refers(lines[0], self.url(0, "shared/Minutes"))
        self.assertTrue(self.ask(b"b NOOP")[-1].startswith(b"b OK "))

    def fill_inbox(self) -> None:
        self.client.sendall(b"f APPEND INBOX {25+}\r\nSubject: x\r\n\r\nHello you\r\n\r\n")
        self.assertTrue(self.answer(b"f")[-1].startswith(b"f OK "))
        self.assertTrue(self.ask(b"s SELECT INBOX")[-1].startswith(b"s OK "))

    @proves("M8")
    def test_i100_and_i101_copy_and_move(self) -> None:
        self.fill_inbox()
        before = self.ask(b"b STATUS INBOX (MESSAGES)")
        for command in (b"COPY 1", b"MOVE 1", b"UID COPY 1", b"UID MOVE 1"):
            lines = self.ask(b"a " + command + b" Plans")
            self.assertEqual(len(lines), 1, lines)
            self.refers(lines[0], self.url(1, "shared/Plans"))
        self.assertEqual(self.ask(b"b STATUS INBOX (MESSAGES)"), before)

    @proves("M7")
    def test_i103_rename_between_two_servers_gives_the_pair(self) -> None:
        self.refers(
            self.ask(b"a RENAME Minutes Plans")[-1],
            self.url(0, "shared/Minutes"),
            self.url(1, "shared/Plans"),
        )

    @proves("M3")
    def test_i104_select_of_a_mailbox_that_is_moving(self) -> None:
        self.fill_inbox()
        self.refers(self.ask(b"a SELECT Underway")[-1], self.url(1, "Underway"))
        # Nothing is selected any more (RFC 3501 section 6.3.1).
        self.assertTrue(self.ask(b"b FETCH 1 FLAGS")[-1].startswith(b"b BAD "))
        self.assertRegex(self.ask(b"c SELECT Nowhere")[-1], rb"c NO \[INUSE\] \w")

    @proves("M3")
    def test_i107_select_of_a_remote_mailbox_leaves_nothing_to_fetch_from(self) -> None:
        self.fill_inbox()
        self.ask(b"e ENABLE QRESYNC")
        self.refers(self.ask(b"a SELECT Minutes")[-1], self.url(0, "shared/Minutes"))
        lines = self.ask(b"b UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)")
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith(b"b BAD "), lines)
