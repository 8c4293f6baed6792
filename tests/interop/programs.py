"""Mail programs that are run by a test: their configuration, and how they are started."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.interop.support import PATIENCE, SUBJECT, need
from tests.interop.terminal import Terminal

MBSYNCRC = """
IMAPStore far
Host 127.0.0.1
Port {port}
User {user}
Pass secret
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel mail
Far :far:
Near :near:
Patterns {patterns}
Create {create}
Expunge Both
Sync All
SyncState {folder}/state/
"""

MUTTRC = """
set from="{user}@home.example" realname="{user}"
set imap_user="{user}" imap_pass="secret" imap_authenticators="login"
set folder="imap://127.0.0.1:{port}/" spoolfile="imap://127.0.0.1:{port}/{mailbox}"
set ssl_starttls=no ssl_force_tls=no sendmail="/bin/true" record="=Sent" copy=yes
set header_cache="" message_cachedir="" certificate_file="{folder}/certificates"
set wait_key=no confirmappend=no confirmcreate=no delete=yes move=no quit=yes
set pipe_decode=no sort=mailbox-order
push '{keys}'
"""


PINERC = """\
inbox-path={{127.0.0.1:{port}/user=alice/notls}}INBOX
user-domain=home.example
last-version-used=9.99
disable-password-caching=yes
feature-list=disable-password-caching,disable-password-file-saving,quell-maildomain-warning
"""


def mbsync(
    folder: Path, port: int, user: str, *, create: str = "Near", patterns: str = "*"
) -> subprocess.CompletedProcess[str]:
    """Run mbsync over the mailboxes of a user; its copies are below ``folder``."""
    for name in ("mail", "state"):
        (folder / name).mkdir(exist_ok=True)
    config = folder / "mbsyncrc"
    text = MBSYNCRC.format(port=port, user=user, folder=folder, create=create, patterns=patterns)
    config.write_text(text, encoding="ascii")
    command = [need("mbsync"), "-c", str(config), "-V", "mail"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def mutt(folder: Path, port: int, user: str, keys: str = "", mailbox: str = "INBOX") -> list[str]:
    """Write the configuration of mutt, with keys that are pressed for it; give the command."""
    config = folder / "muttrc"
    text = MUTTRC.format(port=port, user=user, folder=folder, keys=keys, mailbox=mailbox)
    config.write_text(text, encoding="ascii")
    return [need("mutt"), "-n", "-F", str(config)]


def alpine(folder: Path, port: int) -> list[int]:
    """Have Alpine show alice's message; gives the ports where it asked for the password."""
    (folder / "pinerc").write_text(PINERC.format(port=port), encoding="ascii")
    terminal = Terminal([need("alpine"), "-p", str(folder / "pinerc"), "-i"], folder)
    asked = []
    try:
        while True:
            shown = terminal.expect("ENTER PASSWORD: ", SUBJECT[:20], "[Yes]")
            if shown == SUBJECT[:20]:
                return asked
            if shown == "[Yes]":
                terminal.type("n")
                continue
            found = re.findall(rb"HOST: (\S+)", terminal.seen)
            asked.append(int(found[-1].decode().rpartition(":")[2]))
            terminal.type("secret\r")
    finally:
        terminal.close()
