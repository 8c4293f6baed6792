"""Mailbox referrals: what each command answers for a mailbox that is on another server."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoPermission
from referrald.model import Serve
from referrald.routing.guard import StormBreaker
from referrald.session.programs import Programs
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.abroad import DOWN, MOVING, Site, at, url
from tests.session.inbox import fetch, say

BOTH = at(url("FOO"), url("BAR", "s3.example"))
PLACES = {
    "shared": BOTH,
    "Entwürfe": at(url("Entw%C3%BCrfe")),
    "moving": MOVING,
    "lost": DOWN,
}
NO_BOTH = (
    b"NO [REFERRAL imap://bob;AUTH=*@s2.example/FOO imap://bob;AUTH=*@s3.example/BAR] "
    b"That mailbox is on another server: s2.example."
)
NOT_THERE = b"NO [NONEXISTENT] There is no such mailbox."
ONE_NAME = (
    b"SELECT", b"EXAMINE", b"DELETE", b"SUBSCRIBE", b"UNSUBSCRIBE", b"CREATE", b"GETACL",
    b"MYRIGHTS", b"GETQUOTAROOT",
)  # fmt: skip


class Follower(SynchronousTestCase):
    """A client that has asked for remote names."""

    def setUp(self) -> None:
        self.site = Site(dict(PLACES), SIMPLE, SIMPLE)
        self.client = self.site.log_in(b'RLIST "" *')

    @proves("M1")
    def test_the_capability_is_announced(self) -> None:
        self.assertIn(b" MAILBOX-REFERRALS ", self.site.house.connect().read())
        _, untagged = say(self.client, b"CAPABILITY")
        self.assertIn(b"MAILBOX-REFERRALS", untagged[0])

    @proves("M2", "M3", "M4", "M6")
    def test_commands_on_one_mailbox_refer_to_all_replicas_in_order(self) -> None:
        for command in ONE_NAME:
            self.assertEqual(say(self.client, command + b" shared"), (NO_BOTH, []), command)

    @proves("M2")
    def test_commands_about_rights_refer_whatever_else_they_say(self) -> None:
        for command in (
            b"SETACL shared fred lrswipcda", b"SETACL {6+}\r\nshared {4+}\r\nfred +r",
            b"DELETEACL shared -fred", b'LISTRIGHTS "shared" fred',
        ):  # fmt: skip
            self.assertEqual(say(self.client, command)[0], NO_BOTH)
        answer, _ = say(self.client, b"SETACL INBOX fred lr")
        self.assertTrue(answer.startswith(b"NO [CANNOT] "), answer)
        self.assertTrue(say(self.client, b"GETACL")[0].startswith(b"BAD "))

    @proves("M13")
    def test_a_name_that_is_not_ascii(self) -> None:
        answer, _ = say(self.client, b"SELECT Entw&APw-rfe")
        self.assertEqual(answer[:55], b"NO [REFERRAL imap://bob;AUTH=*@s2.example/Entw%C3%BCrfe")
        self.assertEqual(self.site.account.asked[-1], "Entwürfe")

    @proves("M3")
    def test_select_leaves_nothing_selected(self) -> None:
        for command in (b"SELECT shared", b"EXAMINE shared"):
            say(self.client, b"SELECT INBOX")
            self.assertEqual(say(self.client, command)[0], NO_BOTH)
            self.assertEqual(self.client.session.state, "auth")
            self.assertTrue(say(self.client, b"FETCH 1 UID")[0].startswith(b"BAD "))
        self.assertEqual(self.site.local.mailboxes["INBOX"].listeners, [])

    @proves("M4")
    def test_status_refers_where_that_is_switched_on(self) -> None:
        answer, untagged = say(self.client, b"STATUS shared (MESSAGES)")
        self.assertEqual(answer, b"NO Counts of a mailbox on another server are not told here.")
        self.assertEqual(untagged, [])
        site = Site(dict(PLACES), refer_status=True)
        client = site.log_in(b'RLSUB "" *')
        self.assertEqual(say(client, b"STATUS shared (MESSAGES)")[0], NO_BOTH)

    @proves("M7")
    def test_rename_refers_with_pairs(self) -> None:
        places = self.site.account.places
        places["old"], places["new"] = at(url("o")), at(url("n", "s3.example"))
        for command, urls in (
            (b"RENAME old new", (url("o"), url("n", "s3.example"))),
            (b"RENAME INBOX new", (url("INBOX", "here.example"), url("n", "s3.example"))),
            (b"RENAME old mine", (url("o"), url("mine", "here.example"))),
        ):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [REFERRAL %b] " % " ".join(urls).encode()))

    @proves("M8")
    def test_copy_and_move_refer_and_have_done_nothing(self) -> None:
        say(self.client, b"SELECT INBOX")
        for command in (b"COPY", b"MOVE", b"UID COPY", b"UID MOVE"):
            self.assertEqual(say(self.client, command + b" 1:2 shared"), (NO_BOTH, []))
        self.assertEqual(fetch(self.client, b"1:2 FLAGS"), {1: {b"FLAGS": []}, 2: {b"FLAGS": []}})
        self.assertEqual(self.client.session.state, "select")

    @proves("M2")
    def test_a_program_that_cannot_read_two_urls_gets_the_first(self) -> None:
        site = Site(dict(PLACES), one_url=Programs(("alpine",)))
        site.account.places["new"] = at(url("n", "s3.example"))
        client = site.log_in(b'ID ("name" "Alpine" "version" "2.26")', b'RLIST "" *')
        first = b"NO [REFERRAL %b] That mailbox is on another server: s2.example." % (
            url("FOO").encode()
        )
        for command in (b"SELECT shared", b"APPEND shared {1}", b"GETACL shared"):
            self.assertEqual(say(client, command)[0], first)
        pair = b"NO [REFERRAL %b %b] " % (url("FOO").encode(), url("n", "s3.example").encode())
        self.assertTrue(say(client, b"RENAME shared new")[0].startswith(pair))
        other = site.log_in(b'ID ("name" "Other")', b'RLIST "" *')
        self.assertEqual(say(other, b"SELECT shared")[0], NO_BOTH)

    def test_a_mailbox_that_moves_is_refused_for_the_time_being(self) -> None:
        for command in (b'SELECT "moving"', b"APPEND moving {1+}\r\nx", b"GETACL moving"):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [INUSE] This mailbox is being moved"), answer)

    @proves("S1")
    def test_a_backend_that_is_down(self) -> None:
        for command in (b"SELECT lost", b"APPEND lost {1}", b"DELETE lost"):
            answer, _ = say(self.client, command)
            self.assertTrue(answer.startswith(b"NO [UNAVAILABLE] "), answer)
        self.assertEqual(say(self.client, b"SELECT INBOX")[0][:2], b"OK")

    def test_another_connection_of_the_same_program_is_known(self) -> None:
        self.assertEqual(say(self.site.log_in(), b"SELECT shared")[0], NO_BOTH)
        other = self.site.log_in(b'ID ("name" "Other")')
        self.assertEqual(say(other, b"SELECT shared")[0], NOT_THERE)
        self.site.house.clock.advance(86_401)
        self.assertEqual(say(self.site.log_in(), b"SELECT shared")[0], NOT_THERE)


class Loop(SynchronousTestCase):
    """Two servers that each say that the other has the mailbox."""

    def setUp(self) -> None:
        clock = Clock()
        loops = StormBreaker(clock=clock.seconds, count=20, window=10.0)
        self.site = Site(dict(PLACES), loops=loops)
        self.clock = clock
        self.client = self.site.log_in(b'RLIST "" *')

    @proves("M11")
    def test_a_client_that_comes_back_at_once_is_stopped_and_told_why(self) -> None:
        for _ in range(20):
            client = self.site.log_in()
            self.assertEqual(say(client, b"SELECT shared")[0], NO_BOTH)
        for _ in range(3):
            answer, _ = say(self.site.log_in(), b"SELECT shared")
            self.assertTrue(answer.startswith(b"NO [LIMIT] Your mail program is sent here"), answer)
        lines = self.site.house.notes.lines
        self.assertIn("bob referred to " + url("FOO"), lines[0])
        self.assertIn("bob was referred to " + url("FOO"), lines[20])
        self.assertTrue(say(client, b"SELECT Entw&APw-rfe")[0].startswith(b"NO [REFERRAL "))
        self.clock.advance(11)
        self.assertEqual(say(client, b"SELECT shared")[0], NO_BOTH)

    def test_one_that_takes_its_time_is_not(self) -> None:
        for _ in range(50):
            self.assertEqual(say(self.client, b"SELECT shared")[0], NO_BOTH)
            self.clock.advance(1)


@proves("M5")
class Append(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(dict(PLACES), SIMPLE)
        self.client = self.site.log_in(b'LIST (REMOTE) "" *')

    def test_the_referral_comes_instead_of_the_continuation(self) -> None:
        for target in (b"shared", b'"shared"'):
            answer = self.client.say(b"x APPEND %b (\\Seen) {5}\r\n" % target)
            self.assertEqual(answer, b"x " + NO_BOTH + b"\r\n")
        self.assertEqual(say(self.client, b"NOOP")[0], b"OK Nothing done.")

    def test_a_message_that_is_sent_unasked_is_dropped(self) -> None:
        answer = self.client.say(b"x APPEND shared {5+}\r\nhello\r\ny NOOP\r\n")
        self.assertEqual(answer, b"x " + NO_BOTH + b"\r\ny OK Nothing done.\r\n")

    def test_the_name_may_be_a_literal_itself(self) -> None:
        self.assertTrue(self.client.say(b"x APPEND {6}\r\n").startswith(b"+ "))
        self.assertEqual(self.client.say(b"shared {5}\r\n"), b"x " + NO_BOTH + b"\r\n")

    def test_a_lookup_that_takes_time_holds_the_continuation_back(self) -> None:
        for name, answer in ((b"shared", b"x " + NO_BOTH + b"\r\n"), (b"INBOX", b"+ Ready.\r\n")):
            slow = self.site.account.slow = Deferred()
            self.assertEqual(self.client.say(b"x APPEND %b {5}\r\n" % name), b"")
            self.site.account.slow = None
            slow.callback(None)
            self.assertEqual(self.client.read(), answer)
        self.assertEqual(self.client.say(b"hello\r\n")[-13:], b"] Appended.\r\n")

    @proves("S3")
    def test_what_is_pipelined_behind_a_slow_lookup_waits_and_is_not_lost(self) -> None:
        slow = self.site.account.slow = Deferred()
        data = b"x APPEND INBOX {5+}\r\nhello\r\ny APPEND shared {2+}\r\nhi\r\nz NOOP\r\n"
        for at_ in range(len(data)):
            self.assertEqual(self.client.say(data[at_ : at_ + 1]), b"")
        self.site.account.slow = None
        slow.callback(None)
        first, second, third, _ = self.client.read().split(b"\r\n")
        self.assertTrue(first.startswith(b"x OK [APPENDUID "), first)
        self.assertEqual(second, b"y " + NO_BOTH)
        self.assertEqual(third, b"z OK Nothing done.")

    @proves("S1")
    def test_a_client_that_goes_while_its_lookup_is_under_way(self) -> None:
        self.site.account.slow = Deferred(lambda waiting: None)
        self.client.say(b"x APPEND INBOX {5}\r\n")
        self.client.transport.loseConnection()
        self.assertEqual(self.client.read(), b"")
        self.assertEqual(self.site.house.notes.faults, [])


@proves("M14")
class Others(SynchronousTestCase):
    """A client that has never asked for remote names."""

    def test_hide_denies_that_there_is_such_a_mailbox(self) -> None:
        site = Site(dict(PLACES), SIMPLE)
        client = site.log_in(b"SELECT INBOX")
        for command in (
            b"SELECT shared", b"EXAMINE shared", b"DELETE shared", b"SUBSCRIBE shared",
            b"STATUS shared (MESSAGES)", b"APPEND shared {1}", b"MYRIGHTS shared",
            b"RENAME shared mine",
        ):  # fmt: skip
            self.assertEqual(say(client, command), (NOT_THERE, []), command)
        say(client, b"SELECT INBOX")
        for command in (b"COPY 1 shared", b"MOVE 1 shared"):
            self.assertEqual(say(client, command), (NOT_THERE, []), command)

    def test_hide_keeps_the_name_from_being_taken(self) -> None:
        client = Site(dict(PLACES)).log_in()
        for command in (b"CREATE shared", b"RENAME mine shared"):
            answer = say(client, command)[0]
            self.assertEqual(answer, b"NO [CANNOT] That name belongs to another server.")

    def test_hide_lets_a_subscription_of_old_be_given_up(self) -> None:
        site = Site(dict(PLACES))
        site.local.subscriptions.add("shared")
        self.assertEqual(say(site.log_in(), b"UNSUBSCRIBE shared")[0], b"OK Unsubscribed.")
        self.assertEqual(site.local.subscriptions, {"INBOX"})

    def test_say_tells_a_person_and_gives_the_referral(self) -> None:
        client = Site(dict(PLACES), unasked="say").log_in()
        for command in ONE_NAME:
            self.assertEqual(say(client, command + b" shared"), (NO_BOTH, []), command)
        _, untagged = say(client, b'LIST "" *')
        self.assertIn(b"shared", [line[-1] for line in untagged])

    @proves("L4")
    def test_who_was_told_at_login_is_referred_for_personal_mailboxes(self) -> None:
        site = Site({"INBOX": at(url("INBOX"), personal=True)})
        answer, _ = say(site.log_in(), b"SELECT INBOX")
        self.assertTrue(answer.startswith(b"NO [REFERRAL imap://bob;AUTH=*@s2.example/INBOX] "))


class Listing(SynchronousTestCase):
    @proves("M9", "M10", "M14")
    def test_remote_names_are_in_rlist_only(self) -> None:
        client = Site(dict(PLACES)).log_in()
        names = [line[-1] for line in say(client, b'LIST "" *')[1]]
        self.assertEqual(names, [b"INBOX"])
        for command in (b'RLIST "" *', b'LIST (REMOTE) "" *'):
            names = sorted(line[-1] for line in say(client, command)[1])
            self.assertEqual(names, [b"Entw&APw-rfe", b"INBOX", b"lost", b"moving", b"shared"])

    @proves("S1")
    def test_a_backend_that_is_down_gives_no_half_answer(self) -> None:
        site = Site(dict(PLACES))
        site.account.down = True
        client = site.log_in()
        for command in (b'RLIST "" *', b'RLSUB "" *', b'LIST (REMOTE) "" *'):
            answer, untagged = say(client, command)
            self.assertEqual(untagged, [])
            self.assertTrue(answer.startswith(b"NO [UNAVAILABLE] "), answer)
        self.assertEqual(say(client, b'LIST "" *')[0][:2], b"OK")


class Moving(SynchronousTestCase):
    """A mailbox goes to another server while it is selected."""

    def setUp(self) -> None:
        self.site = Site({}, SIMPLE, SIMPLE)
        self.client = self.site.log_in(b'RLIST "" *', b"SELECT INBOX")
        self.gone = at(url("INBOX"))
        self.closed = b"* OK [CLOSED] Closed. That mailbox is on another server: s2.example.\r\n"

    def test_an_idle_connection_is_told_at_once(self) -> None:
        self.site.account.move("INBOX", self.gone)
        self.assertEqual(self.client.read(), self.closed)
        self.assertEqual(self.client.session.state, "auth")
        answer = b"NO [REFERRAL imap://bob;AUTH=*@s2.example/INBOX] That mailbox is on another "
        for command in (
            b"FETCH 1 UID",
            b"UID STORE 1 FLAGS ()",
            b"SEARCH TEXT {1}",
            b"SELECT INBOX",
        ):
            self.assertTrue(say(self.client, command)[0].startswith(answer), command)
        self.assertEqual(self.client.session.bad_commands, 0)
        (line,) = [each for each in self.site.house.notes.lines if "was closed" in each]
        self.assertIn("bob: the selected mailbox 'INBOX' was closed", line)

    def test_one_in_idle_is_told_at_once_too(self) -> None:
        self.client.say(b"x IDLE\r\n")
        self.site.account.move("INBOX", self.gone)
        self.assertEqual(self.client.read(), self.closed)
        self.assertEqual(self.client.say(b"DONE\r\n"), b"x OK Idled.\r\n")

    def test_closing_it_is_no_error(self) -> None:
        self.site.account.move("INBOX", self.gone)
        self.client.read()
        self.assertEqual(say(self.client, b"CLOSE"), (b"OK Closed already.", []))
        self.assertTrue(say(self.client, b"CLOSE")[0].startswith(b"BAD "))

    def test_the_next_select_is_right_when_it_comes_back(self) -> None:
        self.site.account.move("INBOX", MOVING)
        self.assertIn(b"[CLOSED]", self.client.read())
        self.assertTrue(say(self.client, b"FETCH 1 UID")[0].startswith(b"NO [INUSE] "))
        self.site.account.move("INBOX", Serve())
        self.assertEqual(say(self.client, b"SELECT INBOX")[0], b"OK [READ-WRITE] Mailbox selected.")
        self.assertEqual(len(self.site.account.watchers), 1)

    def test_a_client_that_polls_finds_out_though_nobody_told(self) -> None:
        self.site.account.places["INBOX"] = self.gone
        self.assertEqual(self.client.say(b"x NOOP\r\n"), self.closed + b"x OK Nothing done.\r\n")
        self.assertEqual(self.client.session.state, "auth")

    def test_a_command_under_way_is_finished_first(self) -> None:
        slow: Deferred[None] = Deferred()

        async def late(*arguments: object) -> dict[int, list[str]]:
            await slow
            return {}

        self.site.local.mailboxes["INBOX"].store = late  # type: ignore[assignment]
        self.client.say(b"x STORE 1 +FLAGS \\Seen\r\n")
        self.site.account.move("INBOX", self.gone)
        self.assertEqual(self.client.read(), b"")
        slow.callback(None)
        first, second, _ = self.client.read().split(b"\r\n")
        self.assertIn(b"[CLOSED]", first)
        self.assertTrue(second.startswith(b"x "), second)

    def test_while_nobody_can_be_asked_it_stays_open(self) -> None:
        self.site.account.move("INBOX", DOWN)
        self.assertEqual(self.client.read(), b"")
        self.assertEqual(self.client.session.state, "select")

    def test_the_mailbox_itself_may_say_that_it_is_gone(self) -> None:
        self.client.session.mailboxGone(NoPermission("right r was taken away"))
        self.assertIn(b"[CLOSED]", self.client.read())
        self.assertTrue(say(self.client, b"FETCH 1 UID")[0].startswith(b"NO [NOPERM] "))
        (line,) = [each for each in self.site.house.notes.lines if "was closed" in each]
        self.assertIn("right r was taken away", line)
