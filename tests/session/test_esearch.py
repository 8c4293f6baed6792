"""ESEARCH: the results that a client asks for, in one line (RFC 4731, RFC 9051 section 6.4.4)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.session import searches
from referrald.store import pausing
from tests.mime.mail import NESTED, SIMPLE
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, say
from tests.session.native import Site
from tests.session.support import Client


def told(client: Client, command: bytes) -> bytes:
    """Give the untagged answer of a search that succeeds."""
    client.say(b"")
    answer = client.say(b"x " + command + b"\r\n")
    *lines, last = answer.split(b"\r\n")[:-1]
    assert last == b"x OK Searched.", answer
    return b"|".join(lines)


class Returned(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, NESTED, SIMPLE, SIMPLE, NESTED)
        self.client = self.site.log_in(b"SELECT INBOX")
        say(self.client, b"STORE 1 +FLAGS.SILENT \\Deleted")
        say(self.client, b"EXPUNGE")
        # Numbers and UIDs differ from now on.
        _, untagged = say(self.client, b"UID SEARCH ALL")
        self.uids = untagged[0][2:]

    def test_it_is_advertised_once_logged_in(self) -> None:
        self.assertIn(b" ESEARCH", self.client.say(b"x CAPABILITY\r\n"))

    def test_what_return_asks_for_is_told(self) -> None:
        for options, expected in (
            (b"MIN", b"MIN 2"),
            (b"MAX", b"MAX 3"),
            (b"COUNT", b"COUNT 2"),
            (b"ALL", b"ALL 2:3"),
            (b"", b"ALL 2:3"),
            (b"count Max min ALL", b"MIN 2 MAX 3 ALL 2:3 COUNT 2"),
        ):
            found = told(self.client, b"SEARCH RETURN (%b) SUBJECT afternoon" % options)
            self.assertEqual(found, b'* ESEARCH (TAG "x") ' + expected)

    def test_uid_search_tells_uids_and_says_so(self) -> None:
        one, _, three, four = self.uids
        found = told(self.client, b"UID SEARCH RETURN (MIN MAX ALL) NOT 2")
        expected = b'* ESEARCH (TAG "x") UID MIN %d MAX %d ALL %d,%d:%d'
        self.assertEqual(found, expected % (one, four, one, three, four))
        found = told(self.client, b"UID SEARCH RETURN () UID %d,%d" % (one, three))
        self.assertEqual(found, b'* ESEARCH (TAG "x") UID ALL %d,%d' % (one, three))

    def test_nothing_found_is_told_too(self) -> None:
        found = told(self.client, b"SEARCH RETURN (MIN MAX ALL COUNT) SUBJECT none")
        self.assertEqual(found, b'* ESEARCH (TAG "x") COUNT 0')
        found = told(self.client, b"UID SEARCH RETURN () SUBJECT none")
        self.assertEqual(found, b'* ESEARCH (TAG "x") UID')
        say(self.client, b"CREATE none")
        say(self.client, b"SELECT none")
        self.assertEqual(
            told(self.client, b"SEARCH RETURN (COUNT) ALL"), b'* ESEARCH (TAG "x") COUNT 0'
        )

    def test_tags_come_back_as_strings(self) -> None:
        answer = self.client.say(b'a"b SEARCH RETURN () ALL\r\n')
        self.assertIn(b"BAD", answer)
        answer = self.client.say(b"A.1[]! SEARCH RETURN () ALL\r\n")
        self.assertIn(b'* ESEARCH (TAG "A.1[]!") ALL 1:4\r\n', answer)

    def test_a_charset_comes_behind_return(self) -> None:
        found = told(self.client, b'SEARCH RETURN (ALL) CHARSET ISO-8859-1 BODY "gr\xfc\xdfe"')
        self.assertEqual(found, b'* ESEARCH (TAG "x") ALL 1,4')

    def test_rev2_has_it_without_being_asked(self) -> None:
        self.assertEqual(told(self.client, b"SEARCH 2:3"), b"* SEARCH 2 3")
        self.client.session.enable(["IMAP4rev2"])
        self.assertEqual(told(self.client, b"SEARCH 2:3"), b'* ESEARCH (TAG "x") ALL 2:3')
        self.assertEqual(told(self.client, b"SEARCH NOT ALL"), b'* ESEARCH (TAG "x")')

    def test_very_many_are_told_in_pieces_and_it_does_not_show(self) -> None:
        before = [
            told(self.client, command)
            for command in (b"SEARCH NOT 3", b"UID SEARCH ALL", b"SEARCH RETURN (ALL COUNT) 1,3:4")
        ]
        self.patch(searches, "PIECE", 2)
        after = [
            told(self.client, command)
            for command in (b"SEARCH NOT 3", b"UID SEARCH ALL", b"SEARCH RETURN (ALL COUNT) 1,3:4")
        ]
        self.assertEqual(after, before)
        self.assertEqual(before[0], b"* SEARCH 1 2 4")
        self.assertEqual(before[2], b'* ESEARCH (TAG "x") ALL 1,3:4 COUNT 3')

    def test_any_mailbox_has_it(self) -> None:
        client = Home(account=Account(INBOX=Mailbox(SIMPLE, NESTED, SIMPLE))).log_in()
        found = told(client, b"UID SEARCH RETURN (MIN ALL COUNT) SUBJECT afternoon")
        self.assertEqual(found, b'* ESEARCH (TAG "x") UID MIN 10 ALL 10,30 COUNT 2')


class WithModseqs(SynchronousTestCase):
    """RFC 7162 sections 3.1.5, 3.1.6 and 3.1.10."""

    def setUp(self) -> None:
        self.client = Site(SIMPLE, NESTED, SIMPLE, NESTED).log_in(b"SELECT INBOX")
        for number in (3, 1, 2):
            say(self.client, b"STORE %d +FLAGS.SILENT \\Flagged" % number)
        self.modseqs = [self.highest(b"%d" % number) for number in (1, 2, 3, 4)]
        self.one, self.two, self.three, self.four = self.modseqs

    def highest(self, keys: bytes) -> int:
        _, untagged = say(self.client, b"SEARCH MODSEQ 1 " + keys)
        return int(untagged[-1][-1][1])

    def test_changes_later_than_a_modseq_are_found(self) -> None:
        self.assertEqual(sorted(self.modseqs), [self.four, self.three, self.one, self.two])
        for modseq, expected in (
            (0, b"1 2 3 4 (MODSEQ %d)" % self.two),
            (self.three, b"1 2 3 (MODSEQ %d)" % self.two),
            (self.two, b"2 (MODSEQ %d)" % self.two),
        ):
            found = told(self.client, b"SEARCH MODSEQ %d" % modseq)
            self.assertEqual(found, b"* SEARCH " + expected)
        self.assertEqual(told(self.client, b"SEARCH MODSEQ %d" % (self.two + 1)), b"* SEARCH")

    def test_entries_are_not_told_apart(self) -> None:
        for entry in (b'"/flags/\\\\Flagged" all', b'"/flags/x" PRIV', b'"/flags/x" shared'):
            found = told(self.client, b"SEARCH MODSEQ %b %d" % (entry, self.one))
            self.assertEqual(found, b"* SEARCH 1 2 (MODSEQ %d)" % self.two)

    def test_the_modseq_is_that_of_the_messages_that_are_told(self) -> None:
        for options, expected in (
            (b"MIN", b"MIN 1 MODSEQ %d" % self.one),
            (b"MAX", b"MAX 4 MODSEQ %d" % self.four),
            (b"MIN MAX", b"MIN 1 MAX 4 MODSEQ %d" % self.one),
            (b"MIN SAVE", b"MIN 1 MODSEQ %d" % self.one),
            (b"MIN COUNT", b"MIN 1 COUNT 4 MODSEQ %d" % self.two),
            (b"ALL", b"ALL 1:4 MODSEQ %d" % self.two),
        ):
            found = told(self.client, b"SEARCH RETURN (%b) OR MODSEQ 1 ALL" % options)
            self.assertEqual(found, b'* ESEARCH (TAG "x") ' + expected)
        found = told(self.client, b"SEARCH RETURN (MIN COUNT) MODSEQ 999999")
        self.assertEqual(found, b'* ESEARCH (TAG "x") COUNT 0')

    def test_to_ask_for_it_enables_condstore(self) -> None:
        self.assertIn("CONDSTORE", self.client.session.enabled)

    def test_a_mailbox_without_modseqs_has_none_to_search_for(self) -> None:
        client = Home(account=Account(INBOX=Mailbox(SIMPLE))).log_in()
        answer, untagged = say(client, b"SEARCH MODSEQ 1")
        self.assertEqual((answer[:4], untagged), (b"BAD ", []))
        self.assertNotIn("CONDSTORE", client.session.enabled)


class Aborted(SynchronousTestCase):
    """A search that takes long."""

    def setUp(self) -> None:
        self.patch(pausing, "TURN", 0)
        self.site = Site(*([SIMPLE] * 30), pauses=True)
        self.client = self.site.log_in(b"SELECT INBOX")
        self.assertEqual(self.client.say(b"x SEARCH BODY joe\r\n"), b"")

    def waiting(self) -> int:
        return len(self.site.clock.getDelayedCalls())

    def test_others_go_on_while_one_searches(self) -> None:
        other = self.site.log_in(b"SELECT INBOX")
        self.assertIn(b"x OK", other.say(b"x FETCH 1 UID\r\n"))
        self.assertEqual((self.client.read(), self.waiting()), (b"", 1))
        while self.waiting():
            self.site.clock.advance(0)
        numbers = b" ".join(b"%d" % number for number in range(1, 31))
        self.assertEqual(self.client.read(), b"* SEARCH %b\r\nx OK Searched.\r\n" % numbers)

    def test_a_search_ends_when_the_client_breaks_off(self) -> None:
        self.assertEqual(self.waiting(), 1)
        self.client.transport.loseConnection()
        self.assertEqual(self.waiting(), 0)
        self.assertEqual(self.site.house.notes.faults, [])
