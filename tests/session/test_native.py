"""IMAP4rev1 over the store and the routing that the server itself has (RFC 3501)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import MailboxLocation, Replica
from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.inbox import fetch, say
from tests.session.native import OWN, Site


@proves("base:SELECT")
class Mailboxes(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, NESTED, SIMPLE)
        self.client = self.site.log_in(b"SELECT INBOX")

    def test_select_tells_all_that_a_client_needs(self) -> None:
        say(self.client, b"STORE 1 +FLAGS (\\Seen $work)")
        answer, untagged = say(self.client, b"SELECT inbox")
        self.assertEqual(answer, b"OK [READ-WRITE] Mailbox selected.")
        self.assertEqual(untagged[:2], [[b"*", 3, b"EXISTS"], [b"*", 0, b"RECENT"]])
        self.assertIn(b"$work", untagged[2][-1])
        rest = b"\r\n".join(untagged[3:])
        for code in (b"[PERMANENTFLAGS (", b" \\*)]", b"[UIDVALIDITY 10", b"[UNSEEN 2]"):
            self.assertIn(code, rest)

    def test_examine_is_for_reading_only(self) -> None:
        answer, untagged = say(self.client, b"EXAMINE INBOX")
        self.assertEqual(answer, b"OK [READ-ONLY] Mailbox selected.")
        self.assertIn(b"* OK [PERMANENTFLAGS ()] Mailbox data.", untagged)
        for command in (b"STORE 1 FLAGS ()", b"EXPUNGE", b"MOVE 1 INBOX"):
            self.assertTrue(say(self.client, command)[0].startswith(b"NO [NOPERM] "), command)
        fetch(self.client, b"1 BODY[]")
        self.assertEqual(fetch(self.client, b"1 FLAGS"), {1: {b"FLAGS": []}})

    def test_messages_come_back_byte_for_byte(self) -> None:
        found = fetch(self.client, b"1:* (BODY.PEEK[] RFC822.SIZE FLAGS)")
        self.assertEqual([found[n][b"BODY[]"] for n in (1, 2, 3)], [SIMPLE, NESTED, SIMPLE])
        self.assertEqual(found[2][b"RFC822.SIZE"], len(NESTED))
        self.assertEqual(fetch(self.client, b"2 BODY[1]")[2][b"FLAGS"], [b"\\Seen"])

    @proves("base:APPEND")
    def test_append_tells_the_uid_and_keeps_flags_and_date(self) -> None:
        answer = self.client.say(
            b'x APPEND INBOX (\\Flagged) "17-Jul-1996 02:44:25 -0700" {3+}\r\nabc\r\n'
        )
        self.assertIn(b"* 4 EXISTS\r\n", answer)
        self.assertRegex(answer, rb"x OK \[APPENDUID \d+ 6\] Appended\.\r\n$")
        item = fetch(self.client, b"4 (FLAGS INTERNALDATE BODY[])")[4]
        self.assertEqual(item[b"INTERNALDATE"], b"17-Jul-1996 02:44:25 -0700")
        self.assertEqual(item[b"BODY[]"], b"abc")
        for command in (
            b"APPEND none {1}",
            b"APPEND none {1+}\r\nx",
            b"COPY 1 none",
            b"MOVE 1 none",
        ):
            answer = self.client.say(b"x " + command + b"\r\n")
            if answer.startswith(b"+"):
                answer = self.client.say(b"x\r\n")
            self.assertTrue(answer.startswith(b"x NO [TRYCREATE] "), (command, answer))

    @proves("base:COPY")
    def test_copy_and_move_are_of_one_piece_and_tell_the_uids(self) -> None:
        say(self.client, b"CREATE other")
        say(self.client, b"STORE 2 +FLAGS.SILENT (\\Seen)")
        answer, untagged = say(self.client, b"COPY 2:3 other")
        self.assertRegex(answer, rb"^OK \[COPYUID \d+ \d+:\d+ 1:2\] Copied\.$")
        self.assertEqual(untagged, [])
        answer = self.client.say(b"x MOVE 1,3 other\r\n")
        first, second, third, last, _ = answer.split(b"\r\n")
        self.assertRegex(first, rb"^\* OK \[COPYUID \d+ \d+,\d+ 3:4\] Moved\.$")
        self.assertEqual([second, third, last], [b"* 3 EXPUNGE", b"* 1 EXPUNGE", b"x OK Moved."])
        say(self.client, b"SELECT other")
        found = fetch(self.client, b"1:* FLAGS")
        flags = [found[n][b"FLAGS"] for n in (1, 2, 3, 4)]
        self.assertEqual(flags, [[b"\\Seen", b"\\Recent"], *[[b"\\Recent"]] * 3])

    def test_moving_to_the_same_mailbox_gives_new_uids(self) -> None:
        before = fetch(self.client, b"* UID")[3][b"UID"]
        answer = self.client.say(b"x UID MOVE %d INBOX\r\n" % before)
        self.assertIn(b"* 3 EXPUNGE\r\n", answer)
        self.assertEqual(fetch(self.client, b"* UID")[3][b"UID"], before + 1)

    @proves("base:EXPUNGE/CLOSE")
    def test_expunge_close_and_unselect(self) -> None:
        say(self.client, b"STORE 1,3 +FLAGS.SILENT \\Deleted")
        say(self.client, b"UNSELECT")
        say(self.client, b"SELECT INBOX")
        _, untagged = say(self.client, b"EXPUNGE")
        self.assertEqual(untagged, [[b"*", 3, b"EXPUNGE"], [b"*", 1, b"EXPUNGE"]])
        say(self.client, b"STORE 1 +FLAGS.SILENT \\Deleted")
        self.assertEqual(say(self.client, b"CLOSE"), (b"OK Mailbox closed.", []))
        self.assertEqual(say(self.client, b"SELECT INBOX")[1][0], [b"*", 0, b"EXISTS"])

    @proves("base:STATUS")
    def test_status(self) -> None:
        say(self.client, b"STORE 1 +FLAGS.SILENT \\Seen")
        _, untagged = say(self.client, b"STATUS INBOX (MESSAGES UNSEEN RECENT UIDNEXT)")
        counts = [b"MESSAGES", 3, b"UNSEEN", 2, b"RECENT", 0, b"UIDNEXT", 6]
        self.assertEqual(untagged, [[b"*", b"STATUS", b"INBOX", counts]])
        _, untagged = say(self.client, b'LIST "" INBOX RETURN (STATUS (MESSAGES))')
        self.assertEqual(untagged[-1], [b"*", b"STATUS", b"INBOX", [b"MESSAGES", 3]])

    def test_two_sessions_see_what_the_other_does(self) -> None:
        other = self.site.log_in(b"SELECT INBOX")
        say(other, b"STORE 1 +FLAGS.SILENT \\Flagged")
        other.say(b"x APPEND INBOX {1+}\r\nx\r\n")
        answer = self.client.say(b"x NOOP\r\n")
        self.assertIn(b"* 4 EXISTS\r\n", answer)
        self.assertIn(b"FLAGS (\\Flagged)", answer)
        self.client.say(b"x IDLE\r\n")
        say(other, b"STORE 2 +FLAGS.SILENT \\Deleted")
        say(other, b"EXPUNGE")
        self.assertIn(b"* 2 EXPUNGE\r\n", self.client.read())

    def test_names_are_made_renamed_and_deleted(self) -> None:
        for command, code in (
            (b"CREATE a/b/c", b"OK"), (b"CREATE a/b", b"NO [ALREADYEXISTS]"),
            (b"CREATE Papers (USE (\\Archive))", b"OK"), (b"CREATE x (FOR ())", b"BAD"),
            (b"CREATE x (USE (\\Odd))", b"NO [USEATTR]"), (b"CREATE INBOX", b"NO [ALREADYEXISTS]"),
            (b"CREATE a//b", b"NO [CANNOT]"), (b"DELETE none", b"NO [NONEXISTENT]"),
            (b"DELETE INBOX", b"NO [CANNOT]"), (b"RENAME none x", b"NO [NONEXISTENT]"),
            (b"RENAME a n", b"OK"), (b"RENAME n INBOX", b"NO [ALREADYEXISTS]"),
            (b"DELETE n/b/c", b"OK"), (b"SUBSCRIBE n/b", b"OK"), (b"UNSUBSCRIBE none", b"OK"),
        ):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(code), command)
        _, untagged = say(self.client, b'LIST "" n*')
        self.assertEqual([line[-1] for line in untagged], [b"n", b"n/b"])
        _, untagged = say(self.client, b'LIST (SPECIAL-USE) "" *')
        self.assertEqual([line[-1] for line in untagged], [b"Papers"])
        self.assertIn(b"\\Archive", untagged[0][2])
        self.assertIn([b"*", b"LSUB", [], b"/", b"n/b"], say(self.client, b'LSUB "" *')[1])

    def test_a_mailbox_that_is_deleted_while_it_is_selected(self) -> None:
        say(self.client, b"CREATE other")
        reader = self.site.log_in(b"SELECT other")
        self.assertEqual(say(self.client, b"DELETE other")[0], b"OK Mailbox deleted.")
        self.assertEqual(reader.read()[:14], b"* OK [CLOSED] ")
        self.assertTrue(say(reader, b"FETCH 1 UID")[0].startswith(b"NO [NONEXISTENT] "))
        self.assertEqual(say(reader, b"SELECT INBOX")[0][:2], b"OK")

    def test_inbox_can_be_emptied_by_renaming_it(self) -> None:
        self.assertEqual(say(self.client, b"RENAME INBOX Old")[0], b"OK Mailbox renamed.")
        self.assertEqual(say(self.client, b"SELECT Old")[1][0], [b"*", 3, b"EXISTS"])
        self.assertEqual(say(self.client, b"SELECT INBOX")[1][0], [b"*", 0, b"EXISTS"])

    def test_the_connection_leaves_nobody_listening(self) -> None:
        self.client.transport.loseConnection()
        self.assertEqual(self.site.routing._watchers, {})


class Elsewhere(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE)
        self.site.put_elsewhere("shared/x", "Public/x")
        self.client = self.site.log_in(b'RLIST "" *')

    @proves("M2", "M3", "M13")
    def test_a_remote_mailbox_refers_under_its_name_there(self) -> None:
        answer, _ = say(self.client, b"SELECT shared/x")
        url = b"imap://bob;AUTH=*@s2.example:1143/Public/x"
        self.assertTrue(answer.startswith(b"NO [REFERRAL %b] " % url), answer)

    @proves("M7")
    def test_rename_gives_this_servers_own_url_for_what_is_here(self) -> None:
        say(self.client, b"CREATE mine")
        answer, _ = say(self.client, b"RENAME mine shared/x")
        pair = b"imap://bob;AUTH=*@front.example/mine imap://bob;AUTH=*@s2.example:1143/Public/x"
        self.assertTrue(answer.startswith(b"NO [REFERRAL %b] " % pair), answer)

    @proves("M9")
    def test_what_has_moved_away_is_not_listed_nor_served(self) -> None:
        say(self.client, b"CREATE mine")
        self.site.put_elsewhere("mine")
        names = [line[-1] for line in say(self.client, b'LIST "" *')[1]]
        self.assertNotIn(b"mine", names)
        self.assertTrue(say(self.client, b"SELECT mine")[0].startswith(b"NO [REFERRAL "))
        names = [line[-1] for line in say(self.client, b'RLIST "" *')[1]]
        self.assertEqual(names.count(b"mine"), 1)

    def test_one_that_waits_to_be_moved_stays_in_the_list(self) -> None:
        for name in (b"mine", b"mine/below", b"SUBSCRIBE mine"):
            say(self.client, name if b" " in name else b"CREATE " + name)
        for name in ("mine", "far"):
            self.site.backend.set_mailbox("bob", name, MailboxLocation(moving=True))
        for command in (b'LIST "" *', b'RLIST "" *', b'LSUB "" *'):
            rows = {line[-1]: line[2] for line in say(self.client, command)[1]}
            self.assertIn(b"mine", rows, command)
            self.assertEqual(b"far" in rows, command.startswith(b"RLIST"))
        self.assertTrue(say(self.client, b"SELECT mine")[0].startswith(b"NO [INUSE] "))
        self.assertEqual(say(self.client, b"SELECT mine/below")[0][:2], b"OK")

    def test_one_that_moves_while_it_is_selected(self) -> None:
        say(self.client, b"CREATE mine")
        say(self.client, b"SELECT mine")
        self.site.put_elsewhere("mine")
        self.assertTrue(self.client.read().startswith(b"* OK [CLOSED] "))
        self.site.backend.remove_mailbox("bob", "mine")
        self.assertEqual(say(self.client, b"SELECT mine")[0][:2], b"OK")

    @proves("M11", "L9")
    def test_nobody_is_sent_back_here(self) -> None:
        replica = Replica(server=OWN, name="x")
        self.site.backend.set_mailbox("bob", "loop", MailboxLocation(replicas=(replica,)))
        answer, _ = say(self.client, b"SELECT loop")
        self.assertTrue(answer.startswith(b"NO [UNAVAILABLE] "), answer)
        (line,) = self.site.house.notes.lines
        self.assertIn("this server itself", line)

    @proves("M12")
    def test_who_may_not_see_a_mailbox_gets_what_there_is_for_none(self) -> None:
        self.site.put_elsewhere("secret", user="carol")
        for command in (
            b"SELECT %b", b"STATUS %b (MESSAGES)", b"DELETE %b", b"RENAME %b x", b"COPY 1 %b",
            b"APPEND %b {1+}\r\nx", b"GETACL %b", b"SUBSCRIBE %b", b"UNSUBSCRIBE %b",
            b'RLIST "" %b', b'RLSUB "" %b',
        ):  # fmt: skip
            answers = []
            for name in (b"secret", b"nought"):
                say(self.client, b"SELECT INBOX")
                answers.append(say(self.client, command % name))
            self.assertEqual(*answers, command)

    @proves("L4")
    def test_a_user_from_elsewhere_reads_what_is_public_and_is_referred_for_the_rest(self) -> None:
        self.site.fill("Public", SIMPLE)
        client = self.site.log_in(user=b"carol")
        self.assertEqual([line[-1] for line in say(client, b'LIST "" *')[1]], [b"Public"])
        self.assertEqual(say(client, b"SELECT Public")[1][0], [b"*", 1, b"EXISTS"])
        for name in (b"INBOX", b"mine"):
            url = b"imap://carol;AUTH=*@s2.example:1143/" + name
            for command in (b"SELECT ", b"CREATE ", b"DELETE "):
                answer = say(client, command + name)[0]
                self.assertTrue(answer.startswith(b"NO [REFERRAL %b] " % url), answer)
        names = [line[-1] for line in say(client, b'RLIST "" *')[1]]
        self.assertEqual(names, [b"INBOX", b"Public"])

    def test_namespaces(self) -> None:
        _, untagged = say(self.client, b"NAMESPACE")
        self.assertEqual(
            untagged, [[b"*", b"NAMESPACE", [[b"", b"/"]], None, [[b"Public/", b"/"]]]]
        )
