"""What a process needs that looks users up among very many: ``python -m benchmarks.millions``.

    python -m benchmarks.millions CONFIGURATION USERS SECONDS

Prints one line of JSON: memory in MiB before the backend, when it has been started and at the end;
the seconds of the start, and of one lookup for each of a million users who are asked for in turn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.lookups import build, run, uncached
from benchmarks.processes import memory_kib
from benchmarks.sources import Source
from referrald.model import Login


def mib() -> float:
    """Give the memory of this process and all below it."""
    return memory_kib(os.getpid()) / 1024


async def in_turn(backend: Any, users: int, source: Source) -> float:
    """Give the seconds of one question for each user, without a cache or a directory."""
    began = time.perf_counter()
    for number in range(users):
        await backend.home(Login(user=source.user(number)))
    return time.perf_counter() - began


async def measure(path: Path, users: int, seconds: float) -> dict[str, float]:
    """Start the backend of a configuration, ask it, stop it."""
    source = Source(section="")
    found = {"without_mib": mib()}
    backend, began = build(path), time.perf_counter()
    if hasattr(backend, "start"):
        await backend.start()
    found |= {"start_s": time.perf_counter() - began, "started_mib": mib()}
    if not hasattr(backend, "start"):
        found["in_turn_s"] = await in_turn(backend, users, source)
    found |= await uncached(backend, users, seconds, source)
    found["asked_mib"] = mib()
    if hasattr(backend, "stop"):
        await backend.stop()
    return found


def main() -> None:
    """Read the command line and measure."""
    path, users, seconds = sys.argv[1:]
    found = run(lambda: measure(Path(path), int(users), float(seconds)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
