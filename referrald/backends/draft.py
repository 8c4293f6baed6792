"""What a source is being turned into: records in an image, or else a list of problems."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import attrs

from referrald.backends.homes import encode_server
from referrald.backends.image import LONGEST_KEY
from referrald.backends.imagewriter import ImageWriter, TooLarge
from referrald.backends.servers import Wrong, plain_text, show
from referrald.model import Problem

PROBLEMS_KEPT = 1_000

Stamp = tuple[int, int, int, int]
"""By what a file is known to be another one: device time of change and of content, size, inode."""

Stamps = Mapping[str, Stamp | None]


def stamp_of(status: os.stat_result) -> Stamp:
    """Make a stamp."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def look_at(path: str) -> Stamp | None:
    """Give the stamp of a file, None when there is none that can be looked at."""
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


class Large(Exception):
    """A source has more bytes than was said to be read."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of a source.

    problems: why it cannot be used, empty when it can.
    files: every file that was looked at, with its stamp from before it was read.
    steady: no file changed while it was read.
    changed: the users who have another record than before; None when that may be anybody.
    """

    problems: tuple[Problem, ...] = ()
    files: dict[str, Stamp | None] = attrs.field(factory=dict)
    steady: bool = True
    changed: tuple[str, ...] | None = None


class Draft:
    """Collects records and problems while a source is read.

    limit: how many bytes may be read in all.
    """

    def __init__(self, file: BinaryIO, limit: int | None = None) -> None:
        self.writer = ImageWriter(file)
        self.problems: list[Problem] = []
        self.files: dict[str, Stamp | None] = {}
        self._omitted = 0
        self._left = limit

    def wrong(self, where: str, key: str, wrong: str, right: str = "") -> None:
        """Note a problem."""
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(where=where, key=show(key), wrong=wrong, right=right))
        else:
            self._omitted += 1

    def open(self, path: str, where: str, key: str) -> BinaryIO | None:
        """Open a file and remember its stamp; None, with the problem noted, when that fails.

        Raises `Large` when that would be more bytes than the limit.
        """
        self.files[path] = None
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                self.wrong(where, key, "is not a file")
                return None
            self._take(status.st_size)
            file = open(path, "rb")  # noqa: SIM115 - the caller closes it
            self.files[path] = stamp_of(os.fstat(file.fileno()))
        except OSError as error:
            self.wrong(where, key, f"cannot be read: {error.strerror}")
            return None
        return file

    def _take(self, size: int) -> None:
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise Large("more than the limit")

    def lines(self, path: str, where: str, key: str) -> Iterator[tuple[int, bytes]]:
        """Give the numbered lines of a file without their ends; no comments, no empty ones."""
        file = self.open(path, where, key)
        if file is None:
            return
        with file:
            try:
                for number, line in enumerate(file, 1):
                    line = line.rstrip(b"\r\n")
                    if line and not line.startswith(b"#"):
                        yield number, line
            except OSError as error:
                self.wrong(where, key, f"cannot be read: {error.strerror}")

    def finish(self, notes: dict[str, Any], where: str, lines_in: str = "") -> None:
        """Complete the image; it is of use only when nothing is wrong.

        lines_in: the file that the lines of records are lines of, if another one than ``where``.
        """
        try:
            targets = [encode_server(server) for server in self.writer.servers]
            for key, line, later in self.writer.finish(notes | {"targets": targets}):
                self._twice(where, lines_in or where, key, line, later)
        except TooLarge as error:
            self.wrong(where, "file", str(error))
        self.problems.sort(key=self._place)
        self._tell_omitted(where)

    def _twice(self, where: str, lines_in: str, key: bytes, line: int, later: int) -> None:
        """Note a key that stands twice; not every record has a line."""
        place = f"{lines_in}:{later}" if later else where
        first = f"is there twice, first in line {line}" if line else "is there twice"
        self.wrong(place, key[1:].decode(), first, "remove one of them")

    def _place(self, problem: Problem) -> tuple[int, int]:
        """Order problems by file, then by line; those without a line come first."""
        path, _, line = problem.where.rpartition(":")
        if path in self.files and line.isdigit():
            return list(self.files).index(path), int(line)
        return list(self.files).index(problem.where), 0

    def _tell_omitted(self, where: str) -> None:
        if self._omitted:
            self.problems.append(
                Problem(where=where, key="file", wrong=f"has {self._omitted} more problems")
            )

    def outcome(self) -> Outcome:
        """Say what became of it."""
        steady = all(look_at(path) == before for path, before in self.files.items())
        return Outcome(problems=tuple(self.problems), files=self.files, steady=steady)


def checked_name(text: str) -> bytes:
    """Give the name of a user or a domain as a key; raises `Wrong` when nobody can have it."""
    plain_text(text, LONGEST_KEY)
    if text != text.strip():
        raise Wrong("begins or ends with a space")
    return text.encode()
