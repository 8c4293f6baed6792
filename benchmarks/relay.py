"""CPU, throughput and memory of relayed sessions: referrald beside Dovecot and nginx, in one run.

    python -m benchmarks.relay [--rounds 5] [--seconds 3] [--only ROW ...] [--json FILE]

The same scripted home server is behind all of them. The relay runs on one core, the load and the
home on another; only what the relay's processes use is counted. Peers take turns in blocks, and
medians are compared: what matters are the ratios, not the figures of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

import twisted
from benchmarks import peers, realhome, relays
from benchmarks.peers import Peer
from benchmarks.processes import cpu_seconds, memory_kib
from benchmarks.running import run

LOAD_CORE = 1
CONCURRENCY = 16
HELD = (500, 2500)

Measure = Callable[[Peer, argparse.Namespace], float]


@attrs.frozen(kw_only=True)
class Row:
    """One figure: how it is found, what it is compared with, and what the ratio has to be.

    against: a peer's name, or nothing where the figure itself has limits. best: ``low`` or
    ``high``. missing: peers that cannot do this.
    """

    name: str
    unit: str
    measure: Measure
    against: str
    must: float
    goal: float
    best: str = "low"
    missing: tuple[str, ...] = ()
    rounds: int = 0

    def verdict(self, value: float) -> str:
        """Say what a ratio, or a figure, comes to."""
        sign = 1 if self.best == "low" else -1
        if value * sign <= self.goal * sign:
            return "goal"
        return "must" if value * sign <= self.must * sign else "MISSED"


def start_load(module: str, mode: str, port: int, *more: str) -> subprocess.Popen[str]:
    """Start a load process on its own core."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", f"benchmarks.{module}", mode]
    return subprocess.Popen(
        [*command, str(port), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _run(peer: Peer, load: subprocess.Popen[str]) -> tuple[dict[str, float], float]:
    """Let a load run; give what it tells, and the CPU seconds of the peer meanwhile."""
    assert load.stdout is not None
    if load.stdout.readline() != "START\n":
        raise RuntimeError(f"{peer.name}: the load did not start")
    before = cpu_seconds(peer.pid)
    result: dict[str, float] = json.loads(load.stdout.readline())
    used = cpu_seconds(peer.pid) - before
    load.communicate()
    return result, used


def login_cpu(peer: Peer, options: argparse.Namespace) -> float:
    """Give µs of CPU for each login at home, the end of the session included."""
    more = ["--seconds", str(options.seconds), "--users", str(relays.USERS)]
    more += ["--concurrency", str(CONCURRENCY), "--expected", "a OK"]
    result, used = _run(peer, start_load("load", "login", peer.clear, *more))
    if result["failed"] or not result["logins"]:
        raise RuntimeError(f"{peer.name}: {result}")
    return used / result["logins"] * 1e6


def noop_cpu(peer: Peer, options: argparse.Namespace) -> float:
    """Give µs of CPU for each round trip of NOOP."""
    more = ["--seconds", str(options.seconds), "--concurrency", str(CONCURRENCY)]
    result, used = _run(peer, start_load("sessions", "noop", peer.clear, *more))
    return used / result["count"] * 1e6


def fetch_rate(tls: bool) -> Measure:
    """Measure MB a second of a message of 16 MB, fetched again and again."""

    def measure(peer: Peer, options: argparse.Namespace) -> float:
        port = peer.tls if tls else peer.clear
        more = ["--seconds", str(options.seconds), *(["--tls"] if tls else [])]
        result, _ = _run(peer, start_load("sessions", "fetch", port, *more))
        return result["bytes"] / result["seconds"] / 1e6

    return measure


def mailbox_wall(peer: Peer, options: argparse.Namespace) -> float:
    """Give the time for messages of 1 MB from a mailbox elsewhere, × that of its server itself.

    The others cannot relay a mailbox by itself: all of the session is relayed. The home does next
    to nothing for a message, so that a bare pump of bytes between two sockets comes to 1.5 to 2.
    """
    if peer.name == "referrald":
        return _through_us(options, options.site.clear)
    return _message_wall(peer.clear, options) / _message_wall(options.site.clear, options)


def real_mailbox_wall(peer: Peer, options: argparse.Namespace) -> float:
    """Give the same with a home that has its messages in files, as users have it."""
    site = options.site
    folder = site.folder / "home"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    home = realhome.start(folder, site.cert, site.key, LOAD_CORE)
    if home is None:
        raise RuntimeError("Dovecot is not there")
    with home:
        return _through_us(options, home.clear)


def _through_us(options: argparse.Namespace, home: int) -> float:
    """Measure both, one right after the other."""
    with relays.with_mailboxes(options.site, home) as front:
        relayed = _message_wall(front.clear, options)
        return relayed / _message_wall(home, options)


def _message_wall(port: int, options: argparse.Namespace) -> float:
    more = ["--seconds", str(options.seconds), "--mailbox", "Big", "--message", "2"]
    load = start_load("sessions", "fetch", port, *more)
    assert load.stdout is not None
    load.stdout.readline()
    result: dict[str, float] = json.loads(load.stdout.readline())
    load.communicate()
    return result["seconds"] / result["count"]


def idle_memory(tls: bool) -> Measure:
    """Measure KiB for each session that is relayed and idle; tls: on both sides."""

    def measure(peer: Peer, options: argparse.Namespace) -> float:
        more = ["--tls", "--user", "tls"] if tls else []
        sizes = []
        for count in HELD:
            port = peer.tls if tls else peer.clear
            load = start_load("sessions", "idle", port, "--count", str(count), *more)
            assert load.stdout is not None
            if load.stdout.readline() != "READY\n":
                raise RuntimeError(f"{peer.name}: sessions were refused")
            sizes.append(memory_kib(peer.pid))
            load.communicate("")
        return (sizes[1] - sizes[0]) / (HELD[1] - HELD[0])

    return measure


ROWS = {
    "login": Row(
        name="CPU per login", unit="µs", measure=login_cpu, against="Dovecot", must=0.95, goal=0.75
    ),
    "noop": Row(
        name="CPU per NOOP, 16 sessions", unit="µs", measure=noop_cpu,
        against="Dovecot", must=1.3, goal=0.8,
    ),
    "fetch": Row(
        name="FETCH of 16 MB, clear", unit="MB/s", measure=fetch_rate(False),
        against="nginx", must=0.95, goal=1.1, best="high",
    ),
    "fetch-tls": Row(
        name="FETCH of 16 MB, TLS to client", unit="MB/s", measure=fetch_rate(True),
        against="nginx", must=0.7, goal=0.9, best="high",
    ),
    "mailbox": Row(
        name="FETCH of 1 MB, × direct", unit="×", measure=mailbox_wall,
        against="", must=1.3, goal=1.1,
    ),
    "mailbox-dovecot": Row(
        name="the same, Dovecot as home", unit="×", measure=real_mailbox_wall,
        against="", must=1.3, goal=1.1, missing=("Dovecot", "nginx"),
    ),
    "idle": Row(
        name="idle session, clear", unit="KiB", measure=idle_memory(False),
        against="", must=6, goal=4, rounds=1,
    ),
    "idle-tls": Row(
        name="idle session, TLS both sides", unit="KiB", measure=idle_memory(True),
        against="", must=55, goal=40, missing=("nginx",), rounds=1,
    ),
}  # fmt: skip


def start_home(folder: Path, cert: Path, key: Path) -> tuple[subprocess.Popen[str], int, int]:
    """Start the home server on the load's core; give it and its ports."""
    clear, tls = peers.free_port(), peers.free_port()
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.home"]
    home = subprocess.Popen(
        [*command, str(clear), str(tls), "--cert", str(cert), "--key", str(key)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert home.stdout is not None
    if home.stdout.readline() != "READY\n":
        raise RuntimeError("the home server did not start")
    return home, clear, tls


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run everything; give all figures."""
    cert, key = peers.make_certificate(folder)
    home, clear, tls = start_home(folder, cert, key)
    started: list[Peer] = []
    try:
        for start in (relays.referrald, relays.dovecot, relays.nginx):
            own = folder / start.__name__
            own.mkdir(mode=0o755)
            site = relays.Site(folder=own, cert=cert, key=key, clear=clear, tls=tls)
            options.site = options.site or site
            peer = start(site)
            if peer is not None:
                started.append(peer)
        found: dict[str, Any] = {peer.name: {"version": peer.version} for peer in started}
        for key_, row in ROWS.items():
            if options.only and key_ not in options.only:
                continue
            able = [peer for peer in started if peer.name not in row.missing]
            runs: dict[str, list[float]] = {peer.name: [] for peer in able}
            for _ in range(row.rounds or options.rounds):
                for peer in able:
                    runs[peer.name].append(row.measure(peer, options))
            for name, values in runs.items():
                found[name][key_] = statistics.median(values)
                found[name][f"{key_}_all"] = values
        return found
    finally:
        for peer in started:
            peer.__exit__(None, None, None)
        home.terminate()
        home.wait(30)


def report(found: dict[str, Any]) -> None:
    """Print the figures of all sides, the ratios, and what they come to."""
    print(
        f"Python {platform.python_version()}, Twisted {twisted.__version__}, {os.cpu_count()} cores"
    )
    names = [f"{name} {row['version']}" for name, row in found.items()]
    print(f"{'':32}{'':5}" + "".join(f"{name:>18}" for name in names) + "   compared")
    for key, row in ROWS.items():
        values = [figures.get(key) for figures in found.values()]
        if values[0] is None:
            continue
        cells = "".join(f"{'-':>18}" if value is None else f"{value:18.1f}" for value in values)
        print(f"{row.name:32}{row.unit:5}{cells}   {_compared(found, key, row)}")


def _compared(found: dict[str, Any], key: str, row: Row) -> str:
    value = found["referrald"][key]
    limits = f"must {row.must:g}, goal {row.goal:g}"
    if not row.against:
        return f"{value:.1f} {row.unit} ({limits}): {row.verdict(value)}"
    if row.against not in found:
        return f"{row.against} is not installed"
    ratio = value / found[row.against][key]
    return f"{ratio:.2f} × {row.against} ({limits}): {row.verdict(ratio)}"


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="*", choices=list(ROWS), help="only these rows")
    parser.set_defaults(site=None)
    run(parser, measure, report)


if __name__ == "__main__":
    main()
