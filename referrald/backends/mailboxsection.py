"""Reads ``[[mailboxes]]``: every entry by itself, and then those that are about the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from referrald.backends.homes import decode_server
from referrald.backends.homespec import Faults, HomeReader
from referrald.backends.mailboxspec import MailboxReader
from referrald.backends.servers import Wrong, show
from referrald.model import Server

SECTION = "mailboxes"

Tell = Callable[[str, str, Wrong], object]
"""Notes what is wrong, with a table and a key in it."""


class MailboxSection:
    """The entries of one file.

    servers: those that the entries refer to, in order of their coming.
    """

    def __init__(self, homes: HomeReader, fold: Callable[[str], str], tell: Tell) -> None:
        self.servers: dict[Server, None] = {}
        self._reader = MailboxReader(homes, fold)
        self._tell = tell
        self._said: dict[tuple[bool, str], dict[str | None, int]] = {}

    def read(self, entries: object) -> list[dict[str, Any]]:
        """Give what all entries say, for the notes of an image; tell what is wrong."""
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            self._tell("", SECTION, Wrong("is not a list of tables", f"write [[{SECTION}]]"))
            return []
        found = []
        for number, entry in enumerate(entries, 1):
            table = f"{SECTION} #{number}"
            try:
                said = self._reader.read(entry)
            except Faults as error:
                for key, fault in error.faults:
                    self._tell(table, key, fault)
                continue
            self._note(table, number, said)
            found.append(said)
        return found

    def _note(self, table: str, number: int, said: dict[str, Any]) -> None:
        """Keep the servers of an entry, and tell when another one is about the same."""
        for replica in said.get("replicas", ()):
            self.servers[decode_server(replica[0])] = None
        # A name and the root of a subtree are the same mailbox: lists could show but one of them.
        before = self._said.setdefault((said["kind"] == "pattern", said["at"]), {})
        for word in said.get("for", (None,)):
            first = before.setdefault(word, number)
            if first != number:
                whom = "" if word is None else f" for {show(word)}"
                wrong = Wrong(f'"{show(said["at"])}" is in #{first} already{whom}', "keep one")
                self._tell(table, "match", wrong)
                return
