"""IMAP4rev2 (RFC 9051): what ENABLE changes on names and on the selected mailbox."""

from __future__ import annotations

from unicodedata import normalize

from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.native import Site

COMPOSED, DECOMPOSED = "Entwürfe", normalize("NFD", "Entwürfe")


class Selecting(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, SIMPLE)
        self.client = self.site.log_in()
        self.client.say(b"x ENABLE IMAP4rev2\r\n")

    def say(self, text: str) -> list[str]:
        """Say a line; give the lines of the answer."""
        return [line.decode() for line in self.client.ask(b"x " + text.encode())]

    @proves("base:SELECT")
    def test_select_tells_what_rfc_9051_wants_and_nothing_that_it_dropped(self) -> None:
        said = self.say("SELECT INBOX")
        self.assertIn("* 2 EXISTS", said)
        self.assertIn('* LIST (\\HasNoChildren) "/" INBOX', said)
        self.assertTrue(any(line.startswith("* FLAGS (") for line in said))
        for code in ("PERMANENTFLAGS", "UIDVALIDITY", "UIDNEXT"):
            self.assertTrue(any(line.startswith(f"* OK [{code} ") for line in said), code)
        self.assertEqual([line for line in said if "RECENT" in line or "UNSEEN" in line], [])
        self.assertEqual(said[-1], "x OK [READ-WRITE] Mailbox selected.")

    def test_before_enable_there_are_recent_and_unseen_and_no_list(self) -> None:
        client = self.site.log_in()
        said = client.say(b"x SELECT INBOX\r\n")
        self.assertIn(b"* 0 RECENT\r\n", said)
        self.assertIn(b"[UNSEEN 1]", said)
        self.assertNotIn(b"* LIST", said)

    def test_the_list_response_of_select_is_accurate(self) -> None:
        self.say('CREATE "A/B/c % *"')
        self.say("CREATE S (USE (\\Sent))")
        for name, line in (
            ("A", '* LIST (\\HasChildren) "/" A'),
            ("A/B", '* LIST (\\HasChildren) "/" A/B'),
            ('"A/B/c % *"', '* LIST (\\HasNoChildren) "/" "A/B/c % *"'),
            ("S", '* LIST (\\Sent \\HasNoChildren) "/" S'),
        ):
            for command in ("SELECT", "EXAMINE"):
                found = [said for said in self.say(f"{command} {name}") if "* LIST" in said]
                self.assertEqual(found, [line], name)

    def test_closed_is_said_when_one_mailbox_is_left_for_another(self) -> None:
        self.assertNotIn("[CLOSED]", "\n".join(self.say("SELECT INBOX")))
        self.say("CREATE other")
        for command in ("SELECT other", "EXAMINE INBOX", "SELECT none"):
            said = self.say(command)
            self.assertEqual(said[0], "* OK [CLOSED] Previous mailbox closed.", command)
        self.assertEqual(said[1:], ["x NO [NONEXISTENT] There is no such mailbox."])
        self.assertNotIn("[CLOSED]", "\n".join(self.say("SELECT INBOX")), "none was selected")
        self.assertEqual(self.say("UNSELECT")[-1][:4], "x OK")

    def test_search_is_answered_by_esearch(self) -> None:
        self.say("SELECT INBOX")
        for command in ("SEARCH ALL", "SEARCH CHARSET UTF-8 UNSEEN"):
            said = self.say(command)
            self.assertEqual(said[0], '* ESEARCH (TAG "x") ALL 1:2', command)

    def test_recent_is_never_told(self) -> None:
        self.say("SELECT INBOX")
        self.client.session.newMessages(None, 1)
        self.assertNotIn("RECENT", "\n".join(self.say("NOOP")))
        self.assertEqual(self.say('LSUB "" *'), ['* LSUB () "/" INBOX', "x OK Listed."])


class OldNames(SynchronousTestCase):
    """RFC 9051 sections 6.3.4 to 6.3.6 and 6.3.9.7."""

    def setUp(self) -> None:
        self.client = Site().log_in()
        self.client.say(b"x ENABLE IMAP4rev2\r\n")

    def lists(self, text: str) -> list[str]:
        *lines, last = self.client.ask(b"x " + text.encode())
        self.assertTrue(last.startswith(b"x OK"), last)
        return [line.decode() for line in lines if b"* LIST" in line]

    @proves("base:mailbox names")
    def test_a_name_that_is_normalised_is_told_with_the_one_that_was_said(self) -> None:
        attributes = "* LIST (\\HasNoChildren)"
        old = f'("OLDNAME" ("{DECOMPOSED}"))'
        self.assertEqual(
            self.lists(f'CREATE "{DECOMPOSED}"'), [f'{attributes} "/" "{COMPOSED}" {old}']
        )
        self.assertEqual(
            self.lists(f'SELECT "{DECOMPOSED}"'), [f'{attributes} "/" "{COMPOSED}" {old}']
        )
        self.assertEqual(
            self.lists(f'RENAME "{COMPOSED}" "{DECOMPOSED}2"'),
            [f'{attributes} "/" "{COMPOSED}2" ("OLDNAME" ("{COMPOSED}"))'],
        )
        self.assertEqual(
            self.lists(f'DELETE "{DECOMPOSED}2"'),
            [f'* LIST (\\NonExistent) "/" "{COMPOSED}2" ("OLDNAME" ("{DECOMPOSED}2"))'],
        )

    def test_a_level_that_is_created_is_told_without_its_delimiter(self) -> None:
        self.assertEqual(
            self.lists(f'CREATE "{DECOMPOSED}/"'),
            [f'* LIST (\\HasNoChildren) "/" "{COMPOSED}" ("OLDNAME" ("{DECOMPOSED}"))'],
        )

    def test_a_name_with_mailboxes_below_it_cannot_be_deleted_twice(self) -> None:
        self.lists("CREATE a/b")
        self.lists("DELETE a")
        self.assertIn(b"x NO [HASCHILDREN] ", self.client.say(b"x DELETE a\r\n"))

    def test_nothing_is_told_of_names_that_stay_as_they_are(self) -> None:
        for command in (f'CREATE "{COMPOSED}"', f'RENAME "{COMPOSED}" new', "DELETE new"):
            self.assertEqual(self.lists(command), [], command)
