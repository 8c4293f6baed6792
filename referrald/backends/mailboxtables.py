"""Remote mailboxes of users, ready to be asked: what was made of the same rows is made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from referrald.backends.mailboxtable import MailboxTable

Row = Mapping[str, Any]

TABLES_KEPT = 64
ROWS_KEPT = 100_000
"""So many tables, and rows in all of them, are kept: most users see just what everybody sees."""


class MailboxTables:
    """Tables by their rows; threads may come at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[object, tuple[MailboxTable, int]] = OrderedDict()
        self._rows = 0

    def table(self, rows: Sequence[Row], make: Callable[[], MailboxTable]) -> MailboxTable:
        """Give the table of these rows."""
        key = tuple(tuple(row.items()) for row in rows)
        try:
            hash(key)
        except TypeError:  # an array, say, which no column may be: that has to be told
            return make()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept[0]
        made = make()
        with self._lock:
            if key not in self._kept:
                self._keep(key, made, len(rows))
            return self._kept[key][0]

    def _keep(self, key: object, made: MailboxTable, rows: int) -> None:
        self._kept[key] = made, rows
        self._rows += rows
        while len(self._kept) > 1 and (len(self._kept) > TABLES_KEPT or self._rows > ROWS_KEPT):
            _, (_, count) = self._kept.popitem(last=False)
            self._rows -= count
