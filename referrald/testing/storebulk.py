"""The suite for mail stores, on what is told of many messages at once, and on reading in pieces.

What the columns have to be is judged by `referrald.mime`.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.interfaces import IContent
from referrald.mailmodel import COMMON_FIELDS, Column, NewMessage
from referrald.mime.parts import parse
from referrald.mime.structure import body_structure, envelope
from referrald.testing.storecase import (
    StoreCase,
    path,
    put,
    remove,
    sorted_flags,
    uids,
    with_store,
    with_stored,
)
from referrald.testing.storemessages import CONTENTS, DATES

MULTIPART = (
    b'From: "A. B." <a@example.com>, team: b@example.com;\r\n'
    b"To: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\n"
    b"Subject: a subject\r\n that goes on\r\n"
    b"Message-ID: <1@example.com>\r\nIn-Reply-To: <0@example.com>\r\n"
    b"X-Odd: not asked for often\r\nList-Id: <l.example.com>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="="\r\n'
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\npreamble\r\n"
    b"--=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>\xc3\xa4\r\n"
    b"--=\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=m\r\n\r\n"
    b"Subject: inner\r\nFrom: c@example.com\r\n\r\ninner text\r\n"
    b"--=--\r\nepilogue\r\n"
)
"""A message with all that a structure can have."""

MAILS = (
    *CONTENTS, MULTIPART, MULTIPART.replace(b"\r\n", b"\n"), MULTIPART[:-40],
    b"Subject: \xfc\xe4\r\nTo: a@b,\r\n\tc\r\nTo: again@b\r\nno field\r\n\r\n\xff",
    b"Content-Type: multipart/mixed\r\n\r\n--\r\n", b"Subject: a\0b\r\n\r\n\0\0\r\n",
    b"Subject:" + b" long" * 1000 + b"\r\nTo: " + b"x@example.com, " * 500 + b"\r\n\r\n",
)  # fmt: skip
"""Messages of which columns are asked, real and odd."""

DATE_TIMES = (
    b"17-Jul-1996 02:44:25 -0700",
    b"29-Feb-2024 23:59:59 +0530",
    b" 1-Jan-1970 00:00:00 +0000",
    b"31-Dec-2040 12:00:00 +1400",
)
"""`DATES` as INTERNALDATE has them (RFC 3501, ``date-time``)."""


class BulkContract(StoreCase):
    """Rows of many messages, counts of many mailboxes, content piece by piece."""

    @with_store
    async def test_rows_have_what_the_content_says(self, store: Any) -> None:
        """ENVELOPE, BODY, BODYSTRUCTURE and header fields, whatever the message is like."""
        account, folder = await self.box(store)
        placed = await put(account, "box", *MAILS)
        columns: tuple[Column, ...] = ("envelope", "body", "structure", "fields", "size")
        rows = await folder.rows(placed.uids, columns)
        self.assertEqual([row[0] for row in rows], list(placed.uids))
        for content, row in zip(MAILS, rows, strict=True):
            self.assertEqual(tuple(row[1:]), judged(content), content[:200])

    @with_store
    async def test_rows_have_what_is_known_without_the_content(self, store: Any) -> None:
        """Flags as between the parentheses of FETCH, modification sequences, sizes."""
        account, folder = await self.box(store, b"a", b"bb")
        await put(account, "box", b"ccc", flags=("\\Seen", "$Work", "\\Flagged"))
        there = await uids(folder)
        await folder.store(there[:1], ["\\Deleted"], 1)
        rows = await folder.rows(there, ("flags", "modseq", "size"))
        found = await folder.fetch(there)
        self.assertEqual(
            {row[0]: sorted(row[1].decode().split(" ")) if row[1] else [] for row in rows},
            sorted_flags({message.uid: message.flags for message in found}),
        )
        self.assertEqual(
            [tuple(row[2:]) for row in rows], [(each.modseq, each.size) for each in found]
        )
        self.assertEqual([row[3] for row in rows], [1, 2, 3])

    @with_store
    async def test_rows_have_dates_ready_to_be_sent(self, store: Any) -> None:
        """With the zone in which they came; a day below ten may begin with a space or with 0."""
        account, folder = await self.box(store)
        new = [NewMessage(content=b"x", received=date) for date in DATES]
        placed = await account.append("box", new)
        found = [row[1] for row in await folder.rows(placed.uids, ("received",))]
        self.assertEqual([date.replace(b"01-", b" 1-") for date in found], list(DATE_TIMES))

    @with_store
    async def test_rows_come_once_each_by_uid_and_pass_over_what_is_gone(self, store: Any) -> None:
        """However they are asked for; without columns there are the UIDs alone."""
        _account, folder = await self.box(store, b"a", b"bb", b"ccc")
        one, two, three = await uids(folder)
        await remove(folder, two)
        asked = [three, 4_000_000, two, one, three]
        rows = await folder.rows(asked, ("size",))
        self.assertEqual([tuple(row) for row in rows], [(one, 1), (three, 3)])
        self.assertEqual([tuple(row) for row in await folder.rows(asked, ())], [(one,), (three,)])
        self.assertEqual(list(await folder.rows([], ("envelope",))), [])
        self.assertEqual(list(await folder.rows([two], ("structure", "flags"))), [])

    @with_store
    async def test_columns_come_in_the_order_asked_for(self, store: Any) -> None:
        """Whatever that is."""
        account, folder = await self.box(store)
        (uid,) = (await put(account, "box", MULTIPART)).uids
        told = dict(zip(ORDER, (await folder.rows([uid], ORDER))[0][1:], strict=True))
        for turn in range(len(ORDER)):
            order = (*ORDER[turn:], *ORDER[:turn])[:5]
            (row,) = await folder.rows([uid], order)
            self.assertEqual(tuple(row[1:]), tuple(told[column] for column in order))

    @with_store
    async def test_copies_and_moved_messages_have_the_same_columns(self, store: Any) -> None:
        """But for the UID and the modification sequence."""
        account, folder = await self.box(store, MULTIPART, b"Subject: x\r\n\r\n")
        await account.create("target")
        columns: tuple[Column, ...] = ("flags", "size", "received", "envelope", "structure", "body")
        before = [row[1:] for row in await folder.rows(await uids(folder), columns)]
        target = await account.open("target", True)
        await folder.copy(await uids(folder), "target")
        await folder.move(await uids(folder), "target")
        after = [row[1:] for row in await target.rows(await uids(target), columns)]
        self.assertEqual(after, before * 2)

    @with_store
    async def test_a_message_can_be_read_in_pieces(self, store: Any) -> None:
        """Wherever they begin; behind the end there is nothing."""
        account, folder = await self.box(store)
        text = bytes(range(256)) * 700
        (uid,) = (await put(account, "box", text)).uids
        content = await folder.read(uid)
        verifyObject(IContent, content)
        self.assertEqual(content.size, len(text))
        for start, length in ((0, 1), (100, 70_000), (len(text) - 5, 5), (0, len(text)), (7, 0)):
            self.assertEqual(await content.read(start, length), text[start : start + length])
        self.assertEqual(await content.read(len(text) - 5, 100), text[-5:])
        self.assertEqual(await content.read(len(text), 10), b"")
        self.assertEqual(await content.read(len(text) + 10, 10), b"")
        content.close()
        content.close()

    @with_store
    async def test_what_is_being_read_stays_readable(self, store: Any) -> None:
        """When the message is removed or moved, or its mailbox is."""
        account, folder = await self.box(store, b"one", b"two", b"three")
        await account.create("target")
        one, two, three = await uids(folder)
        reading = [await folder.read(uid) for uid in (one, two, three)]
        await remove(folder, one)
        await folder.move([two], "target")
        await folder.store([three], ["\\Seen"], 1)
        await account.delete("box")
        found = [await content.read(0, 100) for content in reading]
        self.assertEqual(found, [b"one", b"two", b"three"])
        for content in reading:
            content.close()

    @with_store
    async def test_what_is_gone_cannot_be_opened_for_reading(self, store: Any) -> None:
        """Nor what has never been; an empty message can."""
        account, folder = await self.box(store, b"a")
        (one,) = await uids(folder)
        await remove(folder, one)
        self.assertIsNone(await folder.read(one))
        self.assertIsNone(await folder.read(4_000_000))
        (empty,) = (await put(account, "box", b"")).uids
        content = await folder.read(empty)
        self.assertEqual((content.size, await content.read(0, 10)), (0, b""))
        content.close()

    @with_store
    async def test_many_mailboxes_are_counted_at_once(self, store: Any) -> None:
        """As one by one; what is not there, or is a mere name, is left out."""
        account, folder = await self.box(store, b"aa", b"bbb")
        await folder.store((await uids(folder))[:1], ["\\Deleted", "\\Seen"], 1)
        low = path(account, "top", "low")
        await account.create(low)
        await account.delete("top")
        there = ["INBOX", "box", low]
        found = await account.statuses([*there, "none", "top", "box"])
        self.assertEqual(dict(found), {name: await account.status(name) for name in there})
        box = found["box"]
        self.assertEqual((box.messages, box.unseen, box.deleted), (2, 1, 1))
        self.assertEqual((box.size, box.deleted_size), (5, 2))
        self.assertEqual(dict(await account.statuses([])), {})

    @with_stored(lambda self, store: self._fill_rows(store))
    async def test_rows_outlive_the_store(self, store: Any) -> None:
        """All columns are the same, and so are modification sequences."""
        folder = await (await self.account(store)).open("box", False)
        rows = await folder.rows(await uids(folder), ORDER)
        self.assertEqual([tuple(row) for row in rows], self.rows)

    async def _fill_rows(self, store: Any) -> None:
        _account, folder = await self.box(store, *MAILS)
        await folder.store((await uids(folder))[::2], ["\\Seen", "$Work"], 1)
        rows = await folder.rows(await uids(folder), ORDER)
        self.rows = [tuple(row) for row in rows]


ORDER: tuple[Column, ...] = (
    "flags", "modseq", "size", "received", "envelope", "body", "structure", "fields",
)  # fmt: skip


def judged(content: bytes) -> tuple[bytes, bytes, bytes, bytes, int]:
    """Give envelope, body, structure, fields and size of a message as they have to be."""
    # An IMAP string has no NUL (RFC 3501 section 4.3).
    message = parse(content.replace(b"\0", b"\x80"))
    return (
        bytes(envelope(message)),
        bytes(body_structure(message, False)),
        bytes(body_structure(message, True)),
        b"".join(field.raw for field in message.fields if field.name in COMMON_FIELDS),
        len(content),
    )
