"""Mailboxes in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from twisted.mail.imap4 import IMailbox, IMessage, IMessageFile, MessageSet
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.store.mailbox import OVERHEAD, Full, MemoryMailbox, Room, date_time


class Listener:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        self.heard.append(exists)

    def flagsChanged(self, newFlags: Mapping[int, Iterable[str]]) -> None:
        self.heard.append(dict(newFlags))


class Mailboxes(SynchronousTestCase):
    def setUp(self) -> None:
        self.box = MemoryMailbox(1)
        for text in (b"one", b"two", b"three", b"four"):
            self.box.addMessage(BytesIO(text))
        self.listener = Listener()
        self.box.addListener(self.listener)

    def numbers(self, chosen: Any, uid: bool) -> list[int]:
        return [number for number, _ in self.box.fetch(chosen, uid)]

    def test_it_has_twisteds_face(self) -> None:
        verifyObject(IMailbox, self.box)
        message = self.box.messages[0]
        verifyObject(IMessage, message)
        verifyObject(IMessageFile, message)

    def test_messages_are_found_by_number_and_by_uid(self) -> None:
        self.box.store(MessageSet(2), ["\\Deleted"], 1, False)
        self.box.expunge()
        self.assertEqual(self.numbers(MessageSet(2, None), False), [2, 3])
        self.assertEqual(self.numbers(MessageSet(2, None), True), [2, 3])
        self.assertEqual(self.numbers(MessageSet(1, 3), True), [1, 2])
        self.assertEqual(self.numbers(MessageSet(1, 4_000_000_000), True), [1, 2, 3])
        self.assertEqual(self.numbers(MessageSet(9), False), [])
        self.assertEqual(self.numbers(MessageSet(None), True), [3])
        self.assertEqual(MemoryMailbox(1).fetch(MessageSet(1), True), [])
        resolved = MessageSet(1, None)
        resolved.last = 2
        self.assertEqual(self.numbers(resolved, False), [1, 2])

    def test_what_changes_is_told_once(self) -> None:
        self.box.store(MessageSet(1, 2), ["\\Seen"], 1, False)
        self.box.store(MessageSet(1, 2), ["\\Seen"], 1, False)
        self.box.store(MessageSet(4), ["\\Deleted"], 0, True)
        self.box.expunge()
        self.box.expunge()
        self.box.addMessage(BytesIO(b"x"))
        self.box.removeListener(self.listener)
        self.box.destroy()
        expected = [{1: ["\\Seen"], 2: ["\\Seen"]}, {4: ["\\Deleted"]}, 3, 4]
        self.assertEqual(self.listener.heard, expected)
        self.assertEqual(self.box.getUnseenCount(), 0)

    def test_uids_are_never_used_again(self) -> None:
        self.box.destroy()
        self.box.addMessage(BytesIO(b"x"))
        self.assertEqual((self.box.getUID(1), self.box.getUIDNext()), (5, 6))

    def test_expunge_gives_the_numbers_highest_first(self) -> None:
        self.box.store(MessageSet(1) + MessageSet(3), [b"\\Deleted"], 1, False)
        self.assertEqual(self.box.expunge(), [3, 1])

    def test_a_flag_has_one_spelling(self) -> None:
        self.box.store(MessageSet(1), ["$Work"], 1, False)
        self.box.store(MessageSet(2), [b"$WORK", "\\SEEN"], 0, False)
        self.assertEqual(self.box.messages[1].getFlags(), ["$Work", "\\Seen"])
        self.box.store(MessageSet(2), ["$work"], -1, False)
        self.assertEqual(self.box.messages[1].getFlags(), ["\\Seen"])
        self.assertIn("$Work", self.box.getFlags())

    def test_dates_come_in_the_form_of_the_protocol(self) -> None:
        for given in (
            datetime(1996, 7, 7, 9, 44, 25, tzinfo=UTC),
            "07-Jul-1996 09:44:25 +0000",
            b" 7-Jul-1996 09:44:25 +0000",
            "Sun, 7 Jul 1996 09:44:25 GMT",
        ):
            self.assertEqual(date_time(given), "07-Jul-1996 09:44:25 +0000")
        for nothing in (None, "", b"rubbish", "32-Jul-1996 09:44:25 +0000"):
            self.assertRegex(
                date_time(nothing), r"\A\d\d-[A-Z][a-z]{2}-20\d\d \d\d:\d\d:\d\d \+0000\Z"
            )

    def test_there_is_only_so_much_room(self) -> None:
        box = MemoryMailbox(1, Room(2 * OVERHEAD))
        box.addMessage(BytesIO(b"x"), ["\\Deleted"])
        with self.assertRaises(Full):
            box.addMessage(BytesIO(b"y" * OVERHEAD))
        with self.assertRaises(Full):
            box.store(MessageSet(1), ["k" * OVERHEAD], 1, False)
        box.expunge()
        self.assertEqual(box.room.left, 2 * OVERHEAD)
