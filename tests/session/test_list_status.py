"""LIST-STATUS, STATUS=SIZE, and all that STATUS can tell (RFC 5819, RFC 8438, RFC 9051, 6.3.11)."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.inbox import Home, say
from tests.session.native import Site, done
from tests.session.support import Client

ALL = b"MESSAGES UNSEEN SIZE DELETED DELETED-STORAGE UIDNEXT HIGHESTMODSEQ APPENDLIMIT"


def numbers(counts: list[object]) -> dict[object, object]:
    return dict(zip(counts[::2], counts[1::2], strict=True))


class Counts(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, SIMPLE, b"x" * 100)
        self.client = self.site.log_in(b"SELECT INBOX")

    def status(self, items: bytes, name: bytes = b"INBOX") -> dict[object, object]:
        answer, untagged = say(self.client, b"STATUS " + name + b" (" + items + b")")
        self.assertEqual(answer, b"OK Status told.")
        (found,) = [line for line in untagged if line[1] == b"STATUS"]
        return numbers(found[-1])

    @proves("base:STATUS")
    def test_status_counts_bytes_and_what_is_marked_as_deleted(self) -> None:
        say(self.client, b"STORE 3 +FLAGS (\\Deleted)")
        size = 2 * len(SIMPLE) + 100
        found = self.status(b"SIZE DELETED DELETED-STORAGE MESSAGES")
        expected = {b"SIZE": size, b"DELETED": 1, b"DELETED-STORAGE": 100, b"MESSAGES": 3}
        self.assertEqual(found, expected)
        say(self.client, b"EXPUNGE")
        expected = {b"SIZE": size - 100, b"DELETED": 0, b"DELETED-STORAGE": 0, b"MESSAGES": 2}
        self.assertEqual(self.status(b"size deleted deleted-storage messages"), expected)

    def test_the_highest_modification_sequence_grows(self) -> None:
        before = self.status(b"HIGHESTMODSEQ")[b"HIGHESTMODSEQ"]
        say(self.client, b"STORE 1 +FLAGS (\\Flagged)")
        self.assertGreater(self.status(b"HIGHESTMODSEQ")[b"HIGHESTMODSEQ"], before)
        self.assertIn("CONDSTORE", self.client.session.enabled)

    def test_what_nobody_knows_is_bad_and_counts_nothing(self) -> None:
        for items in (b"HATS", b"MESSAGES SIZES", b""):
            answer, untagged = say(self.client, b"STATUS INBOX (" + items + b")")
            self.assertTrue(answer.startswith(b"BAD "), items)
            self.assertEqual(untagged, [])

    def test_an_account_that_counts_no_bytes_says_so(self) -> None:
        client = Home().log_in()
        for items in (b"SIZE", b"DELETED", b"DELETED-STORAGE"):
            answer, _ = say(client, b"STATUS INBOX (MESSAGES " + items + b")")
            self.assertEqual(answer, b"BAD Unknown status item.", items)
        # It has no modification sequences, and 0 says so (RFC 7162 section 3.1.2.2).
        _, untagged = say(client, b"STATUS INBOX (HIGHESTMODSEQ)")
        self.assertEqual(untagged[0][-1], [b"HIGHESTMODSEQ", 0])

    @proves("base:LIST")
    def test_list_tells_the_same_counts_right_behind_each_name(self) -> None:
        say(self.client, b"CREATE a/b")
        say(self.client, b"DELETE a")
        answer, untagged = say(self.client, b'LIST "" * RETURN (CHILDREN STATUS (' + ALL + b"))")
        self.assertEqual(answer, b"OK Listed.")
        # The first one that asks for HIGHESTMODSEQ is told that of the selected mailbox, too.
        untagged = [line for line in untagged if isinstance(line, list)]
        kinds = [(line[1], line[2] if line[1] == b"STATUS" else line[4]) for line in untagged]
        self.assertEqual(
            [kind for kind in kinds if not kind[1].startswith(b"Public")],
            [(b"LIST", b"INBOX"), (b"STATUS", b"INBOX"), (b"LIST", b"a"), (b"LIST", b"a/b"),
             (b"STATUS", b"a/b")],
        )  # fmt: skip
        self.assertEqual(numbers(untagged[1][-1]), self.status(ALL))

    def test_status_of_a_name_that_cannot_be_selected_is_refused(self) -> None:
        say(self.client, b"CREATE a/b")
        say(self.client, b"DELETE a")
        for name in (b"a", b"none"):
            answer, untagged = say(self.client, b"STATUS " + name + b" (MESSAGES)")
            self.assertTrue(answer.startswith(b"NO [NONEXISTENT] "), name)
            self.assertEqual(untagged, [])


class Many(SynchronousTestCase):
    """Speed: the work grows with the names, and no name waits for another."""

    def client(self, count: int) -> Client:
        site = Site(public="")
        account = done(site.store.account("bob"))
        for number in range(count):
            done(account.create(f"box{number:05}"))
        return site.log_in()

    def cost(self, count: int) -> float:
        client, best = self.client(count), 1e9
        for _ in range(3):
            began = time.process_time()
            answer = client.say(b'x LIST "" * RETURN (STATUS (MESSAGES UNSEEN SIZE))\r\n')
            best = min(best, time.process_time() - began)
            self.assertEqual(answer.count(b"* STATUS "), count + 1)
        return best

    def test_eight_times_the_names_take_far_less_than_eight_times_eight_the_time(self) -> None:
        self.assertLess(self.cost(2000), 24 * self.cost(250))
