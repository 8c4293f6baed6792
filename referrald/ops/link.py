"""The cheapest way between a socket and a session: a transport that sends at once.

Twisted's own TCP transport queues every write for the next turn of the reactor, which costs four
``epoll_ctl`` calls for each answer; its TLS runs through memory buffers beside the socket. `Link`
sends when there is something to send and drives TLS on the socket itself. It provides what a
session uses of `ITCPTransport` and `ITLSTransport`.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet import error, main
from twisted.internet.interfaces import (
    ILoggingContext,
    IReadWriteDescriptor,
    ITCPTransport,
    ITLSTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.ops.facts import SocketFacts
from referrald.ops.failures import failure_of
from referrald.ops.hub import Hub
from referrald.ops.securing import READ_SIZE, Bytes, TlsSide

FULL = 65_536
"""Bytes waiting to be sent at which a registered producer is told to pause."""

LINGER = 2.0
"""Seconds that a closed connection still takes the peer's bytes, lest a reset overtake our last."""

MOST_READ = 262_144
"""Bytes read at a time from a peer that sends faster than it is read."""

NODELAY_INHERITED = sys.platform == "linux"
"""An accepted socket has the option from the listening one, where `listen` has set it."""

DONE = failure_of(main.CONNECTION_DONE)
"""The end of every connection that was closed in order."""

READ_ON = object()

WOULD_BLOCK = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.ENOBUFS, errno.EINTR})


