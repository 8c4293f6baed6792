"""One connection to an IMAP server, from the client's side: greeting, commands, TLS, login.

Commands run one after another. What the server offers is asked of each connection, and forgotten
when TLS begins (RFC 3501 section 6.2.1).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from referrald.client.replies import (
    Argument,
    ConnectionEnded,
    Literal,
    NotAccepted,
    Reply,
    as_bytes,
    text_argument,
)
from referrald.errors import ReferraldError
from referrald.wire.responses import BrokenResponse, Response, ResponseReader

SLOWEST: Final = 65_536
"""Bytes a second at which a server has to take a message: so much longer is waited for its answer.
"""

SMALL_LITERAL: Final = 4096
"""Bytes that LITERAL- lets a client send unasked (RFC 7888 section 5)."""


class ImapConnection(Protocol):
    """A connection; ``secure`` says whether TLS protects it.

    capabilities: in upper case; offered: the same as the server wrote them, in its order.
    clock: keeps the time. patience: seconds to wait for an answer. hide: blots out credentials in
    what the server says, see `SecretWords`.
    """

    transport: Any

    def __init__(
        self, clock: IReactorTime, *, secure: bool = False, patience: float = 30.0
    ) -> None:
        self.clock: Any = clock
        self.secure = secure
        self.patience = patience
        self.capabilities: frozenset[str] = frozenset()
        self.offered: tuple[str, ...] = ()
        self.user = ""
        self.on_untagged: Callable[[Response], None] | None = None
        self.ended: ConnectionEnded | None = None
        self._reader = ResponseReader()
        self._lock = DeferredLock()
        self._number = 0
        self._tag: bytes | None = b"*"
        self._untagged: list[Response] = []
        self._waiting: Deferred[Response] | None = None
        self._arrived: list[Response] = []
        self._bye = b""
        self.hide: Callable[[str], str] = str
        self._successor: Any = None

    # -- bytes in ----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take what the server sends."""
        if self._successor is not None:
            self._successor.dataReceived(data)
            return
        if self.ended is not None:
            return
        self._reader.feed(data)
        try:
            while self.ended is None and (response := self._reader.next()) is not None:
                self._take(response)
        except BrokenResponse as error:
            self._end(f"answered what is no IMAP: {error}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End whatever is awaited."""
        if self._successor is not None:
            self._successor.connectionLost(reason)
            return
        said = self.hide(self._bye.decode("utf-8", "replace"))[:200]
        if not said and not isinstance(reason.value, ConnectionDone):
            # Such as a certificate that does not fit.
            said = " ".join(str(reason.value).split()) or type(reason.value).__name__
        self._end(f"closed the connection{': ' if said else ''}{said}", reason.value)

    def _end(self, why: str, cause: BaseException | None = None) -> None:
        """End; a cause such as a bad certificate is kept for those who look behind the words."""
        if self.ended is None:
            self.ended = ConnectionEnded(why)
            self.ended.__cause__ = cause
            self.transport.abortConnection()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self.ended)

    def _take(self, response: Response) -> None:
        if response.tag == b"*":
            self._learn(response)
            if self._tag != b"*":
                self._note(response)
                return
            self._tag = None  # the greeting
        elif response.tag not in (b"+", self._tag):
            raise BrokenResponse("a tag that was never sent")
        self._deliver(response)

    def _note(self, response: Response) -> None:
        if response.kind == b"BYE":
            self._bye = response.text
        if self.on_untagged is not None:
            self.on_untagged(response)
        elif self._tag is not None:
            self._untagged.append(response)

    def _learn(self, response: Response) -> None:
        listed = response.text if response.kind == b"CAPABILITY" else response.code(b"CAPABILITY")
        if listed is not None:
            self.offered = tuple(listed.decode("ascii", "replace").split())
            self.capabilities = frozenset(name.upper() for name in self.offered)

    def _deliver(self, response: Response) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            self._arrived.append(response)
        else:
            waiting.callback(response)

    async def _response(self, patience: float | None = None) -> Response:
        """Wait for a continuation request or the answer; raises `ConnectionEnded`."""
        patience = self.patience if patience is None else patience
        if self._arrived:
            return self._arrived.pop(0)
        if self.ended is not None:
            raise ConnectionEnded(str(self.ended)) from self.ended
        waiting: Deferred[Response] = Deferred()
        self._waiting = waiting
        overdue: list[bool] = []

        def give_up() -> None:
            overdue.append(True)
            waiting.cancel()

        call = self.clock.callLater(patience, give_up)
        try:
            return await waiting
        except CancelledError:
            self._waiting = None
            if not overdue:
                # Nobody waits for this any more: it says nothing of the server.
                self._end("was given up by us")
                raise
            self._end(f"did not answer within {patience:g} s")
            raise ConnectionEnded(str(self.ended)) from None
        finally:
            if call.active():
                call.cancel()

    # -- commands ----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while a command is under way."""
        return self._tag is not None

    async def greeting(self) -> Reply:
        """Wait for the greeting: ``OK``, ``PREAUTH`` or ``BYE``; once, before anything else."""
        response = await self._response()
        if not response.is_status:
            self._end("did not greet")
            raise ConnectionEnded("did not greet")
        return Reply(kind=response.kind.decode("ascii"), text=response.text)

    async def command(self, name: str, *arguments: Argument) -> Reply:
        """Carry out a command; raises `ConnectionEnded`. A NO or BAD is a reply like any other."""
        return await self._run(name, arguments, None)

    async def _run(
        self,
        name: str,
        arguments: Sequence[Argument],
        respond: Callable[[bytes], bytes] | None,
    ) -> Reply:
        await self._lock.acquire()
        try:
            return await self._exchange(name, arguments, respond)
        finally:
            self._tag = None
            self._lock.release()

    async def _exchange(
        self,
        name: str,
        arguments: Sequence[Argument],
        respond: Callable[[bytes], bytes] | None,
    ) -> Reply:
        self._number += 1
        self._tag = b"a%d" % self._number
        self._untagged.clear()
        self._arrived.clear()
        line = b"%b %b" % (self._tag, name.encode("ascii"))
        size = 0
        for argument in arguments:
            if isinstance(argument, Literal):
                size += len(argument.value)
                early = await self._announce(line, argument.value)
                if early is not None:
                    return self._reply(early)
                line = argument.value
            else:
                line += b" " + argument
        self._send(line + b"\r\n")
        while True:
            response = await self._response(self.patience + size / SLOWEST)
            if response.tag != b"+":
                return self._reply(response)
            said = b"*" if respond is None else respond(response.segments[0])
            self._send(said + b"\r\n")

    async def _announce(self, line: bytes, value: bytes) -> Response | None:
        """Send a line up to a literal; give the answer where the server does not want that."""
        unasked = "LITERAL+" in self.capabilities or (
            "LITERAL-" in self.capabilities and len(value) <= SMALL_LITERAL
        )
        self._send(b"%b {%d%b}\r\n" % (line, len(value), b"+" if unasked else b""))
        if unasked:
            return None
        response = await self._response()
        return None if response.tag == b"+" else response

    def _reply(self, response: Response) -> Reply:
        self._learn(response)
        kind = response.kind
        if kind not in (b"OK", b"NO", b"BAD"):
            self._end("answered with what is no status")
            raise ConnectionEnded("answered with what is no status")
        untagged, self._untagged = tuple(self._untagged), []
        return Reply(kind=kind.decode("ascii"), text=response.text, untagged=untagged)

    def _send(self, data: bytes) -> None:
        if self.ended is not None:
            raise ConnectionEnded(str(self.ended)) from self.ended
        self.transport.write(data)

    # -- what every session begins with ----------------------------------------------------------

    async def ask_capabilities(self) -> frozenset[str]:
        """Give what the server offers now, asking where it has not said so by itself."""
        if not self.capabilities:
            await self.command("CAPABILITY")
        return self.capabilities

    async def start_tls(self, options: Any) -> None:
        """Begin TLS; raises `NotAccepted`. What was learnt in the clear is forgotten."""
        reply = await self.command("STARTTLS")
        if not reply.ok:
            raise NotAccepted(reply)
        if self._reader.buffered or self._arrived:
            # Somebody between us and the server may have put it there (RFC 3501 section 6.2.1).
            self._end("sent something behind its answer to STARTTLS")
            raise ConnectionEnded("sent something behind its answer to STARTTLS")
        self.capabilities = frozenset()
        self.transport.startTLS(options)
        self.secure = True

    async def login(self, user: str, password: str | bytes, authzid: str = "") -> Reply:
        """Log in with a password: AUTHENTICATE PLAIN where that is offered, else LOGIN."""
        offered = await self.ask_capabilities()
        # A password that was no UTF-8 when it came is sent as it came.
        raw = as_bytes(password)
        if "AUTH=PLAIN" in offered:
            parts = (as_bytes(authzid), as_bytes(user), raw)
            reply = await self.authenticate("PLAIN", b"\0".join(parts))
        elif authzid or "LOGINDISABLED" in offered:
            raise NotAccepted(Reply(kind="NO", text=b"no way to log in is offered"))
        else:
            self.capabilities = frozenset()
            reply = await self.command("LOGIN", text_argument(user), text_argument(raw))
        return self._logged_in(reply, authzid or user)

    async def bearer(self, user: str, token: str) -> Reply:
        """Log in with a token: OAUTHBEARER (RFC 7628), else XOAUTH2."""
        offered = await self.ask_capabilities()
        if "AUTH=OAUTHBEARER" in offered:
            message = f"n,a={_sasl_name(user)},\x01auth=Bearer {token}\x01\x01"
            reply = await self.authenticate("OAUTHBEARER", message.encode("utf-8"), b"\x01")
        elif "AUTH=XOAUTH2" in offered:
            message = f"user={user}\x01auth=Bearer {token}\x01\x01"
            reply = await self.authenticate("XOAUTH2", message.encode("utf-8"), b"")
        else:
            raise NotAccepted(Reply(kind="NO", text=b"no mechanism for tokens is offered"))
        return self._logged_in(reply, user)

    async def authenticate(self, mechanism: str, message: bytes, on_error: bytes = b"") -> Reply:
        """Carry out a mechanism whose client speaks once, before the server does.

        on_error: what a further challenge, which tells what went wrong, is answered with.
        """
        initial = "SASL-IR" in await self.ask_capabilities()
        answers = [on_error] if initial else [message, on_error]

        def respond(challenge: bytes) -> bytes:
            # Whatever the challenge says, there is but one thing to say.
            return b64encode(answers.pop(0)) if answers else b"*"

        arguments: list[Argument] = [mechanism.encode("ascii")]
        if initial:
            arguments.append(b64encode(message) or b"=")
        self.capabilities = frozenset()
        return await self._run("AUTHENTICATE", arguments, respond)

    def _logged_in(self, reply: Reply, user: str) -> Reply:
        if reply.ok:
            self.user = user
        return reply

    def hand_over(self, protocol: Any) -> None:
        """Let another protocol go on with the connection, as it is."""
        self._successor = protocol
        if getattr(self.transport, "protocol", None) is self:
            self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        rest = self._reader.rest()
        if rest:
            protocol.dataReceived(rest)

    async def logout(self) -> None:
        """Say good-bye; never raises."""
        with suppress(ReferraldError):
            await self.command("LOGOUT")
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self.ended is None:
            self.ended = ConnectionEnded("was closed by us")
            self.transport.loseConnection()


def _sasl_name(user: str) -> str:
    """Write a name as GS2 has it (RFC 5801 section 4)."""
    return user.replace("=", "=3D").replace(",", "=2C")
