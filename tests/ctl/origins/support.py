"""What the tests of origins have in common: real files, and what is made of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from referrald.backends.table import factory as table_factory
from referrald.ctl.origins import ORIGINS
from referrald.ctl.origins.found import Found, Wishes
from referrald.ctl.origins.writing import write
from referrald.model import Home, Login, Problem
from tests.backends.support import filled

FILES = Path(__file__).parent / "files"


def read(origin: str, name: str, **wishes: Any) -> Found:
    """Read one of the real files."""
    return ORIGINS[origin].read((FILES / name).read_bytes(), name, Wishes(**wishes))


def read_text(origin: str, text: str, **wishes: Any) -> Found:
    """Read a text."""
    return ORIGINS[origin].read(text.encode(), "file", Wishes(**wishes))


def told(problems: list[Problem]) -> list[str]:
    """Say where the problems are, and what is wrong."""
    return [f"{each.where.partition(':')[2]} {each.key}: {each.wrong}" for each in problems]


class Table:
    """A table backend over what was found."""

    def __init__(self, found: Found, folder: Path, **options: Any) -> None:
        self.path = folder / "homes.toml"
        self.path.write_text(write(found, "table"), encoding="utf-8")
        given = filled(table_factory, file=str(self.path)) | options
        self.problems = table_factory.check(given)
        self.backend: Any = table_factory.build(given, Clock())

    async def homes(self, users: list[str]) -> list[Home | None]:
        """Look users up."""
        await self.backend.start()
        try:
            return [await self.backend.home(Login(user=user)) for user in users]
        finally:
            await self.backend.stop()

    def look(self, users: list[str]) -> Deferred[list[Home | None]]:
        """Look users up, outside of a coroutine."""
        return Deferred.fromCoroutine(self.homes(users))
