"""A PostgreSQL of the tests' own: on a free port of 127.0.0.1, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
max_connections = 50
"""


def program(name: str) -> str:
    """Find a program of PostgreSQL; skip the test without it, or fail where it has to be there."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, PLACES), os.environ["PATH"]]))
    if found is None:
        message = f"{name} of PostgreSQL is not installed"
        if os.environ.get("REFERRALD_REQUIRE_INTEROP") == "1":
            raise AssertionError(message)
        raise SkipTest(message)
    return found


class Cluster:
    """A server that can be stopped and started again; it refuses to run as root."""

    def __init__(self) -> None:
        initdb, self._server = program("initdb"), program("postgres")
        self._folder = Path(tempfile.mkdtemp(prefix="referrald-pg-"))
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("nobody")
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._data = self._folder / "data"
        self._run(
            initdb, "-D", str(self._data), "-U", "mail", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        with open(self._data / "postgresql.conf", "a", encoding="ascii") as config:
            config.write(CONFIG.format(port=self.port))
        self.start()

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=False, **self._user
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        log = str(self._folder / "log")
        self._run(program("pg_ctl"), "-D", str(self._data), "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop it; whoever is connected is cut off."""
        self._run(program("pg_ctl"), "-D", str(self._data), "-m", "immediate", "-w", "stop")

    @property
    def pid(self) -> int:
        """The process that all others of the server are below of."""
        return int((self._data / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def hang(self) -> None:
        """Have it answer nobody, and stay connected."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for each in (pid, *map(int, children)):
            # A process of a connection may have ended meanwhile.
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def remove(self) -> None:
        """Stop it for good, if it runs."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    def dsn(self, database: str = "postgres") -> str:
        """Say how to connect."""
        return f"host=127.0.0.1 port={self.port} user=mail dbname={database}"

    def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as another program does; gives the rows of the last one."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            rows: list[Any] = []
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
            return rows
