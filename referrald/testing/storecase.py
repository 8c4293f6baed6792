"""What the parts of the suite for mail stores have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from referrald.interfaces import ILifecycle
from referrald.mailmodel import Changes, NewMessage, Placed

Test = Callable[[Any, Any], Coroutine[Any, Any, None]]
TestOfTwo = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
Error = TypeVar("Error", bound=Exception)


class StoreCase:
    """Makes stores for tests, and lets go of them.

    users: two names of users that the store knows.
    too_much: a size in bytes for which no account has room; None when there is no such size.
    """

    users: tuple[str, str] = ("alice", "bob")
    too_much: int | None = None
    assertEqual: Any
    assertNotEqual: Any
    assertIsNone: Any
    assertIn: Any
    assertNotIn: Any
    assertLess: Any
    assertLessEqual: Any
    assertTrue: Any
    fail: Any
    flushLoggedErrors: Any
    skipTest: Any

    def make_store(self) -> Any:
        """Make an empty store; may give a Deferred or coroutine."""
        raise NotImplementedError

    def reopen(self, store: Any) -> Any:
        """Make another store over the same data, once ``store`` is stopped; as `make_store`."""
        self.skipTest("reopen() is not implemented")

    def second_store(self, store: Any) -> Any:
        """Make another store over the same data while ``store`` goes on; as `make_store`.

        It stands for another process: the two must share nothing but the data.
        """
        self.skipTest("second_store() is not implemented")

    async def started(self, making: Any) -> Any:
        """Wait for a store and start it."""
        store = await making if hasattr(making, "__await__") else making
        lifecycle = ILifecycle(store, None)
        if lifecycle is not None:
            await lifecycle.start()
        return store

    async def stopped(self, store: Any) -> None:
        """Stop a store."""
        lifecycle = ILifecycle(store, None)
        if lifecycle is not None:
            await lifecycle.stop()

    async def account(self, store: Any, who: int = 0) -> Any:
        """Give the account of the first user, or of another."""
        return await store.account(self.users[who])

    async def box(self, store: Any, *contents: bytes, name: str = "box") -> tuple[Any, Any]:
        """Give the first user's account and a new mailbox with messages, open for writing."""
        account = await self.account(store)
        await account.create(name)
        await put(account, name, *contents)
        return account, await account.open(name, True)

    async def refused(self, error: type[Error], work: Awaitable[Any]) -> Error:
        """See that ``work`` raises ``error``, and give it."""
        try:
            result = await work
        except error as raised:
            return raised
        self.fail(f"{error.__name__} was not raised, the result was {result!r}")
        raise AssertionError  # Not reached: `fail` raises.


def with_store(check: Test) -> Callable[[Any], Deferred[None]]:
    """Turn a coroutine ``check(self, store)`` into a test that makes the store and stops it."""

    @wraps(check)
    def test(self: Any) -> Deferred[None]:
        async def work() -> None:
            store = await self.started(self.make_store())
            try:
                await check(self, store)
            finally:
                await self.stopped(store)

        return Deferred.fromCoroutine(work())

    return test


def with_stored(prepare: Test) -> Callable[[Test], Callable[[Any], Deferred[None]]]:
    """Turn ``check`` into a test of what is left, by another store, of what ``prepare`` did."""

    def turn(check: Test) -> Callable[[Any], Deferred[None]]:
        @wraps(check)
        def test(self: Any) -> Deferred[None]:
            async def work() -> None:
                if type(self).reopen is StoreCase.reopen:
                    self.skipTest("reopen() is not implemented")
                store = await self.started(self.make_store())
                try:
                    await prepare(self, store)
                finally:
                    await self.stopped(store)
                other = await self.started(self.reopen(store))
                try:
                    await check(self, other)
                finally:
                    await self.stopped(other)

            return Deferred.fromCoroutine(work())

        return test

    return turn


def with_two_stores(check: TestOfTwo) -> Callable[[Any], Deferred[None]]:
    """Turn ``check(self, store, other)`` into a test of two stores over the same data."""

    @wraps(check)
    def test(self: Any) -> Deferred[None]:
        async def work() -> None:
            if type(self).second_store is StoreCase.second_store:
                self.skipTest("second_store() is not implemented")
            stores = [await self.started(self.make_store())]
            try:
                stores.append(await self.started(self.second_store(stores[0])))
                await check(self, *stores)
            finally:
                for store in stores:
                    await self.stopped(store)

        return Deferred.fromCoroutine(work())

    return test


def applied(before: Sequence[int], changes: Changes) -> list[int]:
    """Give the UIDs that are there after changes, which may tell the difference or all of them."""
    if changes.uids is not None:
        return list(changes.uids)
    gone = set(changes.gone)
    return [uid for uid in before if uid not in gone] + list(changes.arrived)


def once(folder: Any) -> Deferred[None]:
    """Give what fires with the next change."""
    told: Deferred[None] = Deferred()

    def changed() -> None:
        end()
        told.callback(None)

    end = folder.watch(changed)
    return told


async def put(account: Any, name: str, *contents: bytes, flags: tuple[str, ...] = ()) -> Placed:
    """Append messages, all with the same flags."""
    placed: Placed = await account.append(
        name, [NewMessage(content=content, flags=flags) for content in contents]
    )
    return placed


async def names(account: Any) -> list[str]:
    """Name all mailboxes, sorted."""
    return sorted(entry.name for entry in await account.entries())


async def attributes(account: Any, name: str) -> tuple[str, ...]:
    """Give the attributes with which a mailbox is listed."""
    (found,) = [entry.attributes for entry in await account.entries() if entry.name == name]
    return tuple(found)


async def uids(folder: Any) -> list[int]:
    """Give the UIDs of all messages."""
    return list((await folder.state()).uids)


async def contents(folder: Any) -> list[bytes]:
    """Give all messages."""
    return [await folder.content(uid) for uid in await uids(folder)]


async def flags(folder: Any) -> list[list[str]]:
    """Give the flags of all messages, sorted."""
    return [sorted(found.flags) for found in await folder.fetch(await uids(folder))]


async def opened(account: Any, name: str) -> tuple[int, list[bytes]]:
    """Give the UIDVALIDITY and all messages of a mailbox."""
    folder = await account.open(name, False)
    found = (await folder.state()).uid_validity, await contents(folder)
    await folder.close()
    return found


async def remove(folder: Any, *gone: int) -> None:
    """Expunge messages."""
    await folder.store(gone, ["\\Deleted"], 1)
    await folder.expunge(gone)


def sorted_flags(found: Any) -> dict[int, list[str]]:
    """Give flags by UID, sorted."""
    return {uid: sorted(names) for uid, names in found.items()}


def path(account: Any, *levels: str) -> str:
    """Put levels together to a name."""
    joined: str = account.delimiter.join(levels)
    return joined
