"""A mailbox that somebody wrote for Twisted, as the `IMailFolder` that a session works on.

Twisted's IMailbox says that something has changed, not what: that is found out by comparing it with
what it had when it was last looked at. Of modification sequences it knows nothing; those here only
count what has been noticed, and are good for nobody but the session.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import ICloseableMailbox, IMailboxListener
from zope.interface import implementer

from referrald.errors import NoPermission, NotPossible
from referrald.interfaces import IContent, IMailFolder
from referrald.mailmodel import (
    COMMON_FIELDS,
    Changes,
    Column,
    FolderState,
    Placed,
    Stored,
    StoredMessage,
)
from referrald.mime.parts import Part, parse
from referrald.mime.structure import body_structure, envelope
from referrald.query import Found, Query
from referrald.session import byhand, byquery, edge
from referrald.session.edge import ask

if TYPE_CHECKING:
    from referrald.session.foreign import ForeignAccount

SEEN: Final = "\\Seen"
LOOKED_THROUGH: Final = 1000
"""Messages among which the first unseen one is looked for."""

_FROM_CONTENT: Final = frozenset({"size", "envelope", "body", "structure", "fields"})


async def nothing() -> None:
    """Give nobody a turn."""


@implementer(IMailFolder, IMailboxListener)
class AdaptedFolder:
    """An IMailbox whose methods may give values or Deferreds.

    box: the IMailbox. account: where it copies to; breathe: lets others have a turn.
    flags: those that are flags of messages, and none of the mailbox itself, pass ``is_flag``.
    """

    def __init__(
        self,
        name: str,
        box: Any,
        *,
        writable: bool = True,
        account: ForeignAccount | None = None,
        is_flag: Callable[[str], bool] = lambda _: True,
        breathe: Callable[[], Awaitable[None]] = nothing,
    ) -> None:
        self.name = name
        self.box = box
        self.writable = writable
        self._may_write = writable
        self._account = account
        self._is_flag = is_flag
        self._breathe = breathe
        self._uids = array("I")
        self._modseq = self._membership = 1
        self._changed: dict[int, tuple[int, tuple[str, ...]]] = {}
        self._recent: tuple[int, int | None] = (0, None)
        self._watchers: list[Callable[[], None]] = []
        self._selected = False

    # -- what there is -----------------------------------------------------------------------

    async def state(self) -> FolderState:
        """Tell all that SELECT needs."""
        box = self.box
        count = int(await ask(box, "getMessageCount"))
        self._uids = array("I", await edge.uids(box, 1, count))
        flags = tuple(flag for flag in edge.flag_names(await ask(box, "getFlags"))
                      if self._is_flag(flag))  # fmt: skip
        recent = int(await ask(box, "getRecentCount"))
        return FolderState(
            uid_validity=int(await ask(box, "getUIDValidity")),
            uid_next=int(await ask(box, "getUIDNext")),
            uids=self._uids,
            modseq=self._modseq,
            flags=flags,
            permanent=(*flags, "\\*"),
            first_unseen=await self._first_unseen(),
            has_modseqs=False,
            recent=recent,
        )

    async def _first_unseen(self) -> int | None:
        """Find the first message without ``\\Seen``; None where it would cost much."""
        if not await ask(self.box, "getUnseenCount"):
            return None
        for batch in edge.batches(self._uids[:LOOKED_THROUGH]):
            for message in await edge.messages(self.box, batch):
                if SEEN not in edge.flag_names(await ask(message, "getFlags")):
                    return int(await ask(message, "getUID"))
        return None

    async def changes(self, since: int) -> Changes:
        """Tell what has happened since the state with that ``modseq``."""
        await self._compare()
        told = self._changed.items()
        recent_since, recent = self._recent
        return Changes(
            modseq=self._modseq,
            uids=self._uids if self._membership > since else None,
            flags={uid: flags for uid, (when, flags) in told if when > since},
            recent=recent if recent_since > since else None,
        )

    async def _compare(self) -> None:
        """See which messages have come and gone."""
        box, known = self.box, self._uids
        count, had = int(await ask(box, "getMessageCount")), len(known)
        # UIDs ascend: where the last known one has its old place, nothing before it is gone.
        same = count >= had and (not had or await ask(box, "getUID", had) == known[-1])
        if same and count == had:
            return
        uids = array("I", await edge.uids(box, had + 1 if same else 1, count))
        self._uids = known + uids if same else uids
        self._modseq += 1
        self._membership = self._modseq
        if not same:
            there = frozenset(self._uids)
            for uid in [uid for uid in self._changed if uid not in there]:
                del self._changed[uid]

    # -- what the mailbox says ---------------------------------------------------------------

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever `changes` may have something to tell; gives what ends that."""
        if not self._watchers:
            self.box.addListener(self)
        self._selected = True
        self._watchers.append(changed)

        def end() -> None:
            if changed in self._watchers:
                self._watchers.remove(changed)
                if not self._watchers:
                    self.box.removeListener(self)

        return end

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        """Take note that messages have come or gone."""
        if recent is not None:
            self._modseq += 1
            self._recent = (self._modseq, recent)
        self._tell()

    def flagsChanged(self, newFlags: Mapping[int, Iterable[Any]]) -> None:
        """Take note of new flags, by the mailbox's own message numbers of this moment."""
        self._modseq += 1
        for message, flags in newFlags.items():
            uid = self._uid_of(message)
            if uid is not None:
                self._changed[uid] = (self._modseq, edge.flag_names(flags))
        self._tell()

    def modeChanged(self, writeable: bool) -> None:
        """Take note that the mailbox can be changed no more, or can again."""
        self.writable = self._may_write and bool(writeable)
        self._tell()

    def _tell(self) -> None:
        for changed in [*self._watchers]:
            changed()

    def _uid_of(self, message: int) -> int | None:
        try:
            uid = self.box.getUID(message)
        except (LookupError, ValueError, TypeError):
            return None
        if isinstance(uid, int):
            return uid
        return self._uids[message - 1] if 1 <= message <= len(self._uids) else None

    # -- messages ----------------------------------------------------------------------------

    async def fetch(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell of messages what is known of them, by UID ascending."""
        found = []
        for message in await self._present(uids):
            found.append(
                StoredMessage(
                    uid=int(await ask(message, "getUID")),
                    flags=edge.flag_names(await ask(message, "getFlags")),
                    received=edge.moment(await ask(message, "getInternalDate")),
                    size=await edge.size(message),
                    modseq=0,
                )
            )
            await self._breathe()
        return found

    async def rows(self, uids: Sequence[int], columns: Sequence[Column]) -> list[Any]:
        """Give for each message a tuple of its UID and the columns."""
        found = []
        for message in await self._present(uids):
            uid = int(await ask(message, "getUID"))
            found.append((uid, *await _columns(message, columns)))
            await self._breathe()
        return found

    async def _present(self, uids: Sequence[int]) -> list[Any]:
        found: list[Any] = []
        for batch in edge.batches(uids):
            found += await edge.messages(self.box, batch)
        return found

    async def content(self, uid: int) -> bytes | None:
        """Give a whole message, None when it is gone."""
        for message in await edge.messages(self.box, [uid]):
            return await edge.content(message)
        return None

    async def read(self, uid: int) -> Any:
        """Open a message for reading, None when it is gone."""
        content = await self.content(uid)
        return None if content is None else AdaptedContent(content)

    async def search(self, query: Query) -> Found:
        """Find messages: each is looked at as far as the query asks for it."""
        await self._compare()
        return await byquery.search(self, query, self._uids, self._breathe)

    # -- changes -----------------------------------------------------------------------------

    async def store(
        self,
        uids: Sequence[int],
        flags: Sequence[str],
        mode: int,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Add (mode 1), remove (-1) or set (0) flags."""
        if unchanged_since is not None:
            raise NotPossible("an IMailbox has no modification sequences")
        self._check_writable()
        found: dict[int, tuple[str, ...]] = {}
        if uids:
            chosen = edge.message_set(uids)
            changed = await ask(self.box, "store", chosen, list(flags), mode, True)
            # The mailbox answers with its own numbers, which the client need not know yet.
            for number, names in changed.items():
                uid = int(await ask(self.box, "getUID", number))
                found[uid] = edge.flag_names(names)
        for uid, names in found.items():
            # Whoever asked for this change need not be told of it.
            if set(self._changed.get(uid, (0, ()))[1]) == set(names):
                self._changed.pop(uid, None)
        return Stored(flags=dict(sorted(found.items())))

    async def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove messages marked ``\\Deleted``, of all or of ``uids``; gives the UIDs removed."""
        self._check_writable()
        await self._compare()
        before = self._uids
        if uids is None:
            await ask(self.box, "expunge")
        else:
            await byhand.remove_marked(self.box, uids)
        await self._compare()
        there = frozenset(self._uids)
        return [uid for uid in before if uid not in there]

    async def copy(self, uids: Sequence[int], target: str) -> Placed:
        """Copy messages with flags and dates into a mailbox of the account: all or none."""
        if self._account is None:
            raise NotPossible("an IMailbox without its account")
        into = await self._account.taking(target)
        return await byhand.copy(into, await self._present(uids), self._breathe)

    async def move(self, uids: Sequence[int], target: str) -> Placed:
        """Move messages into a mailbox of the account."""
        self._check_writable()
        placed = await self.copy(uids, target)
        await byhand.mark(self.box, placed.sources, 1)
        await byhand.remove_marked(self.box, placed.sources)
        return placed

    def _check_writable(self) -> None:
        if not self.writable:
            raise NoPermission(self.name, public="The mailbox is open for reading only.")

    async def close(self) -> None:
        """Let go of it: one that was not watched may be in use elsewhere and is left as it is."""
        closeable: Any = ICloseableMailbox(self.box, None) if self._selected else None
        self._selected = False
        if closeable is not None:
            await ask(closeable, "close")


@implementer(IContent)
class AdaptedContent:
    """A message that is being read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    async def read(self, start: int, length: int) -> bytes:
        """Give bytes."""
        return self._data[start : start + length]

    def close(self) -> None:
        """Let go of it."""
        self._data = b""


async def _columns(message: Any, columns: Sequence[Column]) -> list[Any]:
    known: dict[str, Any] = {"modseq": 0}
    if "flags" in columns:
        flags = edge.flag_names(await ask(message, "getFlags"))
        known["flags"] = " ".join(flags).encode("ascii")
    if "received" in columns:
        when = edge.moment(await ask(message, "getInternalDate"))
        known["received"] = edge.date_time(when).encode("ascii")
    if _FROM_CONTENT.isdisjoint(columns):
        return [known[column] for column in columns]
    if _FROM_CONTENT.intersection(columns) == {"size"}:
        known["size"] = await edge.size(message)
    else:
        content = await edge.content(message)
        known["size"] = len(content)
        parsed = parse(content.replace(b"\0", b"\x80"))
        known |= {c: _described(parsed, c) for c in columns if c not in known}
    return [known[column] for column in columns]


def _described(message: Part, column: Column) -> bytes:
    if column == "envelope":
        return bytes(envelope(message))
    if column == "fields":
        return b"".join(each.raw for each in message.fields if each.name in COMMON_FIELDS)
    return bytes(body_structure(message, column == "structure"))
