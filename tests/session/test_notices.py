"""What a session is told of its mailbox, when, and when no more; and IDLE."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Limits
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, say
from tests.session.responses import lines
from tests.session.support import Client

FETCHED_SEEN = [b"*", 1, b"FETCH", [b"UID", 1, b"FLAGS", [b"\\Seen"]]]


@proves("base:unsolicited data")
class Queued(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(*[SIMPLE] * 4)
        self.client = self.home.log_in()
        self.other = self.home.log_in()

    def test_nothing_comes_while_no_command_runs(self) -> None:
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        say(self.other, b"STORE 1 +FLAGS \\Seen")
        say(self.other, b"STORE 2 +FLAGS \\Deleted")
        say(self.other, b"EXPUNGE")
        self.assertEqual(self.client.read(), b"")
        answer, untagged = say(self.client, b"NOOP")
        self.assertEqual(
            untagged, [[b"*", 2, b"EXPUNGE"], [b"*", 4, b"EXISTS"], FETCHED_SEEN], answer
        )
        self.assertEqual(say(self.client, b"NOOP")[1], [])

    def test_removals_wait_for_a_command_that_may_tell_of_them(self) -> None:
        say(self.other, b"STORE 1,3 +FLAGS.SILENT \\Deleted")
        say(self.other, b"EXPUNGE")
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        # The new one is the fifth for this client: two that are gone still count.
        self.assertIn([b"*", 5, b"EXISTS"], say(self.client, b"FETCH 4 UID")[1])
        self.assertEqual(say(self.client, b"FETCH 4 UID")[1], [[b"*", 4, b"FETCH", [b"UID", 4]]])
        self.assertEqual(say(self.client, b"SEARCH ALL")[1], [[b"*", b"SEARCH", 2, 4, 5]])
        untagged = say(self.client, b"STORE 2:4 +FLAGS $a")
        self.assertTrue(untagged[0].startswith(b"OK [EXPUNGEISSUED] "), untagged)
        self.assertEqual([line[1] for line in untagged[1]], [b"FLAGS", 2, 4])
        answer, untagged = say(self.client, b"FETCH 1 FLAGS")
        self.assertTrue(answer.startswith(b"NO [EXPUNGEISSUED] "), answer)
        self.assertEqual(untagged, [])
        self.assertTrue(say(self.client, b"COPY 1:2 INBOX")[0].startswith(b"NO [EXPUNGEISSUED] "))

    def test_the_uid_forms_may_tell_of_removals(self) -> None:
        say(self.other, b"STORE 1 +FLAGS.SILENT \\Deleted")
        say(self.other, b"EXPUNGE")
        answer, untagged = say(self.client, b"UID FETCH 4 UID")
        self.assertEqual(untagged, [[b"*", 4, b"FETCH", [b"UID", 4]], [b"*", 1, b"EXPUNGE"]])
        self.assertEqual(answer, b"OK Fetched.")

    @proves("base:EXPUNGE/CLOSE")
    def test_numbers_are_right_whatever_the_order_in_which_messages_go(self) -> None:
        say(self.other, b"STORE 2,4 +FLAGS.SILENT \\Deleted")
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(
            say(self.client, b"EXPUNGE")[1],
            [[b"*", 4, b"EXPUNGE"], [b"*", 2, b"EXPUNGE"], [b"*", 3, b"EXISTS"]],
        )

    def test_a_keyword_is_told_before_the_message_that_has_it(self) -> None:
        """To a client that fetches before it hears what another has done (RFC 3501, 7.2.6)."""
        for keyword, items in ((b"$one", b"(FLAGS)"), (b"$two", b"(UID FLAGS BODY[])")):
            say(self.other, b"STORE 1 +FLAGS " + keyword)
            untagged = say(self.client, b"FETCH 1:2 " + items)[1]
            self.assertEqual(untagged[0][1], b"FLAGS", untagged)
            self.assertIn(keyword, untagged[0][2])
            self.assertEqual([line[2] for line in untagged[1:3]], [b"FETCH"] * 2)
            again = say(self.client, b"FETCH 1:2 " + items)[1]
            self.assertEqual([line[2] for line in again], [b"FETCH"] * 2)

    def test_new_flags_are_told_once_and_own_changes_not_again(self) -> None:
        say(self.other, b"STORE 1 FLAGS $x")
        say(self.other, b"STORE 1 FLAGS \\Seen")
        self.assertEqual(say(self.client, b"CHECK")[1], [FETCHED_SEEN])
        self.assertEqual(say(self.client, b"CHECK")[1], [])
        self.assertEqual(say(self.other, b"NOOP")[1], [])

    def test_what_cannot_be_found_out_now_is_told_later(self) -> None:
        folder = self.client.session.folder

        async def changes(_since: int) -> Any:
            raise Unavailable("for a moment")

        patch = self.patch(folder, "changes", changes)
        say(self.other, b"STORE 1 +FLAGS \\Seen")
        self.assertEqual(len(say(self.client, b"FETCH 2 UID")[1]), 1)
        patch.restore()
        self.assertEqual(say(self.client, b"FETCH 2 UID")[1][1:], [FETCHED_SEEN])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_flags_of_a_message_told_later_come_after_it(self) -> None:
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        say(self.other, b"STORE 5 +FLAGS \\Seen")
        self.assertEqual(
            say(self.client, b"NOOP")[1],
            [[b"*", 5, b"EXISTS"], [b"*", 5, b"FETCH", [b"UID", 5, b"FLAGS", [b"\\Seen"]]]],
        )

    def test_a_mailbox_that_becomes_read_only_is_told_and_kept_so(self) -> None:
        self.client.session.modeChanged(False)
        self.assertEqual(say(self.client, b"NOOP")[1], [b"* OK [READ-ONLY] The mailbox is so now."])
        self.assertTrue(say(self.client, b"STORE 1 FLAGS a")[0].startswith(b"NO "))
        reader = self.home.log_in(b"EXAMINE INBOX")
        reader.session.modeChanged(True)
        self.assertEqual(say(reader, b"NOOP")[1], [])
        self.assertFalse(reader.session.writable)

    def test_recent_counts_that_a_mailbox_tells_are_passed_on(self) -> None:
        self.client.session.newMessages(None, 3)
        self.assertEqual(say(self.client, b"NOOP")[1], [[b"*", 3, b"RECENT"]])

    def test_a_mailbox_that_is_deleted_loses_its_messages(self) -> None:
        self.client.say(b"x CREATE a\r\nx COPY 1:2 a\r\nx SELECT a\r\n")
        say(self.other, b"DELETE a")
        self.assertEqual(
            say(self.client, b"NOOP")[1], [[b"*", 2, b"EXPUNGE"], [b"*", 1, b"EXPUNGE"]]
        )

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1]),
                st.sampled_from(
                    [
                        b"APPEND INBOX {1+}\r\nx",
                        b"STORE 1 +FLAGS \\Deleted",
                        b"UID STORE 1:3 +FLAGS (\\Deleted)",
                        b"STORE * +FLAGS.SILENT (\\Deleted)",
                        b"EXPUNGE",
                        b"NOOP",
                        b"FETCH 1:* (UID FLAGS)",
                        b"UID FETCH 2:* FLAGS",
                        b"SEARCH ALL",
                        b"IDLE\r\nDONE",
                    ]
                ),
            ),
            max_size=25,
        )
    )
    def test_what_the_clients_are_told_always_adds_up(
        self, script: list[tuple[int, bytes]]
    ) -> None:
        home = Home(*[SIMPLE] * 3)
        mirrors = [Mirror(home.log_in()) for _ in range(2)]
        for who, command in script:
            mirrors[who].do(command)
        for mirror in mirrors:
            mirror.do(b"NOOP")
            mirror.do(b"FETCH 1:* (UID FLAGS)")
            self.assertEqual(mirror.uids, [message.uid for message in home.inbox.messages])
            flags = [set(message.getFlags()) for message in home.inbox.messages]
            self.assertEqual([mirror.flags[uid] for uid in mirror.uids if uid], flags)


class Mirror:
    """A client that keeps count: a UID for each number, None while it has not been told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.uids: list[int | None] = [1, 2, 3]
        self.flags: dict[int | None, set[str]] = {}

    def do(self, command: bytes) -> None:
        keeps = command.split()[0] in (b"FETCH", b"STORE", b"SEARCH")
        for line in lines(self.client.say(b"x " + command + b"\r\n")):
            if isinstance(line, list):
                self._take(line, keeps)

    def _take(self, line: list[Any], keeps: bool) -> None:
        if line[2:] == [b"EXISTS"]:
            assert line[1] > len(self.uids), line
            self.uids += [None] * (line[1] - len(self.uids))
        elif line[2:] == [b"EXPUNGE"]:
            assert not keeps
            del self.uids[line[1] - 1]
        elif line[2:3] == [b"FETCH"]:
            items = dict(zip(line[3][::2], line[3][1::2], strict=True))
            uid = items.get(b"UID", self.uids[line[1] - 1])
            assert self.uids[line[1] - 1] in (None, uid), line
            self.uids[line[1] - 1] = uid
            if b"FLAGS" in items:
                self.flags[uid] = {flag.decode() for flag in items[b"FLAGS"]}


