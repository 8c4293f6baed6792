"""SEARCH: the keys, read into tests on a message (RFC 3501 section 6.4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.session.candidate import ATTRIBUTES, CONTENT, NUMBERS, Candidate
from referrald.session.edge import MONTHS
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.sets import Numbers, SequenceSet

CHARSETS: Final = ("US-ASCII", "UTF-8")

MAX_KEYS: Final = 1000
MAX_DEPTH: Final = 200
"""Keys of one search, and how deep they may stand in NOT, OR and parentheses."""

Test = Callable[[Candidate], bool]


@attrs.frozen
class Key:
    """A search key: how much it has to know of a message, and the test."""

    cost: int
    test: Test


@attrs.frozen
class Search:
    """A whole search; ``charset`` is set, and ``keys`` are empty, where it is an unknown one.

    A message matches that passes the tests of all keys; they come with the cheap ones first.
    """

    keys: Sequence[Key]
    charset: str | None = None


def search(command: Command) -> tuple[Search]:
    """Read SEARCH."""
    arguments = Arguments(command)
    reader = _Keys(arguments)
    charset = reader.charset()
    if charset is not None:
        if charset.upper() not in CHARSETS:
            return (Search((), charset),)
        arguments.space()
    keys = [reader.key(0)]
    while not arguments.at_end:
        arguments.space()
        keys.append(reader.key(0))
    return (Search(sorted(keys, key=_cost)),)


def _cost(key: Key) -> int:
    return key.cost


_WORD = re.compile(rb"[A-Za-z]+")
_CHARSET = re.compile(rb"CHARSET ", re.IGNORECASE)
_DATE = re.compile(rb'(")?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})(?(1)")')


def _flag(name: str, wanted: bool) -> Key:
    flag = name.lower()
    return Key(ATTRIBUTES, lambda message: (flag in message.flags) is wanted)


def _all(keys: Iterable[Key]) -> Key:
    inner = sorted(keys, key=_cost)
    return Key(inner[-1].cost, lambda message: all(key.test(message) for key in inner))


SIMPLE: Final = {
    b"ALL": Key(NUMBERS, lambda message: True),
    b"OLD": _flag("\\Recent", False),
    b"RECENT": _flag("\\Recent", True),
    b"NEW": _all([_flag("\\Recent", True), _flag("\\Seen", False)]),
}
for _name in ("Answered", "Deleted", "Draft", "Flagged", "Seen"):
    SIMPLE[_name.upper().encode("ascii")] = _flag(f"\\{_name}", True)
    SIMPLE[b"UN" + _name.upper().encode("ascii")] = _flag(f"\\{_name}", False)

FIELDS: Final = frozenset({b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"})

DATES: Final[dict[bytes, tuple[bool, Callable[[date, date], bool]]]] = {
    b"BEFORE": (False, date.__lt__),
    b"ON": (False, date.__eq__),
    b"SINCE": (False, date.__ge__),
    b"SENTBEFORE": (True, date.__lt__),
    b"SENTON": (True, date.__eq__),
    b"SENTSINCE": (True, date.__ge__),
}


class _Keys:
    """Reads keys, one after another."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.count = 0
        self.readers: dict[bytes, Callable[[int], Key]] = {
            b"NOT": self._not,
            b"OR": self._or,
            b"BODY": lambda depth: self._body(),
            b"TEXT": lambda depth: self._text(),
            b"HEADER": lambda depth: self._header(),
            b"KEYWORD": lambda depth: self._keyword(True),
            b"UNKEYWORD": lambda depth: self._keyword(False),
            b"LARGER": lambda depth: self._larger(),
            b"SMALLER": lambda depth: self._smaller(),
            b"UID": lambda depth: self._uid(),
        }

    def charset(self) -> str | None:
        """Take ``CHARSET name``, None when something else comes."""
        try:
            self.arguments.production(_CHARSET, "a charset")
        except WireError:
            return None
        return self.arguments.astring().decode("latin-1")

    def key(self, depth: int) -> Key:
        """Take one key."""
        self.count += 1
        if self.count > MAX_KEYS or depth > MAX_DEPTH:
            raise WireError("Too many search keys.")
        arguments = self.arguments
        ahead = arguments.peek()
        if ahead == ord("("):
            return _all(arguments.paren(lambda: self.key(depth + 1)))
        if ahead >= 0 and ahead in b"*0123456789":
            return _in_set(arguments.sequence_set())
        word = arguments.production(_WORD, "a search key")[0].upper()
        known = SIMPLE.get(word)
        if known is not None:
            return known
        if word not in FIELDS and word not in DATES and word not in self.readers:
            raise WireError("Unknown search key.")
        arguments.space()
        if word in FIELDS:
            return _contains(word.lower(), self._string())
        if word in DATES:
            return self._date(word)
        return self.readers[word](depth + 1)

    def _not(self, depth: int) -> Key:
        inner = self.key(depth)
        return Key(inner.cost, lambda message: not inner.test(message))

    def _or(self, depth: int) -> Key:
        one = self.key(depth)
        self.arguments.space()
        first, second = sorted((one, self.key(depth)), key=_cost)
        return Key(second.cost, lambda message: first.test(message) or second.test(message))

    def _body(self) -> Key:
        text = self._string()
        return Key(CONTENT, lambda message: text in message.body)

    def _text(self) -> Key:
        text = self._string()
        return Key(CONTENT, lambda message: text in message.whole)

    def _header(self) -> Key:
        name = self.arguments.astring().lower()
        self.arguments.space()
        return _contains(name, self._string())

    def _keyword(self, wanted: bool) -> Key:
        return _flag(self.arguments.atom().decode("ascii"), wanted)

    def _larger(self) -> Key:
        size = self.arguments.number()
        return Key(ATTRIBUTES, lambda message: message.size > size)

    def _smaller(self) -> Key:
        size = self.arguments.number()
        return Key(ATTRIBUTES, lambda message: message.size < size)

    def _uid(self) -> Key:
        return _in_uids(self.arguments.sequence_set())

    def _date(self, word: bytes) -> Key:
        sent, compare = DATES[word]
        day = _day(self.arguments.production(_DATE, "a date"))
        if not sent:
            return Key(ATTRIBUTES, lambda message: compare(message.arrived, day))
        return Key(
            CONTENT,
            lambda message: message.sent is not None and compare(message.sent, day),
        )

    def _string(self) -> str:
        try:
            return self.arguments.astring().decode("utf-8").casefold()
        except UnicodeDecodeError:
            raise WireError("The string is not in the charset.") from None


def _day(match: re.Match[bytes]) -> date:
    _, day, month, year = match.groups()
    try:
        return date(int(year), MONTHS.index(month.decode("ascii").title()) + 1, int(day))
    except ValueError:
        raise WireError("No such date.") from None


def _contains(name: bytes, text: str) -> Key:
    return Key(CONTENT, lambda message: any(text in value for value in message.values(name)))


def _in_set(messages: SequenceSet) -> Key:
    meant = _Resolved(messages)
    return Key(NUMBERS, lambda message: message.number in meant.up_to(message.count))


def _in_uids(messages: SequenceSet) -> Key:
    meant = _Resolved(messages)
    return Key(NUMBERS, lambda message: message.uid in meant.up_to(message.last_uid))


class _Resolved:
    """A set resolved once for all messages of a mailbox."""

    def __init__(self, messages: SequenceSet) -> None:
        self._messages = messages
        self._largest = -1
        self._numbers = Numbers(())

    def up_to(self, largest: int) -> Numbers:
        """Give the numbers."""
        if largest != self._largest:
            self._largest = largest
            self._numbers = self._messages.resolve(largest)
        return self._numbers
