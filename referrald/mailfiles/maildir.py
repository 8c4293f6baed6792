"""A Maildir, read and written: ``cur``, ``new`` and ``tmp``, and folders as Maildir++ has them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from referrald.mailfiles.maildirnames import (
    KEYWORDS,
    LETTERS,
    arrival_of,
    decoded,
    directory_of,
    flags_of,
    info_of,
    levels_of,
    read_keywords,
    write_keywords,
)
from referrald.mailfiles.messages import FileMessage, NotMail, crlf, lf, pieces, spool

PARTS: Final = ("cur", "new", "tmp")


def folders_of(root: Path) -> list[tuple[tuple[str, ...], Path]]:
    """Give the folders of a Maildir by their levels; the first one, without levels, is INBOX.

    Folders are as Maildir++ has them (``.Work.2025``), or directories in directories, which Dovecot
    calls the layout fs.
    """
    if not _is_maildir(root):
        raise NotMail("no Maildir: it has no cur and new in it")
    below = sorted(each for each in root.iterdir() if each.name.startswith("."))
    plus = [(levels_of(each.name), each) for each in below if _is_maildir(each)]
    return [((), root), *((levels, each) for levels, each in plus if levels), *_nested(root, ())]


def _nested(path: Path, levels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for each in sorted(path.iterdir()):
        if not (each.name.startswith(".") or each.name in PARTS) and each.is_dir():
            found = (*levels, decoded(each.name))
            if _is_maildir(each):
                yield found, each
            yield from _nested(each, found)


def _is_maildir(path: Path) -> bool:
    return all((path / part).is_dir() for part in ("cur", "new"))


def read_maildir(path: Path) -> Iterator[FileMessage]:
    """Give the messages of one folder, in the order in which they came.

    A file that has got another name meanwhile is looked for under that one; what has gone is passed
    over.
    """
    keywords = _keywords(path)
    for name, part in sorted(_names(path).items(), key=lambda entry: arrival_of(entry[0])):
        found = _open(path, part, name)
        if found is not None:
            yield from _message(found, keywords)


def count(path: Path) -> int:
    """Count the messages of a folder."""
    return len(_names(path))


def _names(path: Path) -> dict[str, str]:
    return {
        name: part
        for part in ("cur", "new")
        for name in os.listdir(path / part)
        if not name.startswith(".")
    }


def _keywords(path: Path) -> dict[str, str]:
    try:
        return read_keywords((path / "dovecot-keywords").read_text("ascii", "replace"))
    except FileNotFoundError:
        return {}


def _open(path: Path, part: str, name: str) -> Path | None:
    file = path / part / name
    if file.exists():
        return file
    base = name.partition(":")[0]
    again = [each for each in _names(path).items() if each[0].partition(":")[0] == base]
    return path / again[0][1] / again[0][0] if again else None


def _message(file: Path, keywords: dict[str, str]) -> Iterator[FileMessage]:
    try:
        source = file.open("rb")
    except FileNotFoundError:
        return
    with source, spool() as content:
        for piece in pieces(source):
            content.write(crlf(piece))
        size = content.tell()
        content.seek(0)
        yield FileMessage(
            content=content,
            size=size,
            where=str(file),
            flags=flags_of(file.name, keywords),
            received=datetime.fromtimestamp(int(os.fstat(source.fileno()).st_mtime), UTC),
        )


class MaildirWriter:
    """Writes messages into a new folder of a Maildir++.

    lost: keywords for which there was no letter left.
    """

    def __init__(self, root: Path, levels: Sequence[str]) -> None:
        self.path = root / directory_of(levels) if levels else root
        self._keywords: list[str] = []
        self._number = 0
        self.lost: set[str] = set()
        for part in PARTS:
            (self.path / part).mkdir(parents=True, mode=0o700)
        if levels:
            (self.path / "maildirfolder").touch(mode=0o600)

    def write(self, content: Iterable[bytes], received: datetime, flags: Sequence[str]) -> None:
        """Write a message, given as `pieces` does; it gets the end of line of files."""
        self._number += 1
        self._know(flags)
        seconds = int(received.timestamp())
        base = f"{seconds}.N{self._number:09d}.referrald"
        waiting = self.path / "tmp" / base
        with waiting.open("xb") as file:
            for line in content:
                file.write(lf(line))
        os.utime(waiting, (seconds, seconds))
        waiting.rename(self.path / "cur" / (base + info_of(flags, self._keywords)))

    def _know(self, flags: Sequence[str]) -> None:
        known = {flag.lower() for flag in (*self._keywords, *LETTERS.values())}
        fresh = [flag for flag in flags if not flag.startswith("\\") and flag.lower() not in known]
        room = len(KEYWORDS) - len(self._keywords)
        self.lost.update(fresh[room:])
        if fresh[:room]:
            self._keywords += fresh[:room]
            text = write_keywords(self._keywords)
            (self.path / "dovecot-keywords").write_text(text, "ascii")
