"""The one table of commands: (state, name) to grammar and handler, to which extensions add."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import attrs

from referrald.wire.reader import Command
from referrald.wire.response import Status

UNAUTH = frozenset({"unauth"})
SELECT = frozenset({"select"})
AWAY = frozenset({"away"})
"""The state in which the selected mailbox is on another server."""
AUTH = frozenset({"auth", *SELECT, *AWAY})
ANY = UNAUTH | AUTH

Answer = Status | bytes
"""What a handler gives back: a status, or one that `referrald.wire.response.body` has rendered."""

Grammar = Callable[[Command], tuple[Any, ...]]
Handler = Callable[..., Awaitable[Answer]]
Quick = Callable[..., bool]


@attrs.frozen(kw_only=True)
class CommandSpec:
    """One command: where it is allowed, how its arguments are read, and who carries it out.

    grammar: takes the whole command and gives the handler's arguments, or raises `WireError`.
    handler: called as ``handler(session, *arguments)``; awaited; returns or raises a status.
    quick: tried before it as ``quick(session, tag, *arguments)``; True says that the answer
    will come some other way (`referrald.session.shortcut`).
    """

    name: str
    states: frozenset[str]
    grammar: Grammar
    handler: Handler
    quick: Quick | None = None


class CommandTable:
    """Look up commands by state and name."""

    def __init__(self, specs: Iterable[CommandSpec] = ()) -> None:
        self._specs: dict[tuple[str, bytes], CommandSpec] = {}
        self._names: set[bytes] = set()
        for spec in specs:
            self.add(spec)

    def add(self, spec: CommandSpec) -> None:
        """Add ``spec``; raises `ValueError` when one of its states has the name already."""
        name = spec.name.upper().encode("ascii")
        taken = [state for state in spec.states if (state, name) in self._specs]
        if taken:
            raise ValueError(f"{spec.name} is already a command in state {', '.join(taken)}")
        self._names.add(name)
        for state in spec.states:
            self._specs[state, name] = spec

    def find(self, state: str, name: bytes) -> CommandSpec | None:
        """Give the command of that (upper-case) name in ``state``, or None."""
        return self._specs.get((state, name))

    def knows(self, name: bytes) -> bool:
        """Say whether the name is a command in any state."""
        return name in self._names
