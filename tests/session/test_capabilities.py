"""The table of capabilities in the docs: all that is offered is in it, with its tests."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.session.inbox import Home
from tests.session.native import Site, done
from tests.session.support import House
from tests.session.test_general import names

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]*)\| `([^`]+)` \|$", re.MULTILINE)
VARIABLE = ("AUTH=", "APPENDLIMIT=", "RIGHTS=")


def plain(name: str) -> str:
    """Leave out what differs from one server to another."""
    return next((head for head in VARIABLE if name.startswith(head)), name)


def offered() -> dict[str, set[str]]:
    """Name what is offered, by the situation."""
    said = {
        "in the clear": House(secure=False, tls="context").connect().read(),
        "over TLS": House(tls="context").connect().read(),
        "to an account of Twisted's": Home().log_in(b"").say(b"x CAPABILITY\r\n"),
        "to an account of a store": Site().log_in().say(b"x CAPABILITY\r\n"),
    }
    site = Site()
    done(site.store.account("bob")).resources = ("STORAGE", "MESSAGE")
    said["to an account with all limits"] = site.log_in().say(b"x CAPABILITY\r\n")
    return {
        situation: {plain(name.decode()) for name in names(answer)}
        for situation, answer in said.items()
    }


class Table(SynchronousTestCase):
    def setUp(self) -> None:
        page = ROOT / "docs" / "reference" / "capabilities.md"
        self.rows = {row[0]: row[1:] for row in ROW.findall(page.read_text(encoding="utf-8"))}

    def test_everything_that_is_offered_has_a_row(self) -> None:
        for situation, found in offered().items():
            self.assertEqual(found - self.rows.keys(), set(), situation)

    def test_every_row_is_offered_to_somebody(self) -> None:
        self.assertEqual(self.rows.keys() - set().union(*offered().values()), set())

    def test_every_row_names_its_rfc_and_tests_that_speak_of_it(self) -> None:
        for name, (specified, _, test_file) in self.rows.items():
            self.assertRegex(specified, r"^RFC \d+(, RFC \d+)*$", name)
            text = (ROOT / test_file).read_text(encoding="utf-8")
            self.assertIn(name.rstrip("="), text, f"{test_file} says nothing of {name}")
            self.assertIn("    def test_", text, test_file)


class Offer(SynchronousTestCase):
    def test_a_store_gets_both_revisions_and_an_account_of_twisteds_only_the_first(self) -> None:
        found = offered()
        store = found["to an account of a store"]
        self.assertTrue({"IMAP4rev1", "IMAP4rev2", "UTF8=ACCEPT", "STATUS=SIZE"} <= store)
        foreign = found["to an account of Twisted's"]
        self.assertIn("IMAP4rev1", foreign)
        self.assertFalse({"IMAP4rev2", "STATUS=SIZE", "QUOTA", "ACL"} & foreign)

    def test_where_other_servers_mailboxes_are_shown_as_ours_they_would_have_to_do_it_too(
        self,
    ) -> None:
        client = Site().log_in()
        before = names(client.say(b"x CAPABILITY\r\n"))
        self.patch(type(client.session), "unasked", "relay")
        after = names(client.say(b"x CAPABILITY\r\n"))
        self.assertEqual(before - after, {b"IMAP4rev2", b"UTF8=ACCEPT"})
        self.assertEqual(client.ask(b"x ENABLE IMAP4rev2")[0], b"* ENABLED")
