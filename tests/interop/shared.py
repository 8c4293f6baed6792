"""Remote mailboxes for the interop tests: files of the table backend, and clients that look."""

from __future__ import annotations

import imaplib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from referrald.imapurl import ImapUrl, parse
from tests.interop.support import PATIENCE, quoted

imaplib.Commands["RLIST"] = ("AUTH", "SELECTED")


def message(subject: str) -> bytes:
    """Write a message with a subject in ASCII."""
    return f"From: a@home.example\r\nSubject: {subject}\r\n\r\nHello.\r\n".encode("ascii")


def table(servers: Mapping[str, int], *entries: str) -> str:
    """Write a file of the table backend, with servers at ports and with `entry` texts."""
    lines = [
        f'[servers.{name}]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        for name, port in servers.items()
    ]
    return "\n".join([*lines, *entries])


def entry(match: str, server: str | Sequence[str] | None, **more: Any) -> str:
    """Write one entry for mailboxes."""
    values = {"match": match, "server": server, **more}
    values = {key: value for key, value in values.items() if value is not None}
    # What JSON writes is TOML as well, as long as nothing is escaped as a surrogate pair.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["[[mailboxes]]", *lines, ""])


def referral(answer: bytes) -> list[ImapUrl]:
    """Take the URLs out of the text of a NO; it has words for people as well."""
    found = re.match(rb"\[REFERRAL ([^\]]+)\] \S", answer)
    assert found is not None, answer
    return [parse(url) for url in found[1].decode("ascii").split(" ")]


def open_client(port: int) -> imaplib.IMAP4:
    """Log alice in."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=PATIENCE)
    client.login("alice", "secret")
    return client


def listed(client: imaplib.IMAP4, command: str, *arguments: str) -> list[bytes]:
    """List mailboxes by a command that imaplib may not know; give the lines."""
    status, data = client.xatom(command, *arguments)
    assert status == "OK", data
    return [line for line in client.response("LIST")[1] if line is not None]


def subjects(client: imaplib.IMAP4, mailbox: str) -> list[str]:
    """Select a mailbox, by the name itself, and read the subjects in it."""
    status, data = client.select(quoted(mailbox))
    assert status == "OK", (mailbox, data)
    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [part[1].decode("ascii").strip() for part in data if isinstance(part, tuple)]
