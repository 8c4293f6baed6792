"""Known homes on disk, so that a front door that starts while a directory is down still answers.

What is in the file is used as answers past their time are: while backends cannot be asked, and not
for longer than ``[directory] stale`` after they were given. The file is for us alone to read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from referrald.backends import homes
from referrald.model import Home
from referrald.routing.directory import Directory, Known
from referrald.workers import Pool

VERSION: Final = 1
EVERY: Final = 300.0
"""Seconds between two snapshots."""


class Snapshot:
    """The file of a directory.

    pool: in whose threads the file is read and written. clock: gives the seconds since 1970.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self,
        path: str,
        directory: Directory,
        pool: Pool,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._directory = directory
        self._pool = pool
        self._clock = clock
        self._loop: LoopingCall | None = None

    async def load(self) -> None:
        """Take over what is in the file; one that cannot be read is logged and left alone."""
        try:
            taken, known = await self._pool.run(read, self._path)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self.log.warn(
                "the snapshot {path} is of no use: {why}", path=self._path, why=str(error)
            )
            return
        age = max(self._clock() - taken, 0.0)
        count = self._directory.adopt(attrs.evolve(each, age=each.age + age) for each in known)
        self.log.info(
            "{count} homes are known from {path}, which is {age:.0f} s old",
            count=count, path=self._path, age=age,
        )  # fmt: skip

    def keep(self, reactor: Any) -> None:
        """Write the file from time to time."""
        self._loop = LoopingCall(self._save)
        self._loop.clock = reactor
        self._loop.start(EVERY, now=False)

    def _save(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.save())

    async def save(self) -> None:
        """Write the file now; a failure is logged."""
        known = [*self._directory.known()]
        try:
            await self._pool.run(write, self._path, self._clock(), known)
        except OSError as error:
            self._complain("cannot be written: ", error)

    def _complain(self, what: str, error: Exception) -> None:
        self.log.warn("the snapshot {path} {why}", path=self._path, why=f"{what}{error}")

    def leave(self) -> bool:
        """Write no more; say whether the file was to be kept."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
        return loop is not None

    async def stop(self) -> None:
        """Write the file for the last time, if it was to be kept."""
        if self.leave():
            await self.save()


def write(path: Path, taken: float, known: Iterable[Known]) -> None:
    """Write a file, whole or not at all. taken: when the ages were right."""
    beside = path.with_name(path.name + ".new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(json.dumps({"version": VERSION, "taken": taken}) + "\n")
        for each in known:
            out.write(json.dumps(_row(each)) + "\n")
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)


def _row(known: Known) -> list[Any]:
    home = known.home
    return [known.user, round(known.age, 1), home.source, home.user, homes.encode(home).decode()]


def read(path: Path) -> tuple[float, list[Known]]:
    """Read a file; raises ValueError for one that is none of ours."""
    with path.open(encoding="utf-8") as lines:
        try:
            head = json.loads(next(lines, ""))
            if head["version"] != VERSION:
                raise ValueError(f"it has version {head['version']}")
            return float(head["taken"]), [*_rows(lines)]
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"it is damaged: {error}") from None


def _rows(lines: Iterable[str]) -> Iterator[Known]:
    for line in lines:
        user, age, source, name, encoded = json.loads(line)
        home: Home = homes.decode(encoded.encode())
        yield Known(user=user, age=float(age), home=attrs.evolve(home, source=source, user=name))
