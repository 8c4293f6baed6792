"""CPU of listing mailboxes that are here and elsewhere, and of a mailbox referral.

    python -m benchmarks.mailboxes [--rounds 9] [--local 5000] [--remote 10000] [--json FILE]

One process holds whole servers, put together from configurations as twistd does it, and talks to
their sessions over a transport in memory: what is measured is the server's own work, without the
kernel's. The servers take turns, and medians of CPU time are compared. The yardstick is LIST with
as many names, all of them here.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

import twisted
from referrald.assembly import Assembly
from referrald.config.load import load
from referrald.session.factory import SessionFactory

MUST_LIST, MUST_SELECT_US = 1.5, 100.0
SELECTS = 2000
PATTERNS = ("*", "%", "*/%", "*a*a*a*a*e*", "Folder 1%", "Shared/%", "nothing*here")

CONFIG = """\
[server]
name = "front.example"
[[listener]]
endpoint = "tcp:143"
tls = "none"
allow_cleartext = true
[[backend]]
type = "passwd-file"
file = "users"
scheme = "PLAIN"
[[backend]]
type = "table"
file = "table.toml"
[referral]
allow_clear = ["*"]
[serve]
store = "memory"
"""


def names(count: int, top: str) -> Iterator[str]:
    """Make names, ten below each."""
    for number in range(count // 11 + 1):
        yield f"{top} {number}"
        for below in range(10):
            yield f"{top} {number}/Sub {below}"


def folders_of(remote: int) -> list[str]:
    """Name the mailboxes below the tree that is elsewhere."""
    return [name for _, name in zip(range(remote - 1), names(remote, "Team"), strict=False)]


def table(remote: int) -> str:
    """Write a table with so many mailboxes elsewhere, the root of their tree among them."""
    below = folders_of(remote)
    lines = ["[servers.s2]", 'host = "s2.example"', 'security = "none"']
    if remote:
        folders = ", ".join(f'"{name}"' for name in below)
        lines += ["[[mailboxes]]", 'match = "Shared/"', 'server = "s2"', f"folders = [{folders}]"]
    return "\n".join(lines)


class Wire(StringTransport):
    """A transport in memory that tells when a command has been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        """Take what the server sends."""
        super().write(data)
        if b"x OK" in data[-300:] or b"x NO" in data[-300:]:
            self.answered.callback(None)


class Site:
    """A server with local and remote mailboxes, and a client that is logged in."""

    def __init__(self, folder: Path, local: int, remote: int) -> None:
        folder.mkdir()
        (folder / "users").write_text("bob:{PLAIN}pass\n", encoding="ascii")
        (folder / "table.toml").write_text(table(remote), encoding="ascii")
        (folder / "referrald.toml").write_text(CONFIG, encoding="ascii")
        loaded = load(str(folder / "referrald.toml"))
        if loaded.config is None:
            raise SystemExit("\n".join(map(str, loaded.problems)))
        self.local = local
        self.assembly = Assembly.from_config(loaded.config, reactor)
        self.transport = Wire()

    async def start(self) -> None:
        """Fill the store and log in."""
        await self.assembly.start()
        account = await self.assembly.lasting.store.account("bob")
        for _, name in zip(range(self.local - 1), names(self.local, "Folder"), strict=False):
            await account.create(name)
        listener = self.assembly.config.listeners[0]
        session = SessionFactory(self.assembly.door(listener)).buildProtocol(None)
        self.session = session
        session.makeConnection(self.transport)
        answer = await self.say("LOGIN bob pass")
        assert b"x OK" in answer, answer

    async def say(self, command: str) -> bytes:
        """Send a command and wait for its answer."""
        self.transport.clear()
        answered = self.transport.answered = Deferred()
        self.session.dataReceived(f"x {command}\r\n".encode("ascii"))
        await answered
        return self.transport.value()

    async def cpu(self, command: str, lines: int | None = None) -> float:
        """Give the CPU milliseconds of a command; check how many lines it gave."""
        gc.collect()
        before = time.process_time()
        answer = await self.say(command)
        used = time.process_time() - before
        found = answer.count(b"* LIST ")
        assert b"x OK" in answer and lines in (None, found), (command, found, answer[-200:])
        return used * 1e3


