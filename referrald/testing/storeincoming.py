"""The suite for mail stores, on messages that arrive piece by piece."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.errors import NoSuchMailbox, NotPossible, OverQuota
from referrald.interfaces import IIncoming
from referrald.mailmodel import NewMessage
from referrald.testing.storecase import StoreCase, contents, flags, put, uids, with_store
from referrald.testing.storemessages import CONTENTS, DATES


class IncomingContract(StoreCase):
    """Messages that go to the store as they come."""

    async def arriving(self, account: Any, text: bytes, name: str = "box", piece: int = 7) -> Any:
        """Give an `IIncoming` that has taken a message."""
        incoming = await account.incoming(name, len(text))
        for start in range(0, len(text), piece):
            await incoming.write(text[start : start + piece])
        return incoming

    @with_store
    async def test_a_message_can_come_in_pieces(self, store: Any) -> None:
        """Its bytes are as they came; it is nowhere to be seen before it is appended."""
        account, folder = await self.box(store)
        verifyObject(IIncoming, await self.arriving(account, b"x"))
        for text in CONTENTS:
            before = await folder.state()
            incoming = await self.arriving(account, text, piece=max(1, len(text) // 3))
            self.assertEqual(await folder.state(), before)
            placed = await account.append("box", [NewMessage(content=incoming)])
            self.assertEqual(await folder.content(placed.uids[0]), text)
            (found,) = await folder.fetch(placed.uids)
            self.assertEqual(found.size, len(text))

    @with_store
    async def test_it_has_the_flags_and_the_date_given_at_last(self, store: Any) -> None:
        """As any other message."""
        account, folder = await self.box(store)
        incoming = await self.arriving(account, b"Subject: a\r\n\r\nb\r\n")
        new = NewMessage(content=incoming, flags=("\\Seen", "$Work"), received=DATES[1])
        placed = await account.append("box", [new])
        (found,) = await folder.fetch(placed.uids)
        self.assertEqual(sorted(found.flags), ["$Work", "\\Seen"])
        self.assertEqual(
            (found.received, found.received.utcoffset()), (DATES[1], DATES[1].utcoffset())
        )

    @with_store
    async def test_several_arrive_at_once_and_keep_their_order(self, store: Any) -> None:
        """Those that came whole are among them (RFC 3502)."""
        account, folder = await self.box(store)
        first = await account.incoming("box", 4)
        second = await account.incoming("box", 6)
        for piece in (b"on", b"tw"):
            await (first if piece == b"on" else second).write(piece)
        await second.write(b"o   ")
        await first.write(b"e ")
        new = [NewMessage(content=content) for content in (second, b"whole", first)]
        placed = await account.append("box", new)
        self.assertEqual(await contents(folder), [b"two   ", b"whole", b"one "])
        self.assertEqual(list(placed.uids), await uids(folder))

    @with_store
    async def test_what_is_discarded_is_nowhere(self, store: Any) -> None:
        """Twice is once; it cannot be appended any more."""
        account, folder = await self.box(store, b"kept")
        incoming = await self.arriving(account, b"discarded")
        incoming.discard()
        incoming.discard()
        await self.refused(NotPossible, account.append("box", [NewMessage(content=incoming)]))
        self.assertEqual(await contents(folder), [b"kept"])
        (await account.incoming("box", 10)).discard()

    @with_store
    async def test_what_is_used_up_cannot_be_used_again(self, store: Any) -> None:
        """To discard it then does no harm to the message."""
        account, folder = await self.box(store)
        incoming = await self.arriving(account, b"once")
        await account.append("box", [NewMessage(content=incoming)])
        incoming.discard()
        new = [NewMessage(content=b"other"), NewMessage(content=incoming)]
        await self.refused(NotPossible, account.append("box", new))
        self.assertEqual(await contents(folder), [b"once"])

    @with_store
    async def test_one_that_is_refused_leaves_none(self, store: Any) -> None:
        """All of them or none; all are used up, and there is room as before."""
        account, folder = await self.box(store, b"there")
        before = await folder.state()
        arriving = [await self.arriving(account, text) for text in (b"one", b"two", b"three")]
        new = [
            NewMessage(content=incoming, flags=given)
            for incoming, given in zip(arriving, ((), ("\\Recent",), ()), strict=True)
        ]
        await self.refused(NotPossible, account.append("box", new))
        self.assertEqual(await folder.state(), before)
        for incoming in arriving:
            again = [NewMessage(content=incoming)]
            await self.refused(NotPossible, account.append("box", again))
        self.assertEqual(await contents(folder), [b"there"])

    @with_store
    async def test_a_mailbox_that_is_not_there_takes_nothing(self, store: Any) -> None:
        """That is said before the first byte; and after the last, if it has gone since."""
        account, _folder = await self.box(store)
        await self.refused(NoSuchMailbox, account.incoming("none", 3))
        incoming = await self.arriving(account, b"late")
        await account.delete("box")
        await self.refused(NoSuchMailbox, account.append("box", [NewMessage(content=incoming)]))
        await account.create("box")
        await self.refused(NotPossible, account.append("box", [NewMessage(content=incoming)]))

    @with_store
    async def test_more_than_was_announced_is_refused(self, store: Any) -> None:
        """What was promised room cannot take more."""
        account, folder = await self.box(store)
        incoming = await account.incoming("box", 4)
        await incoming.write(b"1234")
        await self.refused(NotPossible, incoming.write(b"5"))
        incoming.discard()
        await put(account, "box", b"other")
        self.assertEqual(await contents(folder), [b"other"])

    @with_store
    async def test_a_size_for_which_there_is_no_room_is_refused_at_once(self, store: Any) -> None:
        """Nobody sends what cannot be kept; others are taken as before."""
        size = self.too_much
        if size is None:
            self.skipTest("too_much is not given")
            raise AssertionError  # Not reached: `skipTest` raises.
        account, folder = await self.box(store)
        await self.refused(OverQuota, account.incoming("box", size))
        await put(account, "box", b"small")
        self.assertEqual(await contents(folder), [b"small"])

    @with_store
    async def test_a_message_may_not_be_longer_than_the_limit(self, store: Any) -> None:
        """APPENDLIMIT is what is kept to (RFC 7889), by those that announce their size."""
        account, _folder = await self.box(store)
        limit = account.append_limit
        if limit is None:
            self.skipTest("the store has no limit")
        self.assertTrue(isinstance(limit, int) and limit > 0, limit)
        await self.refused(OverQuota, account.incoming("box", limit + 1))

    @with_store
    async def test_messages_that_arrive_and_go_leave_the_room_they_found(self, store: Any) -> None:
        """Whether they are discarded, refused, or removed later."""
        size = self.too_much
        if size is None:
            self.skipTest("too_much is not given")
            raise AssertionError  # Not reached: `skipTest` raises.
        account, folder = await self.box(store)
        part = size // 3
        for flag in ("\\Recent", "\\Deleted", "\\Recent", "\\Deleted", "\\Deleted"):
            (await account.incoming("box", part)).discard()
            incoming = await account.incoming("box", part)
            await incoming.write(bytes(part))
            new = [NewMessage(content=incoming, flags=(flag,))]
            if flag == "\\Recent":
                await self.refused(NotPossible, account.append("box", new))
            else:
                await account.append("box", new)
            await folder.expunge()
        self.assertEqual(await flags(folder), [])
