"""A login as one line of text or JSON, which nothing that a client sends can break or forge."""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as json_string

from referrald.model import LoginEvent

LONGEST_NAME = 128
"""Characters of a user's name that are shown; a longer one is cut and marked with dots."""

LONGEST_TEXT = 512
"""The same for all other texts."""


def shown(text: str, longest: int = LONGEST_TEXT) -> str:
    """Give ``text`` on one line: quotes, backslashes, control and format characters escaped."""
    if len(text) > longest:
        text = text[:longest] + "..."
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_shown_character, text))


def _shown_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def bare(text: str) -> str:
    """Give ``text`` as one word: as it is where it can be, else in quotes."""
    word = shown(text)
    return f'"{word}"' if not text or word != text or " " in text or "=" in text else word


class _Memo(dict[str, str]):
    """Remembers how words that come again and again are written: mechanisms, sources, targets."""

    MOST = 4096
    LONGEST = 128

    def __init__(self, write: Callable[[str], str]) -> None:
        self.write = write

    def __missing__(self, text: str) -> str:
        written = self.write(text)
        if len(text) <= self.LONGEST:
            if len(self) >= self.MOST:
                self.clear()
            self[text] = written
        return written


_bare = _Memo(bare)
_json = _Memo(lambda text: json_string(text[:LONGEST_TEXT]))


def text_line(event: LoginEvent) -> str:
    """Render as ``login s=… peer=… user="…" … 1.2ms``; fields that are empty are left out."""
    user = event.user
    if len(user) > LONGEST_NAME or not user.isprintable() or '"' in user or "\\" in user:
        user = shown(user, LONGEST_NAME)
    peer = event.peer
    if not peer.isprintable() or " " in peer:  # a UNIX socket may have any name
        peer = bare(peer)
    tail = f" {event.seconds * 1000:.1f}ms"
    if event.cause:
        tail = f" cause={bare(event.cause)}{tail}"
    if event.listener:
        tail = f" listener={_bare[event.listener]}{tail}"
    if event.source:
        tail = f" source={_bare[event.source]}{tail}"
    if event.target:
        tail = f" target={_bare[event.target]}{tail}"
    return (
        f'login s={event.session} peer={peer} user="{user}" mech={_bare[event.mechanism]}'
        f" tls={'yes' if event.secure else 'no'} result={_bare[event.result]}{tail}"
    )


def json_line(event: LoginEvent, stamp: str = "") -> str:
    """Render as one JSON object; fields that are empty are left out."""
    user = event.user
    if len(user) > LONGEST_NAME:
        user = user[:LONGEST_NAME] + "..."
    tail = f',"ms":{event.seconds * 1000:.3f}}}'
    if event.cause:
        tail = f',"cause":{json_string(event.cause[:LONGEST_TEXT])}{tail}'
    if event.listener:
        tail = f',"listener":{_json[event.listener]}{tail}'
    if event.source:
        tail = f',"source":{_json[event.source]}{tail}'
    if event.target:
        tail = f',"target":{_json[event.target]}{tail}'
    time = f'"time":"{stamp}",' if stamp else ""
    return (
        f'{{{time}"event":"login","session":{json_string(event.session)}'
        f',"peer":{json_string(event.peer)},"user":{json_string(user)}'
        f',"mechanism":{_json[event.mechanism]},"tls":{"true" if event.secure else "false"}'
        f',"result":{_json[event.result]}{tail}'
    )
