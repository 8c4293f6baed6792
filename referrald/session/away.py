"""A selected mailbox that is on another server, served through this connection.

The session is in the state ``away``: commands on messages go to the other server as they came, and
its answers come back as they are; all other commands are carried out here as ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import ICloseableMailbox
from zope.interface import implementer

from referrald.errors import ReferraldError, WireError
from referrald.mailmodel import ReferMailbox
from referrald.session import capabilities
from referrald.session.running import start
from referrald.session.table import Answer
from referrald.wire.reader import Command
from referrald.wire.response import Code, Status, clean, continuation, no, ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

NEWS: Final = 65_536
"""Bytes of news that are kept for a client between commands; no more are read from the server."""

POLL: Final = 30.0
"""Seconds between looks at a mailbox whose server cannot tell of changes by itself (no IDLE)."""

MENDED: Final = {
    "MOVE": ("MOVE", "UIDPLUS"),
    "UIDPLUS": ("UIDPLUS",),
    "CONDSTORE": ("CONDSTORE", "QRESYNC"),
    "BINARY": ("BINARY",),
    "ESEARCH": ("ESEARCH",),
    "SEARCHRES": ("SEARCHRES",),
    "WITHIN": ("WITHIN",),
}
"""Capabilities that hold for a mailbox elsewhere only if its server has one of these."""

_ANSWER = re.compile(
    rb"(OK|NO|BAD)(?: \[([^\] ]+)(?: ([^\]]*))?\])?(?: ([^\r\n]*))?\r?\n\Z", re.IGNORECASE
)
_NO_WORDS: Final = {"OK": "Done.", "NO": "Refused without a reason.", "BAD": "Not understood."}
_OF_THE_SERVER = frozenset({b"REFERRAL", b"CAPABILITY"})
_CLEAN = re.compile(rb"[ -~]+\r\n")
_BROKEN: Final = no("The server of this mailbox gave no usable answer.")


def passed(answer: bytes) -> Answer:
    """Give another server's answer as ours: what follows the tag, if it may be said here."""
    found = _ANSWER.match(answer)
    if found is None:
        return _BROKEN
    # Clients may not understand an answer without a text (RFC 3501 section 9, resp-text).
    usable = found[4] and (found[2] or b"").upper() not in _OF_THE_SERVER
    if usable and _CLEAN.fullmatch(answer):
        return answer
    return as_status(answer)


def as_status(answer: Answer) -> Status:
    """Read an answer, without what may not be said here."""
    if isinstance(answer, Status):
        return answer
    found = _ANSWER.match(answer)
    if found is None:
        return _BROKEN
    kind: Any = found[1].decode("ascii").upper()
    code = None
    if found[2] is not None and found[2].upper() not in _OF_THE_SERVER:
        with suppress(ValueError):
            name, arguments = (
                part.decode("ascii", "replace") for part in (found[2], found[3] or b"")
            )
            code = Code(name.upper(), arguments)
    words = (found[4] or b"").decode("utf-8", "replace").strip()
    return Status(kind, clean(words or _NO_WORDS[kind]), code)


@implementer(ICloseableMailbox)
class AwayMailbox:
    """The selected mailbox of a session, as far as it is known here.

    passing: the connection to its server. place: where it is. left: its server has closed it.
    """

    def __init__(self, session: ReferralServer, errands: Any, opened: Any) -> None:
        self.passing = opened.passing
        self.place = opened.place
        self.left = False
        self._session = session
        self._errands = errands
        self._opened = opened
        self._news: list[bytes] = []
        self._kept = 0
        self._carrying = self._gathering = False
        self._lacking = self._find_lacking()
        self.passing.attach(self)

    def _find_lacking(self) -> frozenset[str]:
        there = self.passing.capabilities
        return frozenset(name for name, any_of in MENDED.items() if there.isdisjoint(any_of))

    @property
    def lacking(self) -> frozenset[str]:
        """Capabilities of this server that do not hold while this mailbox is selected."""
        return self._lacking

    def belongs(self, decision: Any) -> bool:
        """Say whether routing still has the mailbox where this one was found.

        A server that has itself referred on is taken at its word.
        """
        return isinstance(decision, ReferMailbox) and (
            self.place in decision.replicas or self.place not in self.chosen
        )

    chosen: Sequence[Any] = ()
    """The replicas among which it was chosen."""

    # -- what its server says ------------------------------------------------------------------

    def away_gathers(self, gathers: bool) -> None:
        """Let the session send what comes now in one go."""
        session = self._session
        if gathers and not session._pumping:
            session._pumping = self._gathering = True
        elif not gathers and self._gathering:
            session._pumping = self._gathering = False
            session._pump()

    def away_said(self, data: bytes, inside: bool) -> None:
        """Pass on what the server says; between commands it waits for the next answer."""
        session = self._session
        if self._carrying or session.idling:
            session._unfinished = inside
            session.write(data)
        else:
            self._news.append(data)
            self._kept += len(data)
            if self._kept > NEWS:
                self.passing.hold(True)

    def away_outlet(self) -> Any:
        """Give the transport while the client is sent what comes, and can take it directly."""
        session = self._session
        return session.outlet() if self._carrying or session.idling else None

    def tell_news(self) -> None:
        """Pass on what has come meanwhile."""
        news, self._news = self._news, []
        if not news:
            return
        self._session.write(b"".join(news))
        if self._kept > NEWS and not self._session._held_back:
            self.passing.hold(False)
        self._kept = 0

    def away_lost(self, error: ReferraldError) -> None:
        """End the selection; inside a response nothing can be said any more."""
        session = self._session
        if session._unfinished and (self._carrying or session.idling):
            session.door.notes.note(
                f"lost {error}", f"{session.session_id} {session.peer}: {error}, in mid-answer"
            )
            session.close()
            return
        session.mailboxGone(error)

    # -- commands ------------------------------------------------------------------------------

    async def carry(
        self, name: bytes, segments: Sequence[bytes] = (b"",), binary: Sequence[int] = ()
    ) -> Answer:
        """Have a command carried out there; its untagged data goes to the client."""
        self.tell_news()
        self._carrying = True
        try:
            return passed(await self.passing.run(name, segments, binary))
        finally:
            self._carrying = False

    async def collect(self, name: bytes, arguments: bytes, kind: bytes) -> tuple[Answer, list[Any]]:
        """Have a command carried out whose data is not for the client."""
        self.tell_news()
        self._carrying = True
        try:
            answer, found = await self.passing.collect(name, arguments, kind)
            return passed(answer), found
        finally:
            self._carrying = False

    def hold(self, held: bool) -> None:
        """Take no more from the server while the client does not read."""
        self.passing.hold(held)

    def cut(self) -> None:
        """Let go of the server at once."""
        self.passing.close()

    # -- as the mailbox of a session -----------------------------------------------------------

    def addListener(self, listener: Any) -> None:
        """Do nothing: the client hears the server itself."""

    def removeListener(self, listener: Any) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Leave it; the connection is kept for the next mailbox there, if that is possible."""
        session = self._session
        if self._lacking and not session._closing:
            session.untagged(b"CAPABILITY", capabilities.line(session))
        if self._errands.closed or not (self.left or await self.passing.leave()):
            self.passing.close()
        else:
            self.passing.attach(None)
            self._errands.park(self._opened)


# -- handlers --------------------------------------------------------------------------------


def raw(command: Command) -> tuple[Command]:
    """Read nothing: the arguments are for the other server."""
    return (command,)


async def bare(name: bytes, session: ReferralServer) -> Answer:
    """Have the mailbox's server carry out a command that takes no arguments."""
    box: AwayMailbox = session.mbox
    return await box.carry(name)


