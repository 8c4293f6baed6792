"""The load: one process that logs in over and over, or holds connections open.

    python -m benchmarks.load login PORT --seconds 5 --concurrency 16 [--tls]
    python -m benchmarks.load idle PORT --count 2000 [--tls]

``login`` prints one line of JSON. ``idle`` prints READY when all are greeted, and holds them until
its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import resource
import selectors
import socket
import ssl
import sys
import time
from typing import Any

WANTS = {
    ssl.SSL_ERROR_WANT_READ: selectors.EVENT_READ,
    ssl.SSL_ERROR_WANT_WRITE: selectors.EVENT_WRITE,
}


class Connection:
    """One client connection: connect, shake hands, be greeted, log in, be answered."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.began = time.perf_counter()
        self.buffer = b""
        self.stage = "connect"
        self.sock: Any = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex(("127.0.0.1", load.port))
        load.selector.register(self.sock, selectors.EVENT_WRITE, self)

    def ready(self) -> None:
        """Go on as far as the socket lets."""
        try:
            if self.stage == "connect":
                self._connected()
            if self.stage == "handshake":
                self.sock.do_handshake()
                self.stage = "greeting"
            self._wait(selectors.EVENT_READ)
            while True:
                data = self.sock.recv(4096)
                if not data:
                    self.load.finished(self, False)
                    return
                self.buffer += data
                if self._line():
                    return
                if not isinstance(self.sock, ssl.SSLSocket) or not self.sock.pending():
                    return
        except (ssl.SSLWantReadError, BlockingIOError):
            self._wait(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._wait(selectors.EVENT_WRITE)
        except OSError:
            self.load.finished(self, False)

    def _connected(self) -> None:
        self.stage = "greeting"
        if self.load.tls is not None:
            self.load.selector.unregister(self.sock)
            self.sock = self.load.tls.wrap_socket(
                self.sock, server_hostname="localhost", do_handshake_on_connect=False
            )
            self.load.selector.register(self.sock, selectors.EVENT_READ, self)
            self.stage = "handshake"

    def _wait(self, events: int) -> None:
        if self.load.selector.get_key(self.sock).events != events:
            self.load.selector.modify(self.sock, events, self)

    def _line(self) -> bool:
        if not self.buffer.endswith(b"\r\n"):
            return False
        if self.stage == "greeting":
            self.stage = "answer"
            self.buffer = b""
            if self.load.hold:
                self.load.greeted += 1
                return True
            self.load.asked += 1
            user = self.load.asked % self.load.users
            self.sock.send(b"a LOGIN user%d pass\r\n" % user)
            return False
        for line in self.buffer.split(b"\r\n"):
            if line.startswith(b"a "):
                good = line.startswith(self.load.expected)
                if not good and self.load.odd is None:
                    self.load.odd = line[:100].decode("ascii", "replace")
                self.load.finished(self, good)
                return True
        return False


class Load:
    """All the connections of a run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.port: int = options.port
        self.users: int = options.users
        self.first: int = options.first
        self.hold = options.mode == "idle"
        self.expected: bytes = options.expected.encode()
        self.selector = selectors.DefaultSelector()
        self.asked = self.greeted = self.done = self.failed = 0
        self.times: list[float] = []
        self.odd: str | None = None
        self.running = True
        self.tls: ssl.SSLContext | None = None
        if options.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE

    def finished(self, connection: Connection, good: bool) -> None:
        """Count a connection that is over and start the next."""
        self.selector.unregister(connection.sock)
        connection.sock.close()
        self.done += good
        self.failed += not good
        self.times.append(time.perf_counter() - connection.began)
        if self.running:
            Connection(self)

    def turn(self, seconds: float) -> None:
        """Serve the connections for a time."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in self.selector.select(0.1):
                key.data.ready()


def login(load: Load, options: argparse.Namespace) -> None:
    """Log in for a time; tell how often it went well."""
    for _ in range(options.concurrency):
        Connection(load)
    load.turn(options.warmup)
    sys.stdout.write("START\n")
    sys.stdout.flush()
    load.done = load.failed = 0
    load.times.clear()
    load.odd = None
    began = time.perf_counter()
    load.turn(options.seconds)
    took = time.perf_counter() - began
    times = sorted(load.times) or [0.0]
    result = {
        "logins": load.done,
        "failed": load.failed,
        "odd": load.odd,
        "seconds": took,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }
    sys.stdout.write(json.dumps(result) + "\n")


def idle(load: Load, options: argparse.Namespace) -> None:
    """Hold connections until standard input ends."""
    held = []
    while load.greeted < options.count and not load.failed:
        while len(held) < options.count and len(held) - load.greeted < 100:
            held.append(Connection(load))
        load.turn(0.01)
    sys.stdout.write("READY\n" if not load.failed else "FAILED\n")
    sys.stdout.flush()
    sys.stdin.read()


def main() -> None:
    """Read the command line and make the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("login", "idle"))
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--expected", default="a NO [REFERRAL ")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(options)
    (idle if load.hold else login)(load, options)


if __name__ == "__main__":
    main()
