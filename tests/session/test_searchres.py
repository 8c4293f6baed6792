"""SEARCHRES: what a search has found, used by the commands that follow (RFC 5182)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.session import searches
from referrald.store.folder import MemoryFolder
from tests.mime.mail import NESTED, SIMPLE
from tests.session.inbox import say
from tests.session.native import Site
from tests.session.test_esearch import told

FOUND = b"SEARCH RETURN (SAVE) SUBJECT nested"


class Saved(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, NESTED, SIMPLE, NESTED, NESTED)
        self.client = self.site.log_in(b"SELECT INBOX")

    def saved(self) -> list[int]:
        _, untagged = say(self.client, b"SEARCH $")
        return list(untagged[0][2:])

    def fetched(self, command: bytes) -> list[int]:
        answer, untagged = say(self.client, command)
        self.assertTrue(answer.startswith(b"OK"), answer)
        return [line[1] for line in untagged if line[2] == b"FETCH"]

    def test_it_is_advertised_once_logged_in(self) -> None:
        self.assertIn(b" SEARCHRES", self.client.say(b"x CAPABILITY\r\n"))

    def test_a_search_that_is_only_saved_tells_nothing(self) -> None:
        self.assertEqual(told(self.client, FOUND), b"")
        self.assertEqual(self.saved(), [2, 4, 5])

    def test_every_command_that_takes_messages_takes_them(self) -> None:
        told(self.client, FOUND)
        self.assertEqual(self.fetched(b"FETCH $ UID"), [2, 4, 5])
        self.assertEqual(self.fetched(b"UID FETCH $ FLAGS"), [2, 4, 5])
        self.assertEqual(self.fetched(b"FETCH 1,4,$ UID"), [1, 2, 4, 5])
        self.assertEqual(self.fetched(b"UID FETCH 999,$ UID"), [2, 4, 5])
        self.assertEqual(self.fetched(b"STORE $ +FLAGS \\Flagged"), [2, 4, 5])
        self.assertEqual(self.fetched(b"UID STORE $ FLAGS (\\Deleted)"), [2, 4, 5])
        say(self.client, b"CREATE box")
        for command in (b"COPY $ box", b"UID COPY $ box", b"UID MOVE $ box"):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"OK"), answer)
        _, untagged = say(self.client, b"STATUS box (MESSAGES)")
        self.assertEqual(untagged[0][-1], [b"MESSAGES", 9])
        self.assertEqual(self.saved(), [])

    def test_uid_expunge_takes_them(self) -> None:
        told(self.client, FOUND)
        say(self.client, b"STORE 1:4 +FLAGS.SILENT \\Deleted")
        _, untagged = say(self.client, b"UID EXPUNGE $")
        self.assertEqual([line[1] for line in untagged], [4, 2])
        self.assertEqual(self.saved(), [3])

    def test_it_can_be_a_key_of_the_next_search(self) -> None:
        told(self.client, FOUND)
        self.assertEqual(told(self.client, b"SEARCH OR $ 1"), b"* SEARCH 1 2 4 5")
        self.assertEqual(told(self.client, b"SEARCH UID $ NOT 3:4"), b"* SEARCH 2 5")
        self.assertEqual(
            told(self.client, b"SEARCH RETURN (SAVE COUNT) NOT $"), b'* ESEARCH (TAG "x") COUNT 2'
        )
        self.assertEqual(self.saved(), [1, 3])
        self.assertEqual(told(self.client, b"SEARCH RETURN (SAVE) $ UID 1:99,$"), b"")
        self.assertEqual(self.saved(), [1, 3])

    def test_of_the_ends_alone_only_these_are_saved(self) -> None:
        for options, expected in (
            (b"MIN SAVE", [2]),
            (b"SAVE MAX", [5]),
            (b"MIN MAX SAVE", [2, 5]),
            (b"MIN COUNT SAVE", [2, 4, 5]),
            (b"MAX ALL SAVE", [2, 4, 5]),
        ):
            told(self.client, b"SEARCH RETURN (%b) SUBJECT nested" % options)
            self.assertEqual(self.saved(), expected)
        told(self.client, b"SEARCH RETURN (MIN SAVE) SUBJECT none")
        self.assertEqual(self.saved(), [])

    def test_a_search_without_save_changes_nothing(self) -> None:
        told(self.client, FOUND)
        told(self.client, b"SEARCH RETURN (ALL) 1")
        told(self.client, b"SEARCH 1")
        for command in (b"SEARCH RETURN (SAVE) XYZZY", b"SEARCH CHARSET x-none ALL"):
            self.assertFalse(say(self.client, command)[0].startswith(b"OK"))
        self.assertEqual(self.saved(), [2, 4, 5])

    def test_messages_that_go_leave_it(self) -> None:
        told(self.client, FOUND)
        say(self.client, b"STORE 1,4 +FLAGS.SILENT \\Deleted")
        say(self.client, b"EXPUNGE")
        self.assertEqual(self.saved(), [1, 3])
        say(self.client, b"COPY $ INBOX")
        self.assertEqual(self.saved(), [1, 3])

    def test_nothing_saved_is_no_error(self) -> None:
        self.assertEqual(self.fetched(b"FETCH $ UID"), [])
        say(self.client, b"CREATE none")
        say(self.client, b"SELECT none")
        for command in (b"FETCH $ UID", b"STORE $ FLAGS ()", b"UID COPY $ INBOX", b"SEARCH $"):
            self.assertTrue(say(self.client, command)[0].startswith(b"OK"), command)

    def test_selecting_forgets_it(self) -> None:
        told(self.client, FOUND)
        say(self.client, b"SELECT INBOX")
        self.assertEqual(self.saved(), [])

    def test_a_search_that_fails_leaves_nothing_saved(self) -> None:
        told(self.client, FOUND)
        answer, _ = say(self.client, b"SEARCH RETURN (SAVE) CHARSET x-none ALL")
        self.assertTrue(answer.startswith(b"NO [BADCHARSET "), answer)
        self.assertEqual(self.saved(), [])

    def test_a_store_that_fails_leaves_nothing_saved(self) -> None:
        told(self.client, FOUND)
        search = MemoryFolder.search

        async def fail(folder: MemoryFolder, query: object) -> None:
            raise Unavailable("the disk is on fire")

        self.patch(MemoryFolder, "search", fail)
        answer, untagged = say(self.client, FOUND)
        self.assertTrue(answer.startswith(b"NO [UNAVAILABLE] "), answer)
        self.patch(MemoryFolder, "search", search)
        self.assertEqual((untagged, self.saved()), ([], []))

    def test_too_many_are_not_saved(self) -> None:
        told(self.client, FOUND)
        self.patch(searches, "MAX_SAVED", 3)
        answer, untagged = say(self.client, b"SEARCH RETURN (SAVE COUNT) 1:4")
        self.assertEqual((answer[:13], untagged), (b"NO [NOTSAVED]", []))
        self.assertEqual(self.saved(), [])
        told(self.client, FOUND)
        self.assertEqual(self.saved(), [2, 4, 5])

    def test_commands_may_be_sent_at_once(self) -> None:
        answer = self.client.say(b"a %b\r\nb FETCH $ UID\r\n" % FOUND)
        self.assertEqual(answer.count(b" FETCH (UID "), 3)
        self.assertLess(answer.index(b"a OK"), answer.index(b"* 2 FETCH"))
