"""One IMAP connection: bytes in, one command at a time, bytes out.

`ReferralServer` keeps the face of Twisted's ``IMAP4Server`` (state, account, mbox, portal,
challengers, ctx, capabilities) and replaces what is under it: commands are assembled whole before
they are parsed, one runs at a time, handlers are coroutines that give back a status, and one writer
tags it exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.mail.imap4 import IMAP4Server
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.errors import MalformedName, WireError
from referrald.session import answers, capabilities, condstore, legacy, mailboxes
from referrald.session.door import Door
from referrald.session.first import begins_with_login
from referrald.session.fronts import Fronted, peer_of
from referrald.session.legacy import TwistedsFace
from referrald.session.living import Living
from referrald.session.naming import IMAP4REV2, UTF8_ACCEPT
from referrald.session.notices import Notices
from referrald.session.outgoing import FLUSH_AT, Outgoing
from referrald.session.rawlines import RawLines
from referrald.session.receiving import Receiving
from referrald.session.relaying import Relayed
from referrald.session.remote import Remote
from referrald.session.running import Waiting, start
from referrald.session.table import Answer
from referrald.session.timing import Timing
from referrald.wire.reader import (
    Command,
    CommandReader,
    Continuation,
    Fatal,
    Malformed,
    Piece,
    Rejected,
    Verdict,
)
from referrald.wire.response import Status, bad, bye, continuation, render

FEEDBACK = continuation("Ready.")


@implementer(IPushProducer)
class ReferralServer(
    Relayed,
    Living,
    Outgoing,
    Timing,
    Notices,
    Receiving,
    Remote,
    Fronted,
    RawLines,
    TwistedsFace,
    IMAP4Server,
):
    """An IMAP server session that serves, refers or refuses.

    Attributes of note: ``door`` (what it needs from outside), ``state`` (``unauth``, ``auth``,
    ``select`` or ``logout``), ``user`` (once authenticated), ``account`` (an IAccount), ``secure``,
    ``enabled`` (what ENABLE has switched on), ``rev2`` (IMAP4rev2 has), ``utf8`` (so are names).
    """

    door: Door
    transport: Any
    factory: Any = None
    reader: CommandReader | None = None
    secure = False
    client_id: dict[str, str | None] | None = None
    user: str = ""
    enabled: frozenset[str] = frozenset()
    rev2 = False
    utf8 = False
    bad_commands = 0
    failed_logins = 0
    number = 0

    _running: bytes | None = None
    _work: Waiting | None = None
    _after: Callable[[], None] | None = None
    _counted_as: str | None = None

    def __init__(self, door: Door) -> None:
        # The parent's __init__ builds what only its own parser and renderer need.
        self.door = door
        self._out: list[bytes] = []

    challengers: dict[bytes, Callable[[], Any]] = {}

    # -- the connection comes and goes -------------------------------------------------------

    def connectionMade(self) -> None:
        """Count the connection, start its clock and greet."""
        door = self.door
        transport = self.transport
        self.peer_host, self.peer_port = peer_of(transport)
        secure = getattr(transport, "secure", None)
        self.secure = ISSLTransport.providedBy(transport) if secure is None else secure
        # A front brings many clients: its own address is no measure.
        counted_as = "" if door.trusted.each and self.by_front else self.peer_host
        refused = door.counts.admit(counted_as)
        if refused is not None:
            door.notes.note(f"refused {self.peer_host}", f"connection of {self.peer}: {refused}")
            self._bye(bye("Too many connections."))
            return
        self._counted_as = counted_as
        if self.factory is not None:
            self.factory.joined(self)
        if door.drain:
            self._bye(answers.drained(door.drain))
            return
        self._expect_login()
        if not getattr(transport, "handshaking", False):
            transport.write(capabilities.greeting(self))

    def handshakeCompleted(self) -> None:
        """Greet, if TLS came first: what is offered may depend on the client's certificate."""
        if not self.startedTLS and not self._closing:
            self.transport.write(capabilities.greeting(self))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything that the connection held."""
        self._closing = True
        self.state = "logout"
        self._disarm()
        counted_as, self._counted_as = self._counted_as, None
        if counted_as is not None:
            self.door.counts.release(counted_as)
        if self.factory is not None:
            self.factory.left(self)
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        if self.spliced is None:
            self.forget_arriving()
            self.end_errands()
            if self.mbox is not None:
                self.forsake_mailbox()
        else:
            self.end_relay("the client broke off")
        self.door.live.leave(self)
        logout, self._onLogout = self._onLogout, None
        if logout is not None:
            logout()
        # The reader knows us too: without this every session would wait for the garbage collector.
        self.reader = None

    # -- bytes in ----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take bytes as they come; commands run as soon as they are whole."""
        if self._closing:
            return
        if self.spliced is not None:
            self.relay_client(data)
            return
        reader = self.reader
        if reader is None:
            if self._running is None and self.state == "unauth" and begins_with_login(self, data):
                return
            reader = self._new_reader()
        reader.feed(data)
        if self.state != "unauth":
            self._last_input = self.door.clock()
        if self._line_wanted is not None:
            self._offer_line()
        self._pump()
        if not self._paused and self._running and reader.buffered > self.door.limits.queue:
            self._paused = True
            self.transport.pauseProducing()

    def _new_reader(self) -> CommandReader:
        door = self.door
        limits = door.before_login if self.state == "unauth" else door.after_login
        reader = self.reader = CommandReader(limits, self.ask_literal)
        reader.utf8 = self.utf8
        return reader

    def _pump(self) -> None:
        """Run whole commands, one after another, until one has to wait."""
        if self._pumping:
            return
        self._pumping = True
        reader = self.reader
        try:
            while reader is not None and reader.buffered and self._running is None:
                if self._closing or self._held_back:
                    break
                event = reader.next()
                if event is None:
                    break
                if event.__class__ is Command:
                    self._dispatch(event)
                else:
                    self._odd_event(event)
                if self._produced >= FLUSH_AT:
                    self._flush()
        finally:
            self._pumping = False
            self._flush()
        if self._running is None or self._line_wanted is not None:
            self._read_on()

    def _read_on(self) -> None:
        """Take bytes from the client again, if none were taken for a while."""
        if self._paused and not self._held_back and not self._closing:
            self._paused = False
            self.transport.resumeProducing()

    def _odd_event(self, event: Any) -> None:
        if isinstance(event, Piece):
            self.take_piece(event)
        elif isinstance(event, Continuation):
            self.write(FEEDBACK)
        elif isinstance(event, Malformed):
            self.forget_arriving()
            self._refuse(event.tag, event.reason)
        elif isinstance(event, Rejected):
            self.forget_arriving()
            self.write(render(event.tag, event.status))
        elif isinstance(event, Fatal):
            self.door.notes.note("fatal input", f"{self.session_id} {self.peer}: {event.reason}")
            self._bye(bye(event.reason, event.code))

    def ask_literal(
        self, tag: bytes, name: bytes, head: bytes, size: int, sync: bool, binary: bool
    ) -> Verdict:
        """Accept a literal before its bytes come, or say why not."""
        spec = self.door.table.find(self.state, name)
        if spec is None and not legacy.has(self, name):
            ended = self.why_ended(name)
            known = self.door.table.knows(name)
            return ended or bad("Not now." if known else "Unknown command.")
        if name == b"APPEND" and self.state != "unauth":
            return self.judge_append(tag, size, binary)
        return None

    # -- one command -------------------------------------------------------------------------

    def _dispatch(self, command: Command) -> None:
        spec = self.door.table.find(self.state, command.name)
        if spec is None:
            if legacy.has(self, command.name):
                legacy.run(self, command)
                return
            self._not_now(command)
            return
        try:
            arguments = spec.grammar(command)
            if spec.quick is not None and spec.quick(self, command.tag, *arguments):
                return
            work = spec.handler(self, *arguments)
        except WireError as error:
            self.forget_arriving()
            if not isinstance(error, MalformedName):
                self._refuse(command.tag, error.public)
                return
            work = mailboxes.misnamed(self, spec.name, error)
        if self.mbox is not None:
            work = self.reporting(spec.name, work)
        self.run(command.tag, work)  # type: ignore[arg-type]

    def _not_now(self, command: Command) -> None:
        ended = self.why_ended(command.name)
        if ended is not None:
            self.write(render(command.tag, ended))
            return
        known = self.door.table.knows(command.name)
        self._refuse(command.tag, "Not allowed now." if known else "Unknown command.")

    def _refuse(self, tag: bytes | None, reason: str) -> None:
        self.write(render(tag, bad(reason)))
        self._count_bad()

    def run(self, tag: bytes, work: Coroutine[Any, Any, Answer]) -> None:
        """Carry out one command; its answer is written when it is there."""
        self._running = tag
        waiting = start(work, self.answer, self._failed)
        if waiting is not None and self._running is tag:
            self._work = waiting

    def wait_for(self, tag: bytes, work: Any) -> None:
        """Leave one command to something that can be cancelled, and will `answer`."""
        self._running, self._work = tag, work

    def answer(self, answer: Answer) -> None:
        """Answer the command that runs, and go on."""
        tag = self._running or b"*"
        self._running = self._work = None
        if self._closing:
            return
        if answer.__class__ is bytes:
            self.write(b"%b %b" % (tag, answer))
        else:
            self.write(render(tag, cast(Status, answer)))
        after, self._after = self._after, None
        if after is not None:
            if self._out:
                self._flush()
            after()
        if self.reader is not None or self._paused:
            self._pump()

    def _failed(self, error: BaseException) -> None:
        if self._closing:
            self._running = self._work = None
            return
        status = answers.status_of(error, self)
        malformed = status.kind == "BAD"
        self.answer(status)
        if malformed:
            self._count_bad()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do ``action`` once the answer of the running command is on its way."""
        self._after = action

    def _count_bad(self) -> None:
        self.bad_commands += 1
        if self.bad_commands >= self.door.limits.bad_commands and not self._closing:
            self.door.notes.note("bad commands", f"{self.session_id} {self.peer}: too many")
            self._bye(bye("Too many bad commands."))

    # -- the end --------------------------------------------------------------------

    def _bye(self, status: Status) -> None:
        """Send an untagged BYE and close."""
        if not self._closing:
            # Inside a literal the words would be taken for its content.
            if not self._unfinished:
                self.write(render(None, status))
            self.close()

    def say_bye(self, text: str) -> None:
        """End the session from outside, say because the server stops."""
        self._bye(bye(text))

    def close(self) -> None:
        """Send what is written and close; no command runs any more."""
        if self._closing:
            return
        self._flush()
        self._closing = True
        self.state = "logout"
        self._disarm()
        self.end_relay("ended here")
        self.door.live.leave(self)
        self.end_errands()
        if self._registered:
            self._registered = False
            self.transport.unregisterProducer()
        self.transport.loseConnection()

    # -- states ------------------------------------------------------------------------------

    def authenticated(self, user: str, account: Any, logout: Callable[[], None] | None) -> None:
        """Enter the authenticated state; what belongs to it is made only now."""
        self.user = user
        self.account = account
        self._onLogout = logout
        self.state = "auth"
        self._expect_life()
        if self.reader is not None:
            self.reader.limits = self.door.after_login
        self.door.live.join(self)

    def enable(self, names: Iterable[str]) -> None:
        """Switch extensions on, once and for all (RFC 5161)."""
        self.enabled |= frozenset(names)
        self.rev2 = IMAP4REV2 in self.enabled
        self.utf8 = self.rev2 or UTF8_ACCEPT in self.enabled
        if condstore.CONDSTORE in self.enabled and not self.condstore:
            self.condstore = True
            condstore.begin(self)
        if self.reader is not None:
            self.reader.utf8 = self.utf8

    def start_tls(self) -> None:
        """Begin TLS; whatever was learnt or sent in the clear is forgotten (RFC 3501, 6.2.1)."""
        if self.reader is not None:
            self.reader.clear()
        self.forget_introduction()
        self.secure = self.startedTLS = True
        self.transport.startTLS(self.door.tls)