@proves("base:unsolicited data")
class Leaving(SynchronousTestCase):
    def test_a_session_that_has_gone_or_deselected_is_no_longer_told(self) -> None:
        for command in (b"CLOSE", b"UNSELECT", b"SELECT none", b"LOGOUT", b""):
            home = Home()
            client = home.log_in()
            self.assertEqual(home.inbox.listeners, [client.session.folder])
            if command:
                client.say(b"x " + command + b"\r\n")
            else:
                client.transport.loseConnection()
            self.assertEqual(home.inbox.listeners, [], command)
            home.inbox.messages[0].flags.add("\\Deleted")
            home.inbox.expunge()

    def test_nothing_is_told_behind_the_good_bye(self) -> None:
        home = Home()
        client = home.log_in()
        home.inbox.messages[0].flags.add("\\Flagged")
        client.session.folder.flagsChanged({1: ["\\Flagged"]})
        self.assertEqual(client.say(b"x LOGOUT\r\n"), b"* BYE Good-bye.\r\nx OK Logged out.\r\n")

    def test_a_mailbox_that_can_be_closed_is_closed_once(self) -> None:
        for command in (b"CLOSE", b"UNSELECT", b"EXAMINE other", b"LOGOUT", b""):
            box = Mailbox(SIMPLE)
            client = Home(account=Account(INBOX=box, other=Mailbox())).log_in()
            if command:
                client.say(b"x " + command + b"\r\n")
            client.transport.loseConnection()
            self.assertEqual((box.closed, box.listeners), (1, []), command)

    def test_a_mailbox_that_fails_to_let_go_does_not_keep_the_connection(self) -> None:
        box = Mailbox(SIMPLE)
        home = Home(account=Account(INBOX=box))
        client = home.log_in()
        box.listeners.clear()
        client.transport.loseConnection()
        self.assertEqual(home.house.factory.sessions, set())
        self.assertEqual(len(home.house.notes.faults), 1)

    def test_a_mailbox_that_cannot_be_looked_at_does_not_spoil_a_command(self) -> None:
        box = Mailbox(SIMPLE)
        home = Home(account=Account(INBOX=box))
        client = home.log_in()
        client.session.newMessages(2, None)
        box.getMessageCount = None  # type: ignore[assignment,method-assign]
        self.assertEqual(say(client, b"FETCH 1 UID")[0], b"OK Fetched.")
        self.assertEqual(len(home.house.notes.faults), 1)

    def test_a_client_that_polls_hears_of_what_the_mailbox_told_nobody(self) -> None:
        box = Mailbox(SIMPLE, SIMPLE, SIMPLE)
        client = Home(account=Account(INBOX=box)).log_in()
        del box.messages[1]
        self.assertEqual(say(client, b"FETCH 1 UID")[1], [[b"*", 1, b"FETCH", [b"UID", 10]]])
        self.assertEqual(say(client, b"NOOP")[1], [[b"*", 2, b"EXPUNGE"]])
        self.assertEqual(say(client, b"CHECK")[1], [])

    def test_odd_calls_of_a_mailbox_do_no_harm(self) -> None:
        home = Home()
        client = home.log_in()
        client.session.flagsChanged({99: ["\\Seen"], 1: ["\\Seen", "not one", b"\\Draft"]})
        self.assertEqual(
            say(client, b"NOOP")[1],
            [[b"*", 1, b"FETCH", [b"UID", 1, b"FLAGS", [b"\\Seen", b"\\Draft"]]]],
        )
        client.say(b"x UNSELECT\r\n")
        client.session.flagsChanged({1: ["\\Seen"]})
        client.session.newMessages(7, 7)
        self.assertEqual(say(client, b"NOOP")[1], [])


