"""Messages that another session has removed, and of which this one was not told yet.

RFC 2180 section 4 leaves choices. Here numbers keep their meaning, what is still there is answered
with OK and a word about the rest, and only where nothing is left of what was asked for it is NO.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.session.native import Site

SOME = b"x OK [EXPUNGEISSUED] Done, as far as the messages still exist."
GONE = b"x NO [EXPUNGEISSUED] The messages no longer exist: they have been deleted."


class Expunged(SynchronousTestCase):
    """Of five messages the second and the fourth are gone."""

    def setUp(self) -> None:
        self.site = Site(b"1", b"2", b"3", b"4", b"5")
        self.client = self.site.log_in(b"CREATE target", b"SELECT INBOX")
        self.site.log_in(b"SELECT INBOX", b"STORE 2,4 +FLAGS.SILENT \\Deleted", b"EXPUNGE")

    def say(self, command: bytes) -> list[bytes]:
        """Say a command; gives the lines that answer it."""
        return self.client.ask(b"x " + command)

    def test_fetch_sends_what_is_there(self) -> None:
        for items in (b"UID", b"BODY.PEEK[]"):
            lines = b"\r\n".join(self.say(b"FETCH 1:5 " + items))
            for number in (1, 3, 5):
                self.assertIn(b"* %d FETCH (" % number, lines)
            self.assertNotIn(b"* 2 FETCH", lines)
            self.assertTrue(lines.endswith(SOME), lines)
            self.assertEqual(self.say(b"FETCH 2,4 " + items), [GONE], items)

    def test_store_changes_what_is_there(self) -> None:
        lines = self.say(b"STORE 1:2 +FLAGS \\Seen")
        self.assertEqual(lines, [b"* 1 FETCH (FLAGS (\\Seen))", SOME])
        self.assertEqual(self.say(b"STORE 1:5 +FLAGS.SILENT \\Seen"), [SOME])
        for command in (b"STORE 2 +FLAGS \\Seen", b"STORE 2,4 FLAGS ()"):
            self.assertEqual(self.say(command), [GONE], command)
        self.assertEqual(self.say(b"STORE 2,4 FLAGS.SILENT ()"), [SOME])

    def test_search_finds_what_is_there(self) -> None:
        for key in (b"ALL", b"1:5", b"NOT 1000", b"UNDELETED"):
            self.assertEqual(self.say(b"SEARCH " + key), [b"* SEARCH 1 3 5", SOME], key)
        (found, last) = self.say(b"SEARCH RETURN (COUNT) ALL")
        self.assertEqual((found[-7:], last), (b"COUNT 3", SOME))

    def test_copy_and_move_put_nothing_anywhere_and_tell_what_is_gone(self) -> None:
        """All or none; this is where EXPUNGE may be told (RFC 2180 section 4.4)."""
        for command in (b"COPY 1:2 target", b"MOVE 1:2 target"):
            self.setUp()
            lines = self.say(command)
            self.assertEqual(lines, [b"* 4 EXPUNGE", b"* 2 EXPUNGE", GONE], command)
            (line, _) = self.say(b"STATUS target (MESSAGES)")
            self.assertEqual(line, b"* STATUS target (MESSAGES 0)", command)
            self.assertEqual(self.say(b"SEARCH ALL"), [b"* SEARCH 1 2 3", b"x OK Searched."])

    def test_uids_that_are_gone_are_passed_over(self) -> None:
        """As those that have never been (RFC 3501 section 6.4.8)."""
        uids = self.client.session.view.uids
        gone = b"%d,%d" % (uids[1], uids[3])
        for command, answer in (
            (b"UID FETCH %b FLAGS", b"x OK Fetched."),
            (b"UID STORE %b +FLAGS \\Seen", b"x OK Stored."),
            (b"UID COPY %b target", b"x OK Copied."), (b"UID SEARCH UID %b", b"x OK Searched."),
        ):  # fmt: skip
            self.setUp()
            lines = self.say(command % gone)
            self.assertEqual(lines[-3:], [b"* 4 EXPUNGE", b"* 2 EXPUNGE", answer], command)

    def test_after_noop_all_is_as_before(self) -> None:
        self.assertEqual(self.say(b"NOOP")[:-1], [b"* 4 EXPUNGE", b"* 2 EXPUNGE"])
        self.assertEqual(self.say(b"FETCH 1:3 UID")[-1], b"x OK Fetched.")
        self.assertEqual(self.say(b"FETCH 4 UID"), [b"x BAD No message has that number."])


class News(SynchronousTestCase):
    def test_a_command_that_is_refused_tells_what_is_new_as_well(self) -> None:
        site = Site(b"1")
        client = site.log_in(b"SELECT INBOX")
        site.fill("INBOX", b"2", b"3")
        answer = client.ask(b"x DELETE none")
        self.assertEqual(answer[:-1], [b"* 1 EXPUNGE", b"* 2 EXISTS", b"* 0 RECENT"])
        self.assertTrue(answer[-1].startswith(b"x NO [NONEXISTENT] "), answer)
