"""The suite for mail stores, on mailboxes that users let others use, where accounts do that."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.errors import MailboxExists, NoPermission, NoSuchMailbox, NotPossible, UnknownUse
from referrald.interfaces import IGrants
from referrald.testing.storecase import (
    StoreCase,
    attributes,
    names,
    once,
    opened,
    path,
    put,
    with_store,
    with_stored,
    with_two_stores,
)

READS = "lr"
WORKS = "lrswite"
ALL = "lrswipkxtea"


class SharingCase(StoreCase):
    """Has one user let another use a mailbox."""

    async def sharing(self, store: Any, letters: str, *texts: bytes) -> tuple[Any, Any, str]:
        """Give the first user's account with a mailbox, the second's, and what that calls it.

        letters: what the second may do with it.
        """
        account, folder = await self.box(store, *texts)
        await folder.close()
        one: Any = IGrants(account, None)
        if one is None or not one.namespaces().others:
            self.skipTest("users cannot share their mailboxes")
        verifyObject(IGrants, one)
        await self.give(one, "box", letters)
        return one, await self.account(store, 1), self.theirs(one, "box")

    async def give(self, account: Any, name: str, letters: str, mode: int = 0) -> None:
        """Let the second user do something."""
        await account.grant(name, self.users[1], letters, mode)

    def theirs(self, account: Any, *levels: str) -> str:
        """Give the name that the second user has for a mailbox of the first."""
        prefix: str = account.namespaces().others[0]
        return prefix + path(account, self.users[0], *levels)

    async def hidden(self, account: Any, name: str) -> None:
        """See that there is no such mailbox, whatever is asked."""
        before = await names(account)
        self.assertNotIn(name, before)
        for work in (
            lambda: account.open(name, False),
            lambda: account.status(name),
            lambda: account.incoming(name, 1),
            lambda: put(account, name, b"x"),
            lambda: account.delete(name),
            lambda: account.rename(name, "mine"),
            lambda: account.rights(name),
            lambda: account.acl(name),
            lambda: account.grant(name, self.users[1], ALL, 0),
        ):
            await self.refused(NoSuchMailbox, work())
        self.assertEqual(dict(await account.statuses([name])), {})
        self.assertEqual(await names(account), before)


class SharingContract(SharingCase):
    """Mailboxes of one user that another has rights on (RFC 4314)."""

    @with_store
    async def test_what_is_given_to_read_can_be_read(self, store: Any) -> None:
        """It is listed and counted as well, and nothing can be changed."""
        one, other, name = await self.sharing(store, READS, b"a", b"b")
        self.assertIn(name, await names(other))
        self.assertEqual(await opened(other, name), await opened(one, "box"))
        self.assertEqual(await other.status(name), await one.status("box"))
        self.assertEqual(dict(await other.statuses([name])), {name: await one.status("box")})
        folder = await other.open(name, True)
        state = await folder.state()
        self.assertEqual((folder.name, folder.writable, tuple(state.permanent)), (name, False, ()))
        for work in (
            lambda: folder.store(state.uids, ["\\Seen"], 1),
            lambda: folder.expunge(),
            lambda: folder.move(state.uids, "INBOX"),
            lambda: put(other, name, b"x"),
            lambda: other.delete(name),
            lambda: other.create(path(other, name, "low")),
            lambda: other.rename(name, "mine"),
            lambda: other.acl(name),
        ):
            await self.refused(NoPermission, work())
        self.assertEqual((await opened(one, "box"))[1], [b"a", b"b"])

    @with_store
    async def test_what_is_not_given_is_not_there(self, store: Any) -> None:
        """Nobody learns whether there is such a mailbox, or such a user."""
        one, other, name = await self.sharing(store, "", b"a")
        await one.create("given")
        await self.give(one, "given", READS)
        prefix = one.namespaces().others[0]
        for hidden in (name, self.theirs(one, "none"), prefix + path(one, "nobody", "INBOX")):
            await self.hidden(other, hidden)
        self.assertIn(self.theirs(one, "given"), await names(other))
        await self.refused(NoPermission, other.create(path(other, name, "low")))

    @with_store
    async def test_to_see_a_mailbox_is_not_to_read_it(self, store: Any) -> None:
        """Nor does it take that: a hidden one can be read by who knows its name."""
        one, other, name = await self.sharing(store, "l", b"a")
        self.assertIn(name, await names(other))
        await self.refused(NoPermission, other.open(name, False))
        await self.refused(NoPermission, other.status(name))
        await self.give(one, "box", "ri")
        self.assertNotIn(name, await names(other))
        await put(other, name, b"b")
        self.assertEqual((await opened(other, name))[1], [b"a", b"b"])

    @with_store
    async def test_names_are_made_and_changed_by_rights(self, store: Any) -> None:
        """What is above a new one is asked for ``k``, and what goes for ``x``."""
        one, other, name = await self.sharing(store, READS + "k", b"a")
        low, new = path(other, name, "low"), path(other, name, "new")
        await other.create(low + other.delimiter)
        self.assertIn(path(one, "box", "low"), await names(one))
        await self.refused(MailboxExists, other.create(low))
        await self.refused(NoPermission, other.create(self.theirs(one, "more")))
        await self.refused(NoPermission, other.rename(low, new))
        await self.refused(NoPermission, other.delete(low))
        await self.give(one, "box", "x", 1)
        await other.rename(low, new)
        self.assertIn(new, await names(other))
        await self.refused(NoPermission, other.rename(new, self.theirs(one, "more")))
        for pair in ((new, "mine"), ("mine", path(other, name, "mine"))):
            if pair[0] == "mine":
                await other.create("mine")
            await self.refused(NotPossible, other.rename(*pair))
        await other.delete(new)
        self.assertNotIn(path(one, "box", "new"), await names(one))

    @with_store
    async def test_first_levels_are_nobodys_own(self, store: Any) -> None:
        """No mailbox of one's own can have a name that would be somebody else's."""
        one, _other, _name = await self.sharing(store, READS)
        before, top = await names(one), one.namespaces().others[0][:-1]
        for name in (top, path(one, top, "x"), path(one, top, self.users[0], "INBOX")):
            await self.refused(NoPermission, one.create(name))
            await self.refused(NoPermission, one.rename("box", name))
            await self.refused(NoSuchMailbox, one.open(name, False))
        self.assertEqual(await names(one), before)

    @with_store
    async def test_rights_are_added_and_removed_and_set(self, store: Any) -> None:
        """The list says it all, with the owner's; an old letter is what it stands for."""
        one, other, name = await self.sharing(store, READS)
        for letters, mode, after in (
            ("sw", 1, "lrsw"), ("r", -1, "lsw"), ("cd", 1, "lswkxte"), ("lra", 0, "lra"),
        ):  # fmt: skip
            await self.give(one, "box", letters, mode)
            self.assertEqual(await other.rights(name), after)
            self.assertEqual(dict(await one.acl("box")), {self.users[0]: ALL, self.users[1]: after})
        self.assertEqual(dict(await other.acl(name)), dict(await one.acl("box")))
        await other.grant(name, "anyone", "l", 0)
        self.assertEqual((await one.acl("box"))["anyone"], "l")
        await self.give(one, "box", "", 0)
        self.assertEqual(await other.rights(name), "l")
        self.assertNotIn(self.users[1], await one.acl("box"))
        await self.refused(NotPossible, one.grant("box", self.users[1], "lq", 0))
        await self.refused(NoPermission, other.grant(name, "anyone", "lr", 0))
        self.assertEqual(await one.rights("box"), ALL)

    @with_store
    async def test_what_is_taken_away_counts_more(self, store: Any) -> None:
        """Whoever gave it; the owner keeps everything."""
        one, other, name = await self.sharing(store, "lrs")
        await one.grant("box", "anyone", "lriw", 0)
        await one.grant("box", "-" + self.users[1], "rs", 0)
        self.assertEqual(await other.rights(name), "lwi")
        await one.grant("box", "-anyone", ALL, 0)
        self.assertEqual(await one.rights("box"), ALL)
        await self.hidden(other, name)
        for identifier in (self.users[0], "-" + self.users[0]):
            await self.refused(NotPossible, one.grant("box", identifier, "l", 0))
        self.assertEqual(await one.grantable("box", self.users[0]), (ALL, ""))
        self.assertEqual(await one.grantable("box", self.users[1]), ("", ALL))

    @with_store
    async def test_a_list_counts_for_what_is_below(self, store: Any) -> None:
        """Until that has one of its own, which begins as the one above."""
        one, other, name = await self.sharing(store, READS)
        low = path(one, "box", "low", "deep")
        await one.create(low)
        below, deep = path(one, name, "low"), path(one, name, "low", "deep")
        self.assertTrue({name, below, deep} <= set(await names(other)))
        await one.grant(path(one, "box", "low"), self.users[1], "i", 1)
        self.assertEqual([await other.rights(each) for each in (name, below, deep)],
                         ["lr", "lri", "lri"])  # fmt: skip
        await self.give(one, "box", "", 0)
        self.assertEqual(await other.rights(deep), "lri")
        await self.hidden(other, name)
        await one.grant(path(one, "box", "low"), self.users[1], "", 0)
        await self.give(one, "box", READS)
        await self.hidden(other, deep)
        self.assertIn(name, await names(other))

    @with_store
    async def test_lists_go_with_their_mailboxes(self, store: Any) -> None:
        """Under another name, and away; a new one of the old name has none."""
        one, other, name = await self.sharing(store, READS, b"a")
        await one.rename("box", "chest")
        await one.create("box")
        await self.hidden(other, name)
        chest = self.theirs(one, "chest")
        self.assertEqual((await opened(other, chest))[1], [b"a"])
        await one.delete("chest")
        await one.create("chest")
        await self.hidden(other, chest)
        await one.grant("INBOX", self.users[1], READS, 0)
        await one.rename("INBOX", "old")
        await self.hidden(other, self.theirs(one, "old"))
        self.assertIn(self.theirs(one, "INBOX"), await names(other))

    @with_store
    async def test_another_name_gives_nobody_other_rights(self, store: Any) -> None:
        """Neither takes it any (RFC 4314 section 4), be the list one of those above."""
        one, other, name = await self.sharing(store, READS, b"a")
        await one.create(path(one, "box", "low"))
        await one.create("private")
        await one.rename(path(one, "box", "low"), "low")
        self.assertEqual(await other.rights(self.theirs(one, "low")), READS)
        await one.rename("private", path(one, "box", "private"))
        await self.hidden(other, path(one, name, "private"))
        await one.rename("low", path(one, "box", "low"))
        await self.give(one, "box", "lrs")
        self.assertEqual(await other.rights(path(one, name, "low")), READS)

    @with_store
    async def test_what_is_below_a_deleted_mailbox_keeps_its_rights(self, store: Any) -> None:
        """Until the name is gone, which then can have others."""
        one, other, name = await self.sharing(store, READS)
        low = path(one, "box", "secret", "low")
        await one.create(low)
        await one.grant(path(one, "box", "secret"), self.users[1], "", 0)
        await one.delete(path(one, "box", "secret"))
        await self.hidden(other, path(one, name, "secret", "low"))
        await one.delete(low)
        await one.create(low)
        self.assertIn(path(one, name, "secret", "low"), await names(other))

    @with_store
    async def test_inbox_is_that_in_any_case(self, store: Any) -> None:
        """Below the name of its owner as well."""
        one, other, _name = await self.sharing(store, READS)
        await one.grant("INBOX", self.users[1], READS, 0)
        await put(one, "INBOX", b"in")
        for name in ("INBOX", "inbox", "Inbox"):
            found = await opened(other, self.theirs(one, name))
            self.assertEqual(found[1][-1:], [b"in"])

    @with_store
    async def test_somebody_elses_sent_is_not_ones_own(self, store: Any) -> None:
        """Uses are told to the owner alone; mere names are told to all."""
        one, other, name = await self.sharing(store, READS)
        await one.create(path(one, "box", "gone"), ["\\Sent"])
        await self.give(one, "box", READS + "k")
        await self.refused(UnknownUse, other.create(path(one, name, "new"), ["\\Sent"]))
        self.assertNotIn(path(one, "box", "new"), await names(one))
        self.assertEqual(await attributes(other, path(one, name, "gone")), ())
        await one.delete("box")
        await self.give(one, path(one, "box", "gone"), READS)
        self.assertIn(path(one, name, "gone"), await names(other))

    @with_two_stores
    async def test_rights_given_in_one_count_in_the_other(self, store: Any, other: Any) -> None:
        """Who works on the mailbox there is told."""
        one, _there, name = await self.sharing(store, WORKS, b"a")
        account = await self.account(other, 1)
        folder = await account.open(name, True)
        state, told = await folder.state(), once(folder)
        await self.give(one, "box", "")
        await told
        await self.refused(NoSuchMailbox, folder.changes(state.modseq))
        await self.hidden(account, name)

    @with_stored(lambda self, store: self._share(store))
    async def test_rights_outlive_the_store(self, store: Any) -> None:
        """With those that are taken away."""
        one, other = await self.account(store), await self.account(store, 1)
        self.assertEqual(dict(await one.acl("box")), self.listed)
        self.assertEqual(await other.rights(self.theirs(one, "box")), "lr")

    async def _share(self, store: Any) -> None:
        one, _other, _name = await self.sharing(store, "lrs", b"a")
        await one.grant("box", "-anyone", "s", 0)
        self.listed = dict(await one.acl("box"))