class Idle(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(limits=Limits(idle_time=1740.0))
        self.client = self.home.log_in()
        self.other = self.home.log_in()

    def test_it_is_offered_after_login(self) -> None:
        self.assertIn(b" IDLE", self.client.say(b"x CAPABILITY\r\n"))

    @proves("base:IDLE", "base:unsolicited data")
    def test_changes_are_told_as_they_happen_until_done(self) -> None:
        self.assertEqual(self.client.say(b"x IDLE\r\n"), b"+ idling\r\n")
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(lines(self.client.read()), [[b"*", 3, b"EXISTS"]])
        say(self.other, b"STORE 1 +FLAGS.SILENT (\\Deleted)")
        say(self.other, b"EXPUNGE")
        told = lines(self.client.read())
        self.assertEqual(told[0][1:3], [1, b"FETCH"])
        self.assertEqual(told[1:], [[b"*", 1, b"EXPUNGE"]])
        self.assertEqual(self.client.say(b"done\r\n"), b"x OK Idled.\r\n")
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(self.client.read(), b"")

    @proves("base:IDLE")
    def test_what_was_queued_comes_before_the_continuation(self) -> None:
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(self.client.say(b"x IDLE\r\n"), b"* 3 EXISTS\r\n+ idling\r\n")

    @proves("base:IDLE")
    def test_anything_but_done_is_bad_and_ends_it(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.assertEqual(self.client.say(b"y NOOP\r\n"), b"x BAD Expected DONE.\r\n")
        self.assertEqual(self.client.say(b"z NOOP\r\n"), b"z OK Nothing done.\r\n")
        self.assertTrue(self.client.say(b"x IDLE now\r\n").startswith(b"x BAD "))

    @proves("base:IDLE", "base:pipelining")
    def test_done_may_come_in_pieces_or_at_once_with_what_follows(self) -> None:
        self.assertEqual(
            self.client.say(b"x IDLE\r\nDONE\r\ny NOOP\r\n"),
            b"+ idling\r\nx OK Idled.\r\ny OK Nothing done.\r\n",
        )
        self.client.say(b"x IDLE\r\n")
        self.assertEqual(self.client.say(b"DO"), b"")
        self.assertEqual(self.client.say(b"NE\r"), b"")
        self.assertEqual(self.client.say(b"\ny NOOP\r\n"), b"x OK Idled.\r\ny OK Nothing done.\r\n")

    def test_it_works_without_a_mailbox(self) -> None:
        client = self.home.log_in(b"NOOP")
        self.assertEqual(client.say(b"x IDLE\r\n"), b"+ idling\r\n")
        self.assertEqual(client.say(b"DONE\r\n"), b"x OK Idled.\r\n")

    def test_the_time_counts_as_silence(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.home.house.clock.advance(1739)
        self.assertFalse(self.client.closed)
        self.home.house.clock.advance(2)
        self.assertEqual(self.client.read(), b"* BYE Idle for too long.\r\n")

    def test_a_connection_lost_in_it_leaves_nothing(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.client.transport.loseConnection()
        self.assertEqual(self.home.inbox.listeners, [self.other.session.folder])
        say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(self.home.house.notes.faults, [])

    def test_a_client_that_does_not_read_is_told_the_sum_when_it_reads(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.client.session.pauseProducing()
        for _ in range(3):
            say(self.other, b"APPEND INBOX {1+}\r\nx")
        self.assertEqual(self.client.read(), b"")
        self.client.session.resumeProducing()
        self.assertEqual(self.client.read(), b"* 5 EXISTS\r\n")
        self.assertEqual(self.client.transport.producerState, "producing")
        self.assertEqual(self.client.say(b"DONE\r\n"), b"x OK Idled.\r\n")

    def test_a_line_that_is_too_long_ends_the_session(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.assertIn(b"* BYE", self.client.say(b"x" * 100_000))
        self.assertTrue(self.client.closed)
