"""IMailbox over an open mailbox of a store.

Twisted's interfaces answer at once; a store need not. So a mailbox keeps a snapshot of what was
there when it last looked: all numbers are numbers in the snapshot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import IO, Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.mail.imap4 import (
    ICloseableMailbox,
    IMailbox,
    MailboxException,
    MessageSet,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.errors import ReferraldError, Unavailable
from referrald.mailmodel import Changes, FolderState, MailboxStatus, NewMessage, Stored
from referrald.message import MessageGone, TwistedMessage, as_text, moment

T = TypeVar("T")
_log = Logger()


def plain_error(error: BaseException) -> MailboxException:
    """Give an error as a stock ``IMAP4Server`` can tell it: the public text and nothing else.

    What an operator has to know goes to the log here, since nobody else will see it.
    """
    if not isinstance(error, ReferraldError):
        trace: Any = error.__traceback__
        why = Failure(error, type(error), trace)  # type: ignore[no-untyped-call]
        _log.failure("a mailbox failed", why)
        return MailboxException(plain(ReferraldError.public))
    if error.temporary or error.code == ReferraldError.code:
        _log.warn("a mailbox is not available: {reason}", reason=str(error))
    return MailboxException(plain(error.public))


def plain(text: str) -> str:
    """Make text fit for a response: a stock server would send anything in it as it is."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


