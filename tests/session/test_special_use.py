"""SPECIAL-USE and CREATE-SPECIAL-USE (RFC 6154)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.proves import proves
from tests.session.inbox import Home, say
from tests.session.native import Site
from tests.session.test_general import names


class SpecialUse(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Site(public="").log_in(
            b"CREATE Old/2019 (USE (\\Archive))", b"CREATE Gone (USE (\\Trash \\junk))"
        )

    def listed(self, arguments: bytes) -> dict[bytes, set[bytes]]:
        answer, untagged = say(self.client, b"LIST " + arguments)
        self.assertEqual(answer, b"OK Listed.")
        return {line[4]: set(line[2]) for line in untagged}

    def test_uses_are_told_where_they_are_asked_for_and_by_a_plain_list(self) -> None:
        for arguments in (b'"" *', b'"" * RETURN (SPECIAL-USE)'):
            found = self.listed(arguments)
            self.assertTrue({b"\\Trash", b"\\Junk"} <= found[b"Gone"], arguments)
            self.assertIn(b"\\Archive", found[b"Old/2019"])
            self.assertFalse({b"\\Trash", b"\\Archive"} & (found[b"INBOX"] | found[b"Old"]))
        for attributes in self.listed(b'"" * RETURN (CHILDREN)').values():
            self.assertFalse({b"\\Trash", b"\\Junk", b"\\Archive"} & attributes)

    @proves("base:LIST")
    def test_they_can_be_selected_by(self) -> None:
        self.assertEqual(set(self.listed(b'(SPECIAL-USE) "" *')), {b"Gone", b"Old/2019"})
        found = self.listed(b'(SPECIAL-USE RECURSIVEMATCH) "" %')
        self.assertEqual(set(found), {b"Gone", b"Old"})
        self.assertEqual(self.listed(b'(SPECIAL-USE SUBSCRIBED) "" *'), {})

    def test_a_use_that_no_mailbox_can_have_creates_nothing(self) -> None:
        for use in (b"\\Odd", b"\\Seen", b"\\All \\Odd"):
            answer, _ = say(self.client, b"CREATE x (USE (" + use + b"))")
            self.assertTrue(answer.startswith(b"NO [USEATTR] "), use)
        self.assertNotIn(b"x", self.listed(b'"" *'))
        for parameters in (b"(USE (Sent))", b"(USE)", b"(SIZE (\\Sent))", b"()"):
            answer, _ = say(self.client, b"CREATE x " + parameters)
            self.assertTrue(answer.startswith(b"BAD "), parameters)

    def test_an_account_that_knows_no_uses_does_not_offer_to_create_them(self) -> None:
        offered = names(self.client.say(b"x CAPABILITY\r\n"))
        self.assertTrue({b"SPECIAL-USE", b"CREATE-SPECIAL-USE"} <= offered)
        client = Home().log_in(b"")
        self.assertNotIn(b"CREATE-SPECIAL-USE", names(client.say(b"x CAPABILITY\r\n")))
        answer, _ = say(client, b"CREATE x (USE (\\Sent))")
        self.assertTrue(answer.startswith(b"NO [USEATTR] "))
        self.assertTrue(say(client, b"CREATE x")[0].startswith(b"OK "))
