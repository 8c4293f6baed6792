"""The backends that are measured, each with a server of its own where it needs one.

One more is a function here that starts what there is to start and gives a `Source`, under its name
in `SOURCES`. What can be written to is filled through its own backend.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import attrs

from benchmarks.processes import tree
from tests.backends.keyvalue.etcdserver import Etcd
from tests.backends.redis.server import RedisServer
from tests.backends.sql.cluster import Cluster
from tests.backends.zone import srv
from tests.interop.slapd import BASE, Slapd
from tests.interop.slapd import HOST as SLAPD
from tests.interop.support import InteropCase, free_port

HOST = "127.0.0.1"
SERVERS = 50


class Started(InteropCase):
    """Servers that are started for a benchmark, and stopped when it is over."""

    def runTest(self) -> None:
        """Be no test."""


def user_name(number: int) -> str:
    """Name a user."""
    return f"user{number}"


def server_of(number: int) -> str:
    """Say where a user lives."""
    return f"imap{number % SERVERS}.example.org"


@attrs.frozen(kw_only=True)
class Source:
    """A backend that can be asked.

    section: its lines in a ``[[backend]]``. pid: of its server, 0 where there is none. fill: it is
    empty, and homes are written through the backend itself. domain: behind the names of users.
    """

    section: str
    pid: int = 0
    fill: bool = False
    domain: str = ""

    def user(self, number: int) -> str:
        """Name a user as this backend knows one."""
        return user_name(number) + self.domain

    @contextmanager
    def hanging(self) -> Any:
        """Have the server answer nobody, and stay connected."""
        stopped = tree(self.pid)
        _send(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            _send(reversed(stopped), signal.SIGCONT)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def table(started: Started, users: int) -> Source:
    """A file with a line for each user."""
    folder = started.folder()
    lines = (f"{user_name(number)}\t{server_of(number)}\n" for number in range(users))
    (folder / "users.tsv").write_text("".join(lines), encoding="ascii")
    (folder / "homes.toml").write_text('users_file = "users.tsv"\n', encoding="ascii")
    return Source(section=f'type = "table"\nfile = "{folder}/homes.toml"')


def ring(started: Started, users: int) -> Source:
    """No directory at all."""
    servers = ", ".join(f'"{server_of(number)}"' for number in range(SERVERS))
    return Source(section=f'type = "ring"\nservers = [{servers}]')


def sqlite(started: Started, users: int) -> Source:
    """A file with tables of our own."""
    return Source(section=f'type = "sqlite"\ndatabase = "{started.folder()}/homes.db"', fill=True)


def postgresql(started: Started, users: int) -> Source:
    """A server with tables of our own."""
    cluster = Cluster()
    started.addCleanup(cluster.remove)
    return Source(
        section=f'type = "postgresql"\ndsn = "{cluster.dsn()}"', pid=cluster.pid, fill=True
    )


def redis(started: Started, users: int) -> Source:
    """A hash for each user."""
    server = RedisServer()
    started.addCleanup(server.remove)
    return Source(section=f'type = "redis"\nservers = ["{server.url}"]', pid=server.pid, fill=True)


def etcd(started: Started, users: int) -> Source:
    """A key for each user."""
    server = Etcd()
    started.addCleanup(server.remove)
    section = f'type = "etcd"\nservers = ["{server.url}"]\nin_parts = true'
    assert server.process is not None
    return Source(section=section, pid=server.process.pid, fill=True)


def ldap(started: Started, users: int) -> Source:
    """Attributes of a person."""
    slapd = Slapd(started)
    slapd.fill({user_name(number): {"mailHost": server_of(number)} for number in range(users)})
    section = f'type = "ldap"\nservers = ["ldap://{SLAPD}:{slapd.port}"]\nbase = "{BASE}"\n'
    return Source(section=section + 'filter = "(uid=%u)"\nstarttls = false', pid=slapd.process.pid)


def http(started: Started, users: int) -> Source:
    """A web service that does nothing but answer."""
    pid, port = _start(started, "benchmarks.homeservice")
    return Source(section=f'type = "http"\nurl = "http://{HOST}:{port}/home"', pid=pid)


def dns(started: Started, users: int) -> Source:
    """Records of a domain: the same for all users, and asked for by each."""
    zone = started.folder() / "zone"
    zone.write_text(f"_imap._tcp.one.example {srv(server_of(0), 143)}\n", encoding="ascii")
    pid, port = _start(started, "tests.interop.nameserver", str(zone))
    section = f'type = "dns"\ndomains = ["*.example"]\nnameservers = ["{HOST}:{port}"]'
    return Source(section=section, pid=pid, domain="@one.example")


def _start(started: Started, module: str, *more: str) -> tuple[int, int]:
    """Run a module that listens on the port it is given; give the process and the port."""
    port = free_port()
    with (started.folder() / "log").open("wb") as out:
        command = [sys.executable, "-m", module, str(port), *more]
        process: subprocess.Popen[bytes] = started.run_server(command, out, port, greets=False)
    return process.pid, port


SOURCES: dict[str, Callable[[Started, int], Source]] = {
    "table": table,
    "ring": ring,
    "sqlite": sqlite,
    "postgresql": postgresql,
    "redis": redis,
    "etcd": etcd,
    "ldap": ldap,
    "http": http,
    "dns": dns,
}


def start(name: str, started: Started, users: int) -> Source | None:
    """Start a source; None, with a word about it, where its server is not installed."""
    try:
        return SOURCES[name](started, users)
    except SkipTest as reason:
        sys.stderr.write(f"{name} is left out: {reason}\n")
        return None


def configuration(source: Source, port: int = 0, more: str = "") -> str:
    """Write a configuration with this one backend."""
    return f"""
[server]
name = "front.example"
[[listener]]
endpoint = "tcp:{port}:interface={HOST}"
tls = "none"
allow_cleartext = true
[[backend]]
{source.section}
{more}
"""


def write(folder: Path, source: Source, more: str = "") -> Path:
    """Write a configuration into a file."""
    path = folder / "referrald.toml"
    path.write_text(configuration(source, more=more), encoding="utf-8")
    return path
