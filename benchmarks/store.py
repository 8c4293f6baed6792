"""CPU, wall time and memory of a large mailbox on disk: referrald beside Dovecot and pymap.

    python -m benchmarks.store [--messages 100000] [--rounds 3] [--json FILE]

All work on copies of one Maildir. The server runs on one core, the load on another; only what the
server's processes use is counted. First the mailbox is opened without an index; everything else is
done once before it is measured, so that each server has in its index what it wants to have there.
Servers take turns, and medians are compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from benchmarks import storemail, storereport
from benchmarks.peers import Peer
from benchmarks.processes import cpu_seconds, memory_kib
from benchmarks.running import run
from benchmarks.storeclient import Client, Late
from benchmarks.storeops import FIRST, MAILBOXES, NAMES, OPERATIONS, USERS, Operation
from benchmarks.storepeers import MAKERS, Contender

LOAD_CORE = 1
SESSIONS = 20
"""Sessions whose memory is measured, all at the same time."""

SLOW = frozenset({"pymap"})
"""Servers of which everything is done only once, and that have a deadline."""


def make_mail(root: Path, messages: int) -> None:
    """Make the mail of all users."""
    for user in USERS:
        storemail.fill(root / user, messages if user == "big" else 0)
    for name in ("Target", "Appended"):
        storemail.make_folder(root / "big" / f".{name}")
    for number in range(MAILBOXES):
        storemail.fill(root / "many" / f".box{number}", 5)
    for number in range(NAMES - 1):
        storemail.make_folder(root / "lots" / f".name{number}")


class Holds:
    """Asks NOOP on a connection of its own, as fast as it is answered; keeps the longest time.

    Only what the session of a server waits for others counts: Dovecot has a process for each.
    """

    def __init__(self, peer: Peer) -> None:
        self._client = Client(peer.clear, "many")
        self._going = True
        self.longest = 0.0
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Holds:
        self._thread.start()
        return self

    def _ask(self) -> None:
        while self._going:
            before = time.perf_counter()
            self._client.say("NOOP")
            self.longest = max(self.longest, time.perf_counter() - before)
            time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._thread.join()
        self._client.close()


@attrs.define(kw_only=True)
class Figure:
    """What one operation costs: seconds of CPU and of waiting, and the longest holds.

    late: it did not end in the time that it had.
    """

    cpu: list[float] = attrs.field(factory=list)
    wall: list[float] = attrs.field(factory=list)
    hold: list[float] = attrs.field(factory=list)
    late: bool = False

    def told(self) -> dict[str, Any]:
        """Give the medians."""
        if self.late or not self.cpu:
            return {"late": True}
        middle = {"cpu": statistics.median(self.cpu), "wall": statistics.median(self.wall)}
        if self.hold:
            middle |= {"hold": statistics.median(self.hold), "longest": max(self.hold)}
        return middle


Figures = dict[str, dict[str, Figure]]


def _client(one: Contender, user: str) -> Client:
    return Client(one.running.clear, user, one.patience)


def _timed(one: Contender, work: Any, times: int, figure: Figure) -> None:
    used, began = cpu_seconds(one.running.pid), time.perf_counter()
    for number in range(1, times + 1):
        work(number)
    figure.wall.append((time.perf_counter() - began) / times)
    figure.cpu.append((cpu_seconds(one.running.pid) - used) / times)


def measure_first(one: Contender, figures: dict[str, Figure]) -> None:
    """Do what is done while there is no index of the large mailbox."""
    one.stop()
    one.forget()
    one.start()
    client = _client(one, "big")
    for operation in FIRST:
        _timed(one, lambda number, o=operation: o.work(client, number), 1, figures[operation.name])
        _note(one, operation, figures)
    if one.name == "referrald":
        with Holds(one.running) as holds:
            client.say("FETCH 1:1000 (FLAGS ENVELOPE)")
        figures[FIRST[-1].name].hold.append(holds.longest)
    # As many as are asked for later.
    client.say(f"FETCH 1:{min(22_000, client.exists)} (FLAGS BODYSTRUCTURE)")
    client.close()


def measure_operation(one: Contender, operation: Operation, figure: Figure) -> None:
    """Do an operation so often as it says, in a session of its own, and once more before it."""
    client = _client(one, operation.user)
    client.select("INBOX")
    if one.name not in SLOW:
        operation.work(client, 0)
        operation.after(client)
    times = 1 if one.name in SLOW else operation.times
    _timed(one, lambda number: operation.work(client, number), times, figure)
    operation.after(client)
    if one.name == "referrald":
        # Once more: what asks all the time takes some CPU itself.
        with Holds(one.running) as holds:
            operation.work(client, 0)
        figure.hold.append(holds.longest)
        operation.after(client)
    client.close()


def session_memory(one: Contender) -> tuple[float, float]:
    """Give the MiB of one more session on the large mailbox: at rest, and in a long FETCH.

    The process is a new one, in which one session has done the same before and stays. None of the
    clients reads the answer before all have asked.
    """
    one.restart()
    command, pid = "FETCH 1:* (UID FLAGS)", one.running.pid
    clients = [_ready(one, command)]
    before = memory_kib(pid)
    for _ in range(SESSIONS):
        clients.append(_ready(one, command))
    resting = memory_kib(pid) - before
    tags = [client.begin(command) for client in clients[1:]]
    time.sleep(2)
    fetching = memory_kib(pid) - before
    for client, tag in zip(clients[1:], tags, strict=True):
        client.end(tag)
    for client in clients:
        client.close()
    return resting / SESSIONS / 1024, fetching / SESSIONS / 1024


def _ready(one: Contender, command: str) -> Client:
    client = _client(one, "big")
    client.select("INBOX")
    client.say(command)
    return client


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure every server; give all figures."""
    os.sched_setaffinity(0, {LOAD_CORE})
    mail = Path(options.mail) if options.mail else folder / "mail"
    if not mail.exists():
        make_mail(mail, options.messages)
    operations = [o for o in OPERATIONS if not options.operations or _asked(o, options.operations)]
    servers = _servers(folder, mail, options)
    try:
        figures = _rounds(servers, operations, options.rounds, first=not options.operations)
        memory = {one.name: _memory(one) for one in servers} if not options.operations else {}
        versions = {one.name: one.running.version for one in servers}
    finally:
        for one in servers:
            one.stop()
    told = {
        name: {operation: figure.told() for operation, figure in each.items()}
        for name, each in figures.items()
    }
    return {
        "messages": options.messages,
        "rounds": options.rounds,
        "deadline": options.deadline,
        "versions": versions,
        "figures": told,
        "memory": memory,
    }


