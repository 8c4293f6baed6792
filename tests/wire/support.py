"""Feed a reader in pieces and look at what comes out."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from referrald.wire.reader import Command, CommandReader, Event, Fatal, ReaderLimits
from referrald.wire.response import Status

LIMITS = ReaderLimits(line=8192, literal=4096, command=65536)


def accept(
    tag: bytes, name: bytes, head: bytes, size: int, sync: bool, binary: bool
) -> Status | None:
    """Take every literal."""
    return None


def reader(limits: ReaderLimits = LIMITS) -> CommandReader:
    """Make a reader that takes every literal within ``limits``."""
    return CommandReader(limits, accept)


def drain(source: CommandReader) -> list[Event]:
    """Take all events that are there."""
    events: list[Event] = []
    while (event := source.next()) is not None:
        events.append(event)
    return events


def read(*pieces: bytes, source: CommandReader | None = None) -> list[Event]:
    """Feed piece by piece and give all events."""
    source = source or reader()
    events: list[Event] = []
    for piece in pieces:
        source.feed(piece)
        events += drain(source)
        if events and isinstance(events[-1], Fatal):
            break
    return events


def one(line: bytes) -> Command:
    """Read one complete command; sync literals are taken as if the client had waited."""
    commands = [event for event in read(line) if isinstance(event, Command)]
    assert len(commands) == 1, commands
    return commands[0]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut ``data`` at ``places``, whatever their order; empty pieces and all."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def each_byte(data: bytes) -> list[bytes]:
    """Cut ``data`` into bytes."""
    return [data[at : at + 1] for at in range(len(data))]


cuts = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)
