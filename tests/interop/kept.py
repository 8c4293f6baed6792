"""A server whose users' mail is kept on its own disk, for tests of mail programs."""

from __future__ import annotations

import imaplib
import os
from contextlib import suppress
from mailbox import Maildir
from pathlib import Path

from tests.interop.support import PATIENCE, InteropCase, Referrald

HOST = "127.0.0.1"
USER = "alice"


class KeptHere(InteropCase):
    """``front`` keeps the mail of alice below ``mail``."""

    def setUp(self) -> None:
        self.mail = self.folder() / "mail"
        self.mail.mkdir()
        self.front: Referrald = self.start_referrald(
            f"{USER}:{{PLAIN}}secret::::::\n",
            f'[serve]\nstore = "maildir"\nroot = "{self.mail}/%u"\n',
        )

    def client(self) -> imaplib.IMAP4:
        """Open a session of alice."""
        client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(leave, client)
        client.login(USER, "secret")
        return client

    def deliver(self, content: bytes, folder: str = "") -> Path:
        """Put a message into a mailbox as a mail server does."""
        box = self.mail / USER / f".{folder}" if folder else self.mail / USER
        key = Maildir(os.fspath(box), create=False).add(content)
        return box / "new" / key

    def texts(self, folder: str = "") -> list[str]:
        """Read the files of a mailbox."""
        box = self.mail / USER / f".{folder}" if folder else self.mail / USER
        files = sorted(file for part in ("new", "cur") for file in (box / part).glob("*"))
        return [file.read_text(encoding="utf-8") for file in files]


def leave(client: imaplib.IMAP4) -> None:
    """Log out, if that is still to be done."""
    with suppress(imaplib.IMAP4.abort, OSError):
        client.logout()
