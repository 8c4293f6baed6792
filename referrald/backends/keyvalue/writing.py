"""Changes to homes in a key/value store: compared with what was read, and in the history."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from referrald.backends.changing import (
    Homeless,
    Homes,
    changes_between,
    check_all_known,
    checked_homes,
)
from referrald.backends.keyvalue.history import new_key, read_history, write_record
from referrald.backends.keyvalue.keys import Values, key_of, user_of
from referrald.backends.keyvalue.store import Entry, Store, Write
from referrald.backends.servers import show
from referrald.errors import NotPossible, Unavailable
from referrald.model import Home, HomeChange, LoggedChange, Occasion
from referrald.workers import Pool

TRIES: Final = 5
"""How often a change is made anew because others have changed the same users meanwhile."""

Changes = Sequence[HomeChange]


@attrs.frozen(kw_only=True)
class Known:
    """What the store has: the values by user, and the homes in them."""

    entries: Mapping[str, Entry]
    homes: Homes


@attrs.frozen(kw_only=True)
class Done:
    """A transaction that was made: what it wrote, over what, and the revision that gave."""

    changes: Changes
    before: Known
    revision: int


@attrs.frozen(kw_only=True)
class Writer:
    """Makes changes.

    prefix, history: of the keys of users, and of the history. most: operations of a transaction.
    in_parts: make more changes than that in several transactions.
    """

    store: Store
    pool: Pool
    values: Values
    prefix: str
    history: str
    most: int
    in_parts: bool
    now: Callable[[], float] = time.time

    async def set_home(self, homes: Homes, occasion: Occasion) -> Changes:
        """Give users homes; raises `NotPossible` for names that nobody can have."""
        after = await self.pool.run(self._checked, homes)
        return await self._change(list(after), lambda before: after, occasion)

    async def import_(self, homes: Homes, occasion: Occasion) -> Changes:
        """Know these users and no others; raises `NotPossible`."""
        wanted = await self.pool.run(self._checked, homes)

        def after(before: Homes) -> Homeless:
            return {**wanted, **dict.fromkeys(before.keys() - wanted.keys())}

        return await self._change(None, after, occasion)

    async def each(
        self,
        users: Sequence[str],
        change: Callable[[Home], Home | None],
        occasion: Occasion,
    ) -> Changes:
        """Change users, who have to be there; raises `NoSuchUser`."""
        names = list(dict.fromkeys(users))

        def after(before: Homes) -> Homeless:
            check_all_known(names, before)
            return {name: change(before[name]) for name in names}

        usable = [name for name in names if key_of(self.prefix, name) is not None]
        return await self._change(usable, after, occasion)

    async def log(self, user: str | None, limit: int) -> Sequence[LoggedChange]:
        """Give changes, the latest first."""
        return await read_history(self.store, self.pool, self.history, user, limit)

    def _checked(self, homes: Homes) -> dict[str, Home]:
        return checked_homes(homes, fold=str, kept=self.values.kept)

    # -- reading -----------------------------------------------------------------------------

    async def pages(
        self, after: str = "", limit: int = 0
    ) -> AsyncIterator[tuple[Known, Sequence[str]]]:
        """Give all users behind one, some at a time, with their names in order."""
        key = (key_of(self.prefix, after) or "").encode("ascii")
        while found := await self.store.scan(self.prefix, after=key, limit=limit):
            entries = {user_of(self.prefix, each): entry for each, entry in found}
            named = {user: entry for user, entry in entries.items() if user is not None}
            known = await self._read(named)
            yield known, [user for user in named if user in known.homes]
            key = found[-1][0]

    async def _read(self, entries: Mapping[str, Entry]) -> Known:
        return await self.pool.run(self._read_all, entries)

    def _read_all(self, entries: Mapping[str, Entry]) -> Known:
        homes: dict[str, Home] = {}
        for user, entry in entries.items():
            home = self.values.read(user, entry.value)
            if home is not None:
                homes[user] = home
        return Known(entries=entries, homes=homes)

    async def _known(self, users: Sequence[str] | None) -> Known:
        """Give what is known of users, None for all of them."""
        if users is not None:
            keys = {self._key(user): user for user in users}
            found = await self.store.get_many(list(keys))
            return await self._read({keys[key]: entry for key, entry in found.items()})
        entries: dict[str, Entry] = {}
        homes: dict[str, Home] = {}
        async for known, _ in self.pages():
            entries.update(known.entries)
            homes.update(known.homes)
        return Known(entries=entries, homes=homes)

    def _key(self, user: str) -> str:
        key = key_of(self.prefix, user)
        assert key is not None, "names were checked before"
        return key

    # -- writing -----------------------------------------------------------------------------

    async def _change(
        self,
        users: Sequence[str] | None,
        plan: Callable[[Homes], Homeless],
        occasion: Occasion,
    ) -> Changes:
        for _ in range(TRIES):
            known = await self._known(users)
            changes = changes_between(known.homes, plan(known.homes))
            parts = list(self._parts(changes))
            if not changes or occasion.dry_run or await self._make(parts, known, occasion):
                return changes
        raise Unavailable(f"{self.store.name}: others change the same users all the time")

    def _parts(self, changes: Changes) -> Iterator[Changes]:
        """Divide changes into transactions; raises `NotPossible` where one has to do."""
        size = self.most - 1  # one is for the history
        if len(changes) > size and not self.in_parts:
            raise NotPossible(
                f"{len(changes)} users would change, and one transaction has room for {size}: "
                "raise transaction, or allow several with in_parts"
            )
        for start in range(0, len(changes), size):
            yield changes[start : start + size]

    async def _make(self, parts: Sequence[Changes], known: Known, occasion: Occasion) -> bool:
        """Make one transaction of each part; False, and nothing is changed, after a conflict."""
        done: list[Done] = []
        try:
            for changes in parts:
                revision = await self._commit(changes, known, occasion)
                if revision is None:
                    await self._undo(done, occasion)
                    return False
                done.append(Done(changes=changes, before=known, revision=revision))
        except Unavailable:
            await self._undo(done, occasion)
            raise
        return True

    async def _commit(self, changes: Changes, known: Known, occasion: Occasion) -> int | None:
        writes = await self.pool.run(self._writes, changes, known)
        return await self._transact(writes, changes, occasion)

    def _writes(self, changes: Changes, known: Known) -> Sequence[Write]:
        writes = []
        for each in changes:
            entry = known.entries.get(each.user)
            was = None if entry is None else entry.value
            value = None if each.after is None else self.values.write(each.user, each.after, was)
            revision = 0 if entry is None else entry.revision
            writes.append(Write(key=self._key(each.user), value=value, revision=revision))
        return writes

    async def _transact(
        self, writes: Sequence[Write], changes: Changes, occasion: Occasion
    ) -> int | None:
        """Make a transaction; None after a conflict.

        Where the answer has got lost, or a question was repeated, its record tells what became of
        it: nobody else makes that key.
        """
        now = self.now()
        said = await self.pool.run(write_record, changes, occasion, now)
        record = Write(key=new_key(self.history, now), value=said)
        failed: Unavailable | None = None
        try:
            revision = await self.store.commit([*writes, record])
        except Unavailable as error:
            revision, failed = None, error
        if revision is not None:
            return revision
        made = await self._record(record.key, failed)
        if made is not None:
            return made.revision
        if failed is not None:
            raise Unavailable(f"{failed}; as far as can be told nothing was changed")
        return None

    async def _record(self, key: str, failed: Unavailable | None) -> Entry | None:
        try:
            return await self.store.get(key)
        except Unavailable:
            raise Unavailable(
                f"{failed or self.store.name}; nobody knows whether the change was made, "
                "look at it before you try again"
            ) from None

    async def _undo(self, done: Sequence[Done], occasion: Occasion) -> None:
        """Give back what was there before parts that have been made; raises `Unavailable`."""
        left = sum(len(part.changes) for part in done)
        told = attrs.evolve(occasion, why=f"undone: {occasion.why}")
        for part in reversed(done):
            back = [
                HomeChange(user=each.user, before=each.after, after=each.before)
                for each in part.changes
            ]
            try:
                made = await self._transact(list(self._back(part)), back, told)
            except Unavailable:
                made = None
            if made is None:
                names = ", ".join(show(each.user) for each in done[0].changes[:2])
                raise Unavailable(
                    f"{self.store.name}: {left} users ({names} …) have been changed, the others "
                    "not, and that could not be undone: make the change again"
                )
            left -= len(part.changes)

    def _back(self, part: Done) -> Iterator[Write]:
        for each in part.changes:
            entry = part.before.entries.get(each.user)
            yield Write(
                key=self._key(each.user),
                value=None if entry is None else entry.value,
                revision=0 if each.after is None else part.revision,
            )
