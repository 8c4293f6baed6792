"""Names of mailboxes as a table has them: one name, a whole subtree, or a pattern as in LIST."""

from __future__ import annotations

import re
from typing import Literal

import attrs

from referrald.backends.servers import Wrong, plain_text, show
from referrald.errors import UrlError
from referrald.imapurl import mailbox_referral

DELIMITER = "/"
INBOX = "INBOX"
LONGEST_NAME = 1_000
"""Bytes of a name in a file; a longer name that a client sends fits no pattern."""

Kind = Literal["name", "subtree", "pattern"]

_TEMPLATE = re.compile(r"%(.?)", re.DOTALL)


@attrs.frozen
class Match:
    """What an entry is about. name: of one mailbox, the root of a subtree, or the pattern."""

    kind: Kind
    name: str


def read_match(text: str) -> Match:
    """Read ``match``; raises `Wrong` for what can be no name here.

    A pattern whose only wildcard is a ``*`` behind a ``/`` at the end is a subtree.
    """
    root = text.removesuffix("*")
    if is_pattern(root) or (root != text and not root.endswith(DELIMITER)):
        return Match("pattern", fold_inbox(_checked_pattern(text)))
    if not root.endswith(DELIMITER):
        return Match("name", checked_here(root))
    return Match("subtree", checked_here(root[:-1]))


def is_pattern(text: str) -> bool:
    """Tell whether there is a wildcard in ``text``."""
    return "*" in text or "%" in text


def is_inbox(name: str) -> bool:
    """Tell whether a name is INBOX, in any case (RFC 3501 section 5.1)."""
    return name.isascii() and name.upper() == INBOX


def fold_inbox(name: str) -> str:
    """Write a first level that is INBOX in any case as the one INBOX."""
    first = name.partition(DELIMITER)[0]
    return INBOX + name[len(first) :] if is_inbox(first) else name


def checked_mailbox(name: str) -> str:
    """Give a mailbox's name back when there can be such a mailbox here; raises `Wrong`."""
    plain_text(name, LONGEST_NAME)
    if "" in name.split(DELIMITER):
        raise Wrong(f'"{show(name)}" has an empty level', "one / between two levels")
    return checked_there(name)


def checked_there(name: str) -> str:
    """Give a name back that a URL can carry; raises `Wrong`."""
    plain_text(name, LONGEST_NAME)
    try:
        mailbox_referral("imap.example.org", None, "user", name)
    except UrlError as error:
        raise Wrong(f'"{show(name)}" can stand in no URL: {error.reason}') from None
    return name


def checked_here(name: str) -> str:
    """Give a name that is not INBOX, in the form that it has here; raises `Wrong`."""
    name = fold_inbox(checked_mailbox(name))
    if name == INBOX:
        raise Wrong("INBOX cannot be elsewhere by itself", "the user's home says where it is")
    return name


def _checked_pattern(text: str) -> str:
    plain_text(text, LONGEST_NAME)
    levels = text.split(DELIMITER)
    if "" in levels:
        raise Wrong(f'"{show(text)}" has an empty level', "one / between two levels")
    return text


def checked_template(text: str) -> str:
    """Give back the name there for a pattern, which has ``%m`` in it; raises `Wrong`."""
    found = [match[1] for match in _TEMPLATE.finditer(text)]
    if any(letter not in ("m", "%") for letter in found):
        raise Wrong("has a variable that there is not", "%m, or %% for a percent sign")
    if "m" not in found:
        raise Wrong("would be one name for all mailboxes", 'such as "%m" or "Archive/%m"')
    checked_there(fill_template(text, "m"))
    return text


def fill_template(template: str, name: str) -> str:
    """Put a name where ``%m`` stands, and a percent sign where ``%%`` does."""
    return _TEMPLATE.sub(lambda match: name if match[1] == "m" else "%", template)


class MailboxPattern:
    """A pattern as in LIST: ``*`` is any text, ``%`` any within one level (RFC 3501 section 6.3.8).

    Takes time linear in the name, whatever the pattern is. INBOX itself fits none.
    """

    def __init__(self, text: str) -> None:
        self._letters: dict[str, int] = {}
        self._stays = 0
        self._stays_in_level = 0
        bit = 1
        for char in text:
            if char == "*":
                self._stays |= bit
            elif char == "%":
                self._stays_in_level |= bit
            else:
                self._letters[char] = self._letters.get(char, 0) | bit
                bit <<= 1
        self._end = bit

    def matches(self, name: str) -> bool:
        """Tell whether the whole of ``name`` fits."""
        if not name or len(name) > LONGEST_NAME or is_inbox(name):
            return False
        # Bit i is set while the first i letters of the pattern can have been met.
        states = 1
        in_level, letters = self._stays | self._stays_in_level, self._letters
        for char in name:
            stays = self._stays if char == DELIMITER else in_level
            states = (states & letters.get(char, 0)) << 1 | states & stays
            if not states:
                return False
        return bool(states & self._end)
