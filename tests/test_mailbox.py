"""IMailbox over a folder of the store in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.mail.imap4 import (
    ICloseableMailbox,
    IMailbox,
    IMessage,
    MailboxException,
    MessageSet,
    getBodyStructure,
    getEnvelope,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.errors import NoPermission, NoSuchMailbox, ReferraldError, Unavailable
from referrald.mailbox import TwistedMailbox, plain
from referrald.mailmodel import NewMessage
from referrald.message import MessageGone, Part, date_time, moment
from referrald.store.memory import MemoryAccount

SIMPLE = b"""From: "A B" <a@b.example>\r
To: c@d.example\r
Subject: caf\xe9\r
\r
Hello\r
"""
MIXED = b"""From: a@b.example\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: text/plain\r
\r
one\r
--x\r
Content-Type: text/html\r
\r
<p>\xff two\r
--x--\r
"""
WHEN = datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(-timedelta(hours=7)))


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        self.heard.append(exists)

    def flagsChanged(self, newFlags: Mapping[int, Iterable[str]]) -> None:
        self.heard.append({number: [*flags] for number, flags in newFlags.items()})

    def modeChanged(self, writeable: bool) -> None:
        self.heard.append(writeable)


class Told(Listener):
    """Wants to know that a mailbox is gone."""

    def mailboxGone(self, error: BaseException) -> None:
        self.heard.append(error)


def numbers(*wanted: int) -> Any:
    """Make a set of message numbers or UIDs; 0 stands for ``*``."""
    found: Any = MessageSet()  # type: ignore[no-untyped-call]
    for number in wanted:
        found.add(number or None)
    return found


class Mailboxes(SynchronousTestCase):
    def setUp(self) -> None:
        self.account = MemoryAccount("bob")
        self.done(self.account.create("Work"))
        self.put(SIMPLE, MIXED, SIMPLE)

    def done(self, work: Awaitable[Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))  # type: ignore[arg-type]

    def put(self, *contents: bytes, flags: tuple[str, ...] = ()) -> None:
        new = [NewMessage(content=each, flags=flags, received=WHEN) for each in contents]
        self.done(self.account.append("Work", new))

    def box(self, *, eager: bool = False, writable: bool = True) -> TwistedMailbox:
        folder = self.done(self.account.open("Work", writable))
        made: TwistedMailbox = self.done(TwistedMailbox.open(folder, self.account, eager=eager))
        return made

    def other(self) -> Any:
        """Give the folder as another session has it."""
        return self.done(self.account.open("Work", True))

    def fetched(self, box: TwistedMailbox, chosen: Any, uid: bool = False) -> list[Any]:
        found: list[Any] = self.successResultOf(box.fetch(chosen, uid))
        return found


class Snapshots(Mailboxes):
    def test_it_is_what_twisted_asks_for(self) -> None:
        box = self.box()
        verifyObject(IMailbox, box)
        verifyObject(ICloseableMailbox, box)
        verifyObject(IMessage, self.fetched(box, numbers(1))[0][1])

    def test_counts_are_there_at_once(self) -> None:
        self.put(SIMPLE, flags=("\\Seen", "urgent"))
        box = self.box()
        self.assertEqual(box.getMessageCount(), 4)
        self.assertEqual(box.getUnseenCount(), 3)
        self.assertEqual(box.getRecentCount(), 0)
        self.assertEqual(box.getUIDNext(), box.getUID(4) + 1)
        self.assertEqual(box.getHierarchicalDelimiter(), "/")
        self.assertIn("urgent", box.getFlags())
        items = ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN")
        self.assertEqual(
            box.requestStatus(items),
            {
                "MESSAGES": 4,
                "RECENT": 0,
                "UIDNEXT": box.getUIDNext(),
                "UIDVALIDITY": box.getUIDValidity(),
                "UNSEEN": 3,
            },
        )

    def test_there_is_no_message_before_the_first_nor_after_the_last(self) -> None:
        box = self.box()
        for number in (-1, 0, 4):
            with self.assertRaises(IndexError):
                box.getUID(number)

    def test_the_unseen_are_counted_anew_when_something_has_changed(self) -> None:
        box = self.box()
        self.successResultOf(box.store(numbers(1, 2), ["\\Seen"], 1, False))
        self.assertEqual(self.successResultOf(box.getUnseenCount()), 1)
        self.assertEqual(box.getUnseenCount(), 1)

    def test_nothing_is_left_open_when_a_mailbox_cannot_be_opened(self) -> None:
        folder = self.other()
        self.done(self.account.delete("Work"))
        closed = []
        folder.close = lambda: closed.append(True) or _none()
        failed = Deferred.fromCoroutine(TwistedMailbox.open(folder, self.account))
        self.failureResultOf(failed, NoSuchMailbox)
        self.assertEqual(closed, [True])


async def _none() -> None:
    pass


class Fetching(Mailboxes):
    def test_messages_are_found_by_number_and_by_uid(self) -> None:
        self.successResultOf(self.box().store(numbers(1), ["\\Deleted"], 1, False))
        self.successResultOf(self.box().expunge())
        box = self.box()
        by_number = [(n, m.getUID()) for n, m in self.fetched(box, numbers(2, 0))]
        self.assertEqual(by_number, [(2, 3)])
        by_uid = [(n, m.getUID()) for n, m in self.fetched(box, numbers(1, 2, 3, 9), True)]
        self.assertEqual(by_uid, [(1, 2), (2, 3)])

    def test_an_empty_mailbox_has_none(self) -> None:
        self.done(self.account.create("Empty"))
        folder = self.done(self.account.open("Empty", True))
        box = self.done(TwistedMailbox.open(folder, self.account))
        self.assertEqual(self.fetched(box, numbers(1, 0)), [])

    def test_date_and_size_need_no_reading(self) -> None:
        ((_, message),) = self.fetched(self.box(), numbers(1))
        self.assertEqual(message.getInternalDate(), "17-Jul-1996 02:44:25 -0700")
        self.assertEqual(message.getSize(), len(SIMPLE))
        self.assertEqual(self.successResultOf(message.open()).read(), SIMPLE)

    def test_a_message_that_has_been_read_answers_at_once(self) -> None:
        ((_, message),) = self.fetched(self.box(eager=True), numbers(1))
        self.assertEqual(message.open().read(), SIMPLE)
        self.assertEqual(message.getBodyFile().read(), b"Hello\r\n")
        self.assertFalse(message.isMultipart())
        self.assertEqual(message.getHeaders(False, b"SUBJECT"), {"subject": "caf?"})
        self.assertEqual([*message.getHeaders(True, "subject")], ["from", "to"])

    def test_parts_come_out_as_they_went_in(self) -> None:
        ((_, message),) = self.fetched(self.box(eager=True), numbers(2))
        self.assertTrue(message.isMultipart())
        part = message.getSubPart(1)
        self.assertEqual(part.getHeaders(True), {"content-type": "text/html"})
        self.assertEqual(part.getBodyFile().read(), b"<p>\xff two")
        self.assertEqual(part.getSize(), 8)
        for missing in (-1, 2):
            with self.assertRaises(IndexError):
                message.getSubPart(missing)
        with self.assertRaises(IndexError):
            part.getSubPart(0)

    def test_twisteds_renderers_can_use_a_message(self) -> None:
        (_, simple), (_, mixed) = self.fetched(self.box(eager=True), numbers(1, 2))
        envelope: Any = getEnvelope(simple)  # type: ignore[no-untyped-call]
        self.assertEqual(envelope[1], "caf?")
        structure: Any = getBodyStructure(mixed)  # type: ignore[no-untyped-call]
        self.assertEqual(structure[-1], "mixed")

    def test_one_that_is_gone_in_the_meantime_says_so(self) -> None:
        ((_, message),) = self.fetched(self.box(), numbers(1))
        self.done(self.other().store([1], ["\\Deleted"], 1))
        self.done(self.other().expunge())
        failure = self.failureResultOf(message.open(), MessageGone)
        self.assertEqual(failure.value.code, "EXPUNGEISSUED")

    def test_a_message_within_a_message_is_its_part(self) -> None:
        inner = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n"
        self.put(inner)
        ((_, message),) = self.fetched(self.box(eager=True), numbers(4))
        part = message.getSubPart(0)
        self.assertEqual(part.getHeaders(True), {"subject": "in"})
        self.assertEqual(part.getBodyFile().read(), b"body\r\n")

    @given(st.binary(max_size=200))
    def test_whatever_the_bytes_are_headers_are_ascii_lines(self, content: bytes) -> None:
        from email import message_from_bytes

        part = Part(message_from_bytes(content))
        for name, value in part.getHeaders(True).items():
            self.assertTrue((name + value).isascii())
        self.assertEqual(part.getSize(), len(part.getBodyFile().read()))


class Changing(Mailboxes):
    def test_flags_come_back_by_number(self) -> None:
        box = self.box()
        done = self.successResultOf(box.store(numbers(2, 3), [b"\\Seen", "\\Recent"], 1, True))
        self.assertEqual(done, {2: ("\\Seen",), 3: ("\\Seen",)})
        self.assertEqual(self.successResultOf(box.store(numbers(2), [], 0, False)), {2: ()})

    def test_expunge_gives_numbers_that_are_right_one_after_the_other(self) -> None:
        box = self.box()
        self.successResultOf(box.store(numbers(1, 3), ["\\Deleted"], 1, False))
        self.assertEqual(self.successResultOf(box.expunge()), [3, 1])
        self.assertEqual(box.getMessageCount(), 1)
        self.assertEqual(box.getUID(1), 2)

    def test_a_message_is_there_when_addMessage_says_so(self) -> None:
        box = self.box()
        added = box.addMessage(BytesIO(SIMPLE), [b"\\Flagged"], b"17-Jul-1996 02:44:25 -0700")
        uid = self.successResultOf(added)
        self.assertEqual(box.getMessageCount(), 4)
        self.assertEqual((box.getUID(4), box.getUIDNext()), (uid, uid + 1))
        ((_, message),) = self.fetched(box, numbers(uid), True)
        self.assertEqual(message.getFlags(), ("\\Flagged",))
        self.assertEqual(message.getInternalDate(), "17-Jul-1996 02:44:25 -0700")

    def test_a_mailbox_for_reading_only_changes_nothing(self) -> None:
        box = self.box(writable=False)
        self.assertFalse(box.isWriteable())
        self.failureResultOf(box.store(numbers(1), ["\\Seen"], 1, False), NoPermission)
        self.failureResultOf(box.expunge(), NoPermission)

    def test_a_stock_server_gets_twisteds_error_with_the_public_text(self) -> None:
        box = self.box(writable=False, eager=True)
        failure = self.failureResultOf(box.expunge(), MailboxException)
        self.assertEqual(str(failure.value), "This mailbox is open for reading only.")

    def test_after_closing_nothing_works_and_closing_again_is_no_error(self) -> None:
        box = self.box()
        box.addListener(Listener())
        self.successResultOf(box.close())
        self.successResultOf(box.close())
        self.assertFalse(box.in_use)
        self.failureResultOf(box.fetch(numbers(1), False), Unavailable)
        self.successResultOf(self.box().destroy())


class Watching(Mailboxes):
    def listened(self, *, eager: bool = False) -> tuple[TwistedMailbox, Listener]:
        box, listener = self.box(eager=eager), Listener()
        box.addListener(listener)
        return box, listener

    def test_new_messages_are_told(self) -> None:
        box, listener = self.listened()
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [4])
        self.assertEqual(box.getMessageCount(), 4)

    def test_removals_are_told_by_the_smaller_number(self) -> None:
        box, listener = self.listened()
        other = self.other()
        self.done(other.store([2], ["\\Deleted"], 1))
        self.done(other.expunge())
        self.assertEqual(listener.heard, [{2: ["\\Deleted"]}, 2])
        self.assertEqual(box.getUID(2), 3)

    def test_new_flags_are_told_and_known(self) -> None:
        box, listener = self.listened()
        self.done(self.other().store([3], ["later"], 1))
        self.assertEqual(listener.heard, [{3: ["later"]}])
        self.assertIn("later", box.getFlags())

    def test_a_mailbox_that_is_gone_is_told_to_those_who_want_to_know(self) -> None:
        box, deaf = self.listened()
        told = Told()
        box.addListener(told)
        self.done(self.account.delete("Work"))
        self.assertEqual(deaf.heard, [0])
        self.assertIsInstance(told.heard[0], NoSuchMailbox)
        self.assertEqual(len(told.heard), 1)
        self.failureResultOf(box.fetch(numbers(1), False), NoSuchMailbox)

    def test_nothing_is_told_after_the_last_listener_has_left(self) -> None:
        box, listener = self.listened()
        box.removeListener(listener)
        box.removeListener(listener)
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [])
        self.assertEqual(box.getMessageCount(), 3)
        self.done(box.refresh())
        self.assertEqual(box.getMessageCount(), 4)

    def test_a_stock_server_does_not_hear_its_own_flags_again(self) -> None:
        box, listener = self.listened(eager=True)
        self.successResultOf(box.store(numbers(1), ["\\Seen"], 1, False))
        self.assertEqual(listener.heard, [])
        self.done(self.other().store([1], ["\\Seen"], -1))
        self.assertEqual(listener.heard, [{1: []}])

    def test_for_a_stock_server_gone_messages_keep_their_numbers_until_it_expunges(self) -> None:
        box, listener = self.listened(eager=True)
        other = self.other()
        self.done(other.store([1, 3], ["\\Deleted"], 1))
        self.done(other.expunge([1]))
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [{1: ["\\Deleted"], 3: ["\\Deleted"]}, 4])
        self.assertEqual(box.getUID(2), 2)
        self.assertEqual(box.requestStatus(["MESSAGES", "UNSEEN"]), {"MESSAGES": 3, "UNSEEN": 3})
        found = self.fetched(box, numbers(1, 2, 3, 4))
        self.assertEqual([number for number, _ in found], [2, 3, 4])
        self.assertEqual(self.successResultOf(box.expunge()), [3, 1])
        self.assertEqual([box.getUID(1), box.getUID(2)], [2, 4])

    def test_a_store_that_is_down_keeps_the_snapshot_and_is_logged(self) -> None:
        box, listener = self.listened()
        box.folder.changes = _down
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [])
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
        self.assertIsNone(box.error)
        del box.folder.changes
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [5])

    def test_a_message_that_was_added_is_added_though_the_mailbox_cannot_be_seen(self) -> None:
        box = self.box()
        box.folder.changes = _down
        self.assertEqual(self.successResultOf(box.addMessage(BytesIO(SIMPLE))), 4)

    def test_changes_during_a_slow_command_are_told_after_it(self) -> None:
        box, listener = self.listened()
        held: Deferred[None] = Deferred()
        store = box.folder.store

        async def slow(*arguments: Any) -> Any:
            await held
            return await store(*arguments)

        box.folder.store = slow
        done = box.store(numbers(1), ["\\Seen"], 1, False)
        self.put(SIMPLE)
        self.assertEqual(listener.heard, [])
        held.callback(None)
        self.assertEqual(self.successResultOf(done), {1: ("\\Seen",)})
        self.assertEqual(listener.heard, [4, {1: ["\\Seen"]}])


async def _down(since: int) -> Any:
    raise Unavailable("the disk is gone")


class Texts(SynchronousTestCase):
    @given(
        st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 1, 1)),
        st.integers(-12 * 60, 14 * 60),
    )
    def test_a_date_comes_back_as_it_was_written(self, local: datetime, minutes: int) -> None:
        zone = timezone(timedelta(minutes=minutes))
        when = local.replace(microsecond=0, tzinfo=zone)
        self.assertEqual(moment(date_time(when)), when)
        self.assertEqual(moment(date_time(when).encode("ascii")), when)
        self.assertEqual(moment(when), when)

    def test_what_is_no_date_is_none(self) -> None:
        for wrong in (None, "", "yesterday", b"\xff", "99-Jul-1996 02:44:25 -0700"):
            self.assertIsNone(moment(wrong))
        self.assertEqual(moment(datetime(2001, 2, 3)), datetime(2001, 2, 3, tzinfo=UTC))

    @given(st.text())
    def test_no_text_can_break_out_of_a_line(self, text: str) -> None:
        self.assertTrue(all(" " <= c <= "~" for c in plain(text)))

    def test_an_error_with_a_cause_shows_the_client_nothing_of_it(self) -> None:
        self.assertNotIn("disk", ReferraldError("disk full").public)
