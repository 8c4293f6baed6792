"""FETCH: what is asked for (RFC 3501 section 6.4.5, RFC 3516, RFC 7162 section 3.1.4)."""

from __future__ import annotations

import re
from typing import Final, Literal, cast

import attrs

from referrald.errors import WireError
from referrald.mime.parts import Section, Text
from referrald.wire.arguments import Arguments
from referrald.wire.modseqs import modifier
from referrald.wire.reader import Command
from referrald.wire.response import astring, paren_list
from referrald.wire.sets import SequenceSet
from referrald.wire.tokens import MAX_NUMBER

Binary = Literal["", "BINARY", "BINARY.SIZE"]


@attrs.frozen(kw_only=True)
class Item:
    """One data item.

    label: its name in the answer. section: set for ``BODY[…]``, ``BINARY[…]`` and the RFC822 items.
    partial: the first byte and the most bytes that are asked for.
    marks_seen: fetching it sets ``\\Seen``.
    binary: what is asked for without its transfer encoding.
    """

    label: bytes
    section: Section | None = None
    partial: tuple[int, int] | None = None
    marks_seen: bool = False
    binary: Binary = ""


PLAIN: Final = {
    name: Item(label=name)
    for name in (
        b"FLAGS", b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE",
        b"MODSEQ",
    )
} | {
    b"RFC822": Item(label=b"RFC822", section=Section(), marks_seen=True),
    b"RFC822.HEADER": Item(label=b"RFC822.HEADER", section=Section(text="HEADER")),
    b"RFC822.TEXT": Item(label=b"RFC822.TEXT", section=Section(text="TEXT"), marks_seen=True),
}  # fmt: skip
FLAGS: Final = PLAIN[b"FLAGS"]
UID: Final = PLAIN[b"UID"]
MODSEQ: Final = PLAIN[b"MODSEQ"]

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
_PART = re.compile(rb"\[([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+)?+\]")
_BINARY: Final = (b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE")
_PARTIAL = re.compile(rb"<([0-9]{1,10})\.([1-9][0-9]{0,9})>")


# -- what is asked for -----------------------------------------------------------------------


def fetch(command: Command) -> tuple[SequenceSet, tuple[Item, ...], int | None]:
    """Read FETCH: the messages, the items, each once, and what has to be newer (CHANGEDSINCE)."""
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.space()
    items: tuple[Item, ...]
    if arguments.peek() == ord("("):
        items = arguments.paren(lambda: _item(arguments, _name(arguments)))
    else:
        name = _name(arguments)
        items = MACROS.get(name) or (_item(arguments, name),)
    since = None
    if not arguments.at_end:
        arguments.space()
        since = modifier(arguments, b"CHANGEDSINCE")
    arguments.end()
    return messages, tuple(dict.fromkeys(items)), since


def _name(arguments: Arguments) -> bytes:
    return arguments.production(_NAME, "a data item")[0].upper()


def _item(arguments: Arguments, name: bytes) -> Item:
    if arguments.peek() == ord("[") and name in (b"BODY", b"BODY.PEEK"):
        return _section_item(arguments, peek=name == b"BODY.PEEK")
    if name in _BINARY:
        return _binary_item(arguments, name)
    item = PLAIN.get(name)
    if item is None:
        raise WireError("Unknown data item.")
    return item


def _section_item(arguments: Arguments, *, peek: bool) -> Item:
    section = _section(arguments)
    partial = _partial(arguments)
    label = _label(section, partial)
    return Item(label=label, section=section, partial=partial, marks_seen=not peek)


def _binary_item(arguments: Arguments, name: bytes) -> Item:
    match = arguments.production(_PART, "a part such as [1.2]")
    section = Section(path=_path(match[1]))
    if name == b"BINARY.SIZE":
        return Item(label=name + match[0], section=section, binary="BINARY.SIZE")
    partial = _partial(arguments)
    label = b"BINARY" + match[0] + _start(partial)
    peek = name == b"BINARY.PEEK"
    return Item(label=label, section=section, partial=partial, marks_seen=not peek, binary="BINARY")


def _partial(arguments: Arguments) -> tuple[int, int] | None:
    if arguments.peek() != ord("<"):
        return None
    match = arguments.production(_PARTIAL, "a partial such as <0.1024>")
    partial = int(match[1]), int(match[2])
    if max(partial) > MAX_NUMBER:
        raise WireError("Number too big.")
    return partial


def _start(partial: tuple[int, int] | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial[0]


def _path(numbers: bytes | None) -> tuple[int, ...]:
    path = tuple(map(int, numbers.split(b"."))) if numbers else ()
    if path and max(path) > MAX_NUMBER:
        raise WireError("Number too big.")
    return path


def _section(arguments: Arguments) -> Section:
    match = arguments.production(_SPEC, "a section")
    numbers, dot, word = match.groups()
    path = _path(numbers)
    text = cast(Text, word.decode("ascii").upper() if word else "")
    # A dot stands between part number and text, and nowhere else.
    if (dot is not None) != bool(path and text) or (text == "MIME" and not path):
        raise WireError("Malformed section.")
    names: tuple[bytes, ...] = ()
    if text.startswith("HEADER.FIELDS"):
        arguments.space()
        names = arguments.paren(arguments.astring)
    arguments.production(_CLOSE, "the end of a section")
    return Section(path=path, text=text, names=names)


def _label(section: Section, partial: tuple[int, int] | None) -> bytes:
    parts = [str(each) for each in section.path]
    if section.text:
        parts.append(section.text)
    spec = ".".join(parts).encode("ascii")
    if section.names:
        spec += b" " + paren_list(*map(astring, section.names))
    return b"BODY[" + spec + b"]" + _start(partial)
