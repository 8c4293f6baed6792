"""CPU, wall time and memory of a large mailbox on disk: referrald beside Dovecot and pymap.

    python -m benchmarks.store [--messages 100000] [--rounds 3] [--json FILE]

All work on copies of one Maildir. The server runs on one core, the load on another; only what the
server's processes use is counted. Every operation is done once before it is measured, so that each
server has in its index what it wants to have there. Peers take turns, and medians are compared.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from benchmarks import storemail, storepeers
from benchmarks.peers import Peer
from benchmarks.processes import cpu_seconds, memory_kib
from benchmarks.running import run
from benchmarks.storeclient import Client
from benchmarks.storemail import RARE

LOAD_CORE = 1
INDEX, ELSEWHERE, FASTER = 1.5, 3.0, 10.0
"""Times Dovecot's CPU that are allowed, and times that pymap has to be slower."""

HOLD_MS, SESSION_MIB = 20.0, 8.0
MAILBOXES, NAMES = 500, 5000
USERS = ["big", "many", "lots"]
"""Who has the large mailbox, 500 mailboxes, 5,000 of them."""


@attrs.frozen(kw_only=True)
class Operation:
    """One figure. work: done in a session on the large mailbox (or as that user), so often.

    after: puts things back, and is not measured.
    """

    name: str
    work: Callable[[Client, int], None]
    limit: float
    times: int = 1
    user: str = "big"
    after: Callable[[Client], None] = lambda client: None


def _fetch(items: str) -> Callable[[Client, int], None]:
    def work(client: Client, number: int) -> None:
        first = number % max(1, client.exists - 1000) + 1
        client.say(f"FETCH {first}:{first + 999} ({items})")

    return work


def _store(client: Client, number: int) -> None:
    sign = "+-"[number % 2]
    client.say(f"STORE 1:{min(10_000, client.exists)} {sign}FLAGS.SILENT (\\Flagged)")


def _append(client: Client, number: int) -> None:
    client.append("Appended", b"Subject: appended\r\n\r\n" + b"x" * 2000 + b"\r\n")


def _move(client: Client, number: int) -> None:
    last = client.exists
    client.say(f"MOVE {max(1, last - 999)}:{last} Target")


def _move_back(client: Client) -> None:
    client.select("Target")
    client.say("MOVE 1:* INBOX")
    client.select("INBOX")


def _status(client: Client, number: int) -> None:
    for mailbox in range(MAILBOXES):
        client.say(f"STATUS box{mailbox} (MESSAGES UNSEEN UIDNEXT)")


OPERATIONS = (
    Operation(name="SELECT", work=lambda c, n: c.select("INBOX"), limit=INDEX, times=50),
    Operation(name="FETCH 1:* (UID FLAGS)", work=lambda c, n: c.say("FETCH 1:* (UID FLAGS)"),
              limit=INDEX, times=10),
    Operation(name="1,000 ENVELOPE", work=_fetch("ENVELOPE"), limit=INDEX, times=20),
    Operation(name="1,000 BODYSTRUCTURE", work=_fetch("BODYSTRUCTURE"), limit=INDEX, times=20),
    Operation(name="STORE 10,000", work=_store, limit=ELSEWHERE, times=2),
    Operation(name="SEARCH flag", work=lambda c, n: c.say("SEARCH UNSEEN"), limit=INDEX, times=50),
    Operation(name="SEARCH subject", work=lambda c, n: c.say(f"SEARCH SUBJECT {RARE}"),
              limit=INDEX),
    Operation(name="SEARCH body (a tenth)",
              work=lambda c, n: c.say(f"SEARCH 1:{c.exists // 10} BODY {RARE}"), limit=ELSEWHERE),
    Operation(name="APPEND", work=_append, limit=ELSEWHERE, times=100),
    Operation(name="MOVE 1,000", work=_move, limit=ELSEWHERE, after=_move_back),
    Operation(name="STATUS of 500", work=_status, limit=INDEX, user="many"),
    Operation(name="LIST of 5,000", work=lambda c, n: c.say('LIST "" "*"'), limit=INDEX,
              user="lots"),
)  # fmt: skip


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
    """What one operation costs: seconds of CPU and of waiting, and the longest hold."""

    cpu: list[float] = attrs.field(factory=list)
    wall: list[float] = attrs.field(factory=list)
    hold: list[float] = attrs.field(factory=list)


def measure_operation(peer: Peer, operation: Operation, figure: Figure) -> None:
    """Do an operation so often as it says, in a session of its own, and once more before it."""
    client = Client(peer.clear, operation.user)
    client.select("INBOX")
    operation.work(client, 0)
    operation.after(client)
    # Once is slow enough with pymap.
    times = 1 if peer.name == "pymap" else operation.times
    used, began = cpu_seconds(peer.pid), time.perf_counter()
    for number in range(1, times + 1):
        operation.work(client, number)
    figure.wall.append((time.perf_counter() - began) / times)
    figure.cpu.append((cpu_seconds(peer.pid) - used) / times)
    operation.after(client)
    # Once more: what asks all the time takes some CPU itself.
    with Holds(peer) as holds:
        operation.work(client, 0)
    figure.hold.append(holds.longest)
    operation.after(client)
    client.close()


