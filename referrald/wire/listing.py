"""LIST in all its forms: what it asks for, and which names its patterns match.

RFC 3501 section 6.3.8, RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6154 (SPECIAL-USE).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.wire.arguments import Arguments
from referrald.wire.names import MAX_PATTERN
from referrald.wire.reader import Command

SELECTION: Final = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
BASE: Final = frozenset({"SUBSCRIBED", "SPECIAL-USE"})
"""Selection options that can stand alone; RECURSIVEMATCH needs one of them."""

RETURN: Final = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"})

_RETURN = re.compile(rb"RETURN(?= )", re.IGNORECASE)
QUICK: Final = 8
"""How many patterns of a command are tried one after another; all others are tried at once."""

_WILD = re.compile("[*%]")
_START = re.compile("[A-Za-z]{1,5}(?=[*%])")
_RUN = re.compile("[*%]{2,}")
_OPEN = ord("(")


@attrs.frozen(kw_only=True)
class ListQuery:
    """What a client wants listed.

    subscribed, remote, recursive_match, special_use: which names (selection options).
    return_subscribed, return_children, return_special_use, status: what to tell of each; ``status``
    holds the items of STATUS in upper case.
    extended: the command had a part that only LIST-EXTENDED has.
    """

    reference: str = ""
    patterns: tuple[str, ...] = ("*",)
    subscribed: bool = False
    remote: bool = False
    recursive_match: bool = False
    special_use: bool = False
    return_subscribed: bool = False
    return_children: bool = False
    return_special_use: bool = False
    status: tuple[str, ...] = ()
    extended: bool = False

    @property
    def asks_root(self) -> bool:
        """True for ``LIST "" ""``, which asks for the delimiter (RFC 3501 section 6.3.8)."""
        return self.patterns == ("",) and not self.extended


def plain(command: Command) -> tuple[ListQuery]:
    """Read LSUB, RLIST or RLSUB: a reference and one pattern."""
    arguments = Arguments(command)
    reference = arguments.mailbox()
    arguments.space()
    pattern = arguments.list_mailbox()
    arguments.end()
    return (ListQuery(reference=reference, patterns=(pattern,)),)


def list_(command: Command) -> tuple[ListQuery]:
    """Read LIST, basic or extended (RFC 5258 section 6)."""
    arguments = Arguments(command)
    selection = _selection(arguments)
    reference = arguments.mailbox()
    arguments.space()
    several = arguments.peek() == _OPEN
    patterns = arguments.paren(arguments.list_mailbox) if several else (arguments.list_mailbox(),)
    returned = _returned(arguments)
    arguments.end()
    chosen, told = selection or frozenset(), returned or {}
    query = ListQuery(
        reference=reference,
        patterns=patterns,
        subscribed="SUBSCRIBED" in chosen,
        remote="REMOTE" in chosen,
        recursive_match="RECURSIVEMATCH" in chosen,
        special_use="SPECIAL-USE" in chosen,
        return_subscribed="SUBSCRIBED" in told,
        return_children="CHILDREN" in told,
        return_special_use="SPECIAL-USE" in told,
        status=told.get("STATUS", ()),
        extended=several or selection is not None or returned is not None,
    )
    return (query,)


def _selection(arguments: Arguments) -> frozenset[str] | None:
    if arguments.peek() != _OPEN:
        return None
    options = frozenset(arguments.paren(lambda: _word(arguments), empty=True))
    if not options <= SELECTION:
        raise WireError("Unknown selection option.")
    if "RECURSIVEMATCH" in options and not options & BASE:
        raise WireError("RECURSIVEMATCH takes SUBSCRIBED or SPECIAL-USE beside it.")
    arguments.space()
    return options


def _returned(arguments: Arguments) -> dict[str, tuple[str, ...]] | None:
    if arguments.at_end:
        return None
    arguments.space()
    arguments.production(_RETURN, "RETURN")
    arguments.space()
    told: dict[str, tuple[str, ...]] = {}
    for option, items in arguments.paren(lambda: _return_option(arguments), empty=True):
        # An option that comes again counts once; the items of STATUS add up.
        told[option] = tuple(dict.fromkeys((*told.get(option, ()), *items)))
    return told


def _return_option(arguments: Arguments) -> tuple[str, tuple[str, ...]]:
    option = _word(arguments)
    if option not in RETURN:
        raise WireError("Unknown return option.")
    if option != "STATUS":
        return option, ()
    arguments.space()
    return option, arguments.paren(lambda: _word(arguments))


def _word(arguments: Arguments) -> str:
    return arguments.atom().decode("ascii").upper()


# -- patterns --------------------------------------------------------------------------------


def matcher(query: ListQuery, delimiter: str) -> Callable[[str], bool]:
    """Make the test whether a name matches any pattern of a query.

    Raises `WireError` for a pattern that is too long; in an extended LIST such a one is passed
    over (RFC 5258 section 3).
    """
    return _any_of(query, query.patterns, delimiter)


def level_matcher(query: ListQuery, delimiter: str) -> Callable[[str], bool] | None:
    """Make the test for levels above mailboxes: only patterns that end with ``%`` show these.

    None where no pattern does (RFC 3501 section 6.3.8).
    """
    patterns = [pattern for pattern in query.patterns if pattern.endswith("%")]
    return _any_of(query, patterns, delimiter) if patterns else None


def _any_of(query: ListQuery, patterns: Iterable[str], delimiter: str) -> Callable[[str], bool]:
    if query.extended:
        patterns = [pattern for pattern in patterns if pattern]
    wholes = [_folded(query.reference + pattern, delimiter) for pattern in patterns]
    if not query.extended and len(wholes[0]) > MAX_PATTERN:
        raise WireError("Pattern too long.")
    wholes = [whole for whole in wholes if len(whole) <= MAX_PATTERN]
    matches = _compile(wholes, delimiter)
    inboxes = [spelled for whole in wholes if (spelled := _as_inbox(whole)) != whole]
    if not inboxes:
        return matches
    inbox, below = _compile(inboxes, delimiter), f"INBOX{delimiter}"
    return lambda name: (
        matches(name)
        or ((name == "INBOX" or (below != "INBOX" and name.startswith(below))) and inbox(name))
    )


def _as_inbox(whole: str) -> str:
    """Write a pattern like ``inb*`` as one that INBOX, which is so in any case, can match."""
    start = _START.match(whole)
    if start is None or not "INBOX".startswith(start[0].upper()):
        return whole
    return start[0].upper() + whole[start.end() :]


def _compile(wholes: Sequence[str], delimiter: str) -> Callable[[str], bool]:
    exact = frozenset(whole for whole in wholes if not _WILD.search(whole))
    quick: list[Callable[[str], bool]] = []
    union = _Union(delimiter)
    for whole in dict.fromkeys(_simple(whole) for whole in wholes if whole not in exact):
        test = _glob(whole, delimiter) if len(quick) < QUICK else None
        if test is None:
            union.add(whole)
        else:
            quick.append(test)
    if union.starts:
        quick.append(union)
    if not exact and len(quick) == 1:
        return quick[0]
    return lambda name: name in exact or any(test(name) for test in quick)


def _simple(whole: str) -> str:
    """Write wildcards that stand together as the one that they amount to."""
    return _RUN.sub(lambda run: "*" if "*" in run[0] else "%", whole)


def _glob(whole: str, delimiter: str) -> Callable[[str], bool] | None:
    """Make a test that needs no loop over characters; None where both wildcards occur."""
    if whole == "*":
        return lambda _name: True
    if delimiter in ("*", "%") or ("*" in whole and "%" in whole and delimiter):
        return None
    if "%" not in whole or not delimiter:
        pieces = whole.replace("%", "*").split("*")
        return lambda name: _fits(name, pieces)
    levels = [level.split("%") for level in whole.split(delimiter)]
    deep = len(levels) - 1
    return lambda name: (
        name.count(delimiter) == deep and all(map(_fits, name.split(delimiter), levels))
    )


def _fits(text: str, pieces: Sequence[str]) -> bool:
    """Say whether ``pieces`` make up a text, with anything between them."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in pieces[1:-1]:
        # The first place is the best one: what comes after it has the most room.
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _folded(whole: str, delimiter: str) -> str:
    """Write a first level that is INBOX in any case as the one INBOX."""
    first = whole.partition(delimiter)[0] if delimiter else whole
    if first.isascii() and first.upper() == "INBOX":
        return "INBOX" + whole[len(first) :]
    return whole


