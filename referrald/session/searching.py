"""SEARCH: its arguments, read into what a store can be asked (RFC 3501 section 6.4.4).

Message numbers, ``*`` and ``$`` mean something only in the selected mailbox: a key is a query as
soon as it is told what the client knows of that (`referrald.session.view.View`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.query import (
    All,
    Body,
    Changed,
    Compare,
    Either,
    Flag,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Sent,
    Smaller,
    Text,
    Uids,
    Younger,
)
from referrald.session.charsets import codec_of, decoded
from referrald.session.edge import MONTHS
from referrald.session.view import View
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command

MAX_KEYS: Final = 1000
MAX_DEPTH: Final = 200
"""Keys of one search, and how deep they may stand in NOT, OR and parentheses."""

MAX_NUMBER64: Final = (1 << 63) - 1
RESULTS: Final = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})
"""What can be asked for with RETURN (RFC 4731, RFC 5182)."""

Key = Callable[[View], Query]


@attrs.frozen(kw_only=True)
class Search:
    """A whole search.

    results: what RETURN asks for, None without it. charset: as the client named it, if it did;
    ``known`` is whether it can be decoded, and ``key`` means nothing where it cannot.
    modseq: whether the key MODSEQ is in it.
    """

    tag: bytes
    key: Key
    results: frozenset[str] | None = None
    charset: str | None = None
    known: bool = True
    modseq: bool = False


def search(command: Command) -> tuple[Search]:
    """Read SEARCH."""
    arguments = Arguments(command)
    results = _results(arguments)
    charset = _charset(arguments)
    codec = "utf-8" if charset is None else codec_of(charset)
    read = {"tag": command.tag, "results": results, "charset": charset}
    if codec is None:
        return (Search(key=lambda view: All(), known=False, **read),)  # type: ignore[arg-type]
    reader = _Keys(arguments, codec)
    keys = [reader.key(0)]
    while not arguments.at_end:
        arguments.space()
        keys.append(reader.key(0))
    return (Search(key=_all(keys), modseq=reader.modseq, **read),)  # type: ignore[arg-type]


_WORD = re.compile(rb"[A-Za-z]+")
_CHARSET = re.compile(rb"CHARSET ", re.IGNORECASE)
_RETURN = re.compile(rb"RETURN (?=\()", re.IGNORECASE)
_DATE = re.compile(rb'(")?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})(?(1)")')
_NUMBER64 = re.compile(rb"[0-9]{1,19}+(?![0-9])")
_ENTRY_TYPE = re.compile(rb"(?:priv|shared|all)(?= )", re.IGNORECASE)


def _results(arguments: Arguments) -> frozenset[str] | None:
    """Take ``RETURN (…) ``, None when something else comes; none of them is ``ALL``."""
    if not _comes(arguments, _RETURN):
        return None
    words = arguments.paren(arguments.atom, empty=True)
    found = frozenset(word.decode("ascii").upper() for word in words) or frozenset({"ALL"})
    if not found <= RESULTS:
        raise WireError("Unknown search result option.")
    arguments.space()
    return found


def _charset(arguments: Arguments) -> str | None:
    """Take ``CHARSET name ``, None when something else comes."""
    if not _comes(arguments, _CHARSET):
        return None
    name = arguments.astring().decode("latin-1")
    arguments.space()
    return name


def _comes(arguments: Arguments, pattern: re.Pattern[bytes]) -> bool:
    try:
        arguments.production(pattern, "a search key")
    except WireError:
        return False
    return True


def _fixed(query: Query) -> Key:
    return lambda view: query


def _all(keys: list[Key]) -> Key:
    return keys[0] if len(keys) == 1 else lambda view: All(tuple(key(view) for key in keys))


def _recent(view: View) -> Query:
    """Ask for what this session was the first to hear of, if the mailbox leaves that to it."""
    return Uids(tuple(view.recent)) if view.knows_recent else Flag("\\Recent")


SIMPLE: Final[dict[bytes, Query]] = {
    b"ALL": All(),
}
for _name in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
    SIMPLE[_name.upper().encode("ascii")] = Flag(f"\\{_name}")
    SIMPLE[b"UN" + _name.upper().encode("ascii")] = Not(Flag(f"\\{_name}"))

WORDS: Final[dict[bytes, Key]] = {word: _fixed(query) for word, query in SIMPLE.items()} | {
    b"OLD": lambda view: Not(_recent(view)),
    b"RECENT": _recent,
    b"NEW": lambda view: All((_recent(view), Not(Flag("\\Seen")))),
}

FIELDS: Final = frozenset({b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"})

DATES: Final[dict[bytes, tuple[type[Received | Sent], Compare]]] = {
    b"BEFORE": (Received, "<"),
    b"ON": (Received, "="),
    b"SINCE": (Received, ">="),
    b"SENTBEFORE": (Sent, "<"),
    b"SENTON": (Sent, "="),
    b"SENTSINCE": (Sent, ">="),
}


class _Keys:
    """Reads keys, one after another; strings are in the charset of ``codec``."""

    def __init__(self, arguments: Arguments, codec: str) -> None:
        self.arguments = arguments
        self.codec = codec
        self.count = 0
        self.modseq = False
        self.readers: dict[bytes, Callable[[int], Key]] = {
            b"NOT": self._not,
            b"OR": self._or,
            b"UID": lambda depth: self._messages(by_uid=True),
            b"BODY": lambda depth: _fixed(Body(self._string())),
            b"TEXT": lambda depth: _fixed(Text(self._string())),
            b"HEADER": lambda depth: _fixed(self._header()),
            b"KEYWORD": lambda depth: _fixed(self._keyword()),
            b"UNKEYWORD": lambda depth: _fixed(Not(self._keyword())),
            b"LARGER": lambda depth: _fixed(Larger(self._number64())),
            b"SMALLER": lambda depth: _fixed(Smaller(self._number64())),
            b"OLDER": lambda depth: _fixed(Older(self.arguments.nz_number())),
            b"YOUNGER": lambda depth: _fixed(Younger(self.arguments.nz_number())),
            b"MODSEQ": lambda depth: _fixed(self._changed()),
        }

    def key(self, depth: int) -> Key:
        """Take one key."""
        self.count += 1
        if self.count > MAX_KEYS or depth > MAX_DEPTH:
            raise WireError("Too many search keys.")
        arguments = self.arguments
        ahead = arguments.peek()
        if ahead == ord("("):
            return _all(list(arguments.paren(lambda: self.key(depth + 1))))
        if ahead >= 0 and ahead in b"$*0123456789":
            return self._messages(by_uid=False)
        word = arguments.production(_WORD, "a search key")[0].upper()
        known = WORDS.get(word)
        if known is not None:
            return known
        if word not in FIELDS and word not in DATES and word not in self.readers:
            raise WireError("Unknown search key.")
        arguments.space()
        if word in FIELDS:
            return _fixed(Header(word.decode("ascii"), self._string()))
        if word in DATES:
            return _fixed(self._date(word))
        return self.readers[word](depth + 1)

    def _not(self, depth: int) -> Key:
        inner = self.key(depth)
        return lambda view: Not(inner(view))

    def _or(self, depth: int) -> Key:
        first = self.key(depth)
        self.arguments.space()
        second = self.key(depth)
        return lambda view: Either(first(view), second(view))

    def _messages(self, *, by_uid: bool) -> Key:
        messages = self.arguments.sequence_set()
        return lambda view: view.meant(messages, by_uid)

    def _header(self) -> Header:
        name = self.arguments.astring().decode("latin-1")
        self.arguments.space()
        return Header(name, self._string())

    def _keyword(self) -> Flag:
        return Flag(self.arguments.atom().decode("ascii"))

    def _date(self, word: bytes) -> Query:
        kind, compare = DATES[word]
        return kind(compare, _day(self.arguments.production(_DATE, "a date")))

    def _changed(self) -> Changed:
        """Take a modification sequence; those of single flags are not kept apart (RFC 7162)."""
        self.modseq = True
        if self.arguments.peek() == ord('"'):
            self.arguments.string()
            self.arguments.space()
            self.arguments.production(_ENTRY_TYPE, "priv, shared or all")
            self.arguments.space()
        return Changed(self._number64())

    def _number64(self) -> int:
        number = int(self.arguments.production(_NUMBER64, "a number")[0])
        if number > MAX_NUMBER64:
            raise WireError("Number too big.")
        return number

    def _string(self) -> str:
        return decoded(self.arguments.astring(), self.codec)


def _day(match: re.Match[bytes]) -> date:
    _, day, month, year = match.groups()
    try:
        return date(int(year), MONTHS.index(month.decode("ascii").title()) + 1, int(day))
    except ValueError:
        raise WireError("No such date.") from None
