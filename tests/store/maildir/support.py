"""Accounts on disk for tests, used at once, and looked at as a whole."""

from __future__ import annotations

import os
from typing import Any

from referrald.mailmodel import NewMessage
from referrald.store.maildir.account import MaildirAccount
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.disk import Step, no_step
from referrald.store.maildir.store import MaildirStore
from tests.store.support import now

Look = dict[str, tuple[int, list[tuple[bytes, tuple[str, ...]]]] | None]
"""By name the UIDVALIDITY and the messages with their flags; None for a mere name."""


class Site:
    """A directory with the account of bob in it."""

    def __init__(self, directory: str) -> None:
        self.template = os.path.join(os.path.abspath(directory), "%u")
        self.root = os.path.join(os.path.abspath(directory), "bob")
        self.store: MaildirStore | None = None

    def open(self, step: Step = no_step, limits: Limits | None = None) -> MaildirAccount:
        """Open it as a new process would."""
        self.close()
        self.store = MaildirStore(self.template, step=step, limits=limits)
        now(self.store.start())
        return now(self.store.account("bob"))

    def close(self) -> None:
        """Let go of it."""
        if self.store is not None:
            now(self.store.stop())
            self.store = None

    def path(self, *parts: str) -> str:
        """Give the path of something in the account."""
        return os.path.join(self.root, *parts)

    def deliver(self, content: bytes, name: str, folder: str = "", part: str = "new") -> str:
        """Put a message there as other programs do."""
        path = self.path(folder, part, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def touch(self, *directories: str) -> None:
        """Make directories look as if they had last changed long ago, at another time each."""
        for number, directory in enumerate(directories, 1):
            os.utime(self.path(directory), (number, number))


def put(account: Any, name: str, *contents: bytes, flags: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Append messages."""
    new = [NewMessage(content=content, flags=flags) for content in contents]
    return now(account.append(name, new)).uids


def folder(account: Any, name: str = "INBOX") -> Any:
    """Open a mailbox for writing."""
    return now(account.open(name, True))


def messages(account: Any, name: str = "INBOX") -> list[tuple[bytes, tuple[str, ...]]]:
    """Give the messages of a mailbox with their flags."""
    box = folder(account, name)
    found = now(box.fetch(now(box.state()).uids))
    return [(now(box.content(each.uid)) or b"", each.flags) for each in found]


def look(account: Any) -> Look:
    """See all there is."""
    found: Look = {}
    for entry in now(account.entries()):
        if "\\Noselect" in entry.attributes:
            found[entry.name] = None
        else:
            state = now(folder(account, entry.name).state())
            found[entry.name] = (state.uid_validity, messages(account, entry.name))
    return found
