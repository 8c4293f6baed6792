"""What is needed of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")

Row = dict[str, Any]

QUEUE = 1_000
"""So many questions wait for a thread at most."""


class Connection(Protocol):
    """A connection in the thread that works with it. Parameters are written ``:name``."""

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and give its rows, by column."""
        ...

    def many(self, sql: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement that gives no rows for each of ``values``."""
        ...

    def tell_everybody(self) -> None:
        """Have what this transaction goes on to change told once, and not user by user."""
        ...


class Database(Protocol):
    """Keeps connections and threads for them.

    Whatever goes wrong with the database is raised as `Unavailable`.
    """

    name: str
    """What messages call it."""

    watches: bool
    """Whether changes are told."""

    async def start(self) -> None:
        """Get ready, and notice changes from now on."""
        ...

    async def stop(self) -> None:
        """Let go of connections and threads."""
        ...

    def read(self, work: Callable[[Connection], Result]) -> Awaitable[Result]:
        """Do ``work(connection)``, which only looks."""
        ...

    def write(self, work: Callable[[Connection], Result]) -> Awaitable[Result]:
        """Do ``work(connection)`` in one transaction that nobody else changes anything in."""
        ...

    def keep(self, work: Callable[[Connection], Result], adopt: Callable[[Result], object]) -> None:
        """Do ``work`` at the start and after every change, and hand ``adopt`` what it gave.

        That is before anybody is told of the change.
        """
        ...

    def look(self) -> Awaitable[None]:
        """Look now whether anything has changed, and tell it."""
        ...

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Have changes told, as in `IWatchableBackend`; gives what ends that."""
        ...
