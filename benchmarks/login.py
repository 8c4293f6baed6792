"""CPU and memory of login referrals: referrald beside Dovecot and nginx, in one run.

    python -m benchmarks.login [--rounds 5] [--seconds 4] [--million] [--json FILE]

The server runs on one core and the load on another. Peers take turns in blocks, and medians are
compared: what matters are the ratios, not the figures of this machine. CPU per login is the CPU
time of all processes of a server, divided by the logins completed. Memory per connection is the
growth of their proportional set size between two numbers of held connections.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import twisted
from benchmarks import peers
from benchmarks.peers import Peer
from benchmarks.processes import cpu_seconds, memory_kib
from benchmarks.running import run

LOAD_CORE = 1
HELD = (1000, 5000)
CONCURRENCY = 64
"""Logins under way at a time: enough to keep the server busy."""

TARGETS = (("clear", 0.85, 0.60), ("tls", 0.80, 0.55))


def start_load(mode: str, port: int, *more: str) -> subprocess.Popen[str]:
    """Start the load process on its own core."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.load", mode]
    return subprocess.Popen(
        [*command, str(port), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def login_block(peer: Peer, tls: bool, seconds: float, users: int) -> dict[str, float]:
    """Log in for a time; give µs of server CPU per login and the load's own figures."""
    more = ["--seconds", str(seconds), "--users", str(users), "--concurrency", str(CONCURRENCY)]
    more += ["--tls"] if tls else []
    load = start_load("login", peer.tls if tls else peer.clear, *more)
    assert load.stdout is not None
    load.stdout.readline()
    before = cpu_seconds(peer.pid)
    result: dict[str, float] = json.loads(load.stdout.readline())
    used = cpu_seconds(peer.pid) - before
    load.communicate()
    if result["failed"] or not result["logins"]:
        raise RuntimeError(f"{peer.name}: {result}")
    return result | {"cpu_us": used / result["logins"] * 1e6}


def held_memory(peer: Peer, tls: bool) -> float:
    """Give KiB of server memory for each connection that is held before login."""
    sizes = []
    for count in HELD:
        port = peer.tls if tls else peer.clear
        load = start_load("idle", port, "--count", str(count), *(["--tls"] if tls else []))
        assert load.stdout is not None
        if load.stdout.readline() != "READY\n":
            raise RuntimeError(f"{peer.name}: connections were refused")
        sizes.append(memory_kib(peer.pid))
        load.communicate("")
    return (sizes[1] - sizes[0]) / (HELD[1] - HELD[0])


class Pinger(threading.Thread):
    """A running connection that asks for NOOP again and again, and times the answers."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.recv(4096)
        self.socket.sendall(b"a LOGIN local pass\r\n")
        assert b"a OK" in self.socket.recv(4096)
        self.stopped = False
        self.worst = 0.0

    def run(self) -> None:
        """Ask until told to stop."""
        while not self.stopped:
            began = time.perf_counter()
            self.socket.sendall(b"n NOOP\r\n")
            self.socket.recv(4096)
            self.worst = max(self.worst, time.perf_counter() - began)
            time.sleep(0.0005)


def reload_pause(folder: Path, peer: Peer, users: int) -> tuple[float, float, float]:
    """Change a big table under a running connection.

    Give the longest pause in ms without a change, with one, and the seconds until it was in effect.
    """
    os.sched_setaffinity(peer.pid, range(os.cpu_count() or 1))
    pinger = Pinger(peer.clear)
    pinger.start()
    time.sleep(5)
    quiet, pinger.worst = pinger.worst, 0.0
    table = folder / "users"
    peers.write_users(folder / "new", users)
    with (folder / "new").open("a", encoding="ascii") as file:
        file.write("newcomer:{PLAIN}pass::::::host=new.example nologin\n")
    pinger.worst, began = 0.0, time.monotonic()
    (folder / "new").rename(table)
    while not _knows_newcomer(peer.clear):
        if time.monotonic() - began > 120:
            raise RuntimeError("the new table never came into effect")
        time.sleep(0.5)
    took = time.monotonic() - began
    time.sleep(1)
    worst = pinger.worst
    pinger.stopped = True
    pinger.join()
    return quiet * 1e3, worst * 1e3, took


def _knows_newcomer(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.recv(4096)
        client.sendall(b"a LOGIN newcomer pass\r\n")
        return b"REFERRAL" in client.recv(4096)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run everything; give all figures."""
    cert, key = peers.make_certificate(folder)
    started = [peers.referrald(folder / "small", cert, key, 100)]
    for start in (peers.dovecot, peers.nginx):
        peer = start(folder, cert, key)
        if peer is not None:
            started.append(peer)
    if options.million:
        big = peers.referrald(folder / "big", cert, key, 1_000_000, "referrald, 1M users")
        started.append(big)
    found: dict[str, Any] = {peer.name: {"version": peer.version} for peer in started}
    try:
        for tls in (False, True):
            name = "tls" if tls else "clear"
            runs: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in started}
            for _ in range(options.rounds):
                for peer in started:
                    runs[peer.name].append(login_block(peer, tls, options.seconds, 100))
            for peer in started:
                for figure in ("cpu_us", "p99_ms"):
                    value = statistics.median(run[figure] for run in runs[peer.name])
                    found[peer.name][f"{name}_{figure}"] = value
                found[peer.name][f"{name}_kib"] = held_memory(peer, tls)
        if options.million:
            found["reload"] = reload_pause(folder / "big", big, 1_000_000)
    finally:
        for peer in started:
            peer.__exit__(None, None, None)
    return found


def report(found: dict[str, Any]) -> None:
    """Print the figures of all sides and the ratios."""
    print(
        f"Python {platform.python_version()}, Twisted {twisted.__version__}, {os.cpu_count()} cores"
    )
    print(f"{'':24}{'clear':>36}{'TLS, P-256':>36}")
    columns = f"{'CPU µs':>12}{'p99 ms':>12}{'KiB idle':>12}"
    print(f"{'':24}{columns}{columns}")
    reload = found.pop("reload", None)
    for name, row in found.items():
        cells = [
            f"{row[f'{kind}_{figure}']:12.1f}"
            for kind in ("clear", "tls")
            for figure in ("cpu_us", "p99_ms", "kib")
        ]
        print(f"{name + ' ' + row['version']:24}{''.join(cells)}")
    ours = found["referrald"]
    for name, row in found.items():
        if name != "referrald":
            for kind, must, goal in TARGETS:
                ratio = ours[f"{kind}_cpu_us"] / row[f"{kind}_cpu_us"]
                wish = f" (must {must}, goal {goal})" if name == "Dovecot" else ""
                print(f"CPU per login, {kind}: {ratio:.2f} × {name}{wish}")
    if reload is not None:
        quiet, worst, took = reload
        print(
            f"longest pause of a running connection: {worst:.1f} ms while 1,000,000 users reload "
            f"({took:.1f} s until in effect), {quiet:.1f} ms without"
        )


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--million", action="store_true", help="also with 1,000,000 users")
    run(parser, measure, report)


if __name__ == "__main__":
    main()
