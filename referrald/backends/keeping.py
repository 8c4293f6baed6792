"""Changes to homes that are kept where one transaction sees and changes all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import attrs

from referrald.backends.changing import (
    Homeless,
    Homes,
    changes_between,
    check_all_known,
    checked_homes,
)
from referrald.backends.homerows import read_row, write_row
from referrald.model import Home, HomeChange, Occasion


class KeptHomes(Protocol):
    """The homes at a source within one transaction that nobody else changes anything in."""

    def some(self, users: Iterable[str]) -> dict[str, Home]:
        """Give the homes of those users who have one."""
        ...

    def all(self) -> dict[str, Home]:
        """Give everybody's home."""
        ...

    def write(self, changes: Sequence[HomeChange], occasion: Occasion) -> None:
        """Make changes, and remember who wanted them and why."""
        ...


Work = Callable[[KeptHomes], list[HomeChange]]


@attrs.frozen(kw_only=True)
class Writer:
    """Makes of each change a function that does it, given the homes within a transaction.

    fold: makes of a user's name the one at the source.
    """

    fold: Callable[[str], str]

    def set_home(self, homes: Homes, occasion: Occasion) -> Work:
        """Give users homes. Raises `NotPossible` for names that nobody can have."""
        after = self._checked(homes)
        return lambda kept: _do(kept, kept.some(after), after, occasion)

    def import_(self, homes: Homes, occasion: Occasion) -> Work:
        """Know these users and no others. Raises `NotPossible`."""
        wanted = self._checked(homes)

        def work(kept: KeptHomes) -> list[HomeChange]:
            before = kept.all()
            after: dict[str, Home | None] = dict(wanted)
            after |= dict.fromkeys(before.keys() - wanted.keys())
            return _do(kept, before, after, occasion)

        return work

    def remove(self, users: Sequence[str], occasion: Occasion) -> Work:
        """Forget users, who have to be there."""
        return self._each(users, lambda home: None, occasion)

    def hold(self, users: Sequence[str], held: bool, occasion: Occasion) -> Work:
        """Hold users, or let them go; they have to be there."""
        return self._each(users, lambda home: attrs.evolve(home, held=held), occasion)

    def _each(
        self, users: Sequence[str], change: Callable[[Home], Home | None], occasion: Occasion
    ) -> Work:
        names = list(dict.fromkeys(map(self.fold, users)))

        def work(kept: KeptHomes) -> list[HomeChange]:
            before = kept.some(names)
            check_all_known(names, before)
            after = {name: change(before[name]) for name in names}
            return _do(kept, before, after, occasion)

        return work

    def _checked(self, homes: Homes) -> dict[str, Home]:
        return checked_homes(homes, fold=self.fold, kept=lambda home: read_row(write_row(home)))


class Keeping:
    """The half of an `IWritableBackend` that changes homes; for classes over such a source."""

    async def set_home(self, homes: Homes, occasion: Occasion) -> Sequence[HomeChange]:
        """Give users homes."""
        return await self._change(self._writer.set_home(homes, occasion))

    async def hold(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        """Hold users."""
        return await self._change(self._writer.hold(users, True, occasion))

    async def release(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        """Let users go."""
        return await self._change(self._writer.hold(users, False, occasion))

    async def remove(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        """Forget users."""
        return await self._change(self._writer.remove(users, occasion))

    async def import_(self, homes: Homes, occasion: Occasion) -> Sequence[HomeChange]:
        """Know these users and no others."""
        return await self._change(self._writer.import_(homes, occasion))

    @property
    def _writer(self) -> Writer:
        return Writer(fold=self._folded)

    def _folded(self, user: str) -> str:
        raise NotImplementedError

    async def _change(self, work: Work) -> Sequence[HomeChange]:
        raise NotImplementedError


def _do(kept: KeptHomes, before: Homes, after: Homeless, occasion: Occasion) -> list[HomeChange]:
    changes = changes_between(before, after)
    if changes and not occasion.dry_run:
        kept.write(changes, occasion)
    return changes


@lru_cache(maxsize=4096)
def text_of(home: Home | None) -> str | None:
    """Write a home as a history keeps it, None for no home."""
    if home is None:
        return None
    row = {key: value for key, value in write_row(home).items() if value is not None}
    return json.dumps(row, ensure_ascii=False)


def home_of(text: Any) -> Home | None:
    """Read what `text_of` wrote."""
    return None if text is None else read_row(json.loads(text))
