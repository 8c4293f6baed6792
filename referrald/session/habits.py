"""Which programs log in where, heard after the login: the next time they are known before it.

Most programs say what they are (RFC 2971) only once they are logged in, too late to be referred. A
user at one address mostly uses the same ones again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from referrald.session.programs import Ident, Programs

PROGRAMS_KEPT: Final = 8
"""Different programs of one user at one address; who has more is not worth knowing."""

Program = tuple[str, str]


class Habits:
    """Remembers what programs users have at an address.

    clock: gives seconds. seconds: how long a program is remembered after it was last heard. size:
    so many pairs of user and address are kept.
    """

    def __init__(
        self, clock: Callable[[], float], *, seconds: float = 604_800.0, size: int = 10_000
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._size = size
        self._heard: OrderedDict[tuple[str, str], dict[Program, float]] = OrderedDict()

    def note(self, user: str, host: str, ident: Ident) -> None:
        """Remember a program; one that does not say what it is is one as well."""
        key = (user, host)
        programs = self._heard.setdefault(key, {})
        self._heard.move_to_end(key)
        said = ident or {}
        programs[said.get("name") or "", said.get("version") or ""] = self._clock()
        if len(programs) > PROGRAMS_KEPT:
            del programs[min(programs, key=programs.__getitem__)]
        if len(self._heard) > self._size:
            self._heard.popitem(last=False)

    def all_in(self, wanted: Programs, user: str, host: str) -> bool:
        """Say whether a user is known to have programs of a list there, and no other."""
        programs = self._heard.get((user, host))
        if not programs:
            return False
        since = self._clock() - self._seconds
        fresh = [program for program, when in programs.items() if when > since]
        return bool(fresh) and all(
            wanted.include({"name": name, "version": version}) for name, version in fresh
        )

    def __len__(self) -> int:
        return len(self._heard)
