"""MOVE (RFC 6851)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.inbox import fetch, say
from tests.session.native import Site


class Moving(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, NESTED, SIMPLE)
        self.client = self.site.log_in(b"CREATE other", b"SELECT INBOX")

    def texts(self, name: bytes) -> list[bytes]:
        client = self.site.log_in(b"EXAMINE " + name)
        return [item[b"BODY[]"] for _, item in sorted(fetch(client, b"1:* BODY.PEEK[]").items())]

    def test_messages_are_there_with_their_flags_and_here_no_more(self) -> None:
        say(self.client, b"STORE 2 +FLAGS.SILENT (\\Flagged \\Seen $kept)")
        answer = self.client.say(b"x MOVE 2:3 other\r\n")
        self.assertIn(b"* OK [COPYUID ", answer)
        self.assertLess(answer.index(b"COPYUID"), answer.index(b"EXPUNGE"))
        self.assertEqual(answer.count(b" EXPUNGE\r\n"), 2)
        self.assertTrue(answer.endswith(b"x OK Moved.\r\n"), answer)
        self.assertEqual(self.texts(b"INBOX"), [SIMPLE])
        self.assertEqual(self.texts(b"other"), [NESTED, SIMPLE])
        say(self.client, b"SELECT other")
        flags = fetch(self.client, b"1 FLAGS")[1][b"FLAGS"]
        self.assertEqual(sorted(flags), sorted([b"\\Flagged", b"\\Recent", b"\\Seen", b"$kept"]))

    def test_uid_move_passes_over_uids_that_are_not_there(self) -> None:
        uid = fetch(self.client, b"1 UID")[1][b"UID"]
        answer = self.client.say(b"x UID MOVE %d,4000 other\r\n" % uid)
        self.assertIn(b"* 1 EXPUNGE\r\n", answer)
        self.assertIn(b"x OK", self.client.say(b"x UID MOVE 4000 other\r\n"))
        self.assertEqual(len(self.texts(b"other")), 1)

    def test_what_is_marked_as_deleted_and_not_moved_stays(self) -> None:
        say(self.client, b"STORE 1 +FLAGS.SILENT (\\Deleted)")
        say(self.client, b"MOVE 2 other")
        self.assertEqual(self.texts(b"INBOX"), [SIMPLE, SIMPLE])

    @proves("base:COPY")
    def test_a_mailbox_that_is_not_there_takes_nothing(self) -> None:
        answer, untagged = say(self.client, b"MOVE 1:* none")
        self.assertTrue(answer.startswith(b"NO [TRYCREATE] "), answer)
        self.assertEqual(untagged, [])
        self.assertEqual(len(self.texts(b"INBOX")), 3)

    def test_a_mailbox_that_is_open_for_reading_keeps_its_messages(self) -> None:
        say(self.client, b"EXAMINE INBOX")
        self.assertTrue(say(self.client, b"MOVE 1 other")[0].startswith(b"NO [NOPERM] "))
        self.assertEqual(len(self.texts(b"INBOX")), 3)
        _, untagged = say(self.client, b"STATUS other (MESSAGES)")
        self.assertEqual(untagged[0][-1], [b"MESSAGES", 0])

    def test_nonsense_is_bad(self) -> None:
        for arguments in (b"", b"1", b"0 other", b"x other", b"1 other more", b"9 other"):
            self.assertTrue(say(self.client, b"MOVE " + arguments)[0].startswith(b"BAD "))
