"""SEARCH: what the index can answer alone it does; the rest is looked up in a thread."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final, TypeVar

from referrald.mailmodel import StoredMessage
from referrald.mime import matching
from referrald.mime.criteria import leaves
from referrald.query import Changed, Flag, Found, Query, Uids
from referrald.store.maildir import described, masks, messages
from referrald.store.maildir.index import Index
from referrald.store.maildir.messages import File
from referrald.store.maildir.selecting import Condition, at_least, exactly

Result = TypeVar("Result")
Do = Callable[..., Any]
AHEAD: Final = 200
"""Messages whose files are asked for at a time."""


class Shelf:
    """A mailbox as a `referrald.mime.matching.Source`, for a thread.

    It names only those messages that may match, as far as the index can tell.

    do: calls something with the index when that is free. here: gives the mailbox, or raises
    `NoSuchMailbox`.
    """

    def __init__(
        self, do: Do, here: Callable[[Index], Any], condition: Condition = ("1", ())
    ) -> None:
        self._do = do
        self._here = here
        self._condition = condition
        self._uids: Sequence[int] = ()
        self._files: tuple[str, dict[int, File]] = "", {}

    def narrowed(self, condition: Condition | None) -> Shelf:
        """Give the same, for one search, for messages of which a condition is true, if any is."""
        return Shelf(self._do, self._here, condition or self._condition)

    def by_roster(self, query: Query) -> Sequence[int] | None:
        """Give the messages that match, None where UIDs and flags do not tell."""
        found: Sequence[int] | None = self._do(self._by_roster, query)
        return found

    def _by_roster(self, index: Index, query: Query) -> Sequence[int] | None:
        with index.reading() as database:
            roster = index.rosters.get(database, self._here(index))
        return masks.matching(query, roster)

    def uids(self) -> Sequence[int]:
        """Give the UIDs of all messages that may match."""
        self._uids = tuple(uid for uid, _modseq in self.selected(self._condition))
        return self._uids

    def selected(self, condition: Condition) -> list[tuple[int, int]]:
        """Give the messages of which a condition is true, with their modification sequences."""
        found: list[tuple[int, int]] = self._do(self._select, condition)
        return found

    def _select(self, index: Index, condition: Condition) -> list[Any]:
        text, values = condition
        join = "LEFT JOIN contents ON contents.id = content " if "plain" in text else ""
        select = f"SELECT uid, modseq FROM messages {join}WHERE folder = ? AND ({text}) "
        with index.reading() as database:
            key = (self._here(index).id, *values)
            return database.execute(select + "ORDER BY uid", key).fetchall()

    def attributes(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell what is known without reading."""
        found: list[StoredMessage] = self._do(self._attributes, uids)
        return found

    def _attributes(self, index: Index, uids: Sequence[int]) -> list[StoredMessage]:
        with index.reading():
            return messages.fetch(index, self._here(index).id, uids)

    def fields(self, uids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Give the common fields; those of messages that nobody asked about are looked up now."""
        rows = self._do(self._fields, uids)
        for look, keep in (
            (described.headed, described.keep_fields),
            (described.described, described.keep),  # Where a header is very long.
        ):
            unknown = [uid for uid, fields in rows if fields is None]
            if unknown:
                path, files = self._do(self.files, unknown)
                told: Sequence[tuple[Any, ...]] = look(path, files)
                self._do(keep, told)
                # Both end with the fields, whether they are plain, and the content that has them.
                found = {content: fields for *_, fields, _plain, content in told}
                by_uid = {file.uid: found.get(file.content) for file in files}
                rows = [(uid, by_uid.get(uid) if known is None else known) for uid, known in rows]
        return ((uid, fields) for uid, fields in rows if fields is not None)

    def _fields(self, index: Index, uids: Sequence[int]) -> list[Any]:
        with index.reading():
            return messages.rows(index, self._here(index), uids, ("fields",))

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
        if uid not in self._files[1]:
            self._look_ahead(uid)
        path, known = self._files
        return described.whole(path, known[uid]) if uid in known else None

    def _look_ahead(self, uid: int) -> None:
        """Ask where messages are, for this one and those that come after it."""
        at = bisect_left(self._uids, uid)
        path, files = self._do(self.files, self._uids[at : at + AHEAD] or [uid])
        self._files = path, {file.uid: file for file in files}


def is_short(query: Query) -> bool:
    """Say whether the index can answer alone."""
    return exactly(query, datetime.now(UTC)) is not None


def search(query: Query, shelf: Shelf, given_up: Event) -> Found:
    """Find messages, in a thread; ends soon after it has been given up."""
    now = datetime.now(UTC)
    if all(isinstance(leaf, Flag | Uids) for leaf in leaves(query)):
        uids = shelf.by_roster(query)
        if uids is not None:
            return Found(uids=uids)
    whole = exactly(query, now)
    if whole is None:
        some = shelf.narrowed(at_least(query, now))
        return matching.search(query, some, now=now, aborted=given_up.is_set)
    rows = shelf.selected(whole)
    asked = any(isinstance(leaf, Changed) for leaf in leaves(query))
    highest = max((modseq for _uid, modseq in rows), default=0) if asked else 0
    return Found(uids=tuple(uid for uid, _modseq in rows), modseq=highest)
