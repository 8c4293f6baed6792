"""Which names LIST, LSUB, RLIST and RLSUB give, and what they tell of each. Pure.

RFC 3501 sections 6.3.8 and 6.3.9, RFC 2193 section 5, RFC 3348, RFC 5258, RFC 6154.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Generator, Iterable, Sequence
from typing import Any, Final, NamedTuple

import attrs

from referrald.mailmodel import MailboxEntry, RemoteMailbox
from referrald.wire.listing import ListQuery
from referrald.wire.patterns import level_matcher, matcher

NON_EXISTENT: Final = "\\NonExistent"
NO_SELECT: Final = "\\Noselect"
NO_INFERIORS: Final = "\\Noinferiors"
HAS_CHILDREN: Final = "\\HasChildren"
HAS_NO_CHILDREN: Final = "\\HasNoChildren"
SUBSCRIBED: Final = "\\Subscribed"
REMOTE: Final = "\\Remote"

SPECIAL_USE: Final = frozenset(
    {"\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"}
)
_COMPUTED = frozenset({HAS_CHILDREN, HAS_NO_CHILDREN, SUBSCRIBED, REMOTE})
_SPELLING: Final = {
    name.lower(): name
    for name in (
        NON_EXISTENT, NO_SELECT, NO_INFERIORS, "\\Marked", "\\Unmarked", *_COMPUTED, *SPECIAL_USE,
    )
}  # fmt: skip
_ATTRIBUTE = re.compile(r"\\[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_NEVER = re.compile("[\0\r\n\ud800-\udfff]")


class Row(NamedTuple):
    """One line of an answer.

    child_info: the selection options that something below the name meets, for ``CHILDINFO``.
    status: a line of STATUS is wanted as well.
    """

    name: str
    attributes: tuple[str, ...] = ()
    child_info: tuple[str, ...] = ()
    status: bool = False
    remote: bool = False


Steps = Generator[None, None, list[Row]]

STEP: Final = 1000
"""Names between two pauses."""


@attrs.frozen(kw_only=True)
class Names:
    """All names of one user.

    What depends on them alone is worked out once, when it is first needed.
    """

    local: Sequence[MailboxEntry]
    remote: Sequence[RemoteMailbox] = ()
    subscriptions: frozenset[str] = frozenset()
    delimiter: str = "/"
    _views: dict[bool, View] = attrs.field(init=False, factory=dict, eq=False, repr=False)

    def view(self, with_remote: bool) -> View:
        """Give what a client sees that wants remote names, or that does not."""
        if with_remote not in self._views:
            self._views[with_remote] = View(self, with_remote)
        return self._views[with_remote]


class View:
    """The names that a client can see; made of `Names`, and never changed.

    known: the attributes of everything that exists, by name, names ascending.
    remote: those of them that are elsewhere. above: every level above something that exists.
    """

    def __init__(self, names: Names, with_remote: bool) -> None:
        self.delimiter = names.delimiter
        self._with_remote = with_remote
        self._listed = {box.name: box for box in names.remote}
        self._local = {entry.name for entry in names.local}
        there = {box.name for box in names.remote if self._is_away(box, box.name)}
        merged = {
            entry.name: entry.attributes for entry in names.local if not self._elsewhere(entry.name)
        }
        if with_remote:
            merged |= {box.name: box.attributes for box in names.remote if box.name in there}
        self.known = _tidy(merged)
        self.remote = there if with_remote else frozenset()
        self._names = names
        self._above: set[str] | None = None
        self._subscribed: dict[str, None] | None = None

    @property
    def above(self) -> set[str]:
        """Every level above something that exists."""
        if self._above is None:
            self._above = levels_above(self.known, self.delimiter)
        return self._above

    @property
    def subscribed(self) -> dict[str, None]:
        """What is subscribed, be it there or not, names ascending."""
        if self._subscribed is None:
            wanted = {name for name in self._names.subscriptions if not _NEVER.search(name)}
            if self._with_remote:
                wanted |= {name for name in self.remote if self._listed[name].subscribed}
            else:
                wanted = {name for name in wanted if not self._elsewhere(name)}
            self._subscribed = dict.fromkeys(sorted(wanted))
        return self._subscribed

    def is_remote(self, name: str) -> bool:
        """Say whether a name is elsewhere, as far as this client may know."""
        return self._with_remote and self._elsewhere(name)

    def exists(self, name: str) -> bool:
        """Say whether there is such a name; of what is below a subtree only its server knows."""
        return name in self.known or self.is_remote(name)

    def _elsewhere(self, name: str) -> bool:
        """Go by the nearest name in the list of the remote ones that says something."""
        listed, name_asked = self._listed, name
        if not listed:
            return False
        box = listed.get(name)
        while box is None and name:
            name = _parent(name, self.delimiter)
            above = listed.get(name)
            box = above if above is not None and above.subtree else None
        return box is not None and self._is_away(box, name_asked)

    def _is_away(self, box: RemoteMailbox, name: str) -> bool:
        """Say whether an entry puts a name elsewhere; a local one that waits to move is here."""
        if box.location.waits:
            return name not in self._local
        return not box.location.here


def _tidy(merged: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Sort, spell attributes as RFCs do, leave out what only we can tell and what has no name."""
    spelled: dict[tuple[str, ...], tuple[str, ...]] = {}
    known: dict[str, tuple[str, ...]] = {}
    for name in sorted(merged):
        given = merged[name]
        attributes = spelled.get(given)
        if attributes is None:
            attributes = spelled[given] = _spell(given)
        if NON_EXISTENT not in attributes and name and not _NEVER.search(name):
            known[name] = attributes
    return known


