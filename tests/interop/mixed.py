"""A front door that has some mailboxes of alice itself, and others in a Dovecot behind it."""

from __future__ import annotations

import imaplib
import re
import signal
from collections.abc import Sequence
from typing import ClassVar

from tests.interop.shared import entry, message, open_client, table
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald, quoted
from tests.interop.together import MANY, TogetherCase, processes, send

FOLDERS = ["shared/Minutes", "shared/Plans", "shared/Plans/2026"]


class MixedCase(TogetherCase):
    """Tests of a front door with ``INBOX`` and ``Local``; ``Team/`` is ``shared/`` in a Dovecot."""

    FOLDERS: ClassVar[Sequence[str]] = FOLDERS
    MORE: ClassVar[str] = MANY
    front: Referrald
    home: Dovecot

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start both."""
        cls.home = servers.start_home([("alice", "secret")], folders=cls.FOLDERS)
        entries = table({"a": cls.home.port}, entry("Team/", "a", name="shared/"))
        cls.front = servers.start_shared(entries, more=cls.MORE)

    def client(self) -> imaplib.IMAP4:
        """Open a session at the front door, which never asks for remote names."""
        client = open_client(self.front.port)
        self.addCleanup(client.shutdown)
        return client

    def direct(self) -> imaplib.IMAP4:
        """Open a session at the Dovecot itself."""
        client = self.home.login("alice", "secret")
        self.addCleanup(client.shutdown)
        return client


def kill(home: Dovecot) -> None:
    """End a server and all its sessions at once, whatever they are at."""
    children = processes(home)
    home.process.kill()
    home.process.wait(PATIENCE)
    send(children, signal.SIGKILL)


def put(client: imaplib.IMAP4, mailbox: str, *subjects: str, flags: str = "") -> None:
    """Put messages with these subjects into a mailbox."""
    for subject in subjects:
        answer = client.append(quoted(mailbox), flags, "", message(subject))
        assert answer[0] == "OK", answer


def folders(client: imaplib.IMAP4) -> list[str]:
    """List everything; give the names as they are on the wire, without quotes."""
    lines = [line for line in client.list()[1] if isinstance(line, bytes)]
    return [line.rpartition(b'"/" ')[2].decode("ascii").strip('"') for line in lines]


def flags_of(client: imaplib.IMAP4, mailbox: str) -> dict[str, set[str]]:
    """Give the flags of the messages of a mailbox by their subjects."""
    status, data = client.select(quoted(mailbox), readonly=True)
    assert status == "OK", data
    if data == [b"0"]:
        return {}
    _, data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = {}
    for part in data:
        if isinstance(part, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])
            assert flags is not None, part
            subject = part[1].decode("ascii").strip().removeprefix("Subject: ")
            found[subject] = set(flags[1].decode("ascii").split()) - {"\\Recent"}
    return found
