"""ACL and RIGHTS=: MYRIGHTS, GETACL, LISTRIGHTS, SETACL, DELETEACL (RFC 4314)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoPermission
from referrald.session.builtin import ROWS
from referrald.session.table import CommandSpec, CommandTable
from tests.session.inbox import Home, say
from tests.session.native import OTHER, Site, done
from tests.session.relayed import Both
from tests.session.test_general import names


class Rights(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.client = self.site.log_in(b"CREATE work", b"CREATE Public/news")

    def test_myrights_tells_the_letters_and_those_of_rfc_2086_that_follow(self) -> None:
        for name, letters in ((b"INBOX", b"lrswipkxteacd"), (b"work", b"lrswipkxteacd"),
                              (b"Public/news", b"lrswipkxtecd")):  # fmt: skip
            answer, untagged = say(self.client, b"MYRIGHTS " + name)
            self.assertEqual(answer, b"OK Rights told.")
            self.assertEqual(untagged, [[b"*", b"MYRIGHTS", name, letters]])

    def test_getacl_is_for_those_who_administer(self) -> None:
        _, untagged = say(self.client, b"GETACL work")
        self.assertEqual(untagged, [[b"*", b"ACL", b"work", b"bob", b"lrswipkxteacd"]])
        for command in (b"GETACL Public/news", b"LISTRIGHTS Public/news bob"):
            answer, untagged = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [NOPERM] "), command)
            self.assertEqual(untagged, [])

    def test_listrights_names_what_can_be_given(self) -> None:
        singles = [b"l", b"r", b"s", b"w", b"i", b"p", b"k", b"x", b"t", b"e", b"a", b"c", b"d"]
        for who, letters in ((b"bob", [b"lrswipkxteacd"]), (b"alice", [b"", *singles]),
                             (b"anyone", [b"", *singles])):  # fmt: skip
            _, untagged = say(self.client, b"LISTRIGHTS work " + who)
            self.assertEqual(untagged, [[b"*", b"LISTRIGHTS", b"work", who, *letters]])

    def test_rights_are_given_and_taken(self) -> None:
        for command, letters in (
            (b"SETACL work alice lr", b"lr"),
            (b"SETACL work alice +cd", b"lrkxtecd"),
            (b"setacl work alice -ktx", b"lred"),
            (b"SETACL work alice w", b"w"),
        ):
            self.assertEqual(say(self.client, command), (b"OK Rights changed.", []))
            _, untagged = say(self.client, b"GETACL work")
            self.assertEqual(untagged[0][3:], [b"bob", b"lrswipkxteacd", b"alice", letters])
        for command in (b'SETACL work alice ""', b"DELETEACL work nobody"):
            self.assertEqual(say(self.client, command)[0], b"OK Rights changed.")
            self.assertEqual(say(self.client, b"GETACL work")[1][0][3:], [b"bob", b"lrswipkxteacd"])
        say(self.client, b"SETACL work -alice r")
        say(self.client, b"DELETEACL work -alice")
        self.assertEqual(say(self.client, b"GETACL work")[1][0][3:], [b"bob", b"lrswipkxteacd"])

    def test_the_owner_has_all_rights(self) -> None:
        for command in (b"SETACL work bob lr", b"SETACL work -bob r", b"DELETEACL work bob"):
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [CANNOT] "), command)

    def test_nobody_gives_rights_without_the_right_to(self) -> None:
        for command in (b"SETACL Public/news alice lr", b"DELETEACL Public/news anyone"):
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [NOPERM] "), command)

    def test_where_rights_are_the_operators_nobody_changes_them(self) -> None:
        client = Site(public="").log_in(b"CREATE work")
        for command in (b"SETACL work alice lr", b"SETACL work alice +cd", b'SETACL work alice ""',
                        b"SETACL work -alice -lrswipkxtea", b"DELETEACL work bob"):  # fmt: skip
            self.assertTrue(say(client, command)[0].startswith(b"NO [NOPERM] "), command)
        for who, letters in ((b"bob", b"lrswipkxteacd"), (b"alice", b"")):
            _, untagged = say(client, b"LISTRIGHTS work " + who)
            self.assertEqual(untagged, [[b"*", b"LISTRIGHTS", b"work", who, letters]])
        self.assertEqual(say(client, b"GETACL work")[1][0][3:], [b"bob", b"lrswipkxteacd"])

    def test_what_is_no_right_and_no_identifier_is_bad(self) -> None:
        for command in (b"SETACL work alice Q", b"SETACL work alice lrX", b"SETACL work alice lq",
                        b"SETACL work alice", b'SETACL work "" lr', b'LISTRIGHTS work ""',
                        b'LISTRIGHTS work "\xff"', b'DELETEACL work "a\tb"', b"LISTRIGHTS work",
                        b"MYRIGHTS", b"GETACL a b"):  # fmt: skip
            self.client.session.bad_commands = 0
            self.assertTrue(say(self.client, command)[0].startswith(b"BAD "), command)

    def test_a_mailbox_that_is_not_there_is_nonexistent(self) -> None:
        for command in (b"MYRIGHTS none", b"GETACL none", b"LISTRIGHTS none bob",
                        b"SETACL none bob lr", b"DELETEACL Public/none bob"):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [NONEXISTENT] "), command)

    def test_who_has_no_right_does_not_learn_that_there_is_a_mailbox(self) -> None:
        account = done(self.site.store.account("bob"))

        async def rights(name: str) -> str:
            return "sp" if name == "work" else "lr"

        async def acl(name: str) -> Mapping[str, str]:
            raise NoPermission(name)

        account.rights, account.acl = rights, acl
        for command in (b"MYRIGHTS work", b"GETACL work", b"SETACL work bob lr"):
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [NONEXISTENT] "), command)
        self.assertEqual(say(self.client, b"MYRIGHTS INBOX")[1][0][-1], b"lr")

    def test_names_are_told_as_the_client_spells_them(self) -> None:
        say(self.client, b"CREATE &AOk-")
        self.assertIn(b"* MYRIGHTS &AOk- lrs", self.client.say(b"x MYRIGHTS &AOk-\r\n"))
        self.client.session.enable(["UTF8=ACCEPT"])
        self.assertIn('* ACL "é" bob'.encode(), self.client.say('x GETACL "é"\r\n'.encode()))

    def test_a_mailbox_elsewhere_is_for_its_own_server_to_tell_of(self) -> None:
        self.site.put_elsewhere("team")
        self.client.say(b'x RLIST "" *\r\n')
        for command in (b"MYRIGHTS team", b"GETACL team", b"SETACL team bob lr",
                        b"LISTRIGHTS team bob", b"DELETEACL team bob"):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [REFERRAL imap"), command)

    def test_it_is_offered_where_the_account_knows_rights(self) -> None:
        found = names(self.client.say(b"x CAPABILITY\r\n"))
        self.assertIn(b"ACL", found)
        (rights,) = [name for name in found if name.startswith(b"RIGHTS=")]
        self.assertEqual(sorted(rights[7:].decode()), sorted("texk"))
        client = Home().log_in(b"")
        found = names(client.say(b"x CAPABILITY\r\n"))
        self.assertEqual([name for name in found if name[:3] in (b"ACL", b"RIG")], [])
        self.assertTrue(say(client, b"MYRIGHTS INBOX")[0].startswith(b"NO [CANNOT] "))


class RelayedRights(SynchronousTestCase):
    def test_the_server_of_a_mailbox_elsewhere_is_asked(self) -> None:
        both = Both()
        both.put("Team", there="Public/Team")
        client = both.log_in()
        self.assertEqual(
            client.say(b"b MYRIGHTS Team"),
            b"* MYRIGHTS Team lrswipkxteacd\r\nb OK Rights told.\r\n",
        )

    def test_a_server_that_knows_no_rights_leaves_the_user_all(self) -> None:
        both = Both()
        both.put("Team")
        house = both.houses[OTHER]
        known = [
            CommandSpec(name=name, states=states, grammar=reads, handler=handler)
            for name, states, reads, handler in ROWS
            if name != "MYRIGHTS"
        ]
        house.factory.door = attrs.evolve(house.door, table=CommandTable(known))
        client = both.log_in()
        self.assertEqual(
            client.say(b"b MYRIGHTS Team"),
            b"* MYRIGHTS Team lrswipkxtecd\r\nb OK Rights told.\r\n",
        )
