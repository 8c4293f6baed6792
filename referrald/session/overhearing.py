"""Listens to the first commands of a relayed client, for what it says that it is (RFC 2971)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from referrald.errors import WireError
from referrald.session.door import Spliced
from referrald.session.programs import Ident
from referrald.wire import grammar
from referrald.wire.reader import Command, CommandReader, ReaderLimits
from referrald.wire.response import Status, no

LIMITS: Final = ReaderLimits(line=2_048, literal=64, command=4_096)


def _no_literal(*about: Any) -> Status:
    return no("Not here.")


class Overhearing:
    """Stands before a connection to a home server until the client has said what it is.

    heard: told once, None for a client whose first command but CAPABILITY is not ID. Everything is
    passed on at once and as it is.
    """

    def __init__(self, spliced: Spliced, heard: Callable[[Overhearing, Ident], None]) -> None:
        self.spliced = spliced
        self._heard: Callable[[Overhearing, Ident], None] | None = heard
        self._reader: CommandReader | None = None

    def write(self, data: bytes) -> None:
        """Pass on what the client says, and listen."""
        if self._heard is not None:
            self._listen(data, self._heard)
        self.spliced.write(data)

    def _listen(self, data: bytes, heard: Callable[[Overhearing, Ident], None]) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = CommandReader(LIMITS, _no_literal)
        reader.feed(data)
        while True:
            event = reader.next()
            if event is None:
                return
            if isinstance(event, Command) and event.name == b"CAPABILITY":
                continue
            self._heard = None
            heard(self, _ident(event))
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self.spliced, name)


def _ident(event: Any) -> Ident:
    """Give what an ID command says; None for anything else."""
    if not isinstance(event, Command) or event.name != b"ID":
        return None
    try:
        (said,) = grammar.id_(event)
    except WireError:
        return None
    return said