@implementer(ITCPTransport, ITLSTransport, IReadWriteDescriptor, ILoggingContext)
class Link(TlsSide, SocketFacts):
    """One accepted TCP connection.

    client: the client's address as the socket gave it. secure: TLS is in use. handshaking: TLS has
    begun and is not yet agreed on; what is written meanwhile is sent after it, and the protocol's
    ``handshakeCompleted`` is called.
    """

    __slots__ = (
        "__weakref__",
        "_closing",
        "_fd",
        "_linger_call",
        "_lingering",
        "_paused",
        "_pour",
        "_producer",
        "_producer_paused",
        "_queue",
        "_queued",
        "_read_size",
        "_writing",
        "client",
        "connected",
        "disconnected",
        "protocol",
        "reactor",
        "report",
        "socket",
    )

    disconnecting = property(lambda self: self._closing)

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        client: tuple[Any, ...],
        server: Any,
        number: int,
        reactor: Any,
        *,
        tls: Any = None,
        report: Callable[[str, str], None] | None = None,
    ) -> None:
        if sock.gettimeout() != 0:
            sock.setblocking(False)
        if not NODELAY_INHERITED:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.protocol = protocol
        self.reactor = reactor
        self.report = report
        self.connected = 1
        self.disconnected = 0
        self.secure = self.handshaking = False
        self._fd = sock.fileno()
        self.client = client
        self._queue: list[Bytes] | None = None
        self._queued = 0
        self._read_size = READ_SIZE
        self._writing = self._paused = self._closing = self._lingering = False
        self._producer: Any = None
        self._linger_call: Any = None
        self._producer_paused = False
        self._tls: Any = None
        self._pending_tls: Any = None
        self._certificate: Any = None
        self._pour = 0
        if tls is not None:
            self._begin_tls(tls)
        if reactor.__class__ is Hub:
            reactor.take(self._fd, self)
        else:
            reactor.addReader(self)

    # -- for the reactor ---------------------------------------------------------------------

    def fileno(self) -> int:
        """Give the file descriptor, -1 when closed."""
        return self._fd

    def logPrefix(self) -> str:
        """Name the protocol in Twisted's log."""
        return type(self.protocol).__name__

    def doRead(self) -> Any:
        """Take what has come."""
        if self._tls is not None:
            return self._read_tls()
        if self._pour:
            ended = self._pour_on()
            if ended is not READ_ON:
                return ended
        size = self._read_size
        try:
            data = self.socket.recv(size)
        except OSError as fault:
            return None if fault.errno in WOULD_BLOCK else self._broken(fault)
        if not data:
            self._input_ended()
            return None
        if size != READ_SIZE or len(data) == size:
            # Who sends much gets more room, as long as it does.
            self._read_size = min(4 * size, MOST_READ) if len(data) == size else READ_SIZE
        if not self._lingering:
            self.protocol.dataReceived(data)
        return None

    def _pour_on(self) -> Any:
        """Send what has come past the protocol, as `HomeLink` does; `READ_ON` when that is over."""
        return READ_ON

    def _input_ended(self) -> None:
        """End, unless the protocol has something to say yet."""
        stays = None if self._closing else getattr(self.protocol, "inputEnded", None)
        if stays is not None and stays():
            self.pauseProducing()
        else:
            self.connectionLost(DONE)

    def _broken(self, fault: OSError) -> Any:
        """Say what a reader's fault means; `HomeLink` knows more of them."""
        return main.CONNECTION_LOST

    def doWrite(self) -> Any:
        """Send what waits."""
        if self.handshaking:
            self._stop_writing()
            return self._shake_hands()
        queue = self._queue
        if queue:
            data = queue[0] if len(queue) == 1 else b"".join(queue)
            sent = self._send(data)
            if sent < 0:
                return main.CONNECTION_LOST
            self._queued = len(data) - sent
            self._queue = [memoryview(data)[sent:]] if self._queued else None
        if self._queue:
            self._start_writing()
            return None
        self._stop_writing()
        if self._pending_tls is not None:
            pending, self._pending_tls = self._pending_tls, None
            self._begin_tls(pending)
            return None
        if self._closing:
            return self._shut_down()
        if self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        return None

    def _send(self, data: Bytes) -> int:
        """Send as much as goes; gives how much, -1 when the connection is broken."""
        if self._tls is None:
            try:
                return self.socket.send(data)
            except OSError as fault:
                return 0 if fault.errno in WOULD_BLOCK else -1
        return self._send_tls(data)

    def _start_writing(self) -> None:
        if not self._writing:
            self._writing = True
            self.reactor.addWriter(self)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self.reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol, once."""
        if self.disconnected:
            return
        self.disconnected = 1
        self.connected = 0
        self._closing = True
        if self.reactor.__class__ is Hub:
            self.reactor.forget(self._fd)
        else:
            self.reactor.removeReader(self)
            self._stop_writing()
        self._tls = self._queue = self._producer = None
        self._fd = -1
        if self._linger_call is not None:
            self._linger_call.cancel()
        self.socket.close()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)

    # -- for the protocol --------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send at once as much as the socket takes; keep the rest."""
        if self._closing or not data:
            return
        if self._queue is not None or self.handshaking:
            self._keep(data)
            return
        if self._tls is None:
            try:
                sent = self.socket.send(data)
            except OSError as fault:
                sent = 0 if fault.errno in WOULD_BLOCK else -1
        else:
            sent = self._send_tls(data)
        if sent < 0:
            self._closing = True
            self._lose_soon(error.ConnectionLost())
        elif sent < len(data):
            self._keep(memoryview(data)[sent:])
            self._start_writing()

    def send_now(self, data: memoryview) -> int:
        """Send what goes at once of bytes that will not stay; give how many need not be kept."""
        if self._closing:
            return len(data)
        if self._queue is not None or self.handshaking:
            return 0
        # Whoever writes the rest finds that a connection is broken.
        return max(self._send(data), 0)

    def _keep(self, data: Bytes) -> None:
        if self._queue is None:
            self._queue = []
        self._queue.append(data)
        self._queued += len(data)
        if self._queued > FULL and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Send what waits, then close."""
        if self._closing:
            return
        self._closing = True
        if self.handshaking and not self._queue:
            self._lose_soon(error.ConnectionDone())
        elif not self._queue:
            self.reactor.callLater(0, self._close_now)

    def _close_now(self) -> None:
        if not self.disconnected:
            ended = self._shut_down()
            if ended is not None:
                self.connectionLost(failure_of(ended))

    def _shut_down(self) -> Any:
        """End our side; go on reading for a moment.

        A socket that is closed with unread bytes in it sends a reset, which can overtake the last
        answer.
        """
        if self._lingering:
            return None
        self._lingering = True
        if self._paused:
            self.resumeProducing()
        try:
            if self._tls is not None:
                self._tls.shutdown()
            self.socket.shutdown(socket.SHUT_WR)
        except (SSL.Error, OSError):
            return main.CONNECTION_DONE
        self._await_end()
        return None

    def _await_end(self) -> None:
        self._linger_call = self.reactor.callLater(LINGER, self._linger_over)

    def _linger_over(self) -> None:
        self._linger_call = None
        self.connectionLost(failure_of(error.ConnectionDone()))

    def abortConnection(self) -> None:
        """Close at once and drop what waits."""
        if self.disconnected:
            return
        self._closing = True
        self._queue = None
        try:
            linger = struct.pack("ii", 1, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except OSError:
            pass
        self._lose_soon(error.ConnectionAborted())

    def _lose_soon(self, reason: Exception) -> None:
        """Lose the connection outside of whatever the protocol is doing now."""
        self.reactor.callLater(0, self.connectionLost, failure_of(reason))

    def loseWriteConnection(self) -> None:
        """Close: IMAP knows no half of a connection."""
        self.loseConnection()

    def pauseProducing(self) -> None:
        """Read no more for now."""
        if not self._paused and not self.disconnected:
            self._paused = True
            self.reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """Read again, what TLS holds already too."""
        if not self._paused or self.disconnected:
            return
        self._paused = False
        self.reactor.addReader(self)
        if self._tls is not None and not self.handshaking and self._tls.pending():
            self.reactor.callLater(0, self._read_held)

    def _read_held(self) -> None:
        if self.disconnected or self._paused:
            return
        ended = self._read_tls()
        if ended is not None:
            self.connectionLost(failure_of(ended))

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell ``producer`` when too much waits to be sent."""
        if not streaming:
            raise ValueError("only push producers are known here")
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Tell nobody."""
        self._producer = None
        self._producer_paused = False
