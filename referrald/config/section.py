"""A table of the configuration file, as the schema describes it."""

from __future__ import annotations

import attrs

from referrald.model import Option


@attrs.frozen(kw_only=True, eq=False)
class Section:
    """A table of the file.

    many: an array of tables, ``[[name]]``. optional: may be left out though it has required keys.
    open: takes any further key (what a backend's type says, or free text).
    """

    name: str
    help: str
    options: tuple[Option, ...]
    many: bool = False
    optional: bool = False
    open: bool = False

    @property
    def heading(self) -> str:
        """The table's header as it stands in the file."""
        return f"[[{self.name}]]" if self.many else f"[{self.name}]"