def _spell(given: Iterable[str]) -> tuple[str, ...]:
    """Write each attribute once; what is none would break the line, and is left out."""
    found = dict.fromkeys(_SPELLING.get(name.lower(), name) for name in given)
    return tuple(name for name in found if name not in _COMPUTED and _ATTRIBUTE.fullmatch(name))


def entry_attributes(entries: Iterable[MailboxEntry], name: str, delimiter: str) -> tuple[str, ...]:
    """Give what a plain LIST would tell of one name, ``\\NonExistent`` where it is not there."""
    given: tuple[str, ...] | None = None
    prefix, has_children = name + delimiter, False
    for entry in entries:
        if entry.name == name:
            given = entry.attributes
        elif delimiter and entry.name.startswith(prefix):
            has_children = True
    if given is None:
        return (NON_EXISTENT,)
    told = _spell(given)
    if NO_INFERIORS in told and not has_children:
        return told
    told = tuple(attribute for attribute in told if attribute != NO_INFERIORS)
    return (*told, HAS_CHILDREN if has_children else HAS_NO_CHILDREN)


def _parent(name: str, delimiter: str) -> str:
    return name.rpartition(delimiter)[0] if delimiter else ""


def levels_above(names: Iterable[str], delimiter: str) -> set[str]:
    """Give every level above any of ``names``."""
    above: set[str] = set()
    if not delimiter:
        return above
    for name in names:
        level = name.rpartition(delimiter)[0]
        # What is above a level that is known is known as well.
        while level and level not in above:
            above.add(level)
            level = level.rpartition(delimiter)[0]
    return above


def rows(
    names: Names, query: ListQuery, *, lsub: bool, with_remote: bool, relaying: bool = False
) -> list[Row]:
    """Give the lines of an answer, names ascending.

    lsub: as for LSUB and RLSUB. with_remote: remote names exist. relaying: they are as good as
    those that are here, also for their counts. Raises `WireError` for a pattern that is too long.
    """
    working = steps(names, query, lsub=lsub, with_remote=with_remote, relaying=relaying)
    while True:
        try:
            next(working)
        except StopIteration as done:
            return list(done.value)


def steps(
    names: Names, query: ListQuery, *, lsub: bool, with_remote: bool, relaying: bool = False
) -> Steps:
    """Do the work of `rows` a few milliseconds at a time, however many names there are."""
    if query.asks_root and not lsub:
        return [Row("", (NO_SELECT,))]
    view = names.view(with_remote)
    yield
    return (yield from _Answer(view, query, lsub, relaying).steps())