async def listing(sites: dict[str, Site], options: argparse.Namespace) -> dict[str, Any]:
    """Compare listings, each with as many lines as the yardstick."""
    total = options.local + options.remote
    jobs = {
        "LIST, all here": ("here", 'LIST "" "*"', total),
        "LIST, some elsewhere": ("mixed", 'LIST "" "*"', options.local),
        "RLIST": ("mixed", 'RLIST "" "*"', total),
        "LIST (REMOTE)": ("mixed", 'LIST (REMOTE) "" "*"', total),
        "RLIST, half as many": ("half", 'RLIST "" "*"', total // 2),
    }
    runs: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        for name, (site, command, lines) in jobs.items():
            runs[name].append(await sites[site].cpu(command, lines))
    return {name: statistics.median(times) for name, times in runs.items()}


async def patterns(sites: dict[str, Site], options: argparse.Namespace) -> dict[str, list[float]]:
    """Find the CPU of RLIST for each pattern, and that of LIST with all names here."""
    found: dict[str, list[float]] = {}
    for pattern in PATTERNS:
        runs: list[list[float]] = [[], []]
        for _ in range(options.rounds):
            runs[0].append(await sites["mixed"].cpu(f'RLIST "" "{pattern}"'))
            runs[1].append(await sites["here"].cpu(f'LIST "" "{pattern}"'))
        found[pattern] = [statistics.median(each) for each in runs]
    return found


async def selecting(sites: dict[str, Site], options: argparse.Namespace) -> float:
    """Give the CPU microseconds of a SELECT that is referred.

    Each mailbox in turn: one that is asked for again and again is taken for a loop.
    """
    site, runs = sites["mixed"], []
    commands = [f'SELECT "Shared/{name}"' for name in folders_of(options.remote)[:1000]]
    for _ in range(options.rounds):
        before = time.process_time()
        for number in range(SELECTS):
            answer = await site.say(commands[number % len(commands)])
            assert b"NO [REFERRAL imap://bob;AUTH=*@s2.example/Shared/Team" in answer, answer
        runs.append((time.process_time() - before) / SELECTS * 1e6)
    return statistics.median(runs)


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run everything; give all figures."""
    local, remote = options.local, options.remote
    sites = {
        "here": Site(folder / "here", local + remote, 0),
        "mixed": Site(folder / "mixed", local, remote),
        "half": Site(folder / "half", local // 2, remote // 2),
    }
    for site in sites.values():
        await site.start()
    try:
        return {
            "listing": await listing(sites, options),
            "patterns": await patterns(sites, options),
            "select": await selecting(sites, options),
        }
    finally:
        for site in sites.values():
            await site.assembly.stop()


def report(found: dict[str, Any]) -> None:
    """Print the figures and the ratios."""
    print(f"Python {platform.python_version()}, Twisted {twisted.__version__}")
    yardstick = found["listing"]["LIST, all here"]
    for name, value in found["listing"].items():
        print(f"{name:26}{value:9.1f} ms {value / yardstick:7.2f}")
    worst = max(found["listing"][name] for name in ("LIST, some elsewhere", "RLIST"))
    print(f"worst of LIST and RLIST: {worst / yardstick:.2f} × LIST, all here (must {MUST_LIST})")
    for pattern, (value, here) in found["patterns"].items():
        print(f'RLIST "" {pattern:17}{value:9.1f} ms {value / here:7.2f} × LIST, all here')
    print(f"referral on SELECT: {found['select']:.1f} µs of CPU (must {MUST_SELECT_US:.0f})")


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--local", type=int, default=5_000)
    parser.add_argument("--remote", type=int, default=10_000)
    parser.add_argument("--json", help="write the figures to this file too")
    options = parser.parse_args()
    found: list[Any] = []

    def begin() -> None:
        work = Deferred.fromCoroutine(measure(options, Path(folder)))
        work.addBoth(found.append)
        work.addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    with tempfile.TemporaryDirectory() as folder:
        reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
        reactor.run()  # type: ignore[attr-defined]
    (result,) = found
    if not isinstance(result, dict):
        result.raiseException()
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="ascii")
    report(result)


if __name__ == "__main__":
    main()
