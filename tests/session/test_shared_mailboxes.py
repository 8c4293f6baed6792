"""Mailboxes of other users, by rights: what each right lets a client do (RFC 4314 section 4)."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home
from tests.proves import proves
from tests.session.inbox import fetch, say
from tests.session.native import Site
from tests.session.support import Client

BOX = b'"Other Users/bob/box"'
PREFIX = b'"Other Users/bob"'


class Sharing(SynchronousTestCase):
    """bob lets alice use a mailbox with three messages."""

    def setUp(self) -> None:
        self.site = Site(others="Other Users")
        self.site.backend._homes["alice"] = Home()
        self.site.house.router.here.add("alice")
        self.bob = self.site.log_in(b"CREATE box", b"CREATE box/low")
        self.site.fill("box", b"one", b"two", b"three")
        self.alice = self.site.log_in(user=b"alice")

    def give(self, letters: bytes, name: bytes = b"box") -> None:
        self.assertEqual(self.bob.ask(b"x SETACL %b alice %b" % (name, letters))[-1],
                         b"x OK Rights changed.")  # fmt: skip

    def refused(self, code: bytes, *commands: bytes, client: Client | None = None) -> None:
        for command in commands:
            answer = (client or self.alice).ask(b"x " + command)[-1]
            self.assertTrue(answer.startswith(b"x NO [" + code), (command, answer))

    def done(self, *commands: bytes, client: Client | None = None) -> list[bytes]:
        for command in commands:
            answers = (client or self.alice).ask(b"x " + command)
            self.assertTrue(answers[-1].startswith(b"x OK "), (command, answers))
        return answers

    def listed(self, command: bytes = b'LIST "" *') -> list[bytes]:
        return [
            line for line in self.done(command) if line.startswith(b"* LIST") or b"STATUS (" in line
        ]


class Seeing(Sharing):
    def test_namespaces_name_other_users(self) -> None:
        self.assertEqual(
            self.done(b"NAMESPACE")[0],
            b'* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public/" "/"))',
        )

    def test_what_can_be_looked_up_is_listed(self) -> None:
        before = self.listed()
        self.give(b"l")
        found = {line.partition(b'"/" ')[2] for line in self.listed()} - {
            line.partition(b'"/" ')[2] for line in before
        }
        self.assertEqual(found, {BOX, b'"Other Users/bob/box/low"'})
        self.assertIn(b'* LIST (\\Noselect \\HasChildren) "/" "Other Users"',
                      self.listed(b'LIST "" %'))  # fmt: skip
        self.give(b'""')
        self.assertEqual(self.listed(), before)

    def test_counts_are_for_those_who_may_read(self) -> None:
        self.give(b"l")
        query = b'LIST "" "Other*" RETURN (STATUS (MESSAGES))'
        self.assertNotIn(b"STATUS", b"".join(self.done(query)))
        self.refused(b"NOPERM", b"STATUS %b (MESSAGES)" % BOX)
        self.give(b"lr")
        self.assertIn(b"* STATUS %b (MESSAGES 3)" % BOX, self.done(query))
        self.assertIn(b"* STATUS %b (MESSAGES 3)" % BOX, self.done(b"STATUS %b (MESSAGES)" % BOX))

    @proves("K18")
    def test_nothing_tells_of_what_cannot_be_seen(self) -> None:
        self.give(b"p")
        for name in (BOX, b'"Other Users/bob/none"', b'"Other Users/nobody/INBOX"', PREFIX):
            self.refused(
                b"NONEXISTENT", b"SELECT " + name, b"EXAMINE " + name, b"DELETE " + name,
                b"STATUS %b (MESSAGES)" % name, b"RENAME %b mine" % name, b"MYRIGHTS " + name,
                b"GETACL " + name, b"SETACL %b alice lr" % name, b"LISTRIGHTS %b alice" % name,
            )  # fmt: skip
            self.refused(b"TRYCREATE", b"APPEND %b {1+}\r\nx" % name)
            self.refused(b"NOPERM", b"CREATE " + name.rstrip(b'"') + b'/x"')

    def test_names_can_be_subscribed(self) -> None:
        self.give(b"lr")
        self.done(b"SUBSCRIBE " + BOX)
        self.assertIn(b'* LSUB () "/" ' + BOX, self.done(b'LSUB "" *'))


class Reading(Sharing):
    def test_select_takes_r_and_says_what_may_be_changed(self) -> None:
        for letters, permanent, mode in (
            (b"lr", b"", b"READ-ONLY"),
            (b"lrp", b"", b"READ-ONLY"),
            (b"lrs", b"\\Seen", b"READ-WRITE"),
            (b"lrt", b"\\Deleted", b"READ-WRITE"),
            (b"lrw", b"\\Answered \\Flagged \\Draft \\*", b"READ-WRITE"),
            (b"lri", b"", b"READ-WRITE"),
            (b"lre", b"", b"READ-WRITE"),
        ):
            self.give(letters)
            answers = self.done(b"SELECT " + BOX)
            self.assertEqual(answers[-1], b"x OK [%b] Mailbox selected." % mode, letters)
            told = re.search(rb"PERMANENTFLAGS \(([^)]*)\)", b"\n".join(answers))
            self.assertEqual(told and told[1], permanent, letters)
            self.assertEqual(
                self.done(b"EXAMINE " + BOX)[-1], b"x OK [READ-ONLY] Mailbox selected."
            )
        self.give(b"lsw")
        self.refused(b"NOPERM", b"SELECT " + BOX, b"EXAMINE " + BOX)

    def test_reading_marks_as_seen_where_that_is_allowed(self) -> None:
        self.give(b"lrw")
        self.done(b"SELECT " + BOX)
        self.assertEqual(fetch(self.alice, b"1 BODY[]")[1][b"BODY[]"], b"one")
        self.assertEqual(fetch(self.alice, b"1 FLAGS")[1][b"FLAGS"], [])
        self.give(b"lrs")
        fetch(self.alice, b"1 BODY[]")
        self.assertEqual(fetch(self.alice, b"1 FLAGS")[1][b"FLAGS"], [b"\\Seen"])

    def test_news_of_others_are_told(self) -> None:
        self.give(b"lr")
        self.done(b"SELECT " + BOX)
        self.done(b"SELECT box", b"STORE 1 +FLAGS (\\Deleted)", b"APPEND box {1+}\r\nx",
                  client=self.bob)  # fmt: skip
        told = self.done(b"NOOP")
        self.assertIn(b"* 4 EXISTS", told)
        self.assertTrue([line for line in told if b"FETCH (UID 1 FLAGS (\\Deleted))" in line], told)
        self.done(b"EXPUNGE", client=self.bob)
        self.assertIn(b"* 1 EXPUNGE", self.done(b"NOOP"))

    @proves("K19")
    def test_who_may_read_no_more_is_told_at_once(self) -> None:
        self.give(b"lr")
        self.done(b"SELECT " + BOX)
        self.give(b"l")
        self.assertTrue(self.alice.read().startswith(b"* OK [CLOSED] Closed. You may not"))
        self.refused(b"NOPERM", b"FETCH 1 FLAGS")
        self.give(b"lr")
        self.done(b"SELECT " + BOX)
        self.give(b'""')
        self.assertTrue(self.alice.read().startswith(b"* OK [CLOSED] Closed. There is no such"))

    def test_who_may_change_no_more_is_told_so(self) -> None:
        self.give(b"lrw")
        self.done(b"SELECT " + BOX)
        self.give(b"lr")
        self.assertIn(b"* OK [READ-ONLY] The mailbox is so now.", self.done(b"NOOP"))
        self.refused(b"NOPERM", b"STORE 1 +FLAGS (\\Flagged)")


@proves("K17")
class Changing(Sharing):
    def test_a_store_changes_the_flags_that_it_may(self) -> None:
        self.give(b"lrs")
        self.done(b"SELECT " + BOX)
        self.done(b"STORE 1 +FLAGS (\\Seen \\Deleted \\Flagged)")
        self.assertEqual(fetch(self.alice, b"1 FLAGS")[1][b"FLAGS"], [b"\\Seen"])
        self.refused(b"NOPERM", b"STORE 1 +FLAGS (\\Deleted)", b"STORE 1 FLAGS ($X)")

    def test_expunge_takes_e_and_close_does_without(self) -> None:
        self.give(b"lrt")
        self.done(b"SELECT " + BOX, b"STORE 1:2 +FLAGS (\\Deleted)")
        self.refused(b"NOPERM", b"EXPUNGE", b"UID EXPUNGE 1:*")
        self.done(b"CLOSE")
        self.assertIn(b"* STATUS box (MESSAGES 3)",
                      self.done(b"STATUS box (MESSAGES)", client=self.bob))  # fmt: skip
        self.give(b"lrte")
        self.done(b"SELECT " + BOX, b"CLOSE")
        self.assertIn(b"* STATUS box (MESSAGES 1)",
                      self.done(b"STATUS box (MESSAGES)", client=self.bob))  # fmt: skip

    def test_append_and_copy_take_i(self) -> None:
        self.give(b"lr")
        self.done(b"SELECT INBOX")
        commands = (b"APPEND %b (\\Seen) {1+}\r\nx" % BOX, b"COPY 1 " + BOX, b"MOVE 1 " + BOX)
        self.refused(b"NOPERM", *commands)
        self.give(b"lri")
        answers = [self.done(command) for command in commands]
        self.assertRegex(answers[0][-1], rb"\[APPENDUID \d+ 4\]")
        self.assertRegex(answers[1][-1], rb"\[COPYUID \d+ 1 5\]")
        self.assertRegex(answers[2][0], rb"\* OK \[COPYUID \d+ 1 6\]")
        self.assertIn(b"* 1 EXPUNGE", answers[2])
        self.done(b"EXAMINE " + BOX)
        for row in fetch(self.alice, b"4:6 FLAGS").values():
            self.assertNotIn(b"\\Seen", row[b"FLAGS"])

    def test_a_move_out_of_it_takes_t_and_e(self) -> None:
        for letters in (b"lrt", b"lre"):
            self.give(letters)
            self.done(b"SELECT " + BOX)
            self.refused(b"NOPERM", b"MOVE 1 INBOX")
        self.give(b"lrte")
        self.done(b"SELECT " + BOX)
        self.assertIn(b"* 1 EXPUNGE", self.done(b"MOVE 1 INBOX"))
        self.assertIn(b"* STATUS INBOX (MESSAGES 3)", self.done(b"STATUS INBOX (MESSAGES)"))

    def test_create_takes_k_above_and_delete_x(self) -> None:
        self.give(b"lr")
        new = BOX[:-1] + b'/new"'
        self.refused(b"NOPERM", b"CREATE " + new, b"DELETE " + BOX)
        self.give(b"lrk")
        self.done(b"CREATE " + new)
        self.refused(b"NOPERM", b"DELETE " + new, b"RENAME %b %b" % (new, BOX[:-1] + b'/newer"'))
        self.give(b"lrx")
        self.refused(b"NOPERM", b"RENAME %b %b" % (new, BOX[:-1] + b'/newer"'))
        self.done(b"DELETE " + new)

    def test_names_do_not_go_from_one_owner_to_another(self) -> None:
        self.give(b"lrkx")
        self.done(b"CREATE mine")
        self.refused(b"CANNOT", b"RENAME %b mine2" % BOX, b"RENAME mine " + BOX[:-1] + b'/mine"')

    def test_rights_are_told_and_given_by_who_may(self) -> None:
        self.give(b"lr")
        self.assertEqual(say(self.alice, b"MYRIGHTS " + BOX)[1][0][3], b"lr")
        self.refused(b"NOPERM", b"GETACL " + BOX, b"LISTRIGHTS %b alice" % BOX,
                     b"SETACL %b anyone lr" % BOX, b"DELETEACL %b alice" % BOX)  # fmt: skip
        self.give(b"lra")
        self.done(b"SETACL %b anyone lr" % BOX)
        found: Any = say(self.alice, b"GETACL " + BOX)[1][0][3:]
        self.assertEqual(found, [b"bob", b"lrswipkxteacd", b"alice", b"lra", b"anyone", b"lr"])

    def test_what_is_put_there_counts_for_the_owner(self) -> None:
        self.give(b"lri")
        self.assertEqual(say(self.alice, b"GETQUOTAROOT " + BOX)[1][0][3:], [b"Other Users/bob"])
        self.assertEqual(say(self.alice, b"GETQUOTAROOT INBOX")[1][0][3:], [b""])


class Beside(Sharing):
    """Mailboxes of other users, and those of other servers."""

    def test_a_name_below_may_be_at_another_server(self) -> None:
        self.give(b"lr")
        self.site.put_elsewhere("Other Users/bob/box", user="alice")
        self.done(b'RLIST "" *')
        self.refused(
            b"REFERRAL imap://alice;AUTH=*@s2.example:1143/Other%20Users/bob/box", b"SELECT " + BOX
        )

    def test_who_lives_elsewhere_sees_none(self) -> None:
        self.done(b"SETACL box anyone lr", client=self.bob)
        carol = self.site.log_in(user=b"carol")
        self.assertNotIn(b"Other Users/bob", carol.say(b'x LIST "" *\r\n'))