class _Union:
    """Many patterns at once, each a run of bits of one integer; see `names.compile_pattern`.

    The work for a name does not grow with the number of patterns, of which `MAX_PATTERN` characters
    are taken in all.
    """

    __slots__ = (
        "_anything",
        "_bit",
        "_delimiter",
        "_goals",
        "_size",
        "_steps",
        "_within",
        "starts",
    )

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._anything = self._within = self.starts = self._goals = self._size = 0
        self._steps: dict[str, int] = {}
        self._bit = 1

    def add(self, whole: str) -> None:
        """Add a pattern, unless there is no room for it any more."""
        self._size += len(whole)
        if self._size > MAX_PATTERN:
            return
        bit = self._bit
        self.starts |= bit
        for char in whole:
            if char == "*":
                self._anything |= bit
            elif char == "%":
                self._within |= bit
            else:
                self._steps[char] = self._steps.get(char, 0) | bit
                bit <<= 1
        self._goals |= bit
        # No step leads from the goal of one pattern to the start of the next.
        self._bit = bit << 1

    def __call__(self, name: str) -> bool:
        anything, anywhere = self._anything, self._anything | self._within
        steps, delimiter = self._steps, self._delimiter
        state = self.starts
        for char in name:
            kept = state & (anything if char == delimiter else anywhere)
            state = (state & steps.get(char, 0)) << 1 | kept
            if not state:
                return False
        return bool(state & self._goals)
