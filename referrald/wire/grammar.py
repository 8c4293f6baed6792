"""The arguments of each command, ready made: ``Command -> tuple`` (RFC 3501 section 9).

Each raises `WireError` for arguments that are not those of its command.
"""

from __future__ import annotations

import re
from typing import Final

from referrald.errors import WireError
from referrald.wire import tokens
from referrald.wire.arguments import Arguments as Arguments
from referrald.wire.modseqs import modifier
from referrald.wire.reader import Command
from referrald.wire.sets import SequenceSet

ID_PAIRS: Final = 30
ID_FIELD: Final = 30
ID_VALUE: Final = 1024
"""What RFC 2971 section 3.3 allows for: pairs, bytes of a field's name, bytes of its value."""

SPECIAL_USES: Final = {
    name.lower(): name
    for name in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}

_SIMPLE = rb"(?:([" + tokens.ASTRING + rb']++)|"([^\0\r\n"\\]*+)")'
_LOGIN = re.compile(_SIMPLE + rb" " + _SIMPLE).fullmatch
_LOGIN_LINE = re.compile(
    rb"([" + tokens.TAG + rb"]{1,64}+) (?i:LOGIN) " + _SIMPLE + rb" " + _SIMPLE + rb"\r?\n"
).fullmatch
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+={0,2}").fullmatch
_STORE = re.compile(rb"([+-]?)FLAGS(\.SILENT)?", re.IGNORECASE).fullmatch


def no_args(command: Command) -> tuple[()]:
    """Read a command that takes no arguments."""
    if command.has_args:
        raise WireError("No arguments allowed.")
    return ()