async def forward(session: ReferralServer, command: Command) -> Answer:
    """Have the mailbox's server carry a command out."""
    box: AwayMailbox = session.mbox
    return await box.carry(command.name, command.segments, command.binary)


async def forward_uid(session: ReferralServer, command: Command) -> Answer:
    """Have the mailbox's server carry out the UID form of a command."""
    box: AwayMailbox = session.mbox
    return await box.carry(b"UID " + command.name, command.segments, command.binary)


async def close(session: ReferralServer) -> Answer:
    """Have the mailbox closed (RFC 3501 section 6.4.2)."""
    box: AwayMailbox = session.mbox
    answer = await box.carry(b"CLOSE")
    box.left = as_status(answer).kind == "OK"
    await session.leave_mailbox()
    return answer


async def unselect(session: ReferralServer) -> Answer:
    """Leave the mailbox and expunge nothing (RFC 3691)."""
    await session.leave_mailbox()
    return ok("Mailbox closed, nothing expunged.")


async def idle(session: ReferralServer) -> Answer:
    """Let the client hear what its mailbox's server says, until it says DONE (RFC 2177)."""
    box: AwayMailbox = session.mbox
    box.tell_news()
    if "IDLE" not in box.passing.capabilities:
        return await _idle_by_polling(session, box)
    refused = await box.passing.begin_idle()
    if refused is not None:
        return passed(refused)
    line = await _until_done(session)
    if box.passing.ended is not None:
        return ok("Idled.")
    answer = passed(await _ended(box))
    if line.upper() != b"DONE":
        raise WireError("Expected DONE.")
    return answer


async def _ended(box: AwayMailbox) -> bytes:
    box._carrying = True
    try:
        return await box.passing.end_idle()  # type: ignore[no-any-return]
    finally:
        box._carrying = False


async def _until_done(session: ReferralServer) -> bytes:
    session.write(continuation("idling"))
    session.idling = True
    try:
        return await session.read_line()
    finally:
        session.idling = False


async def _idle_by_polling(session: ReferralServer, box: AwayMailbox) -> Answer:
    poll = _Poll(session, box)
    try:
        line = await _until_done(session)
    finally:
        await poll.stop()
    if line.upper() != b"DONE":
        raise WireError("Expected DONE.")
    return ok("Idled.")


class _Poll:
    """Asks a server every now and then, for a client that idles."""

    def __init__(self, session: ReferralServer, box: AwayMailbox) -> None:
        self._session = session
        self._box = box
        self._asking = False
        self._stopped: Deferred[None] | None = None
        self._timer: Any = session.door.wheel.add(POLL, self._ask)

    def _ask(self) -> None:
        self._timer = None
        self._asking = True
        start(self._box.carry(b"NOOP"), self._answered, self._answered)

    def _answered(self, _result: Any) -> None:
        self._asking = False
        if self._stopped is not None:
            self._stopped.callback(None)
        elif self._box.passing.ended is None:
            self._timer = self._session.door.wheel.add(POLL, self._ask)

    async def stop(self) -> None:
        """Ask no more; an answer that is under way is waited for."""
        if self._timer is not None:
            self._session.door.wheel.cancel(self._timer)
        if self._asking:
            self._stopped = Deferred()
            await self._stopped
