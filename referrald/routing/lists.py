"""The lists of a user's mailboxes that backends give, put together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

from referrald.mailmodel import RemoteMailbox
from referrald.routing.cache import Cache, Entry
from referrald.routing.chain import Chain
from referrald.routing.inquiry import Inquiry


class Listing:
    """What one backend lists; of a name that it gives twice the first counts."""

    __slots__ = ("_by_name", "_delimiter", "_subtrees")

    def __init__(self, entries: Iterable[RemoteMailbox], delimiter: str = "/") -> None:
        self._by_name: dict[str, RemoteMailbox] = {}
        for entry in entries:
            self._by_name.setdefault(entry.name, entry)
        self._subtrees = {name for name, entry in self._by_name.items() if entry.subtree}
        self._delimiter = delimiter

    def __iter__(self) -> Iterator[RemoteMailbox]:
        return iter(self._by_name.values())

    def nearest(self, name: str) -> RemoteMailbox | None:
        """Give the entry that says where ``name`` is: its own, or the subtree that it is in.

        None when there is no such entry. Of subtrees within each other the innermost counts.
        """
        entry = self._by_name.get(name)
        if entry is not None or not self._subtrees:
            return entry
        end = name.rfind(self._delimiter)
        while end >= 0:
            above = name[:end]
            if above in self._subtrees:
                return self._by_name[above]
            end = name.rfind(self._delimiter, 0, end)
        return None


class MailboxList:
    """What all backends list for one user. Of a name the first backend that speaks of it decides.

    entries: by name, each name once, none that an earlier backend knows to be elsewhere.
    ttl: the least time that any of them may be kept, None when none says so.
    listings: of the backends, in their order.
    """

    __slots__ = ("entries", "listings", "ttl")

    def __init__(self, listings: Sequence[Listing]) -> None:
        self.listings = tuple(listings)
        entries = [
            entry
            for number, listing in enumerate(self.listings)
            for entry in listing
            if not any(earlier.nearest(entry.name) for earlier in self.listings[:number])
        ]
        self.entries = tuple(sorted(entries, key=lambda entry: entry.name))
        times = [entry.location.ttl for entry in self.entries if entry.location.ttl is not None]
        self.ttl = min(times, default=None)

    def nearest(self, name: str) -> RemoteMailbox | None:
        """Give the entry that says where ``name`` is, None when there is none."""
        for listing in self.listings:
            entry = listing.nearest(name)
            if entry is not None:
                return entry
        return None


NOTHING_LISTED = MailboxList(())


class SharedLists:
    """What was made of the lists that backends gave, for the next user who gets the very same.

    A backend gives many users one tuple, which cannot change; looking at ten thousand names takes a
    tenth of a second. most: so many are kept.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._made: OrderedDict[tuple[str, int], tuple[object, MailboxList]] = OrderedDict()

    def get(self, backend: str, given: object) -> MailboxList | None:
        """Give what was made of this very list."""
        key = backend, id(given)
        known = self._made.get(key)
        if known is None or known[0] is not given:
            return None
        self._made.move_to_end(key)
        return known[1]

    def put(self, backend: str, given: object, made: MailboxList) -> None:
        """Keep what was made of a list, unless its backend could change that."""
        if type(given) is not tuple:
            return
        self._made[backend, id(given)] = given, made
        if len(self._made) > self._most:
            self._made.popitem(last=False)

    def clear(self) -> None:
        """Keep nothing."""
        self._made.clear()


class ListCache(Cache[str, MailboxList]):
    """Lists by user, of a limited size in all: each counts as one and as many as it has entries.

    The last one is kept however long it is.
    """

    def __init__(self, *, size: int, stale: float, seconds: Callable[[], float]) -> None:
        super().__init__(size=size, stale=stale, seconds=seconds)
        self._weights: dict[str, int] = {}
        self._weight = 0

    def put(self, key: str, entry: Entry[MailboxList]) -> None:
        """Keep a list as `Cache.put` does."""
        super().put(key, entry)
        kept = self._entries.get(key)
        if kept is not None:
            self._weigh(key, 1 + len(kept.answer.entries if kept.answer else ()))
        while self._weight > self._size and len(self) > 1:
            self.drop(next(iter(self._entries)))

    def drop(self, key: str) -> None:
        """Keep no list of ``key``."""
        super().drop(key)
        self._weigh(key, 0)

    def _weigh(self, key: str, weight: int) -> None:
        self._weight += weight - self._weights.pop(key, 0)
        if weight:
            self._weights[key] = weight


class ListChain(Chain[str, str, MailboxList]):
    """Asks all backends for their lists: a part of the whole would be wrong."""

    async def _in_turn(self, inquiry: Inquiry[str, str, MailboxList]) -> MailboxList | None:
        lists = [await self._hear_one(inquiry, number) for number in range(len(self._backends))]
        known = [each for each in lists if each is not None]
        if len(known) == 1:
            return known[0]
        return MailboxList([part for each in known for part in each.listings])

    def _until(self, said: Sequence[float], answer: MailboxList | None) -> float:
        keep = self._remembered.keep
        return min(at + keep(number, answer) for number, at in enumerate(said))
