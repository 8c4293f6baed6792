"""The load of sessions that are logged in: NOOP over and over, big FETCHes, or nothing at all.

    python -m benchmarks.sessions noop PORT --seconds 3 --concurrency 16
    python -m benchmarks.sessions fetch PORT --seconds 3 [--tls] [--mailbox Big --message 2]
    python -m benchmarks.sessions idle PORT --count 2000 [--tls]

``noop`` and ``fetch`` print START when all are logged in and warm, then one line of JSON. ``idle``
prints READY when all are logged in, and holds them until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import socket
import ssl
import sys
import time
from typing import Any

BIG = 262_144


def open_session(options: argparse.Namespace, number: int) -> Any:
    """Connect, log in and wait for the answer."""
    sock: Any = socket.create_connection(("127.0.0.1", options.port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    sock.recv(4096)
    sock.sendall(b"a LOGIN %b%d pass\r\n" % (options.user.encode(), number % options.users))
    answer = b""
    while b"\r\na " not in b"\r\n" + answer or not answer.endswith(b"\r\n"):
        data = sock.recv(4096)
        answer += data
        if not data:
            raise RuntimeError(f"no login: {answer!r}")
    if b"\r\na OK" not in b"\r\n" + answer:
        raise RuntimeError(f"no login: {answer!r}")
    return sock


def start() -> float:
    """Tell that the measuring begins now."""
    sys.stdout.write("START\n")
    sys.stdout.flush()
    return time.perf_counter()


def noop(options: argparse.Namespace) -> dict[str, float]:
    """Have each session send NOOP as soon as the last one is answered."""
    epoll = select.epoll()
    sessions = {}
    for number in range(options.concurrency):
        sock = open_session(options, number)
        sessions[sock.fileno()] = sock
        epoll.register(sock.fileno(), select.EPOLLIN)
        sock.sendall(b"n NOOP\r\n")
    _turn(epoll, sessions, options.warmup)
    began = start()
    count = _turn(epoll, sessions, options.seconds)
    return {"count": count, "seconds": time.perf_counter() - began}


def _turn(epoll: Any, sessions: dict[int, Any], seconds: float) -> int:
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for number, _ in epoll.poll(1):
            sock = sessions[number]
            if not sock.recv(4096).endswith(b"\r\n"):
                raise RuntimeError("half an answer")
            sock.send(b"n NOOP\r\n")
            count += 1
    return count


def fetch(options: argparse.Namespace) -> dict[str, float]:
    """Fetch a big message again and again on one session."""
    sock = open_session(options, 0)
    if options.mailbox:
        sock.sendall(b"s SELECT %b\r\n" % options.mailbox.encode("ascii"))
        answer = b""
        while b"\r\ns " not in b"\r\n" + answer or not answer.endswith(b"\r\n"):
            answer += sock.recv(4096)
        if b"\r\ns OK" not in b"\r\n" + answer:
            raise RuntimeError(f"no mailbox: {answer!r}")
    command = b"f FETCH %d BODY[]\r\n" % options.message
    buffer = memoryview(bytearray(BIG))
    _fetch_for(sock, buffer, command, options.warmup)
    began = start()
    size, count = _fetch_for(sock, buffer, command, options.seconds)
    return {"count": count, "bytes": size, "seconds": time.perf_counter() - began}


def _fetch_for(sock: Any, buffer: memoryview, command: bytes, seconds: float) -> tuple[int, int]:
    total = count = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sock.sendall(command)
        last = b""
        while b"\r\nf OK" not in last or not last.endswith(b"\r\n"):
            size = sock.recv_into(buffer)
            if not size:
                raise RuntimeError("the connection ended")
            last = last[-64:] + bytes(buffer[max(0, size - 64) : size])
            total += size
        count += 1
    return total, count


def idle(options: argparse.Namespace) -> None:
    """Hold sessions until standard input ends."""
    held = [open_session(options, number) for number in range(options.count)]
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    sys.stdin.read()
    for sock in held:
        sock.close()


def main() -> None:
    """Read the command line and make the load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("noop", "fetch", "idle"))
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--user", default="user", help="what the users' names begin with")
    parser.add_argument("--mailbox", default="", help="what is selected before a FETCH")
    parser.add_argument("--message", type=int, default=1, help="which message is fetched")
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.mode == "idle":
        idle(options)
    else:
        result = (noop if options.mode == "noop" else fetch)(options)
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