def session_memory(peer: Peer) -> float:
    """Give the MiB that one more session on the large mailbox takes."""
    clients = []
    before = memory_kib(peer.pid)
    for _ in range(4):
        clients.append(Client(peer.clear, "big"))
        clients[-1].select("INBOX")
        clients[-1].say("FETCH 1:* (UID FLAGS)")
    used = memory_kib(peer.pid) - before
    for client in clients:
        client.close()
    return used / len(clients) / 1024


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure every peer; give all figures."""
    os.sched_setaffinity(0, {LOAD_CORE})
    mail = folder / "mail"
    make_mail(mail, options.messages)
    found: dict[str, Any] = {"messages": options.messages, "peers": {}}
    with_peers = list(_peers(folder, mail, options.only))
    figures = {
        peer.name: {operation.name: Figure() for operation in OPERATIONS} for peer in with_peers
    }
    try:
        for peer in with_peers:
            found["peers"][peer.name] = {"version": peer.version, "first": _first(peer)}
        for _ in range(options.rounds):
            for operation in OPERATIONS:
                for peer in with_peers:
                    figure = figures[peer.name][operation.name]
                    measure_operation(peer, operation, figure)
                    print(
                        f"{peer.name}: {operation.name}: {figure.wall[-1]:.3f} s", file=sys.stderr
                    )
        for peer in with_peers:
            found["peers"][peer.name] |= {
                "memory": session_memory(peer),
                "operations": {
                    name: {
                        "cpu": statistics.median(figure.cpu),
                        "wall": statistics.median(figure.wall),
                        "hold": max(figure.hold),
                    }
                    for name, figure in figures[peer.name].items()
                },
            }
    finally:
        for peer in with_peers:
            peer.__exit__(None, None, None)
    return found


def _first(peer: Peer) -> float:
    """Open the large mailbox for the first time, and have everything put into the index."""
    client = Client(peer.clear, "big")
    began = time.perf_counter()
    client.select("INBOX")
    took = time.perf_counter() - began
    client.say("FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)")
    client.close()
    return took


def _peers(folder: Path, mail: Path, only: list[str]) -> Iterator[Peer]:
    makers: dict[str, Callable[[Path, Path], Peer | None]] = {
        "referrald": lambda place, copy: storepeers.referrald(place, copy, USERS),
        "Dovecot": storepeers.dovecot,
        "pymap": lambda place, copy: storepeers.pymap(place, copy, USERS),
    }
    for name, make in makers.items():
        if only and name not in only:
            continue
        copy = folder / f"mail-{name}"
        # File by file the same: a server that changes one writes a new one.
        subprocess.run(["cp", "-al", str(mail), str(copy)], check=True)
        peer = make(folder / name, copy)
        if peer is None:
            print(f"{name} is not there")
            shutil.rmtree(copy)
        else:
            yield peer


def report(found: dict[str, Any]) -> None:
    """Print the figures, and how they compare."""
    ours, others = found["peers"].pop("referrald", None), found["peers"]
    if ours is None:
        return
    print(f"{found['messages']} messages; ms of CPU (wall); × Dovecot's CPU; longest hold in ms")
    for operation in OPERATIONS:
        mine = ours["operations"][operation.name]
        cells = [f"{operation.name:22}{mine['cpu'] * 1e3:9.1f} ({mine['wall'] * 1e3:.1f})"]
        for name, limit in (("Dovecot", operation.limit), ("pymap", 1 / FASTER)):
            if name in others:
                cells.append(
                    _against(name, mine, others[name]["operations"][operation.name], limit)
                )
        held = mine["hold"] * 1e3
        cells.append(f"hold {held:.1f} {'good' if held <= HOLD_MS else 'MISSED'}")
        print("  ".join(cells))
    first = {name: peer["first"] for name, peer in {"referrald": ours, **others}.items()}
    print("first SELECT, s: " + ", ".join(f"{name} {took:.2f}" for name, took in first.items()))
    memory = ours["memory"]
    verdict = "good" if memory <= SESSION_MIB else "MISSED"
    print(f"a session more: {memory:.1f} MiB ({verdict}, must be {SESSION_MIB:.0f})")


def _against(name: str, mine: dict[str, float], other: dict[str, float], limit: float) -> str:
    """Compare CPU; what is below the clock's tick is taken for a tick."""
    ratio = mine["cpu"] / max(other["cpu"], 1e-4)
    verdict = "good" if ratio <= limit else "MISSED"
    return f"{name} {other['cpu'] * 1e3:.1f} ({other['wall'] * 1e3:.1f}) × {ratio:.2f} {verdict}"


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="peers, such as referrald")
    run(parser, measure, report)


if __name__ == "__main__":
    main()
