"""How long is waited for backends, and how long their answers are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen(kw_only=True)
class CacheSettings:
    """What one backend's answers are kept for, in seconds, and how many; None is as for all.

    missing: also for how long a later backend's answer holds at most.
    """

    found: float | None = None
    missing: float | None = None
    size: int | None = None


@attrs.frozen(kw_only=True)
class DirectorySettings:
    """Times in seconds.

    deadline: for a whole lookup. found, missing: how long answers are kept. stale: how long past
    its time a home is used while a backend is down. size: how many answers are kept. own: what is
    different for a backend, by its name.
    """

    deadline: float = 2.0
    found: float = 60.0
    missing: float = 10.0
    stale: float = 3600.0
    size: int = 100_000
    own: Mapping[str, CacheSettings] = attrs.field(factory=dict)

    def limits(self, names: Sequence[str]) -> dict[int, int]:
        """Give the sizes that are for one backend, by its number."""
        return {
            number: own.size
            for number, name in enumerate(names)
            if (own := self.own.get(name)) is not None and own.size is not None
        }
