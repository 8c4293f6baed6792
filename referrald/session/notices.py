"""What a mailbox says by itself: kept until the client may hear it (RFC 3501 sections 5.2, 5.5).

The mailbox calls at any time that something has changed; what exactly, the session asks when it
next may tell. That is before the tagged answer of a command, or at once during IDLE.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from referrald.errors import (
    MailboxInUse,
    MailboxReferral,
    NoPermission,
    NoSuchMailbox,
    ReferraldError,
    Unavailable,
)
from referrald.mailmodel import Changes, FolderState
from referrald.model import Refuse, Serve
from referrald.session import answers, recents
from referrald.session.door import Door
from referrald.session.pace import Pace
from referrald.session.running import start
from referrald.session.table import Answer
from referrald.session.view import View
from referrald.wire.response import Code, Status, StatusError, ok, paren_list, render, untagged

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

T = TypeVar("T")
CHUNK: Final = 1000
"""Lines of news that are written in one go."""

KEEPS_NUMBERS: Final = frozenset({"FETCH", "STORE", "SEARCH"})
"""Commands during which nobody may be told of a removal: numbers would shift (section 7.4.1)."""

POLLS: Final = frozenset({"NOOP", "CHECK"})
"""Commands with which a client asks for news: the mailbox is looked at, though it said nothing."""


class Notices:
    """The listening half of a session."""

    door: Door
    state: str
    folder: Any = None
    mbox: Any = None
    rev2: bool
    view: View | None = None
    idling = False
    write: Callable[[bytes], None]
    send: Callable[[Iterable[bytes]], Awaitable[bool]]
    _held_back: bool
    has_modseqs = False
    condstore = False
    _since = 0
    _looked = 0
    _stale = False
    _gone: set[int]
    _own: dict[int, int]
    _flags: dict[str, None]
    _rendered: set[bytes]
    _may_write = _told_writable = False
    _reporting = _peeking = False
    selected_name = ""
    ended: Status | None = None
    _lost: BaseException | None = None
    _unwatch: Callable[[], None] = staticmethod(lambda: None)
    _unlisten: Callable[[], None] = staticmethod(lambda: None)
    _running: bytes | None

    if TYPE_CHECKING:
        mail: Any

        @property
        def session_id(self) -> str: ...

    # -- the selected mailbox ----------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """True when the client may change the selected mailbox."""
        return self._may_write and bool(self.folder.writable)

    @property
    def modseq(self) -> int:
        """The modification sequence of what the client knows of the selected mailbox."""
        return self._since

    def selected(
        self, folder: Any, opened: FolderState, view: View, writable: bool, name: str
    ) -> None:
        """Enter the selected state with an `IMailFolder`, of which the client is told ``opened``.

        Programs find the mailbox itself at ``mbox``, be it an IMailbox of theirs.
        """
        self.folder = folder
        self.mbox = getattr(folder, "box", folder)
        self.selected_name = name
        self.ended = self._lost = None
        self.view = view
        self._may_write = self._told_writable = writable
        self.state = "select"
        self._since = self._looked = opened.modseq
        self.has_modseqs = opened.has_modseqs
        self._gone, self._own = set(), {}
        self._flags = dict.fromkeys(opened.flags)
        self._rendered = set()
        # Something may have happened between the first look and now.
        self._stale = True
        self._unlisten = folder.watch(self._changed)
        self._unwatch = self.mail.watch(self._may_have_moved)

    def selected_away(self, box: Any, name: str) -> None:
        """Enter the state of a mailbox that is selected at another server."""
        self.mbox = box
        self.selected_name = name
        self.ended = self._lost = None
        self.state = "away"
        self._unwatch = self.mail.watch(self._may_have_moved)

    def deselect(self) -> Any:
        """Leave the selected mailbox, if one is; gives what is to be closed."""
        box = self.mbox if self.folder is None else self.folder
        self.mbox = self.folder = self.view = self._lost = None
        self._may_write = False
        unwatch, unlisten = self._unwatch, self._unlisten
        self._unwatch = self._unlisten = _nothing
        unwatch()
        if self.state in ("select", "away"):
            self.state = "auth"
        unlisten()
        return box

    async def leave_mailbox(self) -> None:
        """Leave the selected mailbox, if one is, and let it close."""
        box = self.deselect()
        if box is not None:
            await box.close()

    def forsake_mailbox(self) -> None:
        """Leave the mailbox because the connection is gone."""
        start(self.leave_mailbox(), lambda _: None, self._not_told)

    # -- what the mailbox calls --------------------------------------------------------------

    def look_again(self) -> None:
        """Have the mailbox looked at before the running command is answered."""
        self._stale = True

    def changed_by_client(self, modseqs: Mapping[int, int]) -> None:
        """Take note of changes that the client need not be told of: it has made them."""
        self._own.update(modseqs)

    def new_flags(self, told: Iterable[tuple[str, ...]]) -> bytes:
        """Give what says that the mailbox knows flags which the client has not heard of yet.

        told: the flags that messages have, which the client is told next (RFC 3501 section 7.2.6).
        """
        flags = self._flags
        new = {name for names in set(told) for name in names if name not in flags}
        new.discard("\\Recent")
        if not new:
            return b""
        flags.update(dict.fromkeys(sorted(new)))
        return untagged(b"FLAGS", paren_list(*flags))

    def new_flags_in(self, told: Iterable[bytes]) -> bytes:
        """Give the same for flags as they stand in the rows of a mailbox."""
        unseen = set(told) - self._rendered
        if not unseen:
            return b""
        self._rendered |= unseen
        return self.new_flags(tuple(each.decode("ascii").split()) for each in unseen)

    def _changed(self) -> None:
        self._stale = True
        if self.idling:
            self.tell_at_once()
        elif self._running is None and not self._peeking:
            self._peeking = True
            start(self._peek(), lambda _: None, self._not_told)

    async def _peek(self) -> None:
        """See whether the mailbox is still there, which the client is told at any time."""
        folder = self.folder
        try:
            changes = await folder.changes(self._looked)
        except (NoSuchMailbox, NoPermission) as error:
            if folder is self.folder:
                self.mailboxGone(error)
            return
        except Unavailable:
            # It will be asked again when there is something to tell.
            return
        finally:
            self._peeking = False
        if folder is self.folder:
            self._looked = changes.modseq

    # -- the mailbox goes away ---------------------------------------------------------------

    def mailboxGone(self, error: BaseException) -> None:
        """End the selection: the mailbox is no longer here, or not for this user."""
        self._lost = error
        if self._running is None or self.idling:
            self._end_selection()

    def _may_have_moved(self) -> None:
        start(self._look_where(), lambda _: None, self._not_told)

    async def _look_where(self) -> None:
        """See whether the selected mailbox still belongs to this server."""
        box = self.mbox
        decision = await self.mail.locate(self.selected_name)
        if box is None or box is not self.mbox or _belongs(box, decision):
            return
        if not isinstance(decision, Refuse):
            self.mailboxGone(MailboxReferral(decision.urls, personal=decision.personal))
        elif decision.code != Unavailable.code:
            # That nobody can be asked at the moment is no reason to close it.
            self.mailboxGone(MailboxInUse(decision.cause, public=decision.text))

    def _end_selection(self) -> None:
        error, self._lost = self._lost, None
        if error is None or self.mbox is None:
            return
        session = cast("ReferralServer", self)
        self.ended = answers.status_of(error, session)
        self.write(render(None, ok(f"Closed. {self.ended.text}", Code("CLOSED"))))
        self.door.notes.note(
            f"selection ended {error}",
            f"{self.session_id} {session.user}: the selected mailbox "
            f"{self.selected_name!r} was closed: {error}",
        )
        self.forsake_mailbox()

    def why_ended(self, name: bytes) -> Status | None:
        """Answer a command that needs the mailbox that is selected no more."""
        if self.ended is None or self.door.table.find("select", name) is None:
            return None
        if name in (b"CLOSE", b"UNSELECT"):
            self.ended = None
            return ok("Closed already.")
        return self.ended

    # -- what the client is told -------------------------------------------------------------

    async def reporting(self, name: str, work: Any) -> Answer:
        """Carry out a command, and tell before its answer what has changed."""
        try:
            answer: Answer = await work
        except (ReferraldError, StatusError):
            await self._tell_news(name)
            raise
        finally:
            self._end_selection()
        if name != "LOGOUT":  # Behind BYE nobody listens any more.
            await self._tell_news(name)
        return answer

    async def _tell_news(self, name: str) -> None:
        """Tell what has changed before a command is answered."""
        self._stale = self._stale or name in POLLS
        try:
            if name in POLLS and self.mbox is not None:
                await self._look_where()
                self._end_selection()
            await self.report(removals=name not in KEEPS_NUMBERS)
        except Exception as error:  # noqa: BLE001 - the command itself has its answer
            self._not_told(error)

    async def holds_removals(self) -> bool:
        """Say whether messages are gone of which the client may not be told yet."""
        await self.report(removals=False)
        return bool(self._gone)

    def tell_at_once(self) -> None:
        """Tell what has changed, during IDLE; while the client does not read it adds up."""
        if self.idling and not self._held_back:
            start(self.report(), lambda _: None, self._not_told)

    def _not_told(self, error: BaseException) -> None:
        # Whoever changed the mailbox, or ended the connection, has no part in this.
        if isinstance(error, ReferraldError) and error.temporary:
            self.door.notes.note(f"not told {error}", f"{self.session_id}: {error}")
            return
        self.door.notes.fault(f"{self.session_id}: the selected mailbox failed", error)

    async def report(self, *, removals: bool = True) -> None:
        """Send the untagged responses that are due."""
        if self.state == "away":
            self.mbox.tell_news()
        if self._reporting:
            return
        self._reporting = True
        try:
            while self.view is not None and self._due(removals):
                await self._report(self.view, removals)
        except (NoSuchMailbox, NoPermission) as error:
            self._lost = error
            self._end_selection()
        finally:
            self._reporting = False

    def _due(self, removals: bool) -> bool:
        changed = self._stale or (removals and bool(self._gone))
        return changed or self._told_writable != self.writable

    async def _report(self, view: View, removals: bool) -> None:
        changes = None
        if self._stale:
            self._stale = False
            try:
                changes = await self.folder.changes(self._since)
            except ReferraldError:
                self._stale = True  # It is asked again, before the next answer at the latest.
                raise
            await recents.told_of_changes(self, view, self.folder, changes)
            if view is not self.view:
                return
            self._since = self._looked = changes.modseq
        pace = Pace(self.door.clock, self.door.wheel)
        for piece in self._news(view, changes, removals):
            await self.send((piece,))
            await pace.breathe()
        writable = self.writable
        if writable != self._told_writable:
            self._told_writable = writable
            code = Code("READ-WRITE" if writable else "READ-ONLY")
            self.write(render(None, ok("The mailbox is so now.", code)))

    def _news(self, view: View, changes: Changes | None, removals: bool) -> Iterator[bytes]:
        """Yield what the client is told, and keep the view in step with it."""
        if changes is not None:
            self._gone.update(_gone(view, changes))
        if removals and self._gone:
            gone, self._gone = self._gone, set()
            for numbers in chunks(view.drop(gone)):
                yield b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])
        arrived = changes is not None and view.add(
            changes.arrived if changes.uids is None else changes.uids
        )
        if arrived:
            yield b"* %d EXISTS\r\n" % len(view)
        if not self.rev2:
            yield recents.line(view, changes, arrived=arrived)
        if changes is None:
            return
        new_flags = self.new_flags(changes.flags.values())
        if new_flags:
            yield new_flags
        own, self._own = self._own, {}
        yield from flag_lines(view, changes, own, modseqs=self.condstore and self.has_modseqs)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut what is told into pieces that are soon written."""
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))


