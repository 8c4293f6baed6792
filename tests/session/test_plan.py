"""FETCH reads no more than it has to, and sends as fast as the client reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import COMMON_FIELDS
from referrald.mime.parts import Section, parse
from referrald.model import Limits
from referrald.session.fetching import Item
from referrald.session.plan import MANY, plan
from referrald.session.sections import HEAD, PIECE
from referrald.wire.response import literal
from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.inbox import fetch, say
from tests.session.native import Site
from tests.session.responses import fetched
from tests.session.support import Client
from tests.session.test_outgoing import SlowReader

BIG = b"Subject: big\r\n\r\n" + b"0123456789abcde\n" * 60_000
KNOWN = (
    b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE",
    b"MODSEQ", b"BODY.PEEK[HEADER.FIELDS (From Subject)]", b"BODY.PEEK[HEADER.FIELDS (to)]<3.5>",
)  # fmt: skip

PIECES = (
    b"Subject: a\r\n", b"SUBJECT : b\n", b" more\r\n", b"\tmore: x\r\n", b"To:\r\n",
    b"to: x\ry\r\n",
    b"Tom: no\r\n", b"From: subject: a\r\n", b"no field\r\n", b"Cc: x", b"\xff", b": nothing\r\n",
)  # fmt: skip


class Watched:
    """A message that tells what has been read of it, and can break off."""

    def __init__(self, content: Any, reads: list[tuple[int, int]], breaks: bool) -> None:
        self.content = content
        self.size = content.size
        self.reads = reads
        self.breaks = breaks
        self.closed = False

    async def read(self, start: int, length: int) -> bytes:
        self.reads.append((start, length))
        if self.breaks and start:
            raise OSError("the disk is broken")
        return bytes(await self.content.read(start, length))

    def close(self) -> None:
        self.closed = True


class Folder:
    """Stands before the folder of a session and writes down what is asked of it."""

    def __init__(self, client: Client, *, breaks: bool = False) -> None:
        self.folder = client.session.folder
        self.reads: list[tuple[int, int]] = []
        self.opened: list[Watched] = []
        self.stored: list[list[int]] = []
        self.breaks = breaks
        client.session.folder = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.folder, name)

    async def content(self, uid: int) -> bytes:
        raise AssertionError("a message was read whole")

    async def read(self, uid: int) -> Any:
        content = await self.folder.read(uid)
        if content is None:
            return None
        self.opened.append(Watched(content, self.reads, self.breaks))
        return self.opened[-1]

    async def store(self, uids: Sequence[int], *rest: Any) -> Any:
        self.stored.append(list(uids))
        return await self.folder.store(uids, *rest)


class Planned(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Site(SIMPLE, NESTED, SIMPLE).log_in(b"SELECT INBOX")
        self.folder = Folder(self.client)

    def test_what_a_mailbox_knows_takes_no_message(self) -> None:
        found = fetch(self.client, b"1:3 (" + b" ".join(KNOWN) + b")")
        self.assertEqual([len(found[number]) for number in (1, 2, 3)], [len(KNOWN)] * 3)
        self.assertEqual(self.folder.opened, [])

    def test_each_item_alone_is_the_same_as_among_others(self) -> None:
        together = fetch(self.client, b"1:3 (" + b" ".join(KNOWN) + b" BODY.PEEK[1])")
        for item in KNOWN:
            for number, found in fetch(self.client, b"1:3 " + item).items():
                self.assertEqual(found, {label: together[number][label] for label in found})

    def test_chosen_fields_are_the_same_wherever_they_come_from(self) -> None:
        for names in (b"Subject", b"from SUBJECT", b"Received Date", b"X-None", b"To Cc Bcc"):
            known = fetch(self.client, b"1:3 BODY.PEEK[HEADER.FIELDS (%b)]" % names)
            read = fetch(self.client, b"1:3 BODY.PEEK[HEADER.FIELDS (%b X-Odd)]" % names)
            self.assertEqual(
                [[*items.values()] for items in known.values()],
                [[*items.values()] for items in read.values()],
            )

    def test_messages_are_marked_as_seen_together(self) -> None:
        found = fetch(self.client, b"1:3 BODY[TEXT]")
        self.assertEqual({tuple(items[b"FLAGS"]) for items in found.values()}, {(b"\\Seen",)})
        self.assertEqual([len(uids) for uids in self.folder.stored], [3])
        fetch(self.client, b"1:3 BODY[TEXT]")
        self.assertEqual(len(self.folder.stored), 1)
        self.assertTrue(all(each.closed for each in self.folder.opened))

    def test_many_are_told_in_batches_with_their_right_numbers(self) -> None:
        site = Site(*[b"x"] * (2 * MANY + 500))
        client, other = site.log_in(b"SELECT INBOX"), site.log_in(b"SELECT INBOX")
        found = fetch(client, b"1:* (UID FLAGS)")
        self.assertEqual([*found], [*range(1, 2 * MANY + 501)])
        first = found[1][b"UID"]
        self.assertEqual([i[b"UID"] - n + 1 for n, i in found.items()], [first] * len(found))
        say(other, b"STORE 7,%d +FLAGS.SILENT \\Deleted" % (MANY + 3))
        say(other, b"EXPUNGE")
        answer, untagged = say(client, b"FETCH 1:* UID")
        self.assertTrue(answer.startswith(b"OK [EXPUNGEISSUED] "), answer)
        self.assertEqual({line[3][1] - line[1] + 1 for line in untagged}, {first})
        self.assertEqual(len(untagged), 2 * MANY + 498)


class ChosenFields(SynchronousTestCase):
    @given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
    def test_they_are_found_as_in_the_header_itself(self, header: bytes) -> None:
        known = parse(header + b"\r\n").fields
        common = b"".join(each.raw for each in known if each.name in COMMON_FIELDS)
        names = (b"Subject", b"TO")
        asked = Section(text="HEADER.FIELDS", names=names)
        (form,) = plan(
            [Item(label=b"x", section=asked)], by_uid=False, since=False, modseqs=False
        ).fields
        chosen = b"".join(each.raw for each in known if each.name in (b"subject", b"to"))
        end = b"" if not chosen or chosen.endswith(b"\n") else b"\r\n"
        self.assertEqual(form[1](common), literal(chosen + end + b"\r\n"))


@proves("base:FETCH partial")
class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(BIG, limits=Limits(write_stall=60.0))
        self.client = self.site.log_in(b"SELECT INBOX")
        self.reader = SlowReader(self.client)

    def test_a_part_of_a_message_is_all_that_is_read(self) -> None:
        folder = Folder(self.client)
        found = fetched(self.reader.ask(b"x FETCH 1 BODY.PEEK[]<500000.100>"))
        self.assertEqual(found[1][b"BODY[]<500000>"], BIG[500000:500100])
        self.assertEqual(folder.reads, [(500000, 100)])

    def test_the_header_needs_the_beginning_only(self) -> None:
        folder = Folder(self.client)
        found = fetched(self.reader.ask(b"x FETCH 1 (BODY.PEEK[HEADER] RFC822.HEADER)"))
        self.assertEqual(found[1][b"RFC822.HEADER"], b"Subject: big\r\n\r\n")
        self.assertEqual(folder.reads, [(0, HEAD)])

    @proves("base:memory")
    def test_a_message_is_read_piece_by_piece_as_the_client_reads(self) -> None:
        folder = Folder(self.client)
        first = self.reader.start(b"x FETCH 1 (BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[TEXT])")
        self.assertLess(len(folder.reads), 5)
        found = fetched(first + self.reader.read_all())[1]
        self.assertEqual(found[b"BODY[]"], BIG)
        self.assertEqual(found[b"BODY[1]"], found[b"BODY[TEXT]"])
        self.assertEqual(max(length for _start, length in folder.reads[3:]), PIECE)

    def test_one_that_cannot_be_read_to_its_end_ends_the_connection(self) -> None:
        folder = Folder(self.client, breaks=True)
        told = self.reader.ask(b"x FETCH 1 BODY.PEEK[]")
        self.assertTrue(self.client.transport.aborted)
        self.assertNotIn(b"\nx NO", told)
        self.assertEqual(len(self.site.house.notes.faults), 1)
        self.assertTrue(folder.opened[0].closed)

    def test_one_that_is_not_readable_at_all_is_an_error_and_nothing_more(self) -> None:
        folder = Folder(self.client)

        async def broken(uid: int) -> Any:
            raise OSError("the disk is broken")

        folder.read = broken  # type: ignore[method-assign]
        answer, untagged = say(self.client, b"FETCH 1 BODY.PEEK[]")
        self.assertTrue(answer.startswith(b"NO [SERVERBUG]"), answer)
        self.assertEqual(untagged, [])
        self.assertEqual(say(self.client, b"NOOP")[0], b"OK Nothing done.")
