"""A scripted home server, the same one behind every relay that is measured.

    python -m benchmarks.home CLEAR_PORT TLS_PORT --cert FILE --key FILE

It takes any user, answers every command with OK, and FETCH with a literal: of 16 MB for the first
message, of 1 MB for any other. It listens on
127.0.0.1 and prints READY when both ports are open. It knows literals as far as a login needs them.
"""

from __future__ import annotations

import argparse
import resource
import select
import socket
import ssl
import sys
from contextlib import suppress

LITERAL = 16 * 1024 * 1024
SMALL_LITERAL = 1024 * 1024
CAPABILITY = b"IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN"
GREETING = b"* OK [CAPABILITY " + CAPABILITY + b"] Ready.\r\n"
LOGGED_IN = b" OK [CAPABILITY " + CAPABILITY + b"] Logged in.\r\n"
CHUNK = memoryview(b"x" * 262_144)
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Session:
    """One connection from a relay."""

    __slots__ = ("begun", "buffer", "handshaking", "left", "sock", "tag")

    def __init__(self, sock: socket.socket, tls: bool) -> None:
        self.sock = sock
        self.handshaking = tls
        self.buffer = b""
        self.begun = b""
        self.tag = b""
        self.left = 0
        if not tls:
            with suppress(OSError):
                self.sock.send(GREETING)

    def ready(self, home: Home) -> bool:
        """Go on as far as the socket lets; False when it is over."""
        try:
            if self.handshaking:
                assert isinstance(self.sock, ssl.SSLSocket)
                self.sock.do_handshake()
                self.handshaking = False
                self.sock.send(GREETING)
            if self.left:
                self.pump(home)
            data = self.sock.recv(16_384)
            if data:
                self.take(data, home)
            return bool(data)
        except WOULD_BLOCK:
            return True
        except OSError:
            return False

    def take(self, data: bytes, home: Home) -> None:
        """Answer the lines that are whole."""
        *lines, self.buffer = (self.buffer + data).split(b"\r\n")
        for line in lines:
            if line.endswith(b"}"):
                self.begun += line
                if not line.endswith(b"+}"):
                    self.sock.send(b"+ OK\r\n")
            else:
                whole, self.begun = self.begun + line, b""
                self.answer(whole, home)

    def answer(self, line: bytes, home: Home) -> None:
        """Answer one command."""
        tag, _, rest = line.partition(b" ")
        name = rest[:5].upper()
        if name in (b"LOGIN", b"AUTHE"):
            self.sock.send(tag + LOGGED_IN)
        elif name == b"FETCH":
            message = rest.split()[1]
            self.tag, self.left = tag, LITERAL if message == b"1" else SMALL_LITERAL
            self.sock.send(b"* %b FETCH (BODY[] {%d}\r\n" % (message, self.left))
            with suppress(*WOULD_BLOCK):
                self.pump(home)
        elif name == b"CAPAB":
            self.sock.send(b"* CAPABILITY " + CAPABILITY + b"\r\n" + tag + b" OK Done.\r\n")
        elif name == b"LOGOU":
            self.sock.send(b"* BYE\r\n" + tag + b" OK Done.\r\n")
        else:
            self.sock.send(tag + b" OK Done.\r\n")

    def pump(self, home: Home) -> None:
        """Send of the literal what goes; raises one of `WOULD_BLOCK` when the rest has to wait."""
        home.epoll.modify(self.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        while self.left:
            self.left -= self.sock.send(CHUNK[: self.left])
        home.epoll.modify(self.sock.fileno(), select.EPOLLIN)
        self.sock.send(b")\r\n" + self.tag + b" OK Fetch completed.\r\n")


class Home:
    """Both ports and all sessions."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.epoll = select.epoll()
        self.sessions: dict[int, Session] = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(options.cert, options.key)
        self.listening: dict[int, tuple[socket.socket, bool]] = {}
        for port, tls in ((options.clear, False), (options.tls, True)):
            sock = socket.create_server(("127.0.0.1", port), backlog=4096)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.listening[sock.fileno()] = (sock, tls)
            self.epoll.register(sock.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until killed."""
        while True:
            for number, _ in self.epoll.poll():
                session = self.sessions.get(number)
                if session is None:
                    self.accept(*self.listening[number])
                elif not session.ready(self):
                    del self.sessions[number]
                    session.sock.close()

    def accept(self, listener: socket.socket, tls: bool) -> None:
        """Take all connections that wait."""
        with suppress(BlockingIOError):
            while True:
                sock, _ = listener.accept()
                sock.setblocking(False)
                if tls:
                    sock = self.context.wrap_socket(
                        sock, server_side=True, do_handshake_on_connect=False
                    )
                self.sessions[sock.fileno()] = Session(sock, tls)
                self.epoll.register(sock.fileno(), select.EPOLLIN)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clear", type=int)
    parser.add_argument("tls", type=int)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    home = Home(options)
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    home.run()


if __name__ == "__main__":
    main()
