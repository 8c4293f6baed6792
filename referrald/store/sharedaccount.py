"""One user's mailboxes, with those of others that the user has rights on."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from referrald.errors import (
    MailboxExists,
    NoPermission,
    NoSuchMailbox,
    NotPossible,
    ReferraldError,
    UnknownUse,
)
from referrald.interfaces import IGrants, IMailAccount, IQuotas, IRights
from referrald.mailmodel import MailboxEntry, MailboxStatus, Namespaces, NewMessage, Placed, Quota
from referrald.store import rights
from referrald.store.flags import USES
from referrald.store.names import DELIMITER, INBOX, above, checked, is_below, undelimited
from referrald.store.rights import ALL, Held
from referrald.store.rightsfile import PUBLIC
from referrald.store.sharedfolder import GuardedFolder, SharingFolder
from referrald.store.sharedtrees import Tree

if TYPE_CHECKING:
    from referrald.store.sharing import SharingStore

ACROSS: Final = "A mailbox cannot be renamed into or out of shared ones; copy its messages."
_USES: Final = frozenset(USES.values())


@attrs.frozen(kw_only=True)
class Where:
    """Where a mailbox is, whether there is one or not, and what the user may do with it.

    name: what the account that has it calls it. key: what the table of rights does.
    own: it is the user's, who may do everything.
    """

    account: Any
    owner: str
    name: str
    key: str
    letters: str
    own: bool = False

    async def exists(self) -> bool:
        """Say whether there is such a mailbox, or a mere name."""
        return bool(await self.account.statuses([self.name])) or any(
            entry.name == self.name for entry in await self.account.entries()
        )


@implementer(IMailAccount, IQuotas, IRights, IGrants)
class SharedAccount:
    """All mailboxes that a user can use. own: the user's own account."""

    log = Logger(namespace="referrald")

    def __init__(self, user: str, own: Any, store: SharingStore) -> None:
        self.user = user
        self.own = own
        self.delimiter: str = own.delimiter
        self.append_limit: int | None = own.append_limit
        limits: Any = IQuotas(own, None)
        self.resources: Sequence[str] = () if limits is None else limits.resources
        self._store = store
        self._prefixes = store.prefixes
        self.granting = store.granting

    # -- where things are --------------------------------------------------------------------

    def _mine(self, name: str) -> Where:
        return Where(account=self.own, owner=self.user, name=name, key=name, letters=ALL, own=True)

    async def where(self, name: str) -> Where:
        """Find a mailbox; raises `NoSuchMailbox` where nobody has one of that name."""
        if self._prefixes.is_own(name):
            return self._mine(name)
        owner = self._prefixes.any_owner(name)
        if owner is None or owner == self.user:
            raise NoSuchMailbox(name)
        # Who was given no rights is not to find out who has mail here.
        if owner != PUBLIC and owner not in await self.granting.owners(self.user):
            raise NoSuchMailbox(name)
        held = await self.granting.held(owner, self.user)
        tree = await self._store.tree(owner)
        inner = None if tree is None else tree.inner(name)
        if tree is None or inner is None:
            raise NoSuchMailbox(name)
        key = tree.key(inner)
        return Where(
            account=tree.account, owner=owner, name=inner, key=key, letters=held.letters(key)
        )

    async def may(self, name: str, right: str) -> Where:
        """Find a mailbox on which the user has a right; raises `NoPermission`, `NoSuchMailbox`."""
        where = await self.where(name)
        if right not in where.letters:
            raise await self._refusal(where, name)
        return where

    async def _refusal(self, where: Where, name: str) -> ReferraldError:
        """Give the error for who lacks a right; it tells of no mailbox that may not be seen."""
        if "l" in where.letters and await where.exists():
            return NoPermission(name)
        return NoSuchMailbox(name)

    # -- lists -------------------------------------------------------------------------------

    def namespaces(self) -> Namespaces:
        """Give the prefixes of the namespaces."""
        public, others = self._prefixes.public, self._prefixes.others
        return Namespaces(
            others=(others + DELIMITER,) if others else (),
            shared=(public + DELIMITER,) if public else (),
        )

    async def entries(self) -> list[MailboxEntry]:
        """Name every mailbox that the user may see."""
        is_own = self._prefixes.is_own
        found = [entry for entry in await self.own.entries() if is_own(entry.name)]
        for tree in await self._trees():
            try:
                found += await self._seen(tree)
            except ReferraldError as error:
                self._passed_over(tree.root, error)
        return sorted(found, key=lambda entry: entry.name)

    async def _trees(self, among: Container[str] | None = None) -> list[Tree]:
        """Give the mailboxes of others, as far as they can be had: one's own mail is there.

        among: whose are wanted, None for all.
        """
        try:
            owners = await self._store.owners(self.user)
        except ReferraldError as error:
            self._passed_over("mailboxes of others", error)
            return []
        wanted = [owner for owner in owners if among is None or owner in among]
        found = [await self._tree_if_any(owner) for owner in wanted]
        return [tree for tree in found if tree is not None]

    async def _tree_if_any(self, owner: str) -> Tree | None:
        try:
            return await self._store.tree(owner)
        except ReferraldError as error:
            self._passed_over(self._prefixes.root(owner), error)
            return None

    def _passed_over(self, what: str, error: ReferraldError) -> None:
        self.log.error("{what} cannot be listed: {error}", what=what, error=str(error))

    async def _seen(self, tree: Tree) -> list[MailboxEntry]:
        held = await self.granting.held(tree.owner, self.user)
        # There may be very many.
        return await self.granting.pool.run(_visible, tree, await tree.account.entries(), held)

    async def subscriptions(self) -> frozenset[str]:
        """Name all that is subscribed: the user's own list, whosever the mailboxes are."""
        found: frozenset[str] = await self.own.subscriptions()
        return found

    async def subscribe(self, name: str) -> None:
        """Add a name to the subscriptions."""
        await self.own.subscribe(name)

    async def unsubscribe(self, name: str) -> None:
        """Take a name from the subscriptions."""
        await self.own.unsubscribe(name)

    # -- one mailbox -------------------------------------------------------------------------

    async def open(self, name: str, writable: bool) -> Any:
        """Give the folder of that name."""
        where = await self.may(name, "r")
        folder = await where.account.open(where.name, writable)
        if where.own:
            return SharingFolder(name, folder, self, where)
        return GuardedFolder(name, folder, self, where)

    async def status(self, name: str) -> MailboxStatus:
        """Count without opening."""
        where = await self.may(name, "r")
        counts: MailboxStatus = await where.account.status(where.name)
        return counts

    async def statuses(self, names: Sequence[str]) -> dict[str, MailboxStatus]:
        """Count many; those that the user may not read are left out."""
        mine = [name for name in names if self._prefixes.is_own(name)]
        found: dict[str, MailboxStatus] = dict(await self.own.statuses(mine))
        rest: dict[str, list[str]] = {}
        for name in set(names).difference(mine):
            owner = self._prefixes.any_owner(name)
            if owner is not None:
                rest.setdefault(owner, []).append(name)
        for tree in await self._trees(rest) if rest else ():
            try:
                found.update(await self._counts(tree, rest[tree.owner]))
            except ReferraldError as error:
                self._passed_over(tree.root, error)
        return found

    async def _counts(self, tree: Tree, names: Sequence[str]) -> dict[str, MailboxStatus]:
        held = await self.granting.held(tree.owner, self.user)
        asked = await self.granting.pool.run(_readable, tree, names, held)
        counts = await tree.account.statuses([*asked]) if asked else {}
        return {asked[inner]: count for inner, count in counts.items()}

    async def incoming(self, name: str, size: int) -> Any:
        """Get ready to take a message."""
        where = await self.may(name, "i")
        return await where.account.incoming(where.name, size)

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        """Put messages into a mailbox, with those flags that the user may set."""
        where = await self.may(name, "i")
        given = [
            attrs.evolve(new, flags=rights.settable(new.flags, where.letters)) for new in messages
        ]
        placed: Placed = await where.account.append(where.name, given)
        return placed

    # -- names -------------------------------------------------------------------------------

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it; it takes a right on what is above."""
        where = await self._place_for(undelimited(name))
        if special_use and not where.own:
            # Whoever sees it would take it for one's own.
            raise UnknownUse(public="Only mailboxes of one's own can have a special use.")
        await where.account.create(where.name, special_use)

    async def _place_for(self, name: str) -> Where:
        """Find where a new mailbox is to be, or raise."""
        if self._prefixes.is_own(name):
            return self._mine(name)
        if name == self._prefixes.public:
            raise MailboxExists(name)
        checked(name)
        try:
            where = await self.where(name)
        except NoSuchMailbox as error:
            raise NoPermission(name) from error
        held = await self.granting.held(where.owner, self.user)
        if "k" not in held.letters(_parent(where.key)):
            raise NoPermission(name)
        return where

    async def delete(self, name: str) -> None:
        """Remove a mailbox, and its list of rights; what is below it stays.

        As long as the name stays for that, so does the list: what is below may go by it.
        """
        where = await self.may(name, "x")
        # Where the table cannot be asked nothing goes: the next of that name would get the list.
        lists = await self.granting.lists(where.owner)
        await where.account.delete(where.name)
        candidates = [each for each in (where.key, *above(where.key)) if each in lists]
        if candidates:
            there = {entry.name for entry in await where.account.entries()}
            for gone in (each for each in candidates if each not in there):
                await self.granting.drop(where.owner, gone)

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox and all below it a new name; who has which rights stays as it is."""
        plain = undelimited(new)
        source, target = await self.may(old, "x"), await self._place_for(plain)
        if source.owner != target.owner:
            raise NotPossible(public=ACROSS)
        if source.owner == PUBLIC and source.name == INBOX:
            raise NotPossible(public="That mailbox has to stay.")
        if source.name == INBOX or not await self.granting.lists(source.owner):
            await source.account.rename(source.name, target.name)
            return
        await self._rename_listed(source, target)

    async def _rename_listed(self, source: Where, target: Where) -> None:
        """Rename where rights were given: at no moment does anybody have more of them."""
        if is_below(target.name, source.name) or await target.exists():
            # It is refused, and all lists stay as they are.
            await source.account.rename(source.name, target.name)
            return
        copied = await self.granting.copy(source.owner, source.key, target.key)
        try:
            await source.account.rename(source.name, target.name)
        except ReferraldError:
            # After anything else nobody knows whether it has its new name: the lists of both stay.
            if copied:
                await self.granting.drop_tree(source.owner, target.key)
            raise
        if copied:
            await self.granting.drop_tree(source.owner, source.key)

    # -- limits ------------------------------------------------------------------------------

    async def quotas(self, name: str) -> list[Quota]:
        """Give what limits a mailbox: that is its owner's."""
        try:
            where = await self.where(name)
        except NoSuchMailbox:
            return []
        quotas: Any = IQuotas(where.account, None)
        if quotas is None or not where.letters:
            return []
        found: Sequence[Quota] = await quotas.quotas(where.name)
        return [self._renamed(quota, where.owner) for quota in found]

    def _renamed(self, quota: Quota, owner: str) -> Quota:
        """Give a quota root of others the name of what they share."""
        if owner == self.user:
            return quota
        root = self._prefixes.root(owner)
        return attrs.evolve(quota, root=root + DELIMITER + quota.root if quota.root else root)

    async def quota(self, root: str) -> Quota | None:
        """Give a quota root by its name."""
        own: Any = IQuotas(self.own, None)
        found: Quota | None = None if own is None else await own.quota(root)
        if found is not None:
            return found
        for tree in await self._trees():
            rest = None if root == tree.root else root.removeprefix(tree.root + DELIMITER)
            quotas: Any = IQuotas(tree.account, None)
            if rest == root or quotas is None or not await self._seen(tree):
                continue
            given = await quotas.quota(rest or "")
            if given is not None:
                return self._renamed(given, tree.owner)
        return None

    # -- rights ------------------------------------------------------------------------------

    async def rights(self, name: str) -> str:
        """Give the letters of what the user may do with a mailbox."""
        where = await self.where(name)
        if rights.SHOWING.isdisjoint(where.letters) or not await where.exists():
            raise NoSuchMailbox(name)
        return where.letters

    async def acl(self, name: str) -> Mapping[str, str]:
        """Give the letters by identifier, those of the owner among them."""
        where = await self._administered(name)
        entries = rights.nearest(await self.granting.lists(where.owner), where.key)
        return ({where.owner: ALL} if where.owner != PUBLIC else {}) | dict(entries)

    async def grant(self, name: str, identifier: str, letters: str, mode: int) -> None:
        """Add (mode 1), remove (-1) or set (0) letters."""
        where = await self._administered(name)
        if identifier.removeprefix(rights.NOT) == where.owner != PUBLIC:
            raise NotPossible(public="The owner of a mailbox has all rights on it.")
        await self.granting.change(where.owner, where.key, identifier, letters, mode)

    async def grantable(self, name: str, identifier: str) -> tuple[str, str]:
        """Give the letters that somebody has for good, and those that can be given and taken."""
        where = await self._administered(name)
        owns = identifier == where.owner != PUBLIC
        return (ALL, "") if owns else ("", ALL)

    async def _administered(self, name: str) -> Where:
        where = await self.may(name, "a")
        if not await where.exists():
            raise NoSuchMailbox(name)
        return where


def _visible(tree: Tree, entries: Sequence[MailboxEntry], held: Held) -> list[MailboxEntry]:
    """Give those mailboxes that a user may see, as the user sees them."""
    found = []
    for entry in entries:
        name = tree.outer(entry.name)
        if name is not None and "l" in held.letters(tree.key(entry.name)):
            found.append(MailboxEntry(name=name, attributes=_shown(entry)))
    return found


def _readable(tree: Tree, names: Sequence[str], held: Held) -> dict[str, str]:
    """Give the names that a user may read, by what the account calls them."""
    inner = {tree.inner(name): name for name in names}
    return {
        there: name
        for there, name in inner.items()
        if there is not None and "r" in held.letters(tree.key(there))
    }


def _shown(entry: MailboxEntry) -> tuple[str, ...]:
    """Give the attributes for others: somebody else's Sent is not theirs."""
    return tuple(each for each in entry.attributes if each not in _USES)


def _parent(key: str) -> str:
    """Give what the table of rights has above a mailbox."""
    return key.rpartition(DELIMITER)[0]
