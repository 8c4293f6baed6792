"""Mailboxes of other servers, served through this connection to clients that never asked."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import MailboxLocation, Replica
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.native import OTHER, done
from tests.session.relayed import SECOND, Both, Wire

OTHERS = SIMPLE.replace(b"Subject", b"X-Other: yes\r\nSubject")


class Selected(SynchronousTestCase):
    def setUp(self) -> None:
        self.both = Both(SIMPLE)
        self.both.put("Team", fill=[SIMPLE, OTHERS])

    def client(self, *commands: bytes) -> Wire:
        return self.both.log_in(*commands)

    def test_it_is_opened_like_any_other(self) -> None:
        answer = self.client().ask(b"b SELECT Team")
        self.assertIn(b"* 2 EXISTS", answer)
        self.assertTrue(any(line.startswith(b"* OK [UIDVALIDITY ") for line in answer))
        self.assertTrue(answer[-1].startswith(b"b OK [READ-WRITE]"), answer)

    def test_messages_come_from_the_other_server(self) -> None:
        answer = self.client(b"SELECT Team").say(b"b FETCH 2 BODY.PEEK[]")
        self.assertIn(b"BODY[] {%d}\r\n%b" % (len(OTHERS), OTHERS), answer)
        self.assertTrue(answer.endswith(b"b OK Fetched.\r\n"))

    def test_flags_are_kept_there(self) -> None:
        client = self.client(b"SELECT Team", b"STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(
            client.ask(b"b EXPUNGE"), [b"* 1 EXPUNGE", b"* 1 RECENT", b"b OK Expunged."]
        )
        self.assertEqual(self.both.at(OTHER, "Team"), [OTHERS])

    def test_uid_forms_and_literals_go_through(self) -> None:
        client = self.client(b"SELECT Team")
        answer = client.ask(b"b UID SEARCH HEADER {7+}\r\nX-Other yes")
        self.assertEqual(answer, [b"* SEARCH 2", b"b OK Searched."])

    def test_examine_leaves_everything_as_it_is(self) -> None:
        client = self.client(b"EXAMINE Team")
        self.assertIn(b"b NO ", client.say(b"b STORE 1 +FLAGS (\\Seen)"))

    def test_one_that_is_not_there_leaves_nothing_selected(self) -> None:
        self.both.site.put_elsewhere("Gone")
        client = self.client(b"SELECT INBOX")
        self.assertIn(b"b NO [NONEXISTENT]", client.say(b"b SELECT Gone"))
        self.assertIn(b"c BAD", client.say(b"c FETCH 1 UID"))

    def test_commands_about_this_server_are_still_carried_out_here(self) -> None:
        client = self.client(b"SELECT Team")
        self.assertIn(b"MESSAGES 1", client.say(b"b STATUS INBOX (MESSAGES)"))
        self.assertIn(b"b OK", client.say(b"b CREATE Mine"))
        self.assertIn(b'"/" Mine', client.say(b'b LIST "" *'))

    def test_the_next_mailbox_there_needs_no_new_connection(self) -> None:
        self.both.put("Club", fill=[SIMPLE])
        client = self.client(b"SELECT Team")
        for command in (b"SELECT INBOX", b"SELECT Club", b"CLOSE", b"SELECT Team", b"UNSELECT"):
            self.assertIn(b"b OK", client.say(b"b " + command))
        self.assertEqual(len(self.both.sessions), 1)

    def test_close_expunges_there(self) -> None:
        client = self.client(b"SELECT Team", b"STORE 2 +FLAGS.SILENT (\\Deleted)", b"CLOSE")
        self.assertEqual(self.both.at(OTHER, "Team"), [SIMPLE])
        self.assertIn(b"b BAD", client.say(b"b CHECK"))

    def test_unselect_expunges_nothing(self) -> None:
        self.client(b"SELECT Team", b"STORE 2 +FLAGS.SILENT (\\Deleted)", b"UNSELECT")
        self.assertEqual(self.both.at(OTHER, "Team"), [SIMPLE, OTHERS])

    def test_news_between_commands_come_with_the_next_answer(self) -> None:
        client = self.client(b"SELECT Team")
        self.both.fill_more("Team", SIMPLE)
        self.assertEqual(client.ask(b"b NOOP")[0], b"* 3 EXISTS")

    def test_idle_hears_the_other_server(self) -> None:
        client = self.client(b"SELECT Team")
        self.assertEqual(client.ask(b"b IDLE"), [b"+ idling"])
        self.both.fill_more("Team", SIMPLE)
        self.assertEqual(client.say(b""), b"* 3 EXISTS\r\n* 3 RECENT\r\n")
        self.assertEqual(client.ask(b"DONE"), [b"b OK Idled."])

    def test_what_is_no_done_ends_idle_there_as_well(self) -> None:
        client = self.client(b"SELECT Team", b"NOOP")
        client.say(b"b IDLE")
        self.assertIn(b"b BAD Expected DONE.", client.say(b"HELLO"))
        self.assertIn(b"c OK", client.say(b"c NOOP"))

    def test_the_connection_ends_with_the_clients(self) -> None:
        client = self.client(b"SELECT Team")
        (there,) = self.both.sessions
        client.session.connectionLost()
        client.say(b"")
        self.assertEqual(there.state, "logout")

    def test_logout_ends_it_too(self) -> None:
        client = self.client(b"SELECT Team")
        self.assertIn(b"b OK", client.say(b"b LOGOUT"))
        self.assertEqual(self.both.sessions[0].state, "logout")

    def test_a_server_that_dies_ends_the_selection_not_the_connection(self) -> None:
        client = self.client(b"SELECT Team")
        self.both.sessions[0].close()
        self.assertTrue(client.say(b"").startswith(b"* OK [CLOSED] Closed. The server of this"))
        self.assertIn(b"b NO [UNAVAILABLE]", client.say(b"b FETCH 1 UID"))
        self.assertIn(b"c OK", client.say(b"c SELECT INBOX"))
        self.assertFalse(client.lost)

    def test_a_server_that_dies_during_idle_is_told_at_once(self) -> None:
        client = self.client(b"SELECT Team")
        client.say(b"b IDLE")
        self.both.sessions[0].close()
        self.assertTrue(client.say(b"").startswith(b"* OK [CLOSED]"))
        self.assertEqual(client.ask(b"DONE"), [b"b OK Idled."])

    def test_a_mailbox_that_moves_on_is_closed_with_the_reason(self) -> None:
        client = self.client(b"SELECT Team")
        self.both.put("Team", SECOND, fill=[SIMPLE])
        self.assertIn(b"* OK [CLOSED]", client.say(b"b NOOP"))
        self.assertIn(b"* 1 EXISTS", client.say(b"c SELECT Team"))

    def test_a_change_that_does_not_concern_it_changes_nothing(self) -> None:
        client = self.client(b"SELECT Team")
        self.both.put("Other", SECOND)
        self.assertEqual(client.ask(b"b NOOP"), [b"b OK Nothing done."])

    def test_the_second_replica_serves_when_the_first_is_down(self) -> None:
        self.both.put("News", OTHER, SECOND, fill=[SIMPLE])
        del self.both.net.servers[OTHER.host, OTHER.port]
        self.assertIn(b"b OK", self.client().say(b"b SELECT News"))
        self.assertIn((SECOND.host, SECOND.port), self.both.net.dialled)

    def test_with_all_replicas_down_it_is_unavailable(self) -> None:
        self.both.net.servers.clear()
        client = self.client()
        answer = client.ask(b"b SELECT Team")
        self.assertEqual(len(answer), 1)
        self.assertTrue(answer[0].startswith(b"b NO [UNAVAILABLE]"), answer)
        self.assertIn(b"c OK", client.say(b"c SELECT INBOX"))

    def test_another_name_there_is_none_of_the_clients_business(self) -> None:
        self.both.put("Public/Club", there="shared/club", fill=[SIMPLE])
        client = self.client(b"SELECT Public/Club")
        self.assertIn(b"b OK", client.say(b"b COPY 1 Public/Club"))
        self.assertEqual(len(self.both.at(OTHER, "shared/club")), 2)


class Elsewhere(SynchronousTestCase):
    """Commands that need no selected mailbox."""

    def setUp(self) -> None:
        self.both = Both(SIMPLE)
        self.both.put("Team", fill=[SIMPLE, OTHERS])

    def test_it_is_listed_like_any_other(self) -> None:
        answer = self.both.log_in().ask(b'b LIST "" *')
        self.assertIn(b'* LIST (\\HasNoChildren) "/" Team', answer)

    def test_status_counts_there(self) -> None:
        answer = self.both.log_in().ask(b"b STATUS Team (MESSAGES UNSEEN UIDNEXT)")
        self.assertEqual(answer[0], b"* STATUS Team (MESSAGES 2 UNSEEN 2 UIDNEXT 3)")

    def test_list_with_status_counts_there(self) -> None:
        answer = self.both.log_in().ask(b'b LIST "" * RETURN (STATUS (MESSAGES))')
        self.assertIn(b"* STATUS Team (MESSAGES 2)", answer)
        self.assertIn(b"* STATUS INBOX (MESSAGES 1)", answer)

    def test_append_puts_it_there(self) -> None:
        client = self.both.log_in()
        head = b"b APPEND Team (\\Flagged) {%d+}\r\n" % len(OTHERS)
        self.assertIn(b"b OK [APPENDUID ", client.say(head + OTHERS))
        self.assertEqual(self.both.at(OTHER, "Team")[2], OTHERS)

    def test_append_with_a_literal_that_waits_is_let_in(self) -> None:
        client = self.both.log_in()
        self.assertTrue(client.say(b"b APPEND Team {%d}" % len(SIMPLE)).startswith(b"+ "))
        self.assertIn(b"b OK", client.say(SIMPLE))

    def test_append_where_nobody_answers_is_unavailable(self) -> None:
        self.both.net.servers.clear()
        client = self.both.log_in()
        answer = client.say(b"b APPEND Team {%d+}\r\n" % len(SIMPLE) + SIMPLE)
        self.assertTrue(answer.startswith(b"b NO [UNAVAILABLE]"), answer)

    def test_create_rename_and_delete_are_done_there(self) -> None:
        self.both.put("Area", subtree=True)
        client = self.both.log_in(
            b"CREATE Area/new",
            b"RENAME Area/new Area/newer",
            b"CREATE Area/old",
            b"DELETE Area/old",
        )
        names = [line.rpartition(b" ")[2] for line in client.ask(b'b LIST "" Area/*')[:-1]]
        self.assertEqual(names, [b"Area/newer"])

    def test_rename_to_another_server_is_refused_with_the_reason(self) -> None:
        self.both.put("Second", SECOND, subtree=True)
        client = self.both.log_in()
        for command in (b"RENAME Team Second/Team", b"RENAME Team Mine"):
            self.assertIn(b"b NO [CANNOT] A mailbox cannot be renamed", client.say(b"b " + command))

    def test_what_is_below_a_subtree_is_asked_of_its_server(self) -> None:
        self.both.put("Area", there="Root", subtree=True)
        self.both.fill(OTHER, "Root/one")
        self.both.fill(OTHER, "Root/one/two")
        self.both.fill(OTHER, "Rooted")
        client = self.both.log_in()
        names = [line.rpartition(b" ")[2] for line in client.ask(b'b LIST "" A*')[:-1]]
        self.assertEqual(names, [b"Area", b"Area/one", b"Area/one/two"])
        self.assertIn(b"b OK", client.say(b"b SELECT Area/one/two"))

    def test_a_subtree_whose_root_is_a_mere_level_there_is_no_more_here(self) -> None:
        self.both.put("Area", there="Root", subtree=True)
        self.both.fill(OTHER, "Root/one")
        done(done(self.both.stores[OTHER].account("bob")).delete("Root"))
        lines = self.both.log_in().ask(b'b LIST "" A*')[:-1]
        self.assertEqual(lines[0], b'* LIST (\\Noselect \\HasChildren) "/" Area')
        self.assertIn(b'* LIST (\\HasNoChildren) "/" Area/one', lines)

    def test_a_subtree_whose_server_is_down_is_listed_without_what_is_below(self) -> None:
        self.both.put("Area", subtree=True)
        self.both.net.servers.clear()
        client = self.both.log_in()
        self.assertIn(b'* LIST (\\HasNoChildren) "/" Area', client.ask(b'b LIST "" A*'))

    def test_subscriptions_to_it_are_kept_here(self) -> None:
        client = self.both.log_in(b"SUBSCRIBE Team")
        self.assertIn(b'* LSUB () "/" Team', client.ask(b'b LSUB "" *'))
        client.say(b"b UNSUBSCRIBE Team")
        self.assertNotIn(b"Team", client.say(b'b LSUB "" *'))

    def test_connections_that_are_not_needed_any_more_are_closed(self) -> None:
        client = self.both.log_in(b"STATUS Team (MESSAGES)")
        (there,) = self.both.sessions
        client.say(b"", wait=130)
        self.assertEqual(there.state, "logout")
        self.assertIn(b"MESSAGES 2", client.say(b"b STATUS Team (MESSAGES)"))

    def test_who_reads_public_mailboxes_here_has_those_at_home_beside_them(self) -> None:
        self.both.site.fill("Public", SIMPLE)
        self.both.fill(OTHER, "INBOX", [OTHERS], user="carol")
        self.both.fill(OTHER, "Letters/2026", user="carol")
        self.both.fill(OTHER, "Public", user="carol")
        client = self.both.log_in(user=b"carol")
        names = [line.rpartition(b" ")[2] for line in client.ask(b'b LIST "" *')[:-1]]
        self.assertEqual(names, [b"INBOX", b"Letters", b"Letters/2026", b"Public"])
        self.assertIn(OTHERS, client.say(b"b SELECT INBOX", b"c FETCH 3 BODY[]"))
        self.assertIn(b"* 1 EXISTS", client.say(b"d SELECT Public"))
        self.assertEqual(len(self.both.sessions), 2)


class Between(SynchronousTestCase):
    """COPY and MOVE across servers: all or nothing."""

    def setUp(self) -> None:
        self.both = Both(SIMPLE, OTHERS)
        self.both.put("Team", fill=[SIMPLE, OTHERS])
        self.both.put("Third", SECOND, fill=[])

    def test_from_here_to_there(self) -> None:
        client = self.both.log_in(b"SELECT INBOX", b"STORE 1 +FLAGS (\\Flagged)")
        self.assertIn(b"b OK [COPYUID ", client.say(b"b COPY 1:2 Third"))
        self.assertEqual(self.both.at(SECOND, "Third"), [SIMPLE, OTHERS])
        self.assertEqual(len(self.both.here("INBOX")), 2)
        answer = self.both.log_in(b"SELECT Third").say(b"b FETCH 1 FLAGS")
        self.assertIn(b"FLAGS (\\Flagged \\Recent)", answer)

    def test_move_from_here_to_there(self) -> None:
        client = self.both.log_in(b"SELECT INBOX")
        answer = client.ask(b"b MOVE 2 Third")
        self.assertTrue(answer[0].startswith(b"* OK [COPYUID "), answer)
        self.assertEqual(answer[1:], [b"* 2 EXPUNGE", b"b OK Moved."])
        self.assertEqual(self.both.at(SECOND, "Third"), [OTHERS])
        self.assertEqual(self.both.here("INBOX"), [SIMPLE])

    def test_from_there_to_here(self) -> None:
        client = self.both.log_in(b"CREATE Mine", b"SELECT Team", b"STORE 2 +FLAGS (\\Seen)")
        self.assertIn(b"b OK [COPYUID ", client.say(b"b UID COPY 1:* Mine"))
        self.assertEqual(self.both.here("Mine"), [SIMPLE, OTHERS])
        answer = self.both.log_in(b"EXAMINE Mine").say(b"b FETCH 2 FLAGS")
        self.assertIn(b"* 2 FETCH (FLAGS (\\Seen \\Recent))", answer)

    def test_move_from_there_to_here(self) -> None:
        client = self.both.log_in(b"CREATE Mine", b"SELECT Team")
        answer = client.ask(b"b MOVE 1 Mine")
        self.assertTrue(answer[0].startswith(b"* OK [COPYUID "), answer)
        self.assertEqual(answer[1:], [b"* 1 EXPUNGE", b"* 1 RECENT", b"b OK Moved."])
        self.assertEqual(self.both.at(OTHER, "Team"), [OTHERS])

    def test_between_two_others(self) -> None:
        client = self.both.log_in(b"SELECT Team")
        self.assertIn(b"b OK", client.say(b"b COPY 1:2 Third"))
        self.assertEqual(self.both.at(SECOND, "Third"), [SIMPLE, OTHERS])

    def test_within_one_other_its_server_does_it(self) -> None:
        self.both.put("Club", there="Verein", fill=[])
        client = self.both.log_in(b"SELECT Team", b"MOVE 1:2 Club")
        self.assertEqual(self.both.at(OTHER, "Verein"), [SIMPLE, OTHERS])
        self.assertEqual(self.both.at(OTHER, "Team"), [])
        self.assertIn(b"b OK", client.say(b"b NOOP"))

    def test_to_a_mailbox_that_is_not_there_it_says_trycreate(self) -> None:
        client = self.both.log_in(b"SELECT Team")
        self.assertIn(b"b NO [TRYCREATE]", client.say(b"b COPY 1 Missing"))
        self.both.put("Area", SECOND, subtree=True)
        self.assertIn(b"b NO [TRYCREATE]", client.say(b"b COPY 1 Area/missing"))

    def test_what_was_copied_is_taken_back_when_one_fails(self) -> None:
        self.fail_second_append()
        client = self.both.log_in(b"SELECT Team")
        self.assertIn(b"b NO", client.say(b"b COPY 1:2 Third"))
        self.assertEqual(self.both.at(SECOND, "Third"), [])

    def test_nothing_is_removed_when_one_fails(self) -> None:
        self.fail_second_append()
        client = self.both.log_in(b"SELECT INBOX")
        self.assertIn(b"b NO", client.say(b"b MOVE 1:2 Third"))
        self.assertEqual(self.both.at(SECOND, "Third"), [])
        self.assertEqual(self.both.here("INBOX"), [SIMPLE, OTHERS])

    def fail_second_append(self) -> None:
        from referrald.errors import OverQuota

        account = done(self.both.stores[SECOND].account("bob"))
        kind = type(account)
        append, times = kind.append, []

        async def limited(self: object, name: str, messages: object) -> object:
            if self is account or name == "Third":
                times.append(name)
                if len(times) > 1:
                    raise OverQuota("full")
            return await append(self, name, messages)

        self.patch(kind, "append", limited)


class Who(SynchronousTestCase):
    """Which clients are served so."""

    @proves("S4")
    def test_what_a_client_logged_in_with_is_kept_only_where_it_may_be_needed(self) -> None:
        for elsewhere, user, kept in (
            (True, b"bob", True),
            (False, b"bob", False),
            (False, b"carol", True),
        ):
            session = Both(elsewhere=elsewhere).log_in(user=user).session
            self.assertEqual(session.order is not None, kept)
            self.assertNotIn("secret", repr(session.order))
            session.close()
            self.assertIsNone(session.order)

    def test_one_that_asked_for_remote_names_is_referred(self) -> None:
        both = Both()
        both.put("Team", fill=[SIMPLE])
        client = both.log_in(b'RLIST "" *')
        self.assertIn(b"b NO [REFERRAL imap://bob", client.say(b"b SELECT Team"))
        self.assertEqual(both.sessions, [])

    def test_without_a_password_there_is_only_the_referral_with_a_text(self) -> None:
        both = Both()
        both.put("Team", fill=[SIMPLE])
        client = both.log_in()
        client.session.order = None
        answer = client.say(b"b SELECT Team")
        self.assertIn(b"b NO [REFERRAL imap://bob", answer)
        self.assertIn(b"s2.example", answer)

    def test_a_master_user_serves_those_without_a_password(self) -> None:
        both = Both(settings={"master_user": "alice", "master_password": "secret"})
        both.put("Team", fill=[SIMPLE])
        client = both.log_in()
        # As after SCRAM, which tells nobody the password.
        client.session.order = attrs.evolve(client.session.order, password="")
        self.assertIn(b"* 1 EXISTS", client.say(b"b SELECT Team"))
        (there,) = both.sessions
        self.assertEqual(there.user, "bob")
        self.assertIn(("alice", b"secret"), both.houses[OTHER].authenticator.seen)

    def test_a_server_that_refers_on_is_followed(self) -> None:
        both = Both()
        both.put("Team")
        location = MailboxLocation(replicas=(Replica(server=SECOND, name="Squad"),))
        both.refer(OTHER, "Team", location)
        both.fill(SECOND, "Squad", [SIMPLE])
        self.assertIn(b"* 1 EXISTS", both.log_in().say(b"b SELECT Team"))

    def test_a_server_that_refers_back_to_us_is_not_followed(self) -> None:
        both = Both()
        both.put("Team")
        from tests.session.native import OWN

        both.refer(OTHER, "Team", MailboxLocation(replicas=(Replica(server=OWN, name="Team"),)))
        answer = both.log_in().say(b"b SELECT Team")
        self.assertTrue(answer.startswith(b"b NO [UNAVAILABLE]"), answer)
        self.assertIn("not allowed", " ".join(both.site.house.notes.lines))
