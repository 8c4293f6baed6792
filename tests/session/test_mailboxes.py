"""Commands on whole mailboxes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import INamespacePresenter
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, say
from tests.session.memory import MemoryAccount
from tests.session.responses import lines

FLAGS = [b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Draft"]


@proves("base:SELECT")
class Select(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(SIMPLE, NESTED, SIMPLE)
        self.client = self.home.log_in(b"NOOP")

    def test_everything_that_a_client_needs_is_told(self) -> None:
        self.home.inbox.messages[0].flags.add("\\Seen")
        answer, untagged = say(self.client, b"SELECT inbox")
        self.assertEqual(answer, b"OK [READ-WRITE] Mailbox selected.")
        self.assertEqual(
            untagged,
            [
                [b"*", 3, b"EXISTS"],
                [b"*", 0, b"RECENT"],
                [b"*", b"FLAGS", FLAGS],
                b"* OK [PERMANENTFLAGS (%b \\*)] Mailbox data." % b" ".join(FLAGS),
                b"* OK [UIDVALIDITY 1001] Mailbox data.",
                b"* OK [UIDNEXT 4] Mailbox data.",
                b"* OK [NOMODSEQ] Mailbox data.",
                b"* OK [UNSEEN 2] Mailbox data.",
            ],
        )

    def test_examine_says_that_nothing_can_be_changed(self) -> None:
        answer, untagged = say(self.client, b"EXAMINE INBOX")
        self.assertEqual(answer, b"OK [READ-ONLY] Mailbox selected.")
        self.assertIn(b"* OK [PERMANENTFLAGS ()] Mailbox data.", untagged)

    def test_no_unseen_without_unseen_messages(self) -> None:
        for message in self.home.inbox.messages:
            message.flags.add("\\Seen")
        _, untagged = say(self.client, b"SELECT INBOX")
        self.assertFalse([line for line in untagged if b"UNSEEN" in line])

    def test_one_that_fails_leaves_nothing_selected(self) -> None:
        for name, code in ((b"none", b"NO [NONEXISTENT] "), (b'"&AOk"', b"NO [CANNOT] ")):
            say(self.client, b"SELECT INBOX")
            answer, _ = say(self.client, b"SELECT " + name)
            self.assertTrue(answer.startswith(code), answer)
            self.assertEqual(self.client.session.state, "auth")
            self.assertTrue(say(self.client, b"FETCH 1 UID")[0].startswith(b"BAD "))
        say(self.client, b"SELECT INBOX")
        # A command that is not IMAP does nothing at all.
        self.assertTrue(say(self.client, b"SELECT INBOX x")[0].startswith(b"BAD "))
        self.assertEqual(self.client.session.state, "select")

    def test_a_name_that_cannot_be_selected(self) -> None:
        home = Home(account=Account(INBOX=Mailbox(flags=("\\NoSelect",))))
        answer, _ = say(home.log_in(b"NOOP"), b"SELECT INBOX")
        self.assertTrue(answer.startswith(b"NO [CANNOT] "), answer)

    def test_a_mailbox_of_deferreds(self) -> None:
        box = Mailbox(SIMPLE, flags=(b"\\Seen", "\\HasNoChildren", "$a", "b d"))
        answer, untagged = say(Home(account=Account(INBOX=box)).log_in(b"NOOP"), b"SELECT INBOX")
        self.assertEqual(answer, b"OK [READ-WRITE] Mailbox selected.")
        self.assertIn([b"*", b"FLAGS", [b"\\Seen", b"$a"]], untagged)

    @proves("S3", "base:pipelining")
    def test_what_is_pipelined_behind_a_slow_one_waits(self) -> None:
        account = Account(INBOX=Mailbox(SIMPLE))
        slow: Deferred[Any] = Deferred()
        client = Home(account=account).log_in(b"NOOP")
        account.select = lambda name, rw=True: slow  # type: ignore[method-assign,misc]
        self.assertEqual(client.say(b"x SELECT INBOX\r\ny FETCH 1 UID\r\n"), b"")
        slow.callback(account.mailboxes["INBOX"])
        answer = client.read()
        self.assertLess(answer.index(b"x OK"), answer.index(b"* 1 FETCH (UID 10)"))


@proves("base:EXPUNGE/CLOSE")
class ExpungeAndClose(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(*[SIMPLE] * 4)
        self.client = self.home.log_in()
        say(self.client, b"STORE 1,3:4 +FLAGS.SILENT \\Deleted")

    def test_expunge_tells_each_number_as_it_is_then(self) -> None:
        answer, untagged = say(self.client, b"EXPUNGE")
        self.assertEqual(answer, b"OK Expunged.")
        self.assertEqual(untagged, [[b"*", number, b"EXPUNGE"] for number in (4, 3, 1)])
        self.assertEqual([message.uid for message in self.home.inbox.messages], [2])

    def test_a_mailbox_that_tells_nobody_and_in_any_order(self) -> None:
        box = Mailbox(*[SIMPLE] * 4)
        client = Home(account=Account(INBOX=box)).log_in()
        say(client, b"STORE 1:2,4 +FLAGS.SILENT \\Deleted")
        _, untagged = say(client, b"EXPUNGE")
        self.assertEqual(untagged, [[b"*", number, b"EXPUNGE"] for number in (4, 2, 1)])

    def test_close_expunges_and_says_nothing(self) -> None:
        self.assertEqual(say(self.client, b"CLOSE"), (b"OK Mailbox closed.", []))
        self.assertEqual(len(self.home.inbox.messages), 1)
        self.assertEqual(self.client.session.state, "auth")

    def test_unselect_and_a_mailbox_opened_for_reading_expunge_nothing(self) -> None:
        say(self.client, b"UNSELECT")
        say(self.client, b"EXAMINE INBOX")
        self.assertTrue(say(self.client, b"EXPUNGE")[0].startswith(b"NO [NOPERM] "))
        say(self.client, b"CLOSE")
        self.assertEqual(len(self.home.inbox.messages), 4)


class Names(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in(b"NOOP")
        for name in (b"a/b/c", b"d", b'"e f"', b"&AOk-"):
            self.assertTrue(say(self.client, b"CREATE " + name)[0].startswith(b"OK "))

    def names(self, command: bytes) -> list[tuple[list[bytes], bytes]]:
        answer, untagged = say(self.client, command)
        self.assertEqual(answer, b"OK Listed.", command)
        for line in untagged:
            self.assertEqual((line[1], line[3]), (command.split()[0], b"/"))
        return [(line[2], line[4]) for line in untagged]

    def plain(self, command: bytes) -> list[bytes]:
        return [name for attributes, name in self.names(command)]

    @proves("base:LIST")
    def test_wildcards_keep_to_their_level_and_the_reference_is_joined(self) -> None:
        everything = [b"INBOX", b"a", b"a/b", b"a/b/c", b"d", b"e f", b"&AOk-"]
        self.assertEqual(self.plain(b'LIST "" *'), everything)
        self.assertEqual(self.plain(b'LIST "" %'), [b"INBOX", b"a", b"d", b"e f", b"&AOk-"])
        self.assertEqual(self.plain(b"LIST a/ %"), [b"a/b"])
        self.assertEqual(self.plain(b"LIST a/b /c"), [b"a/b/c"])
        self.assertEqual(self.plain(b'LIST "" inbox'), [b"INBOX"])
        self.assertEqual(self.plain(b'LIST "" A'), [])
        self.assertEqual(self.plain(b'LIST "" "&AOk-"'), [b"&AOk-"])

    @proves("base:LIST")
    def test_attributes_are_those_of_names_not_of_messages(self) -> None:
        self.assertEqual(self.names(b'LIST "" d'), [([b"\\HasNoChildren"], b"d")])
        boxes = {"INBOX": Mailbox(), "sub": Mailbox(flags=("\\Seen", b"\\noselect", "\\Marked"))}
        client = Home(account=Account(**boxes)).log_in(b"NOOP")
        self.assertEqual(
            say(client, b'LIST "" sub')[1],
            [[b"*", b"LIST", [b"\\Noselect", b"\\Marked", b"\\HasNoChildren"], b".", b"sub"]],
        )

    @proves("base:LIST")
    def test_an_empty_pattern_asks_for_the_delimiter(self) -> None:
        self.assertEqual(self.names(b'LIST "" ""'), [([b"\\Noselect"], b"")])

    @proves("base:LIST")
    def test_levels_that_are_no_mailboxes_are_told_of_behind_a_percent(self) -> None:
        say(self.client, b"DELETE a")
        say(self.client, b"DELETE a/b")
        self.assertEqual(self.names(b'LIST "" a%'), [([b"\\Noselect", b"\\HasChildren"], b"a")])
        self.assertEqual(self.names(b"LIST a/ %"), [([b"\\Noselect", b"\\HasChildren"], b"a/b")])
        self.assertEqual(self.plain(b'LIST "" a*'), [b"a/b/c"])
        client = Home(account=Account(INBOX=Mailbox(), x_y=Mailbox())).log_in(b"NOOP")
        self.assertEqual(
            say(client, b'LIST "" x%')[1],
            [[b"*", b"LIST", [b"\\Noselect", b"\\HasChildren"], b".", b"x"]],
        )

    @proves("base:LSUB")
    def test_subscriptions_do_not_depend_on_mailboxes(self) -> None:
        for name in (b"a/b/c", b"gone"):
            say(self.client, b"SUBSCRIBE " + name)
        self.assertEqual(self.plain(b'LSUB "" *'), [b"INBOX", b"a/b/c", b"gone"])
        say(self.client, b"DELETE a/b/c")
        self.assertEqual(self.plain(b'LSUB "" *'), [b"INBOX", b"a/b/c", b"gone"])
        say(self.client, b"UNSUBSCRIBE gone")
        self.assertEqual(self.plain(b'LSUB "" g*'), [])

    @proves("base:LSUB")
    def test_a_percent_shows_the_parents_of_what_is_subscribed(self) -> None:
        say(self.client, b"SUBSCRIBE a/b/c")
        self.assertEqual(self.names(b'LSUB "" a%'), [([b"\\Noselect"], b"a")])
        self.assertEqual(self.plain(b"LSUB a/ %"), [b"a/b"])

    @proves("base:LSUB")
    def test_an_account_that_can_only_say_yes_or_no(self) -> None:
        account = Account(INBOX=Mailbox(), other=Mailbox())
        client = Home(account=account).log_in(b"NOOP")
        self.assertEqual(say(client, b'LSUB "" *')[1], [])
        say(client, b"SUBSCRIBE other")
        self.assertEqual(say(client, b'LSUB "" *')[1], [[b"*", b"LSUB", [], b".", b"other"]])

    def test_a_name_that_is_taken_or_not_there(self) -> None:
        for command, code in (
            (b"CREATE d", b"ALREADYEXISTS"),
            (b"CREATE inbox", b"ALREADYEXISTS"),
            (b"DELETE none", b"NONEXISTENT"),
            (b"DELETE INBOX", b"CANNOT"),
            (b"RENAME none other", b"NONEXISTENT"),
            (b"RENAME d a", b"ALREADYEXISTS"),
            (b"RENAME INBOX x", b"CANNOT"),
        ):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [" + code + b"] "), (command, answer))

    def test_a_mailbox_is_renamed_with_what_is_below_it(self) -> None:
        say(self.client, b"RENAME a new/place")
        found = self.plain(b'LIST "" n*')
        self.assertEqual(found, [b"new", b"new/place", b"new/place/b", b"new/place/b/c"])

    @proves("base:one bad command kills the connection")
    def test_a_deferred_that_fails_is_a_no(self) -> None:
        client = Home(account=Account(INBOX=Mailbox())).log_in(b"NOOP")
        self.assertTrue(say(client, b"CREATE x")[0].startswith(b"NO [SERVERBUG] "))


@proves("base:STATUS")
class Status(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in(b"NOOP")

    def test_the_name_is_quoted_where_need_be_and_items_come_as_asked(self) -> None:
        self.client.say(b'x CREATE "Work (old)"\r\n')
        _, untagged = say(self.client, b'STATUS "Work (old)" (uidnext MESSAGES)')
        self.assertEqual(
            untagged, [[b"*", b"STATUS", b"Work (old)", [b"UIDNEXT", 1, b"MESSAGES", 0]]]
        )
        _, untagged = say(self.client, b"STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)")
        counts = [b"MESSAGES", 2, b"RECENT", 0, b"UIDNEXT", 3, b"UIDVALIDITY", 1001, b"UNSEEN", 2]
        self.assertEqual(untagged, [[b"*", b"STATUS", b"INBOX", counts]])

    def test_an_unknown_item_is_bad(self) -> None:
        for items in (b"(SIZE)", b"()", b"MESSAGES", b"(MESSAGES", b""):
            answer, untagged = say(self.client, b"STATUS INBOX " + items)
            self.assertTrue(answer.startswith(b"BAD "), answer)
            self.assertEqual(untagged, [])
        self.assertTrue(
            say(self.client, b"STATUS none (MESSAGES)")[0].startswith(b"NO [NONEXISTENT] ")
        )

    def test_it_does_not_select(self) -> None:
        say(self.client, b"STATUS INBOX (MESSAGES)")
        self.assertEqual(self.client.session.state, "auth")
        client = Home(account=Account(INBOX=Mailbox(SIMPLE))).log_in()
        _, untagged = say(client, b"STATUS INBOX (UNSEEN)")
        self.assertEqual(untagged, [[b"*", b"STATUS", b"INBOX", [b"UNSEEN", 1]]])


@implementer(INamespacePresenter)
class Presenting(MemoryAccount):
    def getPersonalNamespaces(self) -> Any:
        return [["", "/"]]

    def getUserNamespaces(self) -> Any:
        return [[b"~", b"/"], ['\u00e9 "x"', None]]

    def getSharedNamespaces(self) -> Any:
        return None


@proves("base:NAMESPACE")
class Namespace(SynchronousTestCase):
    def test_personal_then_other_users_then_shared(self) -> None:
        client = Home(account=Presenting("bob")).log_in(b"NOOP")
        answer = client.say(b"x NAMESPACE\r\n")
        self.assertEqual(
            answer,
            b'* NAMESPACE (("" "/")) (("~" "/")("&AOk- \\"x\\"" NIL)) NIL\r\n'
            b"x OK Namespaces told.\r\n",
        )
        lines(answer)

    def test_an_account_that_does_not_say_has_one(self) -> None:
        client = Home(account=Account(INBOX=Mailbox())).log_in(b"NOOP")
        self.assertEqual(
            client.say(b"x NAMESPACE\r\n").partition(b"\r\n")[0], b'* NAMESPACE (("" ".")) NIL NIL'
        )
