"""What a message looks like, found out of its file when somebody first asks, and kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from referrald.mailmodel import Column
from referrald.mime.parts import parse
from referrald.mime.structure import envelope
from referrald.store.describing import describe
from referrald.store.maildir import looking
from referrald.store.maildir.contents import Reader, turned
from referrald.store.maildir.disk import find_file
from referrald.store.maildir.index import Index
from referrald.store.maildir.looking import is_plain
from referrald.store.maildir.messages import File

KEPT: Sequence[Column] = ("envelope", "body", "structure", "fields")
BRIEF: Final[frozenset[Column]] = frozenset({"envelope", "fields"})
"""What the header alone tells."""

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
    found = [(_head(folder, file), file.content) for file in files]
    return [(head, is_plain(head), content) for head, content in found if head is not None]


def _head(folder: str, file: File) -> bytes | None:
    path = find_file(folder, file.base, file.info)
    try:
        return None if path is None else looking.headed(path)
    except FileNotFoundError:
        return None


def enveloped(
    folder: str, files: Iterable[File], known: Mapping[int, bytes | None]
) -> list[tuple[bytes, bytes, bool, int]]:
    """Find out envelopes, of header fields that are known by UID or else of those in the files.

    Files that are gone, and very long headers, are left out.
    """
    found = []
    for file in files:
        fields = known.get(file.uid)
        if fields is None:
            fields = _head(folder, file)
        if fields is not None:
            told = bytes(envelope(parse(fields)))
            found.append((told, fields, is_plain(fields), file.content))
    return found


def heads_by_uid(
    files: Iterable[File], found: Iterable[tuple[bytes, bytes, bool, int]]
) -> dict[int, dict[Column, bytes]]:
    """Give envelopes and fields by the UIDs of the messages."""
    known: dict[int, dict[Column, bytes]] = {
        content: {"envelope": told, "fields": fields} for told, fields, _plain, content in found
    }
    return {file.uid: known[file.content] for file in files if file.content in known}


def keep_envelopes(index: Index, found: Sequence[tuple[bytes, bytes, bool, int]]) -> bool:
    """Put envelopes and fields into the index; says whether that could be done."""
    with index.if_possible(), index.writing(lasting=False) as database:
        database.executemany(
            "UPDATE contents SET envelope = ?, fields = ?, plain = ? WHERE id = ?", found
        )
    return index.can_write


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
