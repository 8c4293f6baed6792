"""SEARCH for stores: which messages match a query, found out with as little reading as possible.

A store says what it knows of its messages (`Source`). In a thread it calls `search`; where there is
nothing but the reactor it goes through `steps`, and lets others have a turn between them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from referrald.mailmodel import StoredMessage
from referrald.mime.criteria import Known, Need, leaves, need_of, test_of
from referrald.mime.glancing import lacks, word_of
from referrald.mime.parts import Part, parse
from referrald.mime.texts import field_line, passages
from referrald.query import All, Body, Changed, Found, Query, Text, Uids

BATCH: Final = 200
"""Messages that are asked of a store at a time."""

GLANCED: Final = 1_000_000
"""Bytes that a message may have to be looked at as a whole, which is not a small step then."""

Step = Generator[None, None, None]


class Aborted(Exception):
    """Nobody waits for the answer any more."""


class Source(Protocol):
    """What a store knows of the messages of a mailbox, from cheap to dear.

    Messages that are gone are left out, and None stands for their bytes.
    """

    def uids(self) -> Sequence[int]:
        """Give the UIDs of all messages, ascending."""
        ...

    def attributes(self, uids: Sequence[int]) -> Iterable[StoredMessage]:
        """Tell what is known without reading."""
        ...

    def fields(self, uids: Sequence[int]) -> Iterable[tuple[int, bytes]]:
        """Give UIDs with the lines of the fields in `COMMON_FIELDS`."""
        ...

    def header(self, uid: int) -> bytes | None:
        """Give the header of a message; what follows it does no harm."""
        ...

    def content(self, uid: int) -> bytes | None:
        """Give a whole message."""
        ...


class Matcher:
    """A query, ready to be asked about one message after another.

    needs: what there may be to find out of a message. modseqs: whether these are asked for.
    """

    def __init__(self, query: Query, now: datetime) -> None:
        each = list(leaves(query))
        self.needs = frozenset(map(need_of, each))
        self.modseqs = any(isinstance(leaf, Changed) for leaf in each)
        self.judge = test_of(query, now)
        texts = [leaf for leaf in each if isinstance(leaf, Body | Text) and leaf.text]
        self._anywhere = frozenset(leaf.text.casefold() for leaf in texts)
        self._in_header = frozenset(
            leaf.text.casefold() for leaf in texts if isinstance(leaf, Text)
        )
        self._overlap = max(map(len, self._anywhere), default=1) - 1
        words = [word_of(text) for text in self._anywhere]
        self._words = [word for word in words if word is not None]
        self._glances = bool(words) and None not in words

    def look_at_header(self, known: Known, data: bytes) -> Part:
        """Take in the header of a message, of which ``data`` are the first bytes at least."""
        message = parse(data.replace(b"\0", b"\x80"))
        known.fields, known.whole = message.fields, True
        if self._in_header:
            lines = [field_line(field).casefold() for field in message.fields]
            hit = {text for text in self._in_header if any(text in line for line in lines)}
            known.seen |= {(True, text) for text in hit}
        return message

    def look_at_content(self, known: Known, data: bytes) -> Step:
        """Look through a message, as far as that is needed; a step is never long."""
        if self._glances and len(data) <= GLANCED and lacks(data, self._words):
            known.read = True
            return
        message = self.look_at_header(known, data)
        yield
        if self.judge(known) is None:
            yield from self._read(known, message)
            known.read = True

    def _read(self, known: Known, message: Part) -> Step:
        left = set(self._anywhere)
        for passage in passages(message):
            tail = ""
            for piece in passage:
                text = tail + piece.casefold()
                hit = {each for each in left if each in text}
                if hit:
                    left -= hit
                    known.seen |= {(False, each) for each in hit}
                    if self.judge(known) is not None:
                        return
                tail = text[max(0, len(text) - self._overlap) :]
                yield


def search(
    query: Query,
    source: Source,
    *,
    now: datetime,
    aborted: Callable[[], bool] = lambda: False,
) -> Found:
    """Find the messages that match; raises `Aborted` soon after ``aborted()`` has become true."""
    work = steps(query, source, now=now)
    while True:
        if aborted():
            work.close()
            raise Aborted
        try:
            next(work)
        except StopIteration as stop:
            found: Found = stop.value
            return found


def steps(query: Query, source: Source, *, now: datetime) -> Generator[None, None, Found]:
    """Find the messages that match in small steps; what the generator returns is the result."""
    matcher = Matcher(query, now)
    possible = narrowed(query, source.uids())
    found: list[int] = []
    highest = 0
    for at in range(0, len(possible), BATCH):
        search = _Batch(matcher, source, possible[at : at + BATCH])
        yield from search.run()
        found += sorted(search.found)
        highest = max(highest, search.highest)
    return Found(uids=found, modseq=highest)


def narrowed(query: Query, uids: Sequence[int]) -> Sequence[int]:
    """Leave out UIDs that cannot match because the query names others."""
    parts = query.parts if isinstance(query, All) else (query,)
    for part in parts:
        if isinstance(part, Uids):
            spans = [
                (bisect_left(uids, low), bisect_right(uids, high)) for low, high in part.ranges
            ]
            if len(spans) == 1:
                uids = uids[slice(*spans[0])]
            else:
                uids = [uid for begin, end in spans for uid in uids[begin:end]]
    return uids


class _Batch:
    """The search among some messages; ``open`` are those of which the answer is not known yet."""

    def __init__(self, matcher: Matcher, source: Source, uids: Sequence[int]) -> None:
        self.found: dict[int, Known] = {}
        self.highest = 0
        self._matcher = matcher
        self._source = source
        self._open = {uid: Known(uid) for uid in uids}

    def run(self) -> Step:
        """Find out, from what is cheap to what is dear."""
        needs, source = self._matcher.needs, self._source
        self._settle(list(self._open))
        yield
        if Need.ATTRIBUTES in needs and self._open:
            self._learn_attributes()
            yield
        if Need.FIELDS in needs and self._open:
            yield from self._learn_fields()
        if Need.HEADER in needs:
            yield from self._each(source.header, self._look_at_header)
        if Need.CONTENT in needs:
            yield from self._each(source.content, self._matcher.look_at_content)
        if self._matcher.modseqs and self.found:
            self._learn_modseqs()
            yield

    def _settle(self, uids: Iterable[int]) -> None:
        for uid in uids:
            verdict = self._matcher.judge(self._open[uid])
            if verdict is not None:
                known = self._open.pop(uid)
                if verdict:
                    self.found[uid] = known

    def _keep(self, present: Iterable[int]) -> None:
        """Go on with those that are still there."""
        there = set(present)
        self._open = {uid: known for uid, known in self._open.items() if uid in there}
        self._settle(list(self._open))

    def _learn_attributes(self) -> None:
        rows = self._source.attributes(list(self._open))
        present = {row.uid: row for row in rows if row.uid in self._open}
        for uid, row in present.items():
            self._open[uid].attributes = row
        self._keep(present)

    def _learn_fields(self) -> Step:
        """Go through them one by one: a store may have to find each of them out."""
        present = []
        for uid, raw in self._source.fields(list(self._open)):
            known = self._open.get(uid)
            if known is not None:
                known.sees_fields(raw, whole=False)
                present.append(uid)
            yield
        self._keep(present)

    def _each(
        self, get: Callable[[int], bytes | None], look: Callable[[Known, bytes], Step]
    ) -> Step:
        for uid, known in list(self._open.items()):
            data = get(uid)
            if data is None:
                del self._open[uid]
            else:
                yield from look(known, data)
                self._settle([uid])
            yield

    def _look_at_header(self, known: Known, data: bytes) -> Step:
        self._matcher.look_at_header(known, data)
        yield

    def _learn_modseqs(self) -> None:
        rows = self._source.attributes(sorted(self.found))
        modseqs = {row.uid: row.modseq for row in rows}
        self.found = {uid: known for uid, known in self.found.items() if uid in modseqs}
        self.highest = max(map(modseqs.__getitem__, self.found), default=0)