def flag_lines(
    view: View, changes: Changes, own: Mapping[int, int], *, modseqs: bool
) -> Iterator[bytes]:
    """Yield FETCH responses for new flags, but for those changes that the client made itself."""
    known = changes.modseqs
    told = [uid for uid in changes.flags if uid not in own or own[uid] != known.get(uid)]
    shown: dict[tuple[str, ...], bytes] = {}
    for uids in chunks(told):
        lines = []
        for uid in uids:
            number, names = view.number(uid), changes.flags[uid]
            if number is not None:
                names = recents.names_of(view, uid, names)
                flags = shown.get(names) or shown.setdefault(names, paren_list(*names))
                modseq = b" MODSEQ (%d)" % known[uid] if modseqs and uid in known else b""
                lines.append(b"* %d FETCH (UID %d FLAGS %b%b)\r\n" % (number, uid, flags, modseq))
        yield b"".join(lines)


def _gone(view: View, changes: Changes) -> Iterable[int]:
    """Name the messages that the client knows and that are there no more."""
    if changes.uids is None:
        return changes.gone
    return set(view.uids).difference(changes.uids)


def _nothing() -> None:
    """End nothing."""


def _belongs(box: Any, decision: Any) -> bool:
    """Say whether a selected mailbox is still where routing has it."""
    judge = getattr(box, "belongs", None)
    return isinstance(decision, Serve) if judge is None else bool(judge(decision))
