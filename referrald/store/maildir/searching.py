"""SEARCH: what the index can answer alone it does; the rest is looked up in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any, TypeVar

from referrald.mailmodel import StoredMessage
from referrald.mime import matching
from referrald.query import Found, Query
from referrald.store.maildir import described, messages
from referrald.store.maildir.index import Index
from referrald.store.maildir.messages import File

Result = TypeVar("Result")
Do = Callable[..., Any]


class Shelf:
    """A mailbox as a `referrald.mime.matching.Source`, for a thread.

    do: calls something with the index when that is free. here: gives the mailbox, or raises
    `NoSuchMailbox`.
    """

    def __init__(self, do: Do, here: Callable[[Index], Any]) -> None:
        self._do = do
        self._here = here

    def uids(self) -> Sequence[int]:
        """Give the UIDs of all messages."""
        found: Sequence[int] = self._do(self._uids)
        return found

    def _uids(self, index: Index) -> Sequence[int]:
        return messages.all_uids(index.database, self._here(index).id)

    def attributes(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell what is known without reading."""
        found: list[StoredMessage] = self._do(self._attributes, uids)
        return found

    def _attributes(self, index: Index, uids: Sequence[int]) -> list[StoredMessage]:
        with index.reading():
            return messages.fetch(index, self._here(index).id, uids)

    def fields(self, uids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Give the common fields; messages that nobody asked about before are described now."""
        rows = self._do(self._fields, uids)
        unknown = [uid for uid, fields in rows if fields is None]
        if unknown:
            path, files = self._do(self.files, unknown)
            self._do(described.keep, described.described(path, files))
            rows = self._do(self._fields, uids)
        return ((uid, fields) for uid, fields in rows if fields is not None)

    def _fields(self, index: Index, uids: Sequence[int]) -> list[Any]:
        with index.reading():
            return messages.rows(index, self._here(index).id, uids, ("fields",))

    def files(self, index: Index, uids: Sequence[int]) -> tuple[str, list[File]]:
        """Say where messages are."""
        folder = self._here(index)
        with index.reading():
            return index.path(folder.directory), messages.files(index, folder.id, uids)

    def header(self, uid: int) -> bytes | None:
        """Give a message, which has its header in it."""
        return self.content(uid)

    def content(self, uid: int) -> bytes | None:
        """Give a whole message."""
        path, files = self._do(self.files, [uid])
        return described.whole(path, files[0]) if files else None


def search(query: Query, shelf: Shelf, given_up: Event) -> Found:
    """Find messages, in a thread; ends soon after it has been given up."""
    return matching.search(query, shelf, now=datetime.now(UTC), aborted=given_up.is_set)
