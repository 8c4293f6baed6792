"""A URL while it is being read: where we are in the text, and what was found so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import attrs

from referrald.errors import UrlError
from referrald.imapurl.fields import FieldError
from referrald.imapurl.percent import CharacterSet
from referrald.imapurl.url import ImapUrl


@attrs.frozen
class Piece:
    """A run of characters, and where each stood in the text that was given."""

    text: str
    places: Sequence[int]

    @classmethod
    def whole(cls, text: str) -> Piece:
        """Take all of ``text``; the last place is its end."""
        return cls(text, range(len(text) + 1))

    def part(self, start: int, end: int | None = None) -> Piece:
        """Cut out a part."""
        stop = len(self.text) if end is None else end
        return Piece(self.text[start:stop], self.places[start : stop + 1])

    def split(self, separator: re.Pattern[str]) -> tuple[Piece, Piece]:
        """Cut before the first ``separator``; without one the second piece is empty."""
        match = separator.search(self.text)
        at = match.start() if match else len(self.text)
        return self.part(0, at), self.part(at)

    def __bool__(self) -> bool:
        return bool(self.text)


class Found:
    """The parts found so far, and the text for error messages."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[str, Any] = {}
        self._places: dict[str, int] = {}

    def fail(self, reason: str, piece: Piece, at: int = 0) -> NoReturn:
        """Raise an error about the character number ``at`` of ``piece``."""
        raise UrlError(reason, text=self.text, offset=piece.places[at])

    def put(self, field: str, value: Any, piece: Piece) -> None:
        """Keep a value that was read from ``piece``."""
        self.values[field] = value
        self._places[field] = piece.places[0]

    def decode(
        self, field: str, piece: Piece, characters: CharacterSet, refused: str = "\0\r\n"
    ) -> str:
        """Keep, and give, the percent-decoded text of ``piece``."""
        if not piece:
            self.fail(f"an empty {field}", piece)
        try:
            value = characters.decode(piece.text, refused)
        except UrlError as error:
            self.fail(error.reason, piece, error.offset)
        self.put(field, value, piece)
        return value

    def url(self) -> ImapUrl:
        """Make the URL; what is wrong with a part is told with the place where it began."""
        try:
            return ImapUrl(**self.values)
        except FieldError as error:
            place = self._places.get(error.field, 0)
            raise UrlError(error.reason, text=self.text, offset=place) from None