class _Answer:
    """The work for one query."""

    def __init__(self, view: View, query: ListQuery, lsub: bool, relaying: bool) -> None:
        self.view = view
        self.query = query
        self.lsub = lsub
        self.relaying = relaying
        basic = not query.extended and not lsub
        self.children = basic or query.return_children
        self.special = query.special_use or query.return_special_use or not query.extended
        self.marks_subscribed = query.subscribed or query.return_subscribed
        self.child_info = tuple(
            name
            for name, chosen in (
                ("SUBSCRIBED", query.subscribed), ("SPECIAL-USE", query.special_use),
            )
            if chosen
        )  # fmt: skip

    def steps(self) -> Steps:
        """Give all lines."""
        view, query = self.view, self.query
        matches = matcher(query, view.delimiter)
        meeting = self._meeting()
        matched = [name for name in meeting if matches(name)]
        yield
        if query.recursive_match:
            found = yield from self._recursive(meeting, matched, matches)
        else:
            found = yield from self._rows(matched)
            if self.lsub or not self.child_info:
                found += self._levels(meeting, matched)
        yield
        found.sort()
        return found

    def _meeting(self) -> Iterable[str]:
        """Give the names that the selection options ask for, whatever the pattern."""
        view, query = self.view, self.query
        names: Iterable[str] = view.known
        if self.lsub or query.subscribed:
            names = view.subscribed
        if query.special_use:
            known = view.known
            names = [name for name in names if not SPECIAL_USE.isdisjoint(known.get(name, ()))]
        return names

    def _levels(self, meeting: Iterable[str], matched: Sequence[str]) -> list[Row]:
        """Give levels that a ``%`` shows for what is below them (RFC 3501 section 6.3.8)."""
        view = self.view
        matches = level_matcher(self.query, view.delimiter)
        if matches is None:
            return []
        above = levels_above(meeting, view.delimiter) if self.lsub else view.above
        met = view.subscribed if self.lsub else view.known
        shown = levels_above(matched, view.delimiter)
        return [
            self._level(name)
            for name in above
            if name not in met and name not in shown and matches(name)
        ]

    def _level(self, name: str) -> Row:
        remote = self.view.is_remote(name)
        if self.lsub:
            return Row(name, (NO_SELECT,), remote=remote)
        if self.query.extended:
            return Row(name, self._attributes(name, True), remote=remote)
        first = () if remote else (NO_SELECT,)
        return Row(name, (*first, HAS_CHILDREN), remote=remote)

    def _recursive(
        self, meeting: Iterable[str], matched: list[str], matches: Callable[[str], bool]
    ) -> Steps:
        """Give what meets the selection, and what is above that (RFC 5258 section 3.5)."""
        delimiter = self.view.delimiter
        above = levels_above(meeting, delimiter)
        met = set(matched)
        # A level is told of for the sake of what is below it only where that is not told of itself.
        hidden = levels_above((name for name in meeting if name not in met), delimiter)
        yield
        info = self.child_info
        shown = yield from self._rows(matched)
        return [row._replace(child_info=info) if row.name in above else row for row in shown] + [
            Row(name, self._attributes(name), info, remote=self.view.is_remote(name))
            for name in hidden
            if name not in met and matches(name)
        ]

    def _rows(self, matched: Sequence[str]) -> Steps:
        """Give what meets the selection; most names differ in little but themselves."""
        view = self.view
        memo: dict[Any, tuple[tuple[str, ...], tuple[str, ...], bool, bool]] = {}
        known, remote, wants_status = view.known, view.remote, bool(self.query.status)
        above: Container[str] = view.above if self.children else ()
        yield
        subscribed: Container[str] = view.subscribed if self.marks_subscribed else ()
        found: list[Row] = []
        for at, name in enumerate(matched, 1):
            if not at % STEP:
                yield
            given = known.get(name)
            if given is None:
                found.append(Row(name, self._attributes(name), remote=view.is_remote(name)))
                continue
            key = given, name in above, name in subscribed, name in remote
            shared = memo.get(key)
            if shared is None:
                attributes = self._attributes(name)
                told = self.relaying or not key[3]
                status = wants_status and told and NO_SELECT not in attributes
                shared = memo[key] = attributes, (), status, key[3]
            found.append(Row(name, *shared))
        return found

    def _attributes(self, name: str, level: bool = False) -> tuple[str, ...]:
        """Give the attributes of a name; ``level``: it is told of for what is below it."""
        view = self.view
        given = view.known.get(name)
        return tuple(
            self._make(
                given,
                given is None and view.is_remote(name),
                name in view.remote,
                name in view.above if self.children or level else None,
                name in view.subscribed if self.marks_subscribed else False,
            )
        )

    def _make(
        self,
        given: tuple[str, ...] | None,
        subtree: bool,
        remote: bool,
        children: bool | None,
        subscribed: bool,
    ) -> list[str]:
        told = list(given or ())
        if given is None and not subtree and not self.lsub:
            told.append(NON_EXISTENT)
        if self.lsub and NO_SELECT in told:
            # To LSUB it would mean that the name itself is not subscribed.
            told.remove(NO_SELECT)
        if not self.special:
            told = [name for name in told if name not in SPECIAL_USE]
        if children is not None:
            if children and NO_INFERIORS in told:
                told.remove(NO_INFERIORS)
            if NO_INFERIORS not in told:
                told.append(HAS_CHILDREN if children else HAS_NO_CHILDREN)
        if subscribed:
            told.append(SUBSCRIBED)
        if self.query.remote and (remote or subtree):
            told.append(REMOTE)
        return told
