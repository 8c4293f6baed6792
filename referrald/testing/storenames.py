"""The suite for mail stores, on names: what is listed, made, removed, renamed, subscribed."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.errors import MailboxExists, NoSuchMailbox, NotPossible
from referrald.interfaces import IMailAccount, IMailFolder, IMailStore
from referrald.testing.storecase import (
    StoreCase,
    attributes,
    names,
    opened,
    path,
    put,
    uids,
    with_store,
    with_stored,
)

PLAIN_NAMES = ("Work", "work", "a b", "Entw\u00fcrfe", "\u53f0\u5317", "R&D", 'say "hi"', "x" * 100)
"""Names that every store must keep; upper and lower case are not the same."""

ODD_MAILBOX_NAMES = (
    " ", " a", "a ", ".", "..", "../x", ".hidden", "a.b", "a\\b", "a:b", "*", "%", "a*", "~", "~x",
    "#news", "&", "&-", "&AOQ-", "{5}", "(a)", "[a]", "-", "inbox2", "cur", "new", "tmp", "NIL",
    "con", "e\u0301", "\u00e9", "\u202ea", "\U0001f600", "\ufffd", "\u00e9" * 200, "x" * 255,
    "$HOME", "%s", "a'b", "a;b", "a|b", "a?b", "a,b", "a=b", "a@b",
)  # fmt: skip
"""Names that a store either keeps exactly or refuses with `NotPossible`."""

IMPOSSIBLE_NAMES = ("", "a\0b", "a\nb", "\r", "a\x7f", "\ud800", "x" * 5000)
"""Names that no store takes; names with an empty level are among those too."""


class NamesContract(StoreCase):
    """Mailboxes by name."""

    @with_store
    async def test_it_provides_the_interfaces(self, store: Any) -> None:
        """Store, account and folder have all that the contracts name."""
        verifyObject(IMailStore, store)
        account, folder = await self.box(store)
        verifyObject(IMailAccount, account)
        verifyObject(IMailFolder, folder)
        self.assertEqual((folder.name, folder.writable), ("box", True))
        self.assertEqual(len(account.delimiter), 1)
        spaces = account.namespaces()
        for prefix in (*spaces.personal, *spaces.others, *spaces.shared):
            self.assertTrue(not prefix or prefix.endswith(account.delimiter), prefix)

    @with_store
    async def test_every_account_has_an_inbox(self, store: Any) -> None:
        """It can be opened, and is listed once."""
        for who in (0, 1):
            account = await self.account(store, who)
            self.assertEqual((await names(account)).count("INBOX"), 1)
            await (await account.open("INBOX", True)).close()

    @with_store
    async def test_an_account_is_the_same_whenever_it_is_asked_for(self, store: Any) -> None:
        """What one session has made another of the same user sees."""
        await (await self.account(store)).create("mine")
        self.assertIn("mine", await names(await self.account(store)))

    @with_store
    async def test_two_users_do_not_see_each_other(self, store: Any) -> None:
        """Neither mailboxes nor subscriptions nor messages."""
        one, other = await self.account(store), await self.account(store, 1)
        await one.create("mine")
        await one.subscribe("mine")
        await put(one, "INBOX", b"for one alone")
        self.assertNotIn("mine", await names(other))
        self.assertNotIn("mine", await other.subscriptions())
        self.assertNotIn(b"for one alone", (await opened(other, "INBOX"))[1])
        await self.refused(NoSuchMailbox, other.open("mine", False))
        await other.create("mine")
        await put(one, "mine", b"x")
        self.assertEqual((await other.status("mine")).messages, 0)

    @with_store
    async def test_the_levels_above_a_mailbox_are_made_with_it(self, store: Any) -> None:
        """Each is listed, and the new ones have no messages (RFC 3501 section 6.3.3)."""
        account = await self.account(store)
        before = set(await names(account))
        low, middle, top = path(account, "a", "b", "c"), path(account, "a", "b"), "a"
        await account.create(low)
        self.assertEqual(set(await names(account)) - before, {low, middle, top})
        self.assertEqual((await opened(account, low))[1], [])

    @with_store
    async def test_a_delimiter_at_the_end_of_a_new_name_is_dropped(self, store: Any) -> None:
        """It only says that more is to come below (RFC 3501 section 6.3.3)."""
        account = await self.account(store)
        await account.create("a" + account.delimiter)
        self.assertIn("a", await names(account))
        self.assertNotIn("a" + account.delimiter, await names(account))

    @with_store
    async def test_what_is_there_cannot_be_made(self, store: Any) -> None:
        """Its messages stay as they are."""
        account, _folder = await self.box(store, b"kept")
        for name in ("INBOX", "box", "box" + account.delimiter):
            await self.refused(MailboxExists, account.create(name))
        self.assertEqual((await opened(account, "box"))[1], [b"kept"])

    @with_store
    async def test_names_that_no_mailbox_can_have_are_refused(self, store: Any) -> None:
        """In CREATE and in RENAME, and nothing is left of the attempt."""
        account, _folder = await self.box(store)
        before = await names(account)
        middle = account.delimiter.join(("a", "", "b"))
        for name in (*IMPOSSIBLE_NAMES, middle, account.delimiter + "a", account.delimiter):
            await self.refused(NotPossible, account.create(name))
            await self.refused(NotPossible, account.rename("box", name))
            self.assertEqual(await names(account), before, repr(name)[:40])

    @with_store
    async def test_plain_names_are_kept(self, store: Any) -> None:
        """Spaces, quotes, any script; upper and lower case are not the same."""
        account = await self.account(store)
        for name in PLAIN_NAMES:
            await account.create(name)
            await put(account, name, name.encode())
        self.assertEqual(set(PLAIN_NAMES) - set(await names(account)), set())
        for name in PLAIN_NAMES:
            self.assertEqual((await opened(account, name))[1], [name.encode()])

    @with_store
    async def test_odd_names_are_kept_exactly_or_refused(self, store: Any) -> None:
        """No name is taken for another, and none breaks out of the account."""
        account = await self.account(store)
        before, kept = set(await names(account)), []
        for name in ODD_MAILBOX_NAMES:
            try:
                await account.create(name)
            except NotPossible:
                continue
            kept.append(name)
            await put(account, name, name.encode())
        found = set(await names(account)) - before
        self.assertEqual(set(kept) - found, set())
        for name in kept:
            self.assertEqual((await opened(account, name))[1], [name.encode()], name)

    @with_store
    async def test_a_name_without_a_mailbox_can_do_nothing(self, store: Any) -> None:
        """It is not there, whatever is asked of it."""
        account, folder = await self.box(store, b"x")
        for work in (
            lambda: account.open("none", False),
            lambda: account.status("none"),
            lambda: put(account, "none", b"y"),
            lambda: account.delete("none"),
            lambda: account.rename("none", "some"),
            lambda: folder.copy([1], "none"),
        ):
            await self.refused(NoSuchMailbox, work())
        self.assertNotIn("none", await names(account))
        self.assertNotIn("some", await names(account))

    @with_store
    async def test_inbox_cannot_be_deleted(self, store: Any) -> None:
        """Its messages stay as well."""
        account = await self.account(store)
        await put(account, "INBOX", b"kept")
        await self.refused(NotPossible, account.delete("INBOX"))
        self.assertEqual((await opened(account, "INBOX"))[1][-1:], [b"kept"])

    @with_store
    async def test_a_deleted_mailbox_is_gone_and_can_be_made_anew(self, store: Any) -> None:
        """The new one has another UIDVALIDITY and no messages."""
        account, _folder = await self.box(store, b"x")
        validity, _ = await opened(account, "box")
        await account.delete("box")
        self.assertNotIn("box", await names(account))
        await self.refused(NoSuchMailbox, account.open("box", False))
        await account.create("box")
        again, found = await opened(account, "box")
        self.assertEqual(found, [])
        self.assertNotEqual(again, validity)

    @with_store
    async def test_what_is_below_a_deleted_mailbox_stays(self, store: Any) -> None:
        """The name stays too, as one that cannot be opened (RFC 3501 section 6.3.4)."""
        account, low = await self._noselect(store)
        self.assertIn("\\Noselect", await attributes(account, "box"))
        self.assertEqual((await opened(account, low))[1], [b"below"])
        await self.refused(NoSuchMailbox, account.open("box", False))
        await self.refused(NoSuchMailbox, account.status("box"))
        await self.refused(NoSuchMailbox, put(account, "box", b"x"))

    @with_store
    async def test_a_mere_name_stays_as_long_as_something_is_below(self, store: Any) -> None:
        """It cannot be deleted itself (RFC 3501 section 6.3.4), and goes with the last one."""
        account, low = await self._noselect(store)
        other = path(account, "box", "other")
        await account.create(other)
        await self.refused(NotPossible, account.delete("box"))
        self.assertIn(low, await names(account))
        await account.delete(low)
        self.assertIn("\\Noselect", await attributes(account, "box"))
        await account.rename(other, "away")
        self.assertNotIn("box", await names(account))
        await self.refused(NoSuchMailbox, account.delete("box"))
        await account.create("box")
        self.assertEqual(await attributes(account, "box"), ())

    @with_store
    async def test_a_mere_name_can_be_made_a_mailbox_again(self, store: Any) -> None:
        """It is a new one; what is below stays."""
        account, low = await self._noselect(store)
        await account.create("box")
        self.assertNotIn("\\Noselect", await attributes(account, "box"))
        validity, found = await opened(account, "box")
        self.assertEqual(found, [])
        self.assertNotEqual(validity, self.validity)
        self.assertEqual((await opened(account, low))[1], [b"below"])

    async def _noselect(self, store: Any) -> tuple[Any, str]:
        """Delete a mailbox that another is below of."""
        account, folder = await self.box(store, b"above")
        self.validity = (await folder.state()).uid_validity
        await folder.close()
        low = path(account, "box", "low")
        await account.create(low)
        await put(account, low, b"below")
        await account.delete("box")
        return account, low

    @with_store
    async def test_subscriptions_do_not_depend_on_mailboxes(self, store: Any) -> None:
        """They may be there before it and after it; twice is once."""
        account = await self.account(store)
        before = await account.subscriptions()
        for name in ("none", "none", "\u53f0\u5317"):
            await account.subscribe(name)
        self.assertEqual(await account.subscriptions(), before | {"none", "\u53f0\u5317"})
        await account.create("none")
        await account.delete("none")
        self.assertIn("none", await account.subscriptions())
        self.assertNotIn("none", await names(account))
        for name in ("none", "none", "never"):
            await account.unsubscribe(name)
        self.assertEqual(await account.subscriptions(), before | {"\u53f0\u5317"})

    @with_store
    async def test_a_mailbox_can_be_made_for_a_use(self, store: Any) -> None:
        """It is listed with it (RFC 6154 section 3), and keeps it under another name."""
        account = await self.account(store)
        await account.create("Outgone", ["\\Sent"])
        self.assertIn("\\Sent", await attributes(account, "Outgone"))
        await account.rename("Outgone", "Gone")
        self.assertIn("\\Sent", await attributes(account, "Gone"))

    @with_store
    async def test_shared_mailboxes_are_the_same_for_all(self, store: Any) -> None:
        """Those that one user lists below a shared prefix another lists too."""
        one, other = await self.account(store), await self.account(store, 1)
        shared = one.namespaces().shared
        if not shared:
            self.skipTest("there are no shared mailboxes")
        self.assertEqual(other.namespaces().shared, shared)
        prefixes = (*shared, *(prefix[:-1] for prefix in shared))
        found = [name for name in await names(one) if name.startswith(prefixes)]
        self.assertTrue(found)
        self.assertEqual([n for n in await names(other) if n.startswith(prefixes)], found)

    @with_stored(lambda self, store: self._fill(store))
    async def test_mailboxes_and_subscriptions_outlive_the_store(self, store: Any) -> None:
        """So do uses and mere names."""
        account = await self.account(store)
        self.assertEqual(await names(account), self.left)
        self.assertIn("\\Sent", await attributes(account, "Outgone"))
        self.assertIn("\\Noselect", await attributes(account, "top"))
        self.assertIn("elsewhere", await account.subscriptions())
        folder = await account.open("box", True)
        self.assertEqual(await uids(folder), self.kept)

    async def _fill(self, store: Any) -> None:
        account, folder = await self.box(store, b"one", b"two")
        await account.create("Outgone", ["\\Sent"])
        await account.create(path(account, "top", "low"))
        await account.delete("top")
        await account.subscribe("elsewhere")
        self.left, self.kept = await names(account), await uids(folder)
