"""Keeps what a check has built until the backend starts, which would build the same again."""

from __future__ import annotations

from referrald.backends.build import Built, Job, build
from referrald.backends.draft import look_at

KEPT = 8

_recent: dict[str, Built] = {}


def checked(job: Job) -> Built:
    """Build, or give what was built of the same files before; raises `BuildFailed`."""
    known = _recent.get(job.key)
    if known is not None and _is_fresh(known):
        return known
    take(job)
    built = build(job)
    while len(_recent) >= KEPT:
        _drop(_recent.pop(next(iter(_recent))))
    _recent[job.key] = built
    return built


def take(job: Job) -> Built | None:
    """Give away what was built, if it still is what a build would give."""
    known = _recent.pop(job.key, None)
    if known is None or _is_fresh(known):
        return known
    _drop(known)
    return None


def _is_fresh(built: Built) -> bool:
    outcome = built.outcome
    return outcome.steady and all(look_at(path) == seen for path, seen in outcome.files.items())


def _drop(built: Built) -> None:
    if built.image is not None:
        built.image.close()
