"""A home server as people have it: Dovecot, with messages of 1 MB in Maildir."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from benchmarks import peers
from benchmarks.peers import Peer
from benchmarks.storemail import make_folder

MAILBOX = "Big"
MESSAGES = 4
SIZE = 1024 * 1024

LETS_IN = """
ssl = no
mail_location = maildir:{mail}
passdb {{
  driver = static
  args = password=pass
}}
service imap-login {{
  inet_listener imaps {{
    ssl = no
  }}
}}
"""
"""What Dovecot does about every login, without TLS: all users are the same one."""

LINE = b"Seventy-six characters are in a line of base64, as attachments mostly are. 42\n"


def start(folder: Path, cert: Path, key: Path, core: int) -> Peer | None:
    """Start it on a core, if Dovecot is there."""
    mail = folder / "mail"
    _fill(mail)
    return peers.dovecot(folder, cert, key, LETS_IN.format(mail=mail), core)


def _fill(mail: Path) -> None:
    make_folder(mail)
    make_folder(mail / f".{MAILBOX}")
    for number in range(MESSAGES):
        head = b"From: a@example.org\nSubject: %d\n\n" % number
        text = (LINE * (SIZE // len(LINE) + 1))[: SIZE - len(head) - 1] + b"\n"
        file = mail / f".{MAILBOX}" / "cur" / f"{number}.M1.bench:2,S"
        file.write_bytes(head + text)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("mail")
        for path in (mail, *mail.rglob("*")):
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
