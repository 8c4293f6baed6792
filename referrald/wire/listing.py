"""LIST in all its forms: what it asks for.

RFC 3501 section 6.3.8, RFC 5258 (LIST-EXTENDED), RFC 5819 (LIST-STATUS), RFC 6154 (SPECIAL-USE).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command

SELECTION: Final = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
BASE: Final = frozenset({"SUBSCRIBED", "SPECIAL-USE"})
"""Selection options that can stand alone; RECURSIVEMATCH needs one of them."""

RETURN: Final = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"})

_RETURN = re.compile(rb"RETURN(?= )", re.IGNORECASE)
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
    reference = arguments.reference()
    arguments.space()
    pattern = arguments.list_mailbox()
    arguments.end()
    return (ListQuery(reference=reference or "", patterns=_patterns(reference, (pattern,))),)


def _patterns(reference: str | None, given: Iterable[str | None]) -> tuple[str, ...]:
    """Leave out what no name can match."""
    return () if reference is None else tuple(each for each in given if each is not None)


def list_(command: Command) -> tuple[ListQuery]:
    """Read LIST, basic or extended (RFC 5258 section 6)."""
    arguments = Arguments(command)
    selection = _selection(arguments)
    reference = arguments.reference()
    arguments.space()
    several = arguments.peek() == _OPEN
    patterns = arguments.paren(arguments.list_mailbox) if several else (arguments.list_mailbox(),)
    returned = _returned(arguments)
    arguments.end()
    chosen, told = selection or frozenset(), returned or {}
    query = ListQuery(
        reference=reference or "",
        patterns=_patterns(reference, patterns),
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
