"""What a message looks like, found out of its file when somebody first asks, and kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from referrald.mailmodel import Column
from referrald.store.describing import describe
from referrald.store.maildir import looking
from referrald.store.maildir.contents import Reader, turned
from referrald.store.maildir.disk import find_file
from referrald.store.maildir.index import Index
from referrald.store.maildir.looking import is_plain
from referrald.store.maildir.messages import File

KEPT: Sequence[Column] = ("envelope", "body", "structure", "fields")
AT_ONCE = 100
"""Messages that are described before others have their turn."""

Description = tuple[bytes, bytes, bytes, bytes, bool, int]


def opened(folder: str, file: File) -> Reader | None:
    """Open a message, None when its file is gone."""
    for _attempt in range(3):
        path = find_file(folder, file.base, file.info)
        if path is None:
            return None
        try:
            return Reader(path, file.size, turn=file.stored != file.size)
        except FileNotFoundError:
            continue
    return None


def whole(folder: str, file: File) -> bytes | None:
    """Give a whole message, None when its file is gone."""
    with suppress(FileNotFoundError):
        content = _at_once(f"{folder}/cur/{file.base}{file.info}", file)
        if content is not None:
            return content
    reader = opened(folder, file)
    if reader is None:
        return None
    try:
        return reader.read(0, file.size)
    finally:
        reader.close()


def _at_once(path: str, file: File) -> bytes | None:
    """Read a file that is where it should be, and as large; None for one that is not."""
    handle = os.open(path, os.O_RDONLY)
    try:
        content = os.read(handle, file.stored + 1)
    finally:
        os.close(handle)
    if file.stored != file.size:
        content = turned(content)
    return content if len(content) == file.size else None


def described(folder: str, files: Iterable[File]) -> list[Description]:
    """Look into files; those that are gone are left out."""
    found = []
    for file in files:
        content = whole(folder, file)
        if content is not None:
            told = describe(content, KEPT)
            fields = told["fields"]
            row = (told["envelope"], told["body"], told["structure"], fields, is_plain(fields))
            found.append((*row, file.content))
    return found


def by_uid(
    files: Iterable[File], descriptions: Iterable[Description]
) -> dict[int, dict[Column, bytes]]:
    """Give what was found out by the UIDs of the messages."""
    known = {content: dict(zip(KEPT, told, strict=True)) for *told, _plain, content in descriptions}
    return {file.uid: known[file.content] for file in files if file.content in known}


def headed(folder: str, files: Iterable[File]) -> list[tuple[bytes, bool, int]]:
    """Look at the headers in files; those that are gone, or very long, are left out."""
    found = []
    for file in files:
        path = find_file(folder, file.base, file.info)
        with suppress(FileNotFoundError):
            fields = None if path is None else looking.headed(path)
            if fields is not None:
                found.append((fields, is_plain(fields), file.content))
    return found


def keep_fields(index: Index, found: Sequence[tuple[bytes, bool, int]]) -> None:
    """Put header fields into the index, if that is possible."""
    with index.if_possible(), index.writing(lasting=False) as database:
        database.executemany("UPDATE contents SET fields = ?, plain = ? WHERE id = ?", found)


def keep(index: Index, descriptions: Sequence[Description]) -> bool:
    """Put into the index what was found out; says whether that could be done."""
    with index.if_possible(), index.writing(lasting=False) as database:
        database.executemany(
            "UPDATE contents SET envelope = ?, body = ?, structure = ?, fields = ?, plain = ? "
            "WHERE id = ?",
            descriptions,
        )
    return index.can_write
