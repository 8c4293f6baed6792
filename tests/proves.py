"""Mark a test with the requirements that it proves; the docs make their coverage table of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Marked = TypeVar("Marked", bound=Callable[..., Any] | type)


def proves(*ids: str) -> Callable[[Marked], Marked]:
    """Record ``ids`` (``L3``, ``U7``, ``base:LITERAL+``) on a test method or a whole test case."""

    def mark(target: Marked) -> Marked:
        target.proves = (*ids, *getattr(target, "proves", ()))  # type: ignore[union-attr]
        return target

    return mark
