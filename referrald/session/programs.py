"""Mail programs as an operator lists them, told by what they say of themselves (RFC 2971)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from typing import TypeAlias

import attrs

Ident: TypeAlias = Mapping[str, str | None] | None


@attrs.frozen
class Programs:
    """A list of programs: ``alpine`` in any version, or ``alpine/2.2*`` in some.

    Upper and lower case are the same; ``*`` is any text, ``?`` any character.
    """

    entries: tuple[str, ...] = ()
    _pattern: re.Pattern[str] | None = attrs.field(init=False, eq=False, repr=False)

    @_pattern.default
    def _compile(self) -> re.Pattern[str] | None:
        # Nothing but these two is special: a name may have a bracket in it.
        globs = [entry.lower().replace("[", "[[]") for entry in self.entries]
        return re.compile("|".join(map(translate, globs))) if globs else None

    def include(self, ident: Ident) -> bool:
        """Tell whether a client is one of them, by its answer to ID; one that is silent is not."""
        if self._pattern is None or not ident:
            return False
        name = (ident.get("name") or "").lower()
        if not name:
            return False
        version = (ident.get("version") or "").lower()
        match = self._pattern.fullmatch
        return match(name) is not None or match(f"{name}/{version}") is not None
