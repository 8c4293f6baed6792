"""The double of Consul as a program of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from select import select
from typing import Any
from urllib.parse import quote

DOUBLE = Path(__file__).with_name("consuldouble.py")
PATIENCE = 60.0


class Consul:
    """An agent that can be stopped and started again. token: without it nobody is answered."""

    def __init__(self, token: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="referrald-consul-"))
        self._token = token
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Say where it is."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, str(DOUBLE), str(self._port), str(self._folder / "keys")]
        with open(self._folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*command, self._token] if self._token else command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=5):
                    return
            except OSError:
                select([], [], [], 0.02)
        raise AssertionError((self._folder / "log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """Stop it; whoever is connected is cut off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder)

    def call(self, method: str, path: str, body: str = "") -> bytes:
        """Ask as curl does."""
        request = urllib.request.Request(
            self.url + path, data=body.encode(), method=method,
            headers={"X-Consul-Token": self._token} if self._token else {},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            found: bytes = answer.read()
            return found

    def put(self, key: str, value: str) -> None:
        """Put a value under a key."""
        self.call("PUT", "/v1/kv/" + quote(key), value)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self.call("DELETE", "/v1/kv/" + quote(key))

    def restore(self, entries: dict[str, Any], index: int) -> None:
        """Put an older snapshot in place."""
        self.call("PUT", "/v1/snapshot", json.dumps({"index": index, "entries": entries}))
