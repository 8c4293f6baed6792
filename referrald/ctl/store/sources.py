"""Where imported mail comes from: which folders there are, and how mailboxes are called here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs

from referrald.mailfiles.maildir import folders_of, read_maildir
from referrald.mailfiles.mbox import Quoting, read_mbox
from referrald.mailfiles.messages import FileMessage

INBOX = "INBOX"
SUFFIX = ".mbox"


@attrs.frozen(kw_only=True)
class Source:
    """One folder of mail. levels: of its name, none for INBOX. where: the path, for people."""

    levels: tuple[str, ...]
    where: Path
    messages: Callable[[], Iterator[FileMessage]] = attrs.field(repr=False)


def form_of(path: Path) -> str:
    """Tell what there is at a path by the look of it."""
    return "maildir" if path.is_dir() and (path / "cur").is_dir() else "mbox"


def sources(path: Path, form: str, quoting: Quoting) -> list[Source]:
    """Give the folders at a path; raises `NotMail` and `OSError`."""
    if form == "maildir":
        return [_maildir(levels, folder) for levels, folder in folders_of(path)]
    if not path.is_dir():
        return [_mbox((), path, quoting)]
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return [
        _mbox(_levels(each.relative_to(path)), each, quoting)
        for each in files
        if not any(part.startswith(".") for part in each.relative_to(path).parts)
    ]


def _maildir(levels: tuple[str, ...], path: Path) -> Source:
    return Source(levels=levels, where=path, messages=lambda: read_maildir(path))


def _mbox(levels: tuple[str, ...], path: Path, quoting: Quoting) -> Source:
    def messages() -> Iterator[FileMessage]:
        with path.open("rb") as file:
            yield from read_mbox(file, quoting)

    return Source(levels=levels, where=path, messages=messages)


def _levels(path: Path) -> tuple[str, ...]:
    """Give the levels of a file's name."""
    levels = tuple(unquote(part) for part in path.with_name(path.name.removesuffix(SUFFIX)).parts)
    return () if levels == (INBOX,) else levels


def name_of(levels: Sequence[str], account: Any, into: str) -> str:
    """Give the name of the mailbox for a folder.

    A delimiter in a level becomes ``_``. INBOX, at the beginning, is written so in any case.
    into: what all names are put below; INBOX itself becomes the mailbox of that name.
    """
    clean = [level.replace(account.delimiter, "_") for level in levels]
    if clean and clean[0].upper() == INBOX:
        clean[0] = INBOX
    if into:
        clean.insert(0, into)
    return str(account.delimiter.join(clean)) or INBOX
