"""What the tests of this room share: files, options with their defaults, waiting, compiling."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import passwdfile, table
from referrald.backends.build import Built, build_here
from referrald.backends.image import USER, Image, Record
from referrald.backends.imagewriter import ImageWriter
from referrald.model import Home, Login, Problem

Result = TypeVar("Result")

OLD = 1_000_000_000
"""A time long ago, in seconds, for files that nobody writes to any more."""


def filled(factory: Any, **given: Any) -> dict[str, Any]:
    """Fill in the defaults of a factory's options, as the loader does."""
    return {option.name: option.default for option in factory.options} | given


async def _waiting(work: Awaitable[Result]) -> Result:
    return await work


def replace(path: Path, text: str | bytes, when: int = OLD) -> None:
    """Write a file beside and rename it over ``path``; ``when`` is its time of change."""
    beside = path.with_name(path.name + ".new")
    write(beside, text)
    os.utime(beside, (when, when))
    beside.rename(path)


def write(path: Path, text: str | bytes) -> None:
    """Write a file in place."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def compiled(kind: str, path: Path, **options: Any) -> Built:
    """Compile a file with the options' defaults."""
    factory = {"table": table.factory, "passwd-file": passwdfile.factory}[kind]
    given = filled(factory, file=str(path)) | options
    return build_here(factory._job(given))


def new_file() -> BinaryIO:
    """Open a file without a name."""
    return tempfile.TemporaryFile("w+b")


def image_of(records: Mapping[str, Home], notes: Mapping[str, Any] | None = None) -> Image:
    """Make an image of users and homes."""
    file = new_file()
    writer = ImageWriter(file)
    for number, (user, home) in enumerate(records.items(), 1):
        writer.add(USER, user.encode(), writer.home(home), line=number)
    assert writer.finish(dict(notes or {})) == []
    return Image(file)


class BackendTestCase(SynchronousTestCase):
    """Has a folder, a clock, the log; asks backends that answer at once."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = Clock()
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def result(self, work: Awaitable[Result]) -> Result:
        """Give the result of something awaitable, which must be there at once."""
        return self.successResultOf(Deferred.fromCoroutine(_waiting(work)))

    def failure(self, work: Awaitable[Any], kind: type[BaseException]) -> Any:
        """Give the error that it ends in."""
        return self.failureResultOf(Deferred.fromCoroutine(_waiting(work)), kind).value

    def file(self, text: str | bytes, name: str = "source") -> Path:
        """Make a file that has not changed for long."""
        path = self.folder / name
        replace(path, text)
        return path

    def start(self, factory: Any, path: Path, **options: Any) -> Any:
        """Make and start a backend."""
        backend = factory.build(filled(factory, file=str(path)) | options, self.clock)
        self.result(backend.start())
        self.addCleanup(lambda: self.result(backend.stop()))
        return backend

    def home(self, backend: Any, user: str) -> Home | None:
        """Look a user up."""
        home: Home | None = self.result(backend.home(Login(user=user)))
        return home

    def events(self, level: str) -> list[str]:
        """Give what was logged at a level, without formats."""
        return [
            event["log_format"].format(**event)
            for event in self.logged
            if event["log_level"].name == level and event.get("log_format")
        ]


def told(problems: tuple[Problem, ...], path: Path) -> list[str]:
    """Write problems shortly: line, key and what is wrong."""
    return [
        f"{problem.where.removeprefix(str(path)).removeprefix(':')} {problem.key}: {problem.wrong}"
        for problem in problems
    ]


def record(built: Built, user: str) -> Record:
    """Give the record of a user who must be there."""
    assert built.image is not None, built.outcome.problems
    found = built.image.find(USER, user)
    assert found is not None, user
    return found
