"""What a mailbox says by itself: kept until the client may hear it (RFC 3501 sections 5.2, 5.5).

The mailbox calls at any time that something has changed; what exactly, the session finds out when
it next may tell, by comparing the mailbox with what the client knows. That is before the tagged
answer of a command, or at once during IDLE. So a removal is noticed too, for which Twisted's
IMailboxListener has no call of its own: ``newMessages`` with the new count is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.mail.imap4 import ICloseableMailbox

from referrald.errors import MailboxInUse, MailboxReferral, Unavailable
from referrald.model import Refuse, Serve
from referrald.session import answers, edge
from referrald.session.door import Door
from referrald.session.edge import ask, flag_names
from referrald.session.running import start
from referrald.session.table import Answer
from referrald.session.view import View
from referrald.wire.response import Code, Status, number, ok, paren_list, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

KEEPS_NUMBERS: Final = frozenset({"FETCH", "STORE", "SEARCH"})
"""Commands during which nobody may be told of a removal: numbers would shift (section 7.4.1)."""

POLLS: Final = frozenset({"NOOP", "CHECK"})
"""Commands with which a client asks for news: the mailbox is looked at, though it said nothing."""


class Notices:
    """The listening half of a session; an `IMailboxListener` for its selected mailbox."""

    door: Door
    state: str
    mbox: Any = None
    writable = False
    rev2: bool
    view: View | None = None
    idling = False
    untagged: Callable[..., None]
    write: Callable[[bytes], None]
    _held_back: bool
    _stale = False
    _gone = False
    _recent: int | None = None
    _mode: bool | None = None
    _flags: dict[int, tuple[str, ...]]
    _may_write = False
    _reporting = False
    selected_name = ""
    ended: Status | None = None
    _lost: BaseException | None = None
    _unwatch: Callable[[], None] | None = None
    _running: bytes | None

    if TYPE_CHECKING:
        mail: Any

        @property
        def session_id(self) -> str: ...

    # -- the selected mailbox ----------------------------------------------------------------

    def selected(self, box: Any, writable: bool, view: View, name: str) -> None:
        """Enter the selected state with an IMailbox; ``view`` is what the client is told of it."""
        self.mbox = box
        self.selected_name = name
        self.ended = self._lost = None
        self.view = view
        self.writable = self._may_write = writable
        self.state = "select"
        self._flags = {}
        self._gone = False
        self._recent = self._mode = None
        # Something may have happened between the first look and now.
        self._stale = True
        box.addListener(self)
        self._unwatch = self.mail.watch(self._may_have_moved)

    def selected_away(self, box: Any, name: str) -> None:
        """Enter the state of a mailbox that is selected at another server."""
        self.mbox = box
        self.selected_name = name
        self.ended = self._lost = None
        self.state = "away"
        self._unwatch = self.mail.watch(self._may_have_moved)

    def deselect(self) -> None:
        """Leave the selected mailbox, if one is."""
        box, self.mbox = self.mbox, None
        self.view = self._lost = None
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()
        if self.state in ("select", "away"):
            self.state = "auth"
        if box is not None:
            box.removeListener(self)

    async def leave_mailbox(self) -> None:
        """Leave the selected mailbox, if one is, and let it close."""
        box = self.mbox
        self.deselect()
        closeable = ICloseableMailbox(box, None) if box is not None else None
        if closeable is not None:
            await ask(closeable, "close")

    def forsake_mailbox(self) -> None:
        """Leave the mailbox because the connection is gone."""
        start(self.leave_mailbox(), lambda _: None, self._not_told)

    # -- what the mailbox calls --------------------------------------------------------------

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        """Take note that messages have come or gone."""
        self._stale = self._stale or exists is not None
        self._recent = self._recent if recent is None else recent
        self._noticed()

    def flagsChanged(self, newFlags: Mapping[int, Iterable[Any]]) -> None:
        """Take note of new flags, by the mailbox's own message numbers of this moment."""
        if self.view is None:
            return
        for message, flags in newFlags.items():
            uid = self._uid_of(message)
            if uid is not None:
                self._flags[uid] = flag_names(flags)
        self._noticed()

    def modeChanged(self, writeable: bool) -> None:
        """Take note that the mailbox can be changed no more, or can again."""
        if self._may_write:
            self.writable = self._mode = bool(writeable)
            self._noticed()

    def _uid_of(self, message: int) -> int | None:
        try:
            uid = self.mbox.getUID(message)
        except (LookupError, ValueError, TypeError):
            return None
        if isinstance(uid, int):
            return uid
        known = self.view.uids if self.view is not None else []
        return known[message - 1] if 1 <= message <= len(known) else None

    def settled(self, uid: int, flags: tuple[str, ...]) -> None:
        """Forget a notice of flags that the client is being told, or has itself set."""
        if set(self._flags.get(uid, ())) == set(flags):
            self._flags.pop(uid, None)

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
        finally:
            self._end_selection()
        self._stale = self._stale or name in POLLS
        try:
            if name in POLLS and self.mbox is not None:
                await self._look_where()
                self._end_selection()
            await self.report(removals=name not in KEEPS_NUMBERS)
        except Exception as error:  # noqa: BLE001 - the command itself has been carried out
            self._not_told(error)
        return answer

    def tell_at_once(self) -> None:
        """Tell what has changed, during IDLE; while the client does not read it adds up."""
        if self.idling and not self._held_back:
            start(self.report(), lambda _: None, self._not_told)

    def _noticed(self) -> None:
        if self.idling:
            self.tell_at_once()

    def _not_told(self, error: BaseException) -> None:
        # Whoever changed the mailbox, or ended the connection, has no part in this.
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
        finally:
            self._reporting = False

    def _due(self, removals: bool) -> bool:
        changed = self._stale or (removals and self._gone) or bool(self._flags)
        return changed or self._recent is not None or self._mode is not None

    async def _report(self, view: View, removals: bool) -> None:
        if self._stale or (removals and self._gone):
            self._stale = self._gone = False
            await self._compare(view, removals)
        if view is not self.view:
            return
        recent, self._recent = self._recent, None
        if recent is not None and not self.rev2:
            self.untagged(number(recent), b"RECENT")
        self._tell_flags(view)
        mode, self._mode = self._mode, None
        if mode is not None:
            code = Code("READ-WRITE" if mode else "READ-ONLY")
            self.write(render(None, ok("The mailbox is so now.", code)))

    async def _compare(self, view: View, removals: bool) -> None:
        box = self.mbox
        count = int(await ask(box, "getMessageCount"))
        known = len(view)
        # UIDs ascend: where the last known one has its old place, nothing before it is gone.
        same = count >= known and (not known or await ask(box, "getUID", known) == view.last_uid)
        uids = await edge.uids(box, known + 1 if same else 1, count)
        if view is not self.view:
            return
        if not same and removals:
            for gone in view.drop(uids):
                self.untagged(number(gone), b"EXPUNGE")
        elif not same:
            self._gone = True
        if view.add(uids):
            self.untagged(number(len(view)), b"EXISTS")

    def _tell_flags(self, view: View) -> None:
        flags, self._flags = self._flags, {}
        for uid, names in flags.items():
            message = view.number(uid)
            if message is not None:
                shown = paren_list(*names)
                item = paren_list(b"UID", number(uid), b"FLAGS", shown)
                self.untagged(number(message), b"FETCH", item)


def _belongs(box: Any, decision: Any) -> bool:
    """Say whether a selected mailbox is still where routing has it."""
    judge = getattr(box, "belongs", None)
    return isinstance(decision, Serve) if judge is None else bool(judge(decision))