def login_line(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Read tag, user and password where some bytes are one plain LOGIN and nothing else."""
    match = _LOGIN_LINE(data)
    if match is None:
        return None
    tag, user, quoted_user, password, quoted_password = match.groups()
    return (
        tag,
        quoted_user if user is None else user,
        quoted_password if password is None else password,
    )


def login(command: Command) -> tuple[bytes, bytes]:
    """Read LOGIN: the user and the password, as the bytes that came."""
    segments = command.segments
    if len(segments) == 1:
        # One pass for the plain form; strings with escapes and literals take the long way.
        match = _LOGIN(segments[0])
        if match is not None:
            user, quoted_user, password, quoted_password = match.groups()
            return (
                quoted_user if user is None else user,
                quoted_password if password is None else password,
            )
    arguments = Arguments(command)
    user = arguments.astring()
    arguments.space()
    password = arguments.astring()
    arguments.end()
    return user, password


def authenticate(command: Command) -> tuple[str, bytes | None]:
    """Read AUTHENTICATE: the mechanism in upper case and the initial response (RFC 4959).

    The response is still base64; ``=``, which stands for an empty one, is ``b""`` already.
    """
    arguments = Arguments(command)
    mechanism = arguments.atom().decode("ascii").upper()
    if arguments.at_end:
        return mechanism, None
    arguments.space()
    initial = arguments.rest()
    if initial == b"=":
        return mechanism, b""
    if not initial or len(initial) % 4 or not _BASE64(initial):
        raise WireError("The initial response is not base64.")
    return mechanism, initial


def enable(command: Command) -> tuple[tuple[str, ...]]:
    """Read ENABLE: capabilities, in upper case (RFC 5161)."""
    arguments = Arguments(command)
    capabilities = [arguments.atom()]
    while not arguments.at_end:
        arguments.space()
        capabilities.append(arguments.atom())
    return (tuple(name.decode("ascii").upper() for name in capabilities),)


def id_(command: Command) -> tuple[dict[str, str | None] | None]:
    """Read ID: fields, their names in lower case, or None for ``NIL`` (RFC 2971)."""
    arguments = Arguments(command)
    if arguments.peek() != ord("("):
        if arguments.nstring() is not None:
            raise WireError("Expected NIL or a list in parentheses.")
        arguments.end()
        return (None,)
    pairs = arguments.paren(lambda: _id_pair(arguments), empty=True)
    arguments.end()
    fields = dict(pairs)
    if len(pairs) > ID_PAIRS or len(fields) < len(pairs):
        raise WireError("Too many fields, or one of them twice.")
    return (fields,)


def _id_pair(arguments: Arguments) -> tuple[str, str | None]:
    field = arguments.string()
    arguments.space()
    value = arguments.nstring()
    if len(field) > ID_FIELD or len(value or b"") > ID_VALUE:
        raise WireError("Field too long.")
    text = None if value is None else value.decode("utf-8", "replace")
    return field.decode("utf-8", "replace").lower(), text


def mailbox(command: Command) -> tuple[str]:
    """Read one mailbox name."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    arguments.end()
    return (name,)


def select(command: Command) -> tuple[str, bool]:
    """Read SELECT or EXAMINE: the mailbox, and whether ``(CONDSTORE)`` follows (RFC 7162)."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    parameters: tuple[bytes, ...] = ()
    if not arguments.at_end:
        arguments.space()
        parameters = arguments.paren(lambda: arguments.atom().upper())
    arguments.end()
    if any(each != b"CONDSTORE" for each in parameters):
        raise WireError("Unknown parameter.")
    return name, bool(parameters)


def mailbox_pair(command: Command) -> tuple[str, str]:
    """Read two mailbox names, as for RENAME."""
    arguments = Arguments(command)
    old = arguments.mailbox()
    arguments.space()
    new = arguments.mailbox()
    arguments.end()
    return old, new


def create(command: Command) -> tuple[str, tuple[str, ...]]:
    """Read CREATE: the mailbox and its special use (RFC 6154 section 6)."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    uses: tuple[str, ...] = ()
    if not arguments.at_end:
        arguments.space()
        uses = arguments.paren(lambda: _use(arguments))[0]
    arguments.end()
    return name, uses


def _use(arguments: Arguments) -> tuple[str, ...]:
    if arguments.atom().upper() != b"USE":
        raise WireError("Unknown parameter.")
    arguments.space()
    return arguments.paren(lambda: _special(arguments.flag()), empty=True)


def _special(flag: str) -> str:
    """Spell a use as RFC 6154 does; what is unknown may be known to a store."""
    if not flag.startswith("\\"):
        raise WireError("Expected a special use.")
    return SPECIAL_USES.get(flag.lower(), flag)


def status(command: Command) -> tuple[str, tuple[str, ...]]:
    """Read STATUS: the mailbox and what to tell of it, in upper case."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    arguments.space()
    items = arguments.paren(arguments.atom)
    arguments.end()
    return name, tuple(item.decode("ascii").upper() for item in items)


def copy(command: Command) -> tuple[SequenceSet, str]:
    """Read COPY or MOVE: the messages and the mailbox."""
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.space()
    name = arguments.mailbox()
    arguments.end()
    return messages, name


def fetch(command: Command) -> tuple[SequenceSet, bytes]:
    """Read FETCH: the messages, and the items as one line that is not looked into."""
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.space()
    return messages, _some(arguments)


def search(command: Command) -> tuple[bytes]:
    """Read SEARCH: the criteria as one line that is not looked into."""
    return (_some(Arguments(command)),)


def store(
    command: Command,
) -> tuple[SequenceSet, str, bool, tuple[str, ...], int | None]:
    """Read STORE: the messages, ``+``, ``-`` or nothing, whether silent, the flags.

    And the modification sequence after which none may have changed (RFC 7162, UNCHANGEDSINCE).
    """
    arguments = Arguments(command)
    messages = arguments.sequence_set()
    arguments.space()
    since = None
    if arguments.peek() == ord("("):
        since = modifier(arguments, b"UNCHANGEDSINCE")
        arguments.space()
    item = _STORE(arguments.atom())
    if item is None:
        raise WireError("Expected FLAGS.")
    arguments.space()
    flags = arguments.flag_list() if arguments.peek() == ord("(") else _bare_flags(arguments)
    arguments.end()
    return messages, item[1].decode("ascii"), item[2] is not None, flags, since


def _bare_flags(arguments: Arguments) -> tuple[str, ...]:
    flags = [arguments.flag()]
    while not arguments.at_end:
        arguments.space()
        flags.append(arguments.flag())
    return tuple(flags)


def uid(command: Command) -> tuple[Command]:
    """Read UID: the command that follows, as a command of its own with the same tag."""
    name, space, text = command.segments[0].partition(b" ")
    arguments = Arguments(Command(command.tag, command.name, (name,), 0, command.has_args))
    inner = arguments.atom().upper()
    arguments.end()
    segments = (text, *command.segments[1:])
    has_args = bool(space) or len(segments) > 1
    parts = (command.tag, inner, segments, command.size, has_args, command.binary, command.utf8)
    return (Command(*parts, command.streamed),)


def _some(arguments: Arguments) -> bytes:
    rest = arguments.rest()
    if not rest:
        raise WireError("Missing argument.")
    return rest
