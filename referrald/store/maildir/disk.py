"""Files and directories of Maildir++: written so that they last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress

from referrald.store.maildir.filenames import unique

PARTS = ("cur", "new", "tmp")
MARKER = "maildirfolder"
BEING_MADE, BEING_REMOVED = "referrald-new.", "referrald-gone."

Step = Callable[[str], None]


def no_step(name: str) -> None:
    """Pass by a step of a change; tests stop the process there."""


def sync(path: str) -> None:
    """Make a file, or the names in a directory, outlast a crash of the machine."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: str, content: bytes, seconds: int) -> None:
    """Make a file that lasts, with the time of a message's arrival."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        finish(handle, seconds)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(handle)


def finish(handle: int, seconds: int) -> None:
    """Give a written file its time and make it last."""
    with suppress(OSError, OverflowError):  # A date that the file system cannot keep.
        os.utime(handle, (seconds, seconds))
    os.fsync(handle)


def make_maildir(path: str, *, folder: bool) -> None:
    """Make ``cur``, ``new`` and ``tmp``, where they are missing."""
    os.makedirs(path, 0o700, exist_ok=True)
    for part in PARTS:
        with suppress(FileExistsError):
            os.mkdir(os.path.join(path, part), 0o700)
    if folder:
        os.close(os.open(os.path.join(path, MARKER), os.O_WRONLY | os.O_CREAT, 0o600))
    sync(path)


def make_folder(root: str, directory: str) -> None:
    """Make a folder; it is there whole or not at all."""
    path = os.path.join(root, BEING_MADE + unique())
    try:
        make_maildir(path, folder=True)
        os.rename(path, os.path.join(root, directory))
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
        raise


def take_away(root: str, directory: str) -> None:
    """Remove a folder and all in it; its name is free at once."""
    path = os.path.join(root, BEING_REMOVED + unique())
    with suppress(FileNotFoundError):
        os.rename(os.path.join(root, directory), path)
        shutil.rmtree(path, ignore_errors=True)


def leftovers(root: str) -> Iterable[str]:
    """Name the directories that a crash has left half made or half removed."""
    for name in os.listdir(root):
        if name.startswith((BEING_MADE, BEING_REMOVED)):
            yield os.path.join(root, name)


def folder_names(root: str) -> set[str]:
    """Name the folders of Maildir++ in an account's directory, INBOX not among them."""
    with os.scandir(root) as entries:
        return {
            entry.name
            for entry in entries
            if len(entry.name) > 1
            and entry.name.startswith(".")
            and entry.name != ".."
            and os.path.isdir(os.path.join(root, entry.name, "cur"))
        }


def changed_at(path: str) -> int:
    """Give when a directory last changed, in nanoseconds."""
    return os.stat(path).st_mtime_ns


def find_file(folder: str, base: str, info: str) -> str | None:
    """Give the path of a message, whatever others have made of its name; None when it is gone."""
    usual = os.path.join(folder, "cur", base + info)
    if os.path.exists(usual):
        return usual
    waiting = os.path.join(folder, "tmp", base)
    if os.path.exists(waiting):
        return waiting
    for part in ("cur", "new"):
        for name in os.listdir(os.path.join(folder, part)):
            if name == base or name.startswith(base + ":"):
                return os.path.join(folder, part, name)
    return None
