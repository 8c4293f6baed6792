"""Lookups in one process: fill a backend, ask it 64 times at a time, with and without a cache."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from benchmarks.sources import Source, server_of
from referrald.config.load import load
from referrald.model import Home, Login, Occasion, Server
from referrald.routing.directory import Directory
from referrald.routing.settings import DirectorySettings

AT_ONCE = 64
FILL = 10_000
CACHED = 1_000
ASKED = 20_000
"""Questions to the cache in one round."""

clock: Any = reactor


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run the reactor for a coroutine; it can be run only once in a process."""
    outcome: list[Any] = []

    async def doing() -> Any:
        return await work()

    def begin() -> None:
        done = Deferred.fromCoroutine(doing()).addBoth(outcome.append)
        done.addBoth(lambda _: clock.stop())

    clock.callWhenRunning(begin)
    clock.run()
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


def build(path: Path) -> Any:
    """Make the backend of a configuration."""
    loaded = load(str(path))
    if loaded.config is None:
        raise SystemExit("\n".join(map(str, loaded.problems)))
    (settings,) = loaded.config.backends
    return settings.factory.build(settings.options, reactor)


async def fill(backend: Any, users: int, source: Source) -> None:
    """Give everybody a home, ten thousand at a time."""
    who = Occasion(who="benchmark", why="")
    for begin in range(0, users, FILL):
        numbers = range(begin, min(begin + FILL, users))
        homes = {
            source.user(number): Home(servers=(Server(host=server_of(number)),))
            for number in numbers
        }
        await backend.set_home(homes, who)


async def uncached(backend: Any, users: int, seconds: float, source: Source) -> dict[str, float]:
    """Ask for users at random, each question to the backend; the directory is started already."""
    directory = Directory(
        [("measured", backend)], clock=clock, settings=DirectorySettings(size=0, deadline=10)
    )
    chosen = random.Random(1)
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def asking() -> None:
        while (began := time.perf_counter()) < end:
            login = Login(user=source.user(chosen.randrange(users)))
            home = await directory.home(login)
            times.append(time.perf_counter() - began)
            assert home is not None, login.user

    began = time.perf_counter()
    await gatherResults([Deferred.fromCoroutine(asking()) for _ in range(AT_ONCE)])
    took = time.perf_counter() - began
    times.sort()
    return {
        "per_second": len(times) / took,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }


async def warm(backend: Any, source: Source) -> tuple[Directory, list[Login]]:
    """Give a directory that knows some users, and these."""
    directory = Directory(
        [("measured", backend)], clock=clock, settings=DirectorySettings(found=3600, deadline=10)
    )
    logins = [Login(user=source.user(number)) for number in range(CACHED)]
    for login in logins:
        await directory.home(login)
    return directory, logins


async def cached(directory: Directory, logins: list[Login]) -> float:
    """Give the microseconds of CPU of a lookup of somebody who is known."""
    began = time.thread_time()
    for _ in range(ASKED // len(logins)):
        for login in logins:
            await directory.home(login)
    took = time.thread_time() - began
    # Others have their turn between two rounds.
    await deferLater(clock, 0, lambda: None)
    return took / ASKED * 1e6


async def compare_cached(known: dict[str, tuple[Directory, list[Login]]]) -> dict[str, float]:
    """Give the microseconds of a cached lookup for each, which take turns."""
    rounds: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(15):
        for name, (directory, logins) in known.items():
            rounds[name].append(await cached(directory, logins))
    return {name: statistics.median(found) for name, found in rounds.items()}
