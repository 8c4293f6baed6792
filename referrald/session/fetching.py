"""FETCH: what is asked for, and how a message answers (RFC 3501 sections 6.4.5 and 7.4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import attrs

from referrald.errors import WireError
from referrald.mailmodel import Column
from referrald.mime import parts as mime
from referrald.mime.parts import Part, Section, Text
from referrald.mime.structure import body_structure, envelope
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Wire, astring, literal, nstring, number, paren_list, quoted
from referrald.wire.sets import SequenceSet
from referrald.wire.tokens import MAX_NUMBER


@attrs.frozen(kw_only=True)
class Item:
    """One data item.

    label: its name in the answer. section: set for ``BODY[…]`` and the RFC822 items.
    partial: the first byte and the most bytes that are asked for.
    marks_seen: fetching it sets ``\\Seen``.
    """

    label: bytes
    section: Section | None = None
    partial: tuple[int, int] | None = None
    marks_seen: bool = False


PLAIN: Final = {
    name: Item(label=name)
    for name in (
        b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE",
    )
} | {
    b"RFC822": Item(label=b"RFC822", section=Section(), marks_seen=True),
    b"RFC822.HEADER": Item(label=b"RFC822.HEADER", section=Section(text="HEADER")),
    b"RFC822.TEXT": Item(label=b"RFC822.TEXT", section=Section(text="TEXT"), marks_seen=True),
}  # fmt: skip
FLAGS: Final = PLAIN[b"FLAGS"]
UID: Final = PLAIN[b"UID"]

_FAST = (FLAGS, PLAIN[b"INTERNALDATE"], PLAIN[b"RFC822.SIZE"])
_ALL = (*_FAST, PLAIN[b"ENVELOPE"])
MACROS: Final = {b"FAST": _FAST, b"ALL": _ALL, b"FULL": (*_ALL, PLAIN[b"BODY"])}

_NAME = re.compile(rb"[A-Za-z0-9.]+")
_SPEC = re.compile(
    rb"\[([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+)?+(\.)?"
    rb"(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)?",
    re.IGNORECASE,
)
_CLOSE = re.compile(rb"\]")
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([1-9][0-9]{0,9})>")


# -- what is asked for -----------------------------------------------------------------------


def fetch(command: Command) -> tuple[SequenceSet, tuple[Item, ...]]:
    """Read FETCH: the messages and the items, each once."""
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.space()
    items: tuple[Item, ...]
    if arguments.peek() == ord("("):
        items = arguments.paren(lambda: _item(arguments, _name(arguments)))
    else:
        name = _name(arguments)
        items = MACROS.get(name) or (_item(arguments, name),)
    arguments.end()
    return messages, tuple(dict.fromkeys(items))


def _name(arguments: Arguments) -> bytes:
    return arguments.production(_NAME, "a data item")[0].upper()


def _item(arguments: Arguments, name: bytes) -> Item:
    if arguments.peek() == ord("[") and name in (b"BODY", b"BODY.PEEK"):
        return _section_item(arguments, peek=name == b"BODY.PEEK")
    item = PLAIN.get(name)
    if item is None:
        raise WireError("Unknown data item.")
    return item


def _section_item(arguments: Arguments, *, peek: bool) -> Item:
    section = _section(arguments)
    label = _label(section)
    partial = None
    if arguments.peek() == ord("<"):
        match = arguments.production(_PARTIAL, "a partial such as <0.1024>")
        partial = int(match[1]), int(match[2])
        if max(partial) > MAX_NUMBER:
            raise WireError("Number too big.")
        label += b"<%d>" % partial[0]
    return Item(label=label, section=section, partial=partial, marks_seen=not peek)


def _section(arguments: Arguments) -> Section:
    match = arguments.production(_SPEC, "a section")
    numbers, dot, word = match.groups()
    path = tuple(map(int, numbers.split(b"."))) if numbers else ()
    text = cast(Text, word.decode("ascii").upper() if word else "")
    if path and max(path) > MAX_NUMBER:
        raise WireError("Number too big.")
    # A dot stands between part number and text, and nowhere else.
    if (dot is not None) != bool(path and text) or (text == "MIME" and not path):
        raise WireError("Malformed section.")
    names: tuple[bytes, ...] = ()
    if text.startswith("HEADER.FIELDS"):
        arguments.space()
        names = arguments.paren(arguments.astring)
    arguments.production(_CLOSE, "the end of a section")
    return Section(path=path, text=text, names=names)


def _label(section: Section) -> bytes:
    parts = [str(each) for each in section.path]
    if section.text:
        parts.append(section.text)
    spec = ".".join(parts).encode("ascii")
    if section.names:
        spec += b" " + paren_list(*map(astring, section.names))
    return b"BODY[" + spec + b"]"


# -- how a message answers -------------------------------------------------------------------


def columns_of(items: tuple[Item, ...]) -> list[Column]:
    """Name what has to be known of a message besides its bytes."""
    columns: list[Column] = ["flags"]
    if PLAIN[b"INTERNALDATE"] in items:
        columns.append("received")
    if PLAIN[b"RFC822.SIZE"] in items:
        columns.append("size")
    return columns


@attrs.define
class Subject:
    """A message that is being fetched; its bytes are read and parsed once, if at all."""

    folder: Any
    uid: int
    flags: bytes
    others: list[Any]
    _parsed: Part | None = None

    async def parsed(self) -> Part:
        """Give the message taken apart."""
        if self._parsed is None:
            content = await self.folder.content(self.uid) or b""
            self._parsed = mime.parse(content.replace(b"\0", b"\x80"))
        return self._parsed

    async def value(self, item: Item) -> Wire:
        """Render the value of an item."""
        if item.section is not None:
            return _text(mime.section(await self.parsed(), item.section), item.partial)
        if item is FLAGS:
            return Wire(b"(%b)" % self.flags)
        if item is UID:
            return number(self.uid)
        if item.label == b"INTERNALDATE":
            return quoted(self.others[0])
        if item.label == b"RFC822.SIZE":
            return number(self.others[-1])
        return await self._structure(item.label)

    async def _structure(self, label: bytes) -> Wire:
        message = await self.parsed()
        if label == b"ENVELOPE":
            return envelope(message)
        return body_structure(message, label == b"BODYSTRUCTURE")

    async def answer(self, message: int, items: tuple[Item, ...]) -> list[bytes]:
        """Give the pieces of the FETCH response; none is written before all are there."""
        values = [(item.label, await self.value(item)) for item in items]
        return list(_pieces(message, values))


def _pieces(message: int, values: list[tuple[bytes, Wire]]) -> Iterator[bytes]:
    start = b"* %d FETCH (" % message
    for label, value in values:
        yield start + label + b" "
        yield value
        start = b" "
    yield b")\r\n"


def _text(value: bytes | None, partial: tuple[int, int] | None) -> Wire:
    if value is None:
        return nstring(None)
    if partial is not None:
        value = value[partial[0] : partial[0] + partial[1]]
    return literal(value)
