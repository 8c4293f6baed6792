"""What is wrong with a line that is no command: the reasons for the reader's BAD answers.

Off the common path; nothing of the line's content goes into a reason.
"""

from __future__ import annotations

import re

from referrald.wire import tokens

_TAG = re.compile(rb"([" + tokens.TAG + rb"]{1,64}+)(?= |\Z)")
_NAME = re.compile(rb" [" + tokens.ATOM + rb"]{1,64}+(?= |\Z)")
_TEXT = re.compile(tokens.TEXT)


def explain(line: bytes) -> tuple[bytes | None, str]:
    """Give the tag, where there is one, and what is wrong with a command's first line."""
    line = _without_end(line)
    if not line.strip(b" "):
        return None, "Empty line."
    tag = _TAG.match(line)
    if tag is None:
        return None, "Malformed tag."
    if not line[tag.end() :].strip(b" "):
        return tag[1], "Missing command."
    name = _NAME.match(line, tag.end())
    if name is None:
        return tag[1], "Malformed command name."
    return tag[1], _explain(line[name.end() :])


def explain_text(line: bytes) -> str:
    """Say what is wrong with a line that follows a literal."""
    return _explain(_without_end(line))


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _explain(text: bytes) -> str:
    if b"\0" in text:
        return "NUL is not allowed."
    if b"\r" in text:
        return "CR is not allowed without LF."
    match = _TEXT.match(text)
    stop = text[match.end() :] if match else text
    if stop.startswith(b'"'):
        return "Malformed quoted string."
    if stop.startswith(b"{"):
        return "Malformed literal."
    if stop[:1].isascii():
        return "Control characters are not allowed."
    return "8-bit characters are allowed in strings only."
