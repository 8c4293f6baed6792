"""How long is waited for backends, and how long their answers are kept."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DirectorySettings:
    """Times in seconds.

    deadline: for a whole lookup. found, missing: how long answers are kept. stale: how long past
    its time a home is used while a backend is down. size: how many answers are kept.
    """

    deadline: float = 2.0
    found: float = 60.0
    missing: float = 10.0
    stale: float = 3600.0
    size: int = 100_000
