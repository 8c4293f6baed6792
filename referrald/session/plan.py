"""How FETCH goes about it: what a mailbox knows of its messages is told without reading any.

Rows of a mailbox come ready to be sent (`referrald.mailmodel.Column`), and go into a form that is
made once a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

import attrs

from referrald.mailmodel import COMMON_FIELDS, Column
from referrald.session.fetching import FLAGS, MODSEQ, PLAIN, UID, Item
from referrald.session.sections import clean
from referrald.wire.response import literal

COLUMNS: Final[dict[Item, tuple[Column, bytes]]] = {
    FLAGS: ("flags", b"FLAGS (%b)"),
    MODSEQ: ("modseq", b"MODSEQ (%d)"),
    PLAIN[b"INTERNALDATE"]: ("received", b'INTERNALDATE "%b"'),
    PLAIN[b"RFC822.SIZE"]: ("size", b"RFC822.SIZE %d"),
    PLAIN[b"ENVELOPE"]: ("envelope", b"ENVELOPE %b"),
    PLAIN[b"BODY"]: ("body", b"BODY %b"),
    PLAIN[b"BODYSTRUCTURE"]: ("structure", b"BODYSTRUCTURE %b"),
}
CHEAP: Final = frozenset({"flags", "modseq", "size", "received"})
MANY: Final = 4000
"""Messages that are asked of a mailbox at a time, where that is cheap."""

SOME: Final = 100
"""Where a mailbox may have to look into each message, to begin with."""

MORE, MUCH = 1000, 131_072
"""How many are asked for later, at most, while the answers have no more bytes than that."""

FEW: Final = 32
"""Where each message is read and sent; they are marked as seen together."""

Fields = Callable[[bytes], bytes]


@attrs.frozen(kw_only=True)
class Plan:
    """What is asked of a mailbox, and what becomes of it.

    columns: of each row; those of ``told`` come first, in their order. fields: renderers of header
    fields out of the last column. reads: what has to be read. marks: reading sets ``\\Seen``.
    """

    columns: tuple[Column, ...]
    uid: bool
    told: tuple[Item, ...]
    fields: tuple[tuple[bytes, Fields], ...]
    reads: tuple[Item, ...]
    marks: bool

    @property
    def size(self) -> int:
        """How many messages to ask for at a time."""
        if self.reads:
            return FEW
        return MANY if CHEAP.issuperset(self.columns) else SOME

    def next_size(self, size: int, sent: int) -> int:
        """How many messages to ask for next, when the answers for ``size`` took ``sent`` bytes."""
        if self.size != SOME or not sent:
            return size
        return max(1, min(2 * size, MORE, size * MUCH // sent))

    def index(self, column: Column) -> int:
        """Give the place of a column in a row."""
        return self.columns.index(column) + 1

    def lines(self, numbers: Iterable[int], rows: Sequence[tuple[Any, ...]]) -> bytes:
        """Render the responses for messages, one at least, of which nothing has to be read."""
        first, last = (0 if self.uid else 1), 1 + len(self.told)
        items = [COLUMNS[item][1] for item in self.told]
        items += [label.replace(b"%", b"%%") + b" %b" for label, _render in self.fields]
        form = b"* %d FETCH (" + b" ".join([b"UID %d"] * self.uid + items) + b")\r\n"
        columns: list[Iterable[Any]] = [*zip(*rows, strict=True)]
        common = columns[-1]
        columns = columns[first:last]
        columns += [map(render, common) for _label, render in self.fields]
        # One form for all of them: that is twice as fast as one after the other.
        values = chain.from_iterable(zip(numbers, *columns, strict=True))
        return form * len(rows) % tuple(values)

    def opening(self, number: int, row: Sequence[Any], more: Sequence[Item] = ()) -> bytes:
        """Render the beginning of a response, as far as it is told out of a row.

        more: what is told besides, though nobody has asked for it.
        """
        parts = [b"UID %d" % row[0]] * self.uid
        for item in (*self.told, *more):
            column, form = COLUMNS[item]
            parts.append(form % row[self.index(column)])
        parts += [b"%b %b" % (label, render(row[-1])) for label, render in self.fields]
        return b"* %d FETCH (" % number + b" ".join(parts)


def plan(items: Sequence[Item], *, by_uid: bool, since: bool, modseqs: bool) -> Plan:
    """Make a plan.

    since: only what is newer than a modification sequence is wanted, which is told too (RFC 7162
    section 3.1.4.1). modseqs: the client is told of those of all changes.
    """
    told = [item for item in items if item in COLUMNS]
    if since and MODSEQ not in told:
        told.append(MODSEQ)
    others = [item for item in items if item not in COLUMNS and item != UID]
    common = {item: _fields_of(item) for item in others if _is_common(item)}
    marks = any(item.marks_seen for item in items)
    columns = [COLUMNS[item][0] for item in told]
    if marks and "flags" not in columns:
        columns.append("flags")
    if marks and modseqs and "modseq" not in columns:
        columns.append("modseq")
    if common:
        columns.append("fields")
    return Plan(
        columns=tuple(columns),
        uid=by_uid or UID in items,
        told=tuple(told),
        fields=tuple((item.label, render) for item, render in common.items()),
        reads=tuple(item for item in others if item not in common),
        marks=marks,
    )


def _is_common(item: Item) -> bool:
    section = item.section
    if section is None or section.path or item.marks_seen or section.text != "HEADER.FIELDS":
        return False
    return COMMON_FIELDS.issuperset(name.lower() for name in section.names)


def _fields_of(item: Item) -> Fields:
    """Give what renders chosen fields out of the common ones, which are whole fields only."""
    assert item.section is not None, "see `_is_common`"
    names = b"|".join(re.escape(name) for name in item.section.names)
    field = rb"^(?:%b)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?" % names
    find = re.compile(field, re.IGNORECASE | re.MULTILINE).findall
    partial = item.partial

    def render(common: bytes) -> bytes:
        chosen = b"".join(find(clean(common)))
        if chosen and not chosen.endswith(b"\n"):
            chosen += b"\r\n"
        chosen += b"\r\n"
        return literal(chosen if partial is None else chosen[partial[0] : sum(partial)])

    return render