@implementer(IMailbox, ICloseableMailbox)
class TwistedMailbox:
    """An open mailbox.

    folder: the `IMailFolder`. opened: its state when it was opened. eager: for a stock
    ``IMAP4Server``. That one needs whole messages at once, and has no way to hear that a message is
    gone before the client says EXPUNGE: until then gone messages keep their numbers. Errors are
    `MailboxException` then.
    """

    def __init__(
        self, folder: Any, account: Any, opened: FolderState, counts: MailboxStatus, eager: bool
    ) -> None:
        self.folder = folder
        self.opened = opened
        self.eager = eager
        self.error: ReferraldError | None = None
        self._account = account
        self._uids = list(opened.uids)
        self._uid_next = opened.uid_next
        self._modseq = opened.modseq
        self._flags = {flag.lower(): flag for flag in opened.flags}
        self._unseen = counts.unseen
        self._counted = True
        self._ghosts: set[int] = set()
        self._own: dict[int, frozenset[str]] = {}
        self._listeners: list[Any] = []
        self._unwatch: Callable[[], None] | None = None
        self._lock = DeferredLock()
        self._due = self._closed = False

    @classmethod
    async def open(cls, folder: Any, account: Any, *, eager: bool = False) -> TwistedMailbox:
        """Make a mailbox of an `IMailFolder` of an `IMailAccount`."""
        try:
            opened = await folder.state()
            return cls(folder, account, opened, await account.status(folder.name), eager)
        except BaseException:
            await folder.close()
            raise

    # -- getters -----------------------------------------------------------------------------

    def getFlags(self) -> list[str]:
        """Name the flags that messages can have, keywords in use among them."""
        return list(self._flags.values())

    def getHierarchicalDelimiter(self) -> str:
        """Give the character between levels of names."""
        delimiter: str = self._account.delimiter
        return delimiter

    def getUIDValidity(self) -> int:
        """Give the UIDVALIDITY."""
        return self.opened.uid_validity

    def getUIDNext(self) -> int:
        """Give the UID of the next message."""
        return self._uid_next

    def getUID(self, message: int) -> int:
        """Give the UID of a message number; raises IndexError where there is none."""
        if message < 1:
            raise IndexError(message)
        return self._uids[message - 1]

    def getMessageCount(self) -> int:
        """Count the messages."""
        return len(self._uids)

    def getRecentCount(self) -> int:
        """Count none: no session is the first to see a message (RFC 9051 knows no such thing)."""
        return 0

    def getUnseenCount(self) -> Any:
        """Count the messages without ``\\Seen``; a Deferred when that has to be counted anew.

        With ``eager`` it is what was counted last.
        """
        return self._unseen if self._counted or self.eager else self._run(self._count())

    def isWriteable(self) -> bool:
        """Say whether anything can be changed through this mailbox."""
        return bool(self.folder.writable)

    def requestStatus(self, names: Iterable[str]) -> dict[str, Any]:
        """Tell the counts of STATUS; names that are none of them are left out."""
        counts = {
            "MESSAGES": len(self._uids) - len(self._ghosts),
            "RECENT": 0,
            "UIDNEXT": self._uid_next,
            "UIDVALIDITY": self.opened.uid_validity,
        }
        wanted = [name.upper() for name in names]
        told: dict[str, Any] = {name: counts[name] for name in wanted if name in counts}
        return told | ({"UNSEEN": self.getUnseenCount()} if "UNSEEN" in wanted else {})

    async def _count(self) -> int:
        counts = await self._account.status(self.folder.name)
        self._unseen = int(counts.unseen)
        self._counted = True
        return self._unseen

    # -- messages ----------------------------------------------------------------------------

    def fetch(self, messages: Any, uid: bool) -> Deferred[list[tuple[int, TwistedMessage]]]:
        """Give the messages of a set, with their numbers, ascending."""
        return self._run(self._fetch(self._picked(messages, uid)))

    async def _fetch(self, picked: Mapping[int, int]) -> list[tuple[int, TwistedMessage]]:
        self._check()
        stored = await self.folder.fetch([*picked])
        found = [(picked[each.uid], TwistedMessage(each, self.folder)) for each in stored]
        if not self.eager:
            return found
        loaded = []
        for number, message in found:
            try:
                await message.load()
            except MessageGone:
                continue
            loaded.append((number, message))
        return loaded

    def store(
        self, messages: Any, flags: Iterable[Any], mode: int, uid: bool
    ) -> Deferred[dict[int, tuple[str, ...]]]:
        """Add (1), remove (-1) or set (0) flags; gives the flags afterwards by message number."""
        names = [as_text(flag) for flag in flags if as_text(flag).lower() != "\\recent"]
        return self._run(self._store(self._picked(messages, uid), names, mode))

    async def _store(
        self, picked: Mapping[int, int], flags: Sequence[str], mode: int
    ) -> dict[int, tuple[str, ...]]:
        self._check()
        done = await self._alone(lambda: self._stored(picked, flags, mode))
        return {picked[uid]: tuple(names) for uid, names in done.items() if uid in picked}

    async def _stored(
        self, picked: Mapping[int, int], flags: Sequence[str], mode: int
    ) -> Mapping[int, tuple[str, ...]]:
        stored: Stored = await self.folder.store([*picked], flags, mode)
        done = stored.flags
        for uid, names in done.items():
            self._know(names)
            if self.eager and self._listeners:
                # The answer to the command tells it already, or was not to (.SILENT).
                self._own[uid] = frozenset(names)
        self._counted = False
        return done

    def expunge(self, uids: Sequence[int] | None = None) -> Deferred[list[int]]:
        """Remove what is marked, of all or of ``uids``; gives message numbers, highest first."""
        return self._run(self._expunge(uids))

    async def _expunge(self, uids: Sequence[int] | None) -> list[int]:
        self._check()
        return await self._alone(lambda: self._expunged(uids))

    async def _expunged(self, uids: Sequence[int] | None) -> list[int]:
        gone = self._ghosts | {*await self.folder.expunge(uids)}
        numbers = [number for number, uid in enumerate(self._uids, 1) if uid in gone]
        self._uids = [uid for uid in self._uids if uid not in gone]
        self._ghosts = set()
        self._counted = False
        return numbers[::-1]

    def addMessage(
        self, message: IO[bytes], flags: Iterable[Any] = (), date: Any = None
    ) -> Deferred[int]:
        """Add a message; gives its UID, and the mailbox knows it by then.

        date: a datetime, or text in the form of RFC 3501 or RFC 5322; now, where it is none.
        """
        names = tuple(as_text(flag) for flag in flags if as_text(flag).lower() != "\\recent")
        new = NewMessage(content=message.read(), flags=names, received=moment(date))
        return self._run(self._add(new))

    async def _add(self, new: NewMessage) -> int:
        placed = await self._account.append(self.folder.name, [new])
        try:
            await self.refresh()
        except Unavailable as error:
            # The message is there for good, whatever can be seen of it now.
            _log.warn("a mailbox could not be looked at: {reason}", reason=str(error))
        return int(placed.uids[0])

    def destroy(self) -> Deferred[None]:
        """Let go of a mailbox that is about to be deleted; the account does that."""
        return self.close()

    def _picked(self, messages: Any, uid: bool) -> dict[int, int]:
        """Give the numbers of a set's messages by their UIDs, ascending."""
        if not self._uids:
            return {}
        if messages._last is MessageSet._empty:
            messages.last = self._uids[-1] if uid else len(self._uids)
        found = {}
        for low, high in messages.ranges:
            first, end = max(low, 1) - 1, min(high, len(self._uids))
            if uid:
                first, end = bisect_left(self._uids, low), bisect_right(self._uids, high)
            found.update({self._uids[at]: at + 1 for at in range(first, end)})
        return found

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
        if self._closed:
            raise Unavailable("the mailbox has been closed")

    # -- what happens to it ------------------------------------------------------------------

    def addListener(self, listener: Any) -> None:
        """Tell ``listener`` what changes: an `IMailboxListener`.

        Of removals it learns by ``newMessages`` with a smaller number, and that the mailbox is gone
        by ``mailboxGone(error)``, if it has such a method.
        """
        self._listeners.append(listener)
        if self._unwatch is None and not self._closed:
            self._unwatch = self.folder.watch(self._noticed)

    def removeListener(self, listener: Any) -> None:
        """Tell ``listener`` nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self._end_watch()

    @property
    def in_use(self) -> bool:
        """True while somebody listens."""
        return bool(self._listeners)

    def close(self) -> Deferred[None]:
        """Let go of everything; nothing is expunged."""
        self._listeners.clear()
        self._end_watch()
        return self._run(self._close())

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.folder.close()

    def _end_watch(self) -> None:
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()

    def _noticed(self) -> None:
        if not self._due:
            self._due = True
            Deferred.fromCoroutine(self.refresh()).addErrback(_not_seen)

    async def refresh(self) -> None:
        """Look at what has happened, and tell the listeners."""
        await self._alone(self._refresh)

    async def _refresh(self) -> None:
        self._due = False
        if self._closed or self.error is not None:
            return
        try:
            changes = await self.folder.changes(self._modseq)
            if self.eager and changes.modseq != self._modseq:
                await self._count()
        except Unavailable:
            raise
        except ReferraldError as error:
            self._lose(error)
            return
        if changes.modseq != self._modseq and not self._closed:
            self._counted = self.eager
            self._apply(changes)

    def _lose(self, error: ReferraldError) -> None:
        self.error = error
        self._end_watch()
        for listener in [*self._listeners]:
            gone = getattr(listener, "mailboxGone", None)
            if gone is not None:
                gone(error)
            else:
                listener.newMessages(0, None)

    def _apply(self, changes: Changes) -> None:
        self._modseq = changes.modseq
        before = self._uids
        if changes.uids is not None:
            self._replace(tuple(changes.uids))
        elif changes.arrived or changes.gone:
            gone = self._ghosts.union(changes.gone)
            self._replace((*(uid for uid in before if uid not in gone), *changes.arrived))
        numbers = {uid: number for number, uid in enumerate(self._uids, 1)} if changes.flags else {}
        told = {}
        for uid, flags in changes.flags.items():
            self._know(flags)
            if self._own.pop(uid, None) != frozenset(flags) and uid in numbers:
                told[numbers[uid]] = flags
        for listener in [*self._listeners]:
            if self._uids != before:
                listener.newMessages(len(self._uids), None)
            if told:
                listener.flagsChanged(told)

    def _replace(self, uids: tuple[int, ...]) -> None:
        if uids:
            self._uid_next = max(self._uid_next, uids[-1] + 1)
        if not self.eager:
            self._uids = list(uids)
            return
        self._ghosts = set(self._uids).difference(uids)
        last = self._uids[-1] if self._uids else 0
        self._uids = self._uids + [uid for uid in uids if uid > last]

    def _know(self, flags: Iterable[str]) -> None:
        for flag in flags:
            self._flags.setdefault(flag.lower(), flag)

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do one thing after the other, so that numbers mean what they meant when it began."""
        await self._lock.acquire()
        try:
            return await work()
        finally:
            self._lock.release()

    def _run(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        done: Deferred[T] = Deferred.fromCoroutine(work)
        if self.eager:
            done.addErrback(_plainly)
        return done


def _plainly(failure: Any) -> None:
    raise plain_error(failure.value) from None


def _not_seen(failure: Any) -> None:
    _log.failure("a mailbox could not be looked at", failure)
