"""The TLS side of a `Link`: OpenSSL on the socket itself, without buffers between them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet import main

from referrald.ops.tls import ShownCertificate, shown

Bytes = bytes | memoryview

READ_SIZE = 16_384
RECORD = 16_384
"""The most that one TLS record holds."""


class TlsSide:
    """What a `Link` does once TLS has begun."""

    __slots__ = ("_asks", "_certificate", "_pending_tls", "_tls", "handshaking", "secure")

    _lingering: bool
    _paused: bool
    _queue: list[Bytes] | None
    _certificate: Any
    _tls: Any
    client: tuple[Any, ...]
    disconnected: int
    doWrite: Callable[[], Any]
    protocol: Any
    report: Callable[[str, str], None] | None
    socket: socket.socket
    _start_writing: Callable[[], None]

    def _read_tls(self) -> Any:
        if self.handshaking:
            ended = self._shake_hands()
            if ended is not None or self.handshaking:
                return ended
        tls = self._tls
        while not self._paused and not self.disconnected:
            try:
                data = tls.recv(READ_SIZE)
            except SSL.WantReadError:
                return None
            except SSL.ZeroReturnError:
                return main.CONNECTION_DONE
            except (SSL.Error, OSError):
                return main.CONNECTION_LOST
            if not self._lingering:
                self.protocol.dataReceived(data)
            if not tls.pending():
                return None
        return None

    def _shake_hands(self) -> Any:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:
            self._start_writing()
            return None
        except (SSL.Error, OSError) as fault:
            return self._unshaken(fault)
        objection = self._objection()
        if objection is not None:
            return objection
        self.handshaking = False
        completed = getattr(self.protocol, "handshakeCompleted", None)
        if completed is not None:
            completed()
        if self._queue:
            return self.doWrite()
        return None

    def _unshaken(self, fault: Exception) -> Any:
        """Report a handshake that failed; gives what the connection ends with."""
        if self.report is not None:
            self.report(str(self.client[0]), _reason(fault))
        return main.CONNECTION_LOST

    def _objection(self) -> Exception | None:
        """Say what is wrong with a peer that has shaken hands; a server takes any."""
        return None

    def _send_tls(self, data: Bytes) -> int:
        """Send as much as goes; gives how much, -1 when the connection is broken."""
        sent = 0
        if len(data) > RECORD:
            data = memoryview(data)
        while sent < len(data):
            try:
                sent += self._tls.send(data[sent : sent + RECORD])
            except (SSL.WantWriteError, SSL.WantReadError):
                return sent
            except (SSL.Error, OSError):
                return -1
        return sent

    def startTLS(self, contextFactory: Any, normal: bool = True) -> None:
        """Begin TLS as a server, after what waits in the clear has gone out."""
        if self._queue:
            self._pending_tls = contextFactory
        else:
            self._begin_tls(contextFactory)

    def _begin_tls(self, holder: Any) -> None:
        context = holder.getContext()
        self._asks = context.get_verify_mode() != SSL.VERIFY_NONE
        self._tls = SSL.Connection(context, self.socket)
        self._tls.set_accept_state()
        self.secure = self.handshaking = True

    def getPeerCertificate(self) -> Any:
        """Give the client's verified certificate (`OpenSSL.crypto.X509`), or None."""
        if self._tls is None or self.handshaking or not self._asks:
            return None
        return self._tls.get_peer_certificate()

    def client_certificate(self) -> ShownCertificate | None:
        """Give the client's verified certificate, or None when it showed none."""
        if self._certificate is None:
            found = self.getPeerCertificate()
            if found is not None:
                self._certificate = shown(found)
        certificate: ShownCertificate | None = self._certificate
        return certificate


def _reason(fault: Exception) -> str:
    """Say in a few words why a handshake failed."""
    if isinstance(fault, SSL.SysCallError):
        return "connection closed during the TLS handshake"
    details = fault.args[0] if fault.args else ""
    if isinstance(details, list) and details:
        return f"TLS handshake failed: {details[0][-1]}"
    return "TLS handshake failed"
