"""The arguments of APPEND, whole or as far as they have come (RFC 3501 6.3.11, RFC 3502)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.wire.arguments import Arguments
from referrald.wire.events import Command, Literal

_UTF8: Final = re.compile(rb"UTF8 \(", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\)")


@attrs.frozen(kw_only=True)
class Heading:
    """What stands before a message. utf8: it is announced with ``UTF8 (`` (RFC 6855 section 4)."""

    flags: tuple[str, ...] = ()
    date: datetime | None = None
    utf8: bool = False


@attrs.frozen(kw_only=True)
class Appended:
    """One message of an APPEND."""

    heading: Heading
    literal: Literal


def append(command: Command) -> tuple[str, tuple[Appended, ...]]:
    """Read APPEND: the mailbox, and one message or more."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    messages = [_message(arguments)]
    while not arguments.at_end:
        messages.append(_message(arguments))
    arguments.end()
    return name, tuple(messages)


def append_heading(partial: Command) -> tuple[str | None, Heading] | None:
    """Read what stands before a message that has not come (`CommandReader.partial`).

    The name is None for all messages but the first. None for all where the literal in question is
    the mailbox name itself.
    """
    if partial.segments == (b"",):
        return None
    if not partial.streamed:
        arguments = Arguments(partial)
        name = arguments.mailbox()
        return name, _last_heading(arguments)
    # Each of many messages is looked at once, so only what came after the one before.
    arguments = Arguments(Command(partial.tag, partial.name, (partial.segments[-1],)))
    if arguments.peek() == ord(")"):
        arguments.production(_CLOSE, "a closing parenthesis")
    return None, _last_heading(arguments)


def _last_heading(arguments: Arguments) -> Heading:
    heading = _heading(arguments)
    if not arguments.at_end:
        arguments.literal()
        raise WireError("Expected a message.")
    return heading


def _message(arguments: Arguments) -> Appended:
    heading = _heading(arguments)
    literal = arguments.literal()
    if heading.utf8:
        if not literal.binary:
            raise WireError("Expected a literal8.")
        arguments.production(_CLOSE, "a closing parenthesis")
    return Appended(heading=heading, literal=literal)


def _heading(arguments: Arguments) -> Heading:
    arguments.space()
    flags: tuple[str, ...] = ()
    date = None
    if arguments.peek() == ord("("):
        flags = arguments.flag_list()
        arguments.space()
    if arguments.peek() == ord('"'):
        date = arguments.date_time()
        arguments.space()
    utf8 = arguments.peek() in (ord("U"), ord("u"))
    if utf8:
        arguments.production(_UTF8, "UTF8")
    return Heading(flags=flags, date=date, utf8=utf8)
