"""An etcd of the tests' own: on free ports of 127.0.0.1, in a folder of its own."""

from __future__ import annotations

import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from unittest import SkipTest

HOST = "127.0.0.1"
PATIENCE = 60.0
PATIENT = ("--command-timeout", "60s", "--dial-timeout", "60s")


def program(name: str) -> str:
    """Find a program; skip the test without it, or fail where it has to be there."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed"
        if os.environ.get("REFERRALD_REQUIRE_INTEROP"):
            raise AssertionError(message)
        raise SkipTest(message)
    return found


class Etcd:
    """A server that can be stopped and started again.

    options: more of its command line. tls: certificate and key; clients have to show the same.
    """

    def __init__(self, options: Iterable[str] = (), tls: tuple[Path, Path] | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="referrald-etcd-"))
        self._client, self._peer = _free_ports(2)
        self._options = list(options)
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            certificate, key = map(str, tls)
            self._options += ["--cert-file", certificate, "--key-file", key]
            self._options += ["--client-cert-auth", "--trusted-ca-file", certificate]
            self._tls = ssl.create_default_context(cafile=certificate)
            self._tls.load_cert_chain(certificate, key)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Say where it is."""
        if self._tls is not None:
            return f"https://localhost:{self._client}"
        return f"http://{HOST}:{self._client}"

    @property
    def _listening(self) -> str:
        return self.url.replace("localhost", HOST)

    def start(self) -> None:
        """Start it and wait until it is well."""
        peer = f"http://{HOST}:{self._peer}"
        command = [
            program("etcd"), "--data-dir", str(self._folder / "data"), "--unsafe-no-fsync",
            "--listen-client-urls", self._listening, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", *self._options,
        ]  # fmt: skip
        with open(self._folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        assert self.process is not None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(
                    f"{self.url}/health", timeout=5, context=self._tls
                ) as answer:
                    if b'"true"' in answer.read():
                        return
            except (OSError, urllib.error.URLError):
                pass
            select.select([], [], [], 0.05)
        log = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"etcd does not run:\n{log[-4000:]}")

    def stop(self) -> None:
        """Stop it; whoever is connected is cut off."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def forget(self) -> None:
        """Stop it, and have it begin anew with nothing."""
        self.stop()
        shutil.rmtree(self._folder / "data")

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder)

    def ctl(self, *words: str, user: str = "") -> str:
        """Run etcdctl as an operator does; gives what it prints."""
        login = ["--user", user] if user else []
        done = subprocess.run(
            [program("etcdctl"), "--endpoints", self.url, *PATIENT, *login, *words],
            env=os.environ | {"ETCDCTL_API": "3"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def put(self, key: str, value: str) -> None:
        """Put a value under a key."""
        self.ctl("put", "--", key, value)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self.ctl("del", "--", key)

    def revision(self) -> int:
        """Give the present revision."""
        found = self.ctl("get", "x", "-w", "json").partition('"revision":')[2]
        return int(found.partition(",")[0])


def _free_ports(count: int) -> list[int]:
    """Find different ports that nobody uses at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
