"""A Redis of the tests' own: on a free port of 127.0.0.1 and a socket, in a folder of its own."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import SkipTest

CONFIG = """
bind 127.0.0.1
unixsocket {folder}/redis.sock
dir {folder}
save ""
appendonly yes
appendfsync no
databases 16
"""
PATIENCE = 60.0


def program() -> str:
    """Find the server; skip the test without it, or fail where it has to be there."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        message = "neither redis-server nor valkey-server is installed"
        if os.environ.get("REFERRALD_REQUIRE_INTEROP") == "1":
            raise AssertionError(message)
        raise SkipTest(message)
    return found


def free_port() -> int:
    """Find a port that nobody uses at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RedisServer:
    """A server that can be stopped, started again, and made to hang; it keeps what it has.

    settings: further lines of its configuration.
    """

    def __init__(self, settings: str = "") -> None:
        self._program = program()
        self.folder = Path(tempfile.mkdtemp(prefix="referrald-redis-"))
        self.port = free_port()
        self._config = self.folder / "redis.conf"
        port = "" if settings.startswith("port ") else f"port {self.port}\n"
        self._config.write_text(CONFIG.format(folder=self.folder) + port + settings + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Say where it is."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Say where its socket is."""
        return f"unix://{self.folder}/redis.sock"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, self.log
            select.select([], [], [], 0.01)

    def _answers(self) -> bool:
        """Say whether it answers on its socket, with an error where it wants a password."""
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(str(self.folder / "redis.sock"))
                probe.sendall(b"PING\r\n")
                return probe.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """The process of the server."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it; whoever is connected is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def hang(self) -> None:
        """Have it answer nobody, and stay connected."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.folder)

    def run(self, *command: str | bytes | int, database: int = 0) -> Any:
        """Do one command as another program does."""
        import redis

        with redis.Redis(
            unix_socket_path=str(self.folder / "redis.sock"), db=database, protocol=2
        ) as client:
            return client.execute_command(*command)
