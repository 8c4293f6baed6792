"""Lookups of homes in every backend: how many, how fast, among how many, and when one hangs.

    python -m benchmarks.backends [--only table sqlite …] [--users 10000] [--seconds 4] [--million]
        [--json FILE]

Servers are started on free loopback ports; those that are not installed are left out. Each part
says in `benchmarks/README.md` what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import twisted
from benchmarks import lookups, sources
from benchmarks.processes import cpu_seconds
from benchmarks.running import run
from benchmarks.sources import Source, Started, server_of, user_name

MOST_CACHED = 1.1
MOST_WHILE_HANGING = 1.1
KNOWN = 100
MILLION = 1_000_000
AMONG_MILLIONS = ("ring", "sqlite", "postgresql")

HANGING = """
[auth]
backends = []
checkers = ["{checker}"]
[directory]
cache_found = "{found}"
[referral]
storm_count = 0
[limits]
connections_per_address = 0
"""


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run everything; give all figures."""
    started = Started()
    try:
        wanted = options.only or list(sources.SOURCES)
        running = {
            name: source
            for name in wanted
            if (source := sources.start(name, started, options.users)) is not None
        }
        found: dict[str, Any] = {}
        # Once: a reactor cannot be run again.
        lookups.run(lambda: look_up(options, folder, running, found))
        for name, source in running.items():
            if source.pid and not source.domain:
                found[name]["hanging"] = hang(options, started, source)
        if options.million:
            for name in (each for each in AMONG_MILLIONS if each in running):
                found[name]["million"] = among_millions(options, started, name)
        return found
    finally:
        started.doCleanups()


async def look_up(
    options: argparse.Namespace, folder: Path, running: dict[str, Source], found: dict[str, Any]
) -> None:
    """Fill, ask without a cache, and compare with one."""
    backends = {}
    known = {}
    for name, source in running.items():
        backend = lookups.build(sources.write(folder, source))
        backends[name] = backend
        if hasattr(backend, "start"):
            await backend.start()
        if source.fill:
            await lookups.fill(backend, options.users, source)
        found[name] = await lookups.uncached(backend, options.users, options.seconds, source)
        known[name] = await lookups.warm(backend, source)
    for name, value in (await lookups.compare_cached(known)).items():
        found[name]["cached_us"] = value
    for backend in backends.values():
        if hasattr(backend, "stop"):
            await backend.stop()


# -- a server that hangs ---------------------------------------------------------------------


def hang(options: argparse.Namespace, started: Started, source: Source) -> dict[str, Any]:
    """Log known users in, with the directory's server as usual and while it hangs.

    Once with homes that are still fresh, and once with homes that are past their time, so that one
    login a second sees whether the server is back. Then the same while others, who are not known,
    knock all the while: these cost something themselves, and so does their load on this machine.
    """
    found = {}
    for kind, keep in (("fresh", "1h"), ("stale", "0.5s")):
        words = [f"{user_name(number)}:pass" for number in range(2 * KNOWN)]
        more = HANGING.format(checker=":".join(["memory", *words]), found=keep)
        front = started.start_referrald("", f"[[backend]]\n{source.section}\n{more}")
        asked = 0.0
        while asked < 3 * KNOWN:
            # Until everybody is known, on a slow machine too.
            asked += logins(front.port, 1.0)["per_second"]
        usual = logins_of(front.process.pid, front.port, options.seconds)
        with source.hanging():
            # Until all are known to wait, and what is stale is used at once.
            logins(front.port, 3.0, failures=True)
            hanging = logins_of(front.process.pid, front.port, options.seconds)
            with knocking(front.port):
                knocked = logins_of(front.process.pid, front.port, options.seconds)
        found[kind] = {"usual": usual, "hanging": hanging, "knocked": knocked}
        front.process.terminate()
        front.process.wait(60)
    return found


def logins_of(pid: int, port: int, seconds: float) -> dict[str, float]:
    """Log in for a time; with the CPU microseconds of the front door for each login."""
    before = cpu_seconds(pid)
    found = logins(port, seconds)
    count = found["per_second"] * seconds
    return found | {"cpu_us": (cpu_seconds(pid) - before) / count * 1e6}


def logins(port: int, seconds: float, *, failures: bool = False) -> dict[str, float]:
    """Log in for a time, 16 at once; raises for logins that were refused."""
    command = _load(port, seconds, "--users", str(KNOWN))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["failed"] and not failures:
        raise RuntimeError(f"{found['failed']} logins were refused, such as {found['odd']}")
    return {"per_second": found["logins"] / found["seconds"], "p99_ms": found["p99_ms"]}


