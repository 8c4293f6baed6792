"""STORE, COPY, APPEND and the UID forms."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Limits
from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import DATE, Home, fetch, say


@proves("base:STORE")
class Store(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in()

    def test_flags_are_set_added_and_removed_and_told(self) -> None:
        for change, flags in (
            (b"FLAGS (\\Seen $a)", [b"$a", b"\\Seen"]),
            (b"+flags \\Flagged \\DELETED", [b"$a", b"\\Deleted", b"\\Flagged", b"\\Seen"]),
            (b"-FLAGS ($A \\Deleted)", [b"\\Flagged", b"\\Seen"]),
            (b"FLAGS ()", []),
        ):
            answer, untagged = say(self.client, b"STORE 1 " + change)
            self.assertEqual(answer, b"OK Stored.")
            self.assertEqual(untagged[-1], [b"*", 1, b"FETCH", [b"FLAGS", flags]])

    def test_a_flag_that_the_mailbox_did_not_know_is_told_as_one_that_it_has_now(self) -> None:
        _, untagged = say(self.client, b"STORE 1 +FLAGS ($new \\Seen)")
        self.assertEqual(untagged[0][:2], [b"*", b"FLAGS"])
        self.assertIn(b"$new", untagged[0][2])
        self.assertIn(b"\\Seen", untagged[0][2])
        self.assertEqual(len(untagged), 2)
        self.assertEqual(len(say(self.client, b"STORE 2 +FLAGS $new")[1]), 1)

    def test_silent_tells_nothing_and_the_uid_form_tells_the_uid(self) -> None:
        self.assertEqual(say(self.client, b"STORE 1:2 +FLAGS.SILENT \\Seen"), (b"OK Stored.", []))
        self.assertEqual(say(self.client, b"NOOP")[1], [])
        _, untagged = say(self.client, b"UID STORE 2,9 -FLAGS \\Seen")
        self.assertEqual(untagged, [[b"*", 2, b"FETCH", [b"FLAGS", [], b"UID", 2]]])
        self.assertEqual(say(self.client, b"UID STORE 9 FLAGS \\Seen"), (b"OK Stored.", []))

    def test_only_the_items_that_there_are(self) -> None:
        for change in (
            b"BOGUS \\Seen", b"FLAGS", b"FLAGS (\\Recent)", b"+FLAGS.LOUD \\Seen", b"FLAGS (a",
            b"FLAGS {1+}\r\na",
        ):  # fmt: skip
            answer, _ = say(self.client, b"STORE 1 " + change)
            self.assertTrue(answer.startswith(b"BAD "), (change, answer))
        answer, _ = say(self.client, b"STORE 1 FLAGS \\Invented")
        self.assertTrue(answer.startswith(b"NO [CANNOT] "), answer)
        self.assertTrue(say(self.client, b"STORE 3 FLAGS a")[0].startswith(b"BAD "))

    def test_nothing_in_a_mailbox_that_is_read_only(self) -> None:
        reader = self.home.log_in(b"EXAMINE INBOX")
        answer, untagged = say(reader, b"STORE 1 +FLAGS \\Seen")
        self.assertTrue(answer.startswith(b"NO [NOPERM] "), answer)
        self.assertEqual(untagged, [])
        self.assertEqual(self.home.inbox.messages[0].flags, set())

    def test_a_mailbox_of_deferreds(self) -> None:
        box = Mailbox(SIMPLE, NESTED)
        client = Home(account=Account(INBOX=box)).log_in()
        _, untagged = say(client, b"UID STORE 20 +FLAGS (\\Seen)")
        self.assertEqual(untagged, [[b"*", 2, b"FETCH", [b"FLAGS", [b"\\Seen"], b"UID", 20]]])
        self.assertEqual(box.messages[1].flags, ["\\Seen"])


@proves("base:COPY")
class Copy(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in()
        self.client.say(b"x CREATE other\r\nx STORE 1 FLAGS ($a \\Seen)\r\n")

    def test_flags_dates_and_bytes_are_kept(self) -> None:
        answer = say(self.client, b"COPY 1:2 other")
        self.assertEqual(answer, (b"OK [COPYUID 1002 1:2 1:2] Copied.", []))
        made = self.home.account.mailboxes["other"].messages
        for copy, original in zip(made, self.home.inbox.messages, strict=True):
            self.assertEqual(copy.content, original.content)
            self.assertEqual(copy.getFlags(), original.getFlags())
            self.assertEqual(copy.date, original.date)

    def test_copies_into_the_selected_mailbox_are_told_of(self) -> None:
        answer, untagged = say(self.client, b"UID COPY 2,7 INBOX")
        self.assertEqual(answer, b"OK [COPYUID 1001 2 3] Copied.")
        self.assertEqual(untagged, [[b"*", 3, b"EXISTS"]])

    def test_a_mailbox_that_is_not_there_is_trycreate(self) -> None:
        for command in (b"COPY 1 none", b"UID COPY 1 none", b"APPEND none {1+}\r\nx"):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [TRYCREATE] "), answer)
        self.assertNotIn("none", self.home.account.mailboxes)

    def test_nothing_to_copy(self) -> None:
        self.assertEqual(say(self.client, b"UID COPY 99 other")[0], b"OK Copied.")
        self.assertTrue(say(self.client, b"COPY 99 other")[0].startswith(b"BAD "))

    def test_all_or_none(self) -> None:
        box, target = Mailbox(SIMPLE, NESTED, SIMPLE), Mailbox(NESTED)
        target.fail_after = 2
        home = Home(account=Account(INBOX=box, other=target))
        answer, _ = say(home.log_in(), b"COPY 1:3 other")
        self.assertTrue(answer.startswith(b"NO [SERVERBUG] "), answer)
        self.assertEqual(len(target.messages), 1)
        self.assertEqual(len(home.house.notes.faults), 1)

    def test_taking_copies_back_takes_nothing_else(self) -> None:
        target = Mailbox(NESTED)
        target.messages[0].flags = ["\\Deleted"]
        target.fail_after = 1
        client = Home(account=Account(INBOX=Mailbox(SIMPLE, SIMPLE), other=target)).log_in()
        self.assertTrue(say(client, b"COPY 1:2 other")[0].startswith(b"NO "))
        self.assertEqual([m.flags for m in target.messages], [["\\Deleted"]])

    def test_a_target_that_takes_no_messages(self) -> None:
        closed, unreal = Mailbox(), Mailbox(flags=("\\Noselect",))
        closed.writable = False
        client = Home(account=Account(INBOX=Mailbox(SIMPLE), closed=closed, unreal=unreal)).log_in()
        self.assertTrue(say(client, b"COPY 1 closed")[0].startswith(b"NO [NOPERM] "))
        self.assertTrue(say(client, b"COPY 1 unreal")[0].startswith(b"NO [CANNOT] "))


@proves("base:APPEND")
class Append(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in(b"NOOP")

    def test_flags_and_date_may_be_left_out(self) -> None:
        for arguments in (b"", b"() ", b"(\\Seen $A) ", DATE + b" ", b"(\\Draft) " + DATE + b" "):
            answer, untagged = say(self.client, b"APPEND INBOX " + arguments + b"{5+}\r\nhello")
            self.assertRegex(answer, rb"\AOK \[APPENDUID 1001 [3-7]\] Appended.\Z")
            self.assertEqual(untagged, [])
        found = fetch(self.home.log_in(), b"3:* (FLAGS INTERNALDATE BODY.PEEK[])")
        self.assertEqual({items[b"BODY[]"] for items in found.values()}, {b"hello"})
        flags = [found[number][b"FLAGS"] for number in (3, 4, 5, 6, 7)]
        self.assertEqual(flags, [[], [], [b"$A", b"\\Seen"], [], [b"\\Draft"]])
        for number in (6, 7):
            self.assertEqual(found[number][b"INTERNALDATE"], DATE.strip(b'"'))
        self.assertNotEqual(found[3][b"INTERNALDATE"], found[6][b"INTERNALDATE"])

    def test_a_synchronising_literal_and_one_in_the_name(self) -> None:
        self.assertTrue(self.client.say(b"a APPEND {5}\r\n").startswith(b"+ "))
        self.assertTrue(self.client.say(b"INBOX (\\Seen) {2}\r\n").startswith(b"+ "))
        answer = self.client.say(b"hi\r\n")
        self.assertEqual(answer, b"a OK [APPENDUID 1001 3] Appended.\r\n")
        self.assertEqual(self.home.inbox.messages[2].content, b"hi")

    def test_what_is_selected_is_told_of_its_own_messages_only(self) -> None:
        self.client.say(b"x CREATE other\r\nx SELECT other\r\n")
        self.assertEqual(say(self.client, b"APPEND INBOX {1+}\r\nx")[1], [])
        self.assertEqual(say(self.client, b"APPEND other {1+}\r\nx")[1], [[b"*", 1, b"EXISTS"]])

    def test_anything_else_is_refused(self) -> None:
        for arguments in (
            b"", b" {1+}\r\nx", b"INBOX", b"INBOX x", b'INBOX "x"', b"INBOX (a {1+}\r\nx",
            b'INBOX "17-Jul-1996" {1+}\r\nx', b'INBOX "32-Jul-1996 02:44:25 -0700" {1+}\r\nx',
            b"INBOX (\\Recent) {1+}\r\nx", b"INBOX {1+}\r\nxy",
            b"INBOX {1+}\r\n\0",
        ):  # fmt: skip
            client = self.home.log_in(b"NOOP")
            answer = client.say(b"x APPEND " + arguments + b"\r\n")
            self.assertTrue(answer.startswith(b"x BAD "), (arguments, answer))
        answer = say(self.client, b"APPEND INBOX (\\Odd) {1+}\r\nx")[0]
        self.assertTrue(answer.startswith(b"NO [CANNOT] "), answer)
        self.assertEqual(len(self.home.inbox.messages), 2)

    @proves("base:DoS limits")
    def test_a_message_that_is_too_big_is_refused_before_it_is_sent(self) -> None:
        home = Home(limits=Limits(literal_authenticated=100))
        client = home.log_in(b"NOOP")
        answer = client.say(b"x APPEND INBOX {101}\r\n")
        self.assertTrue(answer.startswith(b"x NO [TOOBIG] "), answer)

    @proves("base:DoS limits")
    def test_an_account_that_is_full_says_so(self) -> None:
        self.home.account.room.left = 3000
        answer = say(self.client, b"APPEND INBOX {2000+}\r\n" + b"x" * 2000)[0]
        self.assertTrue(answer.startswith(b"OK "), answer)
        answer = say(self.client, b"APPEND INBOX {2000+}\r\n" + b"x" * 2000)[0]
        self.assertTrue(answer.startswith(b"NO [OVERQUOTA] "), answer)
        self.client.say(b"x SELECT INBOX\r\nx STORE 3 +FLAGS \\Deleted\r\nx EXPUNGE\r\n")
        answer = say(self.client, b"APPEND INBOX {2000+}\r\n" + b"x" * 2000)[0]
        self.assertTrue(answer.startswith(b"OK "), answer)


class UidForms(SynchronousTestCase):
    def test_only_those_that_there_are(self) -> None:
        client = Home().log_in()
        for command in (
            b"UID",
            b"UID NOOP",
            b"UID EXPUNGE",
            b"UID EXPUNGE 1 2",
            b"UID CLOSE",
            b"UID FETCH",
            b"UID UID FETCH 1 UID",
        ):
            self.assertTrue(say(client, command)[0].startswith(b"BAD "), command)
        self.assertTrue(say(client, b"uid fetch 1 uid")[0].startswith(b"OK "))

    def test_an_extension_can_add_one(self) -> None:
        from referrald.session.builtin import standard_table
        from referrald.session.table import SELECT, CommandSpec
        from referrald.wire import grammar
        from referrald.wire.response import Status, ok

        async def expunge(session: object) -> Status:
            return ok("Done so.")

        spec = CommandSpec(
            name="UID XTHING", states=SELECT, grammar=grammar.no_args, handler=expunge
        )
        client = Home(table=standard_table([spec])).log_in()
        self.assertEqual(say(client, b"UID XTHING")[0], b"OK Done so.")
        self.assertTrue(say(client, b"UID XTHING 1")[0].startswith(b"BAD "))
