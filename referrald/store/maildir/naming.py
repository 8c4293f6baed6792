"""Names on disk: users as directories, mailboxes as folders of Maildir++. Pure."""

from __future__ import annotations

import binascii
import os
import re
from urllib.parse import quote

from referrald.errors import NotPossible, Unavailable
from referrald.store.names import DELIMITER, INBOX, checked

LONGEST = 255
"""Bytes that a file name may have."""

_PLAIN = re.compile(r"[\x20-\x25\x27-\x2d\x30-\x7e]+")  # neither ``&`` nor ``.`` nor ``/``
_TOKEN = re.compile(r"([^&]+)|&(-|[A-Za-z0-9+,]+-)")
_FIELD = re.compile(r"%(.?)")


def root_of(template: str, user: str) -> str:
    """Give the directory of a user: ``%u`` is the name, ``%n`` and ``%d`` the parts around ``@``.

    Whatever is in a name, it is one part of a path. Raises `Unavailable` where there is none.
    """
    local, _, domain = user.rpartition("@") if "@" in user else (user, "", "")
    parts = {"u": user, "n": local, "d": domain}

    def fill(match: re.Match[str]) -> str:
        text = parts.get(match[1])
        if not text:
            raise Unavailable(f"{user!r} has no part for {match[0]} in {template}")
        return _safe(text)

    return _FIELD.sub(fill, template)


def _safe(text: str) -> str:
    """Write a part of a user's name so that it can be a directory, and no other name's."""
    encoded = quote(text, safe="@+=,!~ ", errors="surrogatepass")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if len(encoded) > LONGEST:
        raise Unavailable("the user's name is too long for a directory")
    return encoded


def directory_of(name: str) -> str:
    """Give the folder of a mailbox, relative to its account; empty for INBOX.

    Levels are in modified UTF-7, with a dot written like a character that is not ASCII.
    Raises `NotPossible`.
    """
    if name == INBOX:
        return ""
    directory = "".join("." + _encoded(level) for level in checked(name).split(DELIMITER))
    if len(directory) > LONGEST:
        raise NotPossible(public="That name is too long.")
    return directory


def name_of(directory: str) -> str | None:
    """Give the mailbox of a folder, None when no mailbox of ours can have it."""
    try:
        name = checked(DELIMITER.join(map(_decoded, directory[1:].split("."))))
        return name if directory_of(name) == directory else None
    except (NotPossible, ValueError):
        return None


def _encoded(level: str) -> str:
    out = []
    for run in re.findall(r"[\x20-\x25\x27-\x2d\x30-\x7e]+|&|[^\x20-\x2d\x30-\x7e]+", level):
        out.append(run if _PLAIN.fullmatch(run) else "&-" if run == "&" else _shifted(run))
    return "".join(out)


def _shifted(run: str) -> str:
    base64 = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=")
    return "&" + base64.replace(b"/", b",").decode("ascii") + "-"


def _decoded(level: str) -> str:
    out, at = [], 0
    while at < len(level):
        match = _TOKEN.match(level, at)
        if match is None:
            raise ValueError("not modified UTF-7")
        out.append(match[1] or ("&" if match[2] == "-" else _unshifted(match[2][:-1])))
        at = match.end()
    return "".join(out)


def _unshifted(text: str) -> str:
    padded = text.replace(",", "/") + "=" * (-len(text) % 4)
    return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")


def below(root: str, directory: str) -> str:
    """Give the path of a folder."""
    return os.path.join(root, directory) if directory else root
