"""What the backend needs of a key/value store, whichever it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import attrs

from referrald.errors import Unavailable
from referrald.workers import Pool

LONGEST: Final = 64 * 1024 * 1024
"""Bytes that an answer with many values may have."""

EACH: Final = 0.01
"""Seconds that an operation of a large transaction may take, beyond those for an answer."""

SMALL: Final = 65_536
"""So long an answer is read at once, and not in a thread."""

Told = Callable[[Iterable[bytes] | None], object]
"""Called with keys that have changed, or with None when all of them may have."""


@attrs.frozen
class Entry:
    """A value, and the store's number of its last change, by which it is known to be another."""

    value: bytes = attrs.field(repr=False)
    revision: int


@attrs.frozen(kw_only=True)
class Write:
    """A key that gets a value, None to forget it.

    revision: what it must have now, 0 where there must be no such key; None for anything.
    """

    key: str
    value: bytes | None = attrs.field(repr=False)
    revision: int | None = None


class Store(Protocol):
    """Keys and values at a server; every question may raise `Unavailable`."""

    name: str

    async def get(self, key: str) -> Entry | None:
        """Give one value."""
        ...

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """Give the values of those keys that are there."""
        ...

    async def scan(
        self, prefix: str, *, after: bytes = b"", limit: int = 0, latest: bool = False
    ) -> Sequence[tuple[bytes, Entry]]:
        """Give keys with a prefix in their order, from the one behind ``after`` on.

        limit: how many at most, 0 for as many as a store likes to give at a time. latest: in the
        other order, to the one in front of ``after``. Nothing is the end.
        """
        ...

    async def commit(self, writes: Sequence[Write]) -> int | None:
        """Make changes, all or none; gives the revision that changed values have by it.

        None when one of them was not as it had to be. Raises `NotPossible` for too many.
        """
        ...

    async def position(self) -> None:
        """Find out from where on changes have to be told; what was before need not be."""
        ...

    async def follow(self, told: Told, begun: Callable[[], object]) -> float:
        """Tell of changes for a while, then give the seconds until that is to be done again.

        What has happened between is told as well. begun: called once the store tells of changes.
        """
        ...


@contextmanager
def understood(name: str) -> Iterator[None]:
    """Make `Unavailable` of what happens when an answer is put together in an unknown way."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unavailable(f"{name}: the answer makes no sense") from None


async def parsed(pool: Pool, body: bytes) -> Any:
    """Read JSON, in a thread when it is long; None for what is none."""
    try:
        return json.loads(body) if len(body) <= SMALL else await pool.run(json.loads, body)
    except (ValueError, RecursionError):
        return None
