"""``\\Recent``: told to the one session that hears of a message first (RFC 3501 section 2.3.2)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import NewMessage
from tests.proves import proves
from tests.session.native import Site, done
from tests.session.support import Client


def told(client: Client, command: bytes) -> list[bytes]:
    """Give the lines that answer a command, without the tagged one."""
    return client.ask(b"x " + command)[:-1]


def recent(client: Client) -> list[int]:
    """Give the numbers of the messages that a client finds to be recent; ways to ask agree."""
    (found,) = told(client, b"SEARCH RECENT")
    numbers = [int(number) for number in found.split()[2:]]
    lines = told(client, b"FETCH 1:* FLAGS")
    assert numbers == [int(line.split()[1]) for line in lines if b"\\Recent" in line], lines
    (found,) = told(client, b"SEARCH OLD")
    old = [int(number) for number in found.split()[2:]]
    assert sorted(numbers + old) == list(range(1, len(lines) + 1))
    return numbers


def uids_of(client: Client, key: bytes) -> list[int]:
    """Give the UIDs that SEARCH finds."""
    (found,) = told(client, b"UID SEARCH " + key)
    return [int(uid) for uid in found.split()[2:]]


@proves("K16")
class Recent(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(b"one", b"two")

    def deliver(self, *contents: bytes, name: str = "INBOX") -> None:
        account = done(self.site.store.account("bob"))
        done(account.append(name, [NewMessage(content=content) for content in contents]))

    def test_the_first_session_gets_them_and_the_next_does_not(self) -> None:
        self.deliver(b"three", b"four")
        first, second = self.site.log_in(), self.site.log_in()
        self.assertIn(b"* 2 RECENT", told(first, b"SELECT INBOX"))
        self.assertIn(b"* 0 RECENT", told(second, b"SELECT INBOX"))
        self.assertEqual((recent(first), recent(second)), ([3, 4], []))

    def test_examine_shows_them_and_takes_nothing_away(self) -> None:
        self.deliver(b"three")
        looking = self.site.log_in()
        for _ in range(2):
            self.assertIn(b"* 1 RECENT", told(looking, b"EXAMINE INBOX"))
            self.assertEqual(recent(looking), [3])
        self.assertIn(b"* 1 RECENT", told(self.site.log_in(), b"SELECT INBOX"))
        self.assertEqual(recent(looking), [3], "as long as it is open")
        self.assertIn(b"* 0 RECENT", told(looking, b"EXAMINE INBOX"))

    def test_status_counts_what_nobody_was_told_of(self) -> None:
        self.deliver(b"three")
        client = self.site.log_in()
        for before, count in ((b"NOOP", 1), (b"EXAMINE INBOX", 1), (b"SELECT INBOX", 0)):
            told(client, before)
            (line,) = told(client, b"STATUS INBOX (RECENT MESSAGES)")
            self.assertEqual(line, b"* STATUS INBOX (RECENT %d MESSAGES 3)" % count)
        told(client, b"UNSELECT")
        self.deliver(b"four")
        lines = told(client, b'LIST "" INBOX RETURN (STATUS (RECENT))')
        self.assertEqual(lines[1:], [b"* STATUS INBOX (RECENT 1)"])

    def test_what_arrives_is_told_to_one_of_those_who_are_there(self) -> None:
        clients = [self.site.log_in(b"SELECT INBOX") for _ in range(3)]
        self.deliver(b"three")
        lines = [told(client, b"NOOP") for client in clients]
        self.assertEqual(
            lines, [[b"* 3 EXISTS", b"* 1 RECENT"], *[[b"* 3 EXISTS", b"* 0 RECENT"]] * 2]
        )
        self.assertEqual([recent(client) for client in clients], [[3], [], []])

    def test_idle_tells_it_at_once(self) -> None:
        silent = self.site.log_in(b"SELECT INBOX")
        client = self.site.log_in(b"SELECT INBOX")
        self.assertEqual(client.ask(b"x IDLE"), [b"+ idling"])
        self.deliver(b"three")
        self.assertEqual(client.say(b""), b"* 3 EXISTS\r\n* 1 RECENT\r\n")
        self.assertEqual(told(silent, b"NOOP"), [b"* 3 EXISTS", b"* 0 RECENT"])

    def test_new_is_recent_and_unseen(self) -> None:
        self.deliver(b"three", b"four")
        client = self.site.log_in(b"SELECT INBOX", b"STORE 1,3 +FLAGS.SILENT \\Seen")
        for key, found in (
            (b"NEW", b" 4"), (b"NOT NEW", b" 1 2 3"), (b"RECENT", b" 3 4"), (b"OLD", b" 1 2"),
            (b"OR SEEN RECENT", b" 1 3 4"), (b"NEW OLD", b""),
        ):  # fmt: skip
            self.assertEqual(told(client, b"SEARCH " + key), [b"* SEARCH" + found], key)

    def test_flags_are_always_shown_with_it(self) -> None:
        self.deliver(b"three")
        client, other = self.site.log_in(b"SELECT INBOX"), self.site.log_in(b"SELECT INBOX")
        mine = told(client, b"STORE 2:3 +FLAGS \\Flagged")
        self.assertEqual(mine[-1], b"* 3 FETCH (FLAGS (\\Flagged \\Recent))")
        self.assertNotIn(b"\\Recent", mine[0])
        self.assertNotIn(b"\\Recent", b"".join(told(other, b"FETCH 3 (FLAGS)")))
        told(other, b"STORE 3 +FLAGS \\Answered")
        (news,) = told(client, b"NOOP")
        self.assertIn(b"FLAGS (\\Answered \\Flagged \\Recent)", news)
        read = client.say(b"x FETCH 3 BODY[]\r\n")
        self.assertIn(b"FLAGS (\\Answered \\Flagged \\Seen \\Recent)", read)

    def test_the_count_falls_with_what_is_expunged(self) -> None:
        self.deliver(b"three", b"four")
        client = self.site.log_in(b"SELECT INBOX", b"STORE 2:3 +FLAGS.SILENT \\Deleted")
        lines = told(client, b"EXPUNGE")
        self.assertEqual(lines, [b"* 3 EXPUNGE", b"* 2 EXPUNGE", b"* 1 RECENT"])
        self.assertEqual(recent(client), [2])

    def test_copies_are_recent_where_they_are(self) -> None:
        client = self.site.log_in(b"CREATE other", b"SELECT INBOX", b"COPY 1:2 other")
        self.assertEqual(recent(client), [])
        self.assertEqual(told(client, b"COPY 1 INBOX"), [b"* 3 EXISTS", b"* 1 RECENT"])
        told(client, b"SELECT other")
        self.assertEqual(recent(client), [1, 2])

    def test_nobody_can_set_it(self) -> None:
        client = self.site.log_in(b"SELECT INBOX")
        for command in (b"STORE 1 +FLAGS \\Recent", b"APPEND INBOX (\\Recent) {1+}\r\nx"):
            self.assertTrue(client.ask(b"x " + command)[-1].startswith(b"x BAD "), command)
        self.assertEqual(recent(client), [])

    def test_imap4rev2_knows_nothing_of_it(self) -> None:
        """Who was told of a message so was told all the same (RFC 9051 appendix E)."""
        self.deliver(b"three")
        client = self.site.log_in(b"ENABLE IMAP4rev2")
        lines = told(client, b"SELECT INBOX") + told(client, b"FETCH 1:* FLAGS")
        self.deliver(b"four")
        lines += told(client, b"NOOP") + told(client, b"STORE 3:4 +FLAGS \\Seen")
        self.assertNotIn(b"RECENT", b"".join(lines).upper())
        self.assertIn(b"* 0 RECENT", told(self.site.log_in(), b"SELECT INBOX"))

    def test_who_enables_it_later_is_told_no_more(self) -> None:
        self.deliver(b"three")
        client = self.site.log_in(b"SELECT INBOX", b"ENABLE IMAP4rev2")
        self.assertNotIn(b"Recent", b"".join(told(client, b"FETCH 1:* FLAGS")))


class Several(SynchronousTestCase):
    """Whatever is done in which order: one session, and one only, was the first to hear."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=25))
    def test_every_message_is_recent_to_one_of_them(self, script: list[tuple[int, int]]) -> None:
        site = Site(b"old")
        clients = [site.log_in(b"SELECT INBOX") for _ in range(3)]
        (old,) = uids_of(clients[0], b"ALL")
        commands = (
            b"APPEND INBOX {3+}\r\nnew", b"NOOP", b"FETCH 1:* FLAGS", b"COPY 1:* INBOX",
            b"STORE 1 +FLAGS \\Deleted", b"EXPUNGE", b"UID MOVE * INBOX",
        )  # fmt: skip
        for who, what in script:
            told(clients[who], commands[what])
        for client in clients:
            told(client, b"NOOP")
        there = [uid for uid in uids_of(clients[0], b"ALL") if uid > old]
        found = [uids_of(client, b"RECENT") for client in clients]
        self.assertEqual(sorted(uid for some in found for uid in some), there)
        for client, numbers in zip(clients, found, strict=True):
            self.assertEqual(len(recent(client)), len(numbers))
