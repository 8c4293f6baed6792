"""Failures of errors that were not raised."""

from __future__ import annotations

from twisted.python.failure import Failure


def failure_of(error: BaseException) -> Failure:
    """Wrap an error as Twisted wants it."""
    return Failure(error)  # type: ignore[no-untyped-call]
