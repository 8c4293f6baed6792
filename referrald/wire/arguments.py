"""A cursor over the arguments of a command: the productions of RFC 3501 section 9, one a method.

What a method raises (`WireError`) says what is wrong and never shows what was there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final, NoReturn, TypeVar

from referrald.errors import MalformedName, WireError
from referrald.wire import names, tokens
from referrald.wire.reader import Command, Literal
from referrald.wire.sets import SequenceSet

Item = TypeVar("Item")

LITERAL_AHEAD: Final = ord("{")
"""What `Arguments.peek` gives where a literal comes next."""

SYSTEM_FLAGS: Final = {
    name.lower(): name for name in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
}
_MONTHS: Final = (
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
)  # fmt: skip

_ATOM = re.compile(rb"[" + tokens.ATOM + rb"]++").match
_ASTRING = re.compile(rb"[" + tokens.ASTRING + rb"]++").match
_LIST = re.compile(rb"[" + tokens.LIST + rb"]++").match
_QUOTED = re.compile(tokens.QUOTED).match
_ESCAPE = re.compile(rb'\\(["\\])')
_NIL = re.compile(rb"(?i:NIL)(?![" + tokens.ASTRING + rb"])").match
_NUMBER = re.compile(rb"[0-9]++").match
_SET = re.compile(rb"[0-9*:,$]++").match
_FLAG = re.compile(rb"\\?[" + tokens.ATOM + rb"]++").match
_DATE_TIME = re.compile(
    rb'"( [0-9]|[0-9]{2})-([A-Za-z]{3})-([0-9]{4}) '
    rb"([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})\""
).match


class Arguments:
    """Read the arguments of a command one after another."""

    __slots__ = ("_command", "_index", "_pos", "_text")

    def __init__(self, command: Command) -> None:
        self._command = command
        self._index = 0
        self._text = command.segments[0]
        self._pos = 0

    @property
    def at_end(self) -> bool:
        """True when nothing is left."""
        return self._pos == len(self._text) and not self._literal_ahead()

    def peek(self) -> int:
        """Give the next byte without taking it: -1 at the end, `LITERAL_AHEAD` for a literal."""
        if self._pos < len(self._text):
            return self._text[self._pos]
        return LITERAL_AHEAD if self._literal_ahead() else -1

    def space(self) -> None:
        """Take exactly one space."""
        self._take(b" ", "Missing argument.")

    def end(self) -> None:
        """Insist that nothing is left."""
        if not self.at_end:
            raise WireError("Too many arguments.")
        if self._pos == self._index == 0 and self._command.has_args:
            raise WireError("Missing argument.")

    def atom(self) -> bytes:
        """Take an atom."""
        return self._match(_ATOM, "an atom")

    def astring(self) -> bytes:
        """Take an atom (which may hold ``]``), a quoted string or a literal."""
        string = self._string()
        return self._match(_ASTRING, "a string") if string is None else string

    def string(self) -> bytes:
        """Take a quoted string or a literal."""
        string = self._string()
        return self._fail("a quoted string or a literal") if string is None else string

    def nstring(self) -> bytes | None:
        """Take a string, or ``NIL``, which gives None."""
        match = _NIL(self._text, self._pos)
        if match is None:
            return self.string()
        self._pos = match.end()
        return None

    def literal(self) -> Literal:
        """Take a literal or a literal8."""
        if not (self._pos == len(self._text) and self._literal_ahead()):
            self._fail("a literal")
        at = self._index + 1
        segments = self._command.segments
        self._index, self._text, self._pos = at + 1, segments[at + 1], 0
        streamed = next((each for each in self._command.streamed if each.at == at), None)
        return Literal(segments[at], at in self._command.binary, streamed)

    def number(self) -> int:
        """Take a number of 32 bits."""
        digits = self._match(_NUMBER, "a number").lstrip(b"0")
        if len(digits) > 10 or (number := int(digits or b"0")) > tokens.MAX_NUMBER:
            raise WireError("Number too big.")
        return number

    def nz_number(self) -> int:
        """Take a number of 32 bits that is not zero and has no leading zero."""
        if self.peek() == ord("0"):
            raise WireError("Expected a number that is not zero.")
        return self.number()

    def sequence_set(self) -> SequenceSet:
        """Take a sequence set."""
        return SequenceSet.parse(self._match(_SET, "a sequence set"))

    def mailbox(self) -> str:
        """Take a mailbox name; INBOX in any case is ``INBOX``.

        Where the command says so names are UTF-8 and ``&`` stands for itself (RFC 6855, RFC 9051
        section 5.1), else they are modified UTF-7.
        """
        return _mailbox(self.astring(), self._command.utf8)

    def list_mailbox(self) -> str | None:
        """Take a pattern of mailbox names, None for one that no name can match."""
        string = self._string()
        raw = self._match(_LIST, "a mailbox pattern") if string is None else string
        try:
            return names.decode_utf8(raw) if self._command.utf8 else names.decode_utf7(raw)
        except MalformedName:
            return None

    def reference(self) -> str | None:
        """Take the reference of LIST, None for one under which there can be no name."""
        try:
            return self.mailbox()
        except MalformedName:
            return None

    def flag(self) -> str:
        """Take one flag that a client may set; system flags come in their usual spelling."""
        name = self._match(_FLAG, "a flag").decode("ascii")
        if name.lower() == "\\recent":
            raise WireError("\\Recent is the server's to set.")
        return SYSTEM_FLAGS.get(name.lower(), name)

    def flag_list(self) -> tuple[str, ...]:
        """Take flags in parentheses, possibly none."""
        return self.paren(self.flag, empty=True)

    def date_time(self) -> datetime:
        """Take a date, time and zone: ``"17-Jul-1996 02:44:25 -0700"``."""
        match = _DATE_TIME(self._text, self._pos)
        if match is None:
            self._fail("a date and time")
        self._pos = match.end()
        return _moment(match)

    def paren(self, item: Callable[[], Item], *, empty: bool = False) -> tuple[Item, ...]:
        """Take ``(item item …)``; ``empty`` allows for ``()``."""
        self._take(b"(", "Expected a list in parentheses.")
        if empty and self.peek() == ord(")"):
            self._pos += 1
            return ()
        items = [item()]
        while self.peek() == ord(" "):
            self._pos += 1
            items.append(item())
        self._take(b")", "Malformed list in parentheses.")
        return tuple(items)

    def production(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """Take what ``pattern`` matches here, for what only one command has; ``what`` names it."""
        found = pattern.match(self._text, self._pos)
        if found is None:
            self._fail(what)
        self._pos = found.end()
        return found

    def rest(self) -> bytes:
        """Take all that is left as one line; literals become quoted strings.

        Raises `WireError` for a literal that no quoted string can hold.
        """
        parts = [self._text[self._pos :]]
        while self._literal_ahead():
            self._pos = len(self._text)
            parts.append(_as_quoted(self.literal()))
            parts.append(self._text)
        self._pos = len(self._text)
        return b"".join(parts)

    def _string(self) -> bytes | None:
        pos = self._pos
        if self._text.startswith(b'"', pos):
            content = self._match(_QUOTED, "a quoted string")[1:-1]
            return _ESCAPE.sub(rb"\1", content) if b"\\" in content else content
        if pos < len(self._text) or not self._literal_ahead():
            return None
        literal = self.literal()
        if literal.streamed is not None:
            raise WireError("A message is not allowed there.")
        if literal.binary:
            raise WireError("A literal8 is not allowed there.")
        return literal.value

    def _literal_ahead(self) -> bool:
        return self._index + 1 < len(self._command.segments)

    def _match(self, match: Callable[[bytes, int], re.Match[bytes] | None], what: str) -> bytes:
        found = match(self._text, self._pos)
        if found is None:
            self._fail(what)
        self._pos = found.end()
        return found[0]

    def _take(self, byte: bytes, wrong: str) -> None:
        if not self._text.startswith(byte, self._pos):
            raise WireError(wrong)
        self._pos += 1

    def _fail(self, what: str) -> NoReturn:
        raise WireError(f"Missing argument: {what}." if self.at_end else f"Expected {what}.")


def _mailbox(raw: bytes, utf8: bool) -> str:
    if raw.upper() == b"INBOX":
        return "INBOX"
    return names.decode_utf8(raw) if utf8 else names.decode_utf7(raw)


def _moment(match: re.Match[bytes]) -> datetime:
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        return datetime(
            int(year),
            _MONTHS.index(month.lower()) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-offset if sign == b"-" else offset),
        )
    except ValueError:
        raise WireError("No such date and time.") from None


def _as_quoted(literal: Literal) -> bytes:
    value = literal.value
    if literal.binary or literal.streamed or b"\r" in value or b"\n" in value or b"\0" in value:
        raise WireError("That literal is not allowed there.")
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