def _load(port: int, seconds: float, *more: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.load", "login", str(port)]
    return [*command, "--seconds", str(seconds), *more]


@contextmanager
def knocking(port: int) -> Iterator[None]:
    """Have users log in who are not known yet, four at a time; none is answered in time."""
    more = ["--users", str(KNOWN), "--first", str(KNOWN), "--concurrency", "4"]
    process = subprocess.Popen(
        _load(port, 600, *more, "--expected", "a NO [UNAVAILABLE]"), stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


# -- a million users -------------------------------------------------------------------------


def among_millions(options: argparse.Namespace, started: Started, name: str) -> dict[str, Any]:
    """Import a million users where there is something to import, and look them up."""
    source = sources.SOURCES[name](started, 0)
    folder = started.folder()
    path = sources.write(folder, source)
    found: dict[str, Any] = {}
    if source.fill:
        homes = folder / "homes.csv"
        write_homes(homes)
        for what in ("import", "again"):
            found[what] = control(path, "home", "import", str(homes))
        with homes.open("a", encoding="ascii") as file:
            file.write(f"newcomer,{server_of(0)}\n")
        found["one more"] = control(path, "home", "import", str(homes))
        found["export"] = control(path, "home", "export", str(folder / "export.csv"))
    command = [sys.executable, "-m", "benchmarks.millions", str(path), str(MILLION)]
    done = subprocess.run(
        [*command, str(options.seconds)], capture_output=True, text=True, check=True
    )
    return found | json.loads(done.stdout)


def write_homes(path: Path) -> None:
    """Write a million users with their homes."""
    with path.open("w", encoding="ascii") as file:
        file.write("user,servers\n")
        file.writelines(f"{user_name(number)},{server_of(number)}\n" for number in range(MILLION))


def control(config: Path, *words: str) -> dict[str, float]:
    """Run referralctl; give its seconds and the most memory that it had, in MiB."""
    code = "import sys; from referrald.ctl.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "-c", str(config), *words]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"referralctl {' '.join(words)} ended with {process.returncode}")
    return {"seconds": time.perf_counter() - began, "mib": usage.ru_maxrss / 1024}


# -- the report ------------------------------------------------------------------------------


def report(found: dict[str, Any]) -> None:
    """Print the figures of all backends."""
    print(f"Python {platform.python_version()}, Twisted {twisted.__version__}")
    yardstick = found.get("table", {}).get("cached_us")
    print(f"{'':12}{'lookups/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'cached µs':>12}")
    for name, row in found.items():
        ratio = f"{row['cached_us'] / yardstick:8.2f} × table" if yardstick else ""
        print(
            f"{name:12}{row['per_second']:12.0f}{row['p50_ms']:10.2f}{row['p99_ms']:10.2f}"
            f"{row['cached_us']:12.2f}{ratio} (must {MOST_CACHED})"
        )
    for name, row in found.items():
        for kind, figures in row.get("hanging", {}).items():
            print(f"{name} hangs, {kind} homes: {told_of_hanging(figures)}")
    for name, row in found.items():
        if "million" in row:
            report_million(name, row["million"])


def told_of_hanging(figures: dict[str, dict[str, float]]) -> str:
    """Tell logins of known users while a server hangs beside the usual."""
    usual, hanging, knocked = (figures[each] for each in ("usual", "hanging", "knocked"))
    return (
        f"{hanging['per_second']:.0f} logins/s, p99 {hanging['p99_ms']:.1f} ms, CPU "
        f"{hanging['cpu_us']:.0f} µs; usual {usual['per_second']:.0f}/s, {usual['p99_ms']:.1f} ms, "
        f"{usual['cpu_us']:.0f} µs ({hanging['cpu_us'] / usual['cpu_us']:.2f} × CPU, must "
        f"{MOST_WHILE_HANGING}); with others knocking {knocked['per_second']:.0f}/s, "
        f"{knocked['p99_ms']:.1f} ms, {knocked['cpu_us']:.0f} µs"
    )


def report_million(name: str, row: dict[str, Any]) -> None:
    """Print what a million users cost."""
    print(f"{name}, {MILLION:,} users:")
    for what, value in row.items():
        if isinstance(value, dict):
            print(f"  {what:12}{value['seconds']:10.1f} s{value['mib']:10.0f} MiB")
        else:
            print(f"  {what:12}{value:10.2f}")


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(sources.SOURCES), metavar="NAME")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--million", action="store_true", help="also with 1,000,000 users")
    run(parser, measure, report)


if __name__ == "__main__":
    main()