def _asked(operation: Operation, names: Iterable[str]) -> bool:
    return any(name.lower() in operation.name.lower() for name in names)


def _rounds(
    servers: list[Contender], operations: list[Operation], rounds: int, *, first: bool
) -> Figures:
    every = [*(FIRST if first else ()), *operations]
    figures: Figures = {one.name: {each.name: Figure() for each in every} for one in servers}
    for number in range(rounds if first else 0):
        for one in servers:
            if one.name not in SLOW or number == 0:
                _in_time(one, figures, FIRST, lambda o=one: measure_first(o, figures[o.name]))
    for number in range(rounds):
        for operation in operations:
            for one in servers:
                figure = figures[one.name][operation.name]
                if one.name in SLOW and number:
                    continue
                work = lambda o=one, f=figure, w=operation: measure_operation(o, w, f)  # noqa: E731
                if _in_time(one, figures, [operation], work):
                    _note(one, operation, figures[one.name])
    return figures


def _in_time(one: Contender, figures: Figures, operations: Iterable[Operation], work: Any) -> bool:
    """Do something; where that is late, note it and have a new process."""
    try:
        work()
    except (Late, RuntimeError, OSError) as error:
        if one.name not in SLOW:
            raise
        print(f"{one.name}: {type(error).__name__} {error}", file=sys.stderr)
        for operation in operations:
            figure = figures[one.name][operation.name]
            figure.late = not figure.cpu
        one.restart()
        return False
    return True


def _note(one: Contender, operation: Operation, figures: dict[str, Figure]) -> None:
    figure = figures[operation.name]
    cpu, wall = figure.cpu[-1] * 1e3, figure.wall[-1] * 1e3
    print(f"{one.name}: {operation.name}: {cpu:.1f} ms ({wall:.1f})", file=sys.stderr)


def _memory(one: Contender) -> tuple[float, float] | None:
    if one.name in SLOW:
        try:
            return session_memory(one)
        except (Late, RuntimeError, OSError):
            one.restart()
            return None
    return session_memory(one)


def _servers(folder: Path, mail: Path, options: argparse.Namespace) -> list[Contender]:
    servers = []
    for name, (make, indexes) in MAKERS.items():
        if options.only and name not in options.only:
            continue
        copy = folder / f"mail-{name}"
        # File by file the same: a server that changes one writes a new one.
        subprocess.run(["cp", "-al", str(mail), str(copy)], check=True)
        one = Contender(
            name=name, make=make, indexes=indexes, folder=folder / name, mail=copy, users=USERS,
            patience=options.deadline if name in SLOW else 1800.0,
        )  # fmt: skip
        if one.start():
            servers.append(one)
        else:
            print(f"{name} is not there")
            shutil.rmtree(copy)
    return servers


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="servers, such as referrald")
    parser.add_argument("--operations", nargs="*", default=[], help="parts of names of operations")
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds that pymap has")
    parser.add_argument("--mail", help="where the mail is kept, made if it is not there")
    run(parser, measure, storereport.report)


if __name__ == "__main__":
    main()
