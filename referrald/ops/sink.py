"""Lines to a file or to standard output, many at a time, without ever holding up the reactor.

A full disk, a closed pipe or a reader that has stopped reading must not cost anyone a login: what
cannot be written is kept up to `KEPT` bytes and tried again; past that, lines are dropped and
counted. The trouble is told once when it begins and once when it is over.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from referrald.errors import ConfigurationError
from referrald.model import Problem

FLUSH_AFTER = 0.05
"""Seconds that a line waits for others to go with it."""

RETRY_AFTER = 1.0
FLUSH_AT = 512
"""Lines that are written at once, however short they have waited."""

KEPT = 1 << 20
_PIPE_STEP = 4096  # a pipe that polls as writable takes PIPE_BUF bytes without blocking
_NEW_FILE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class LineSink:
    """Appends lines to ``path``, or to standard output for ``-``.

    render: makes a line, without its end, of what is given to be written; all of a batch at a time,
    which is less work than one by one. Raises `ConfigurationError` when the file cannot be opened.
    """

    log = Logger(namespace="referrald")

    def __init__(self, clock: IReactorTime, path: str, render: Callable[[Any], str] = str) -> None:
        self.path = path
        self._render = render
        self.dropped = 0
        self._clock: Any = clock
        self._lines: list[Any] = []
        self._kept = b""
        self._call: Any = None
        self._trouble = ""
        try:
            self._take(1 if path == "-" else os.open(path, _NEW_FILE, 0o640))
        except OSError as error:
            problem = Problem(
                where=path, key="log.logins", wrong=f"cannot be written: {error.strerror}"
            )
            raise ConfigurationError([problem]) from error

    def _take(self, descriptor: int) -> None:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._descriptor = descriptor
        self._step = KEPT if regular else _PIPE_STEP
        self._poll = None if regular else select.poll()
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLOUT)

    def write(self, line: Any) -> None:
        """Write ``line`` soon."""
        lines = self._lines
        lines.append(line)
        if self._call is None:
            self._call = self._clock.callLater(FLUSH_AFTER, self._due)
        elif len(lines) >= FLUSH_AT:
            self.flush()

    def _due(self) -> None:
        self._call = None
        self.flush()

    def flush(self) -> None:
        """Write now what can be written."""
        self._gather()
        while self._kept:
            error = self._write_some()
            if error is None:
                continue
            if error or self.dropped:
                self._tell(error or "its reader does not read")
            if self._call is None:
                self._call = self._clock.callLater(RETRY_AFTER, self._due)
            return
        if self._trouble:
            self._recovered()

    def _gather(self) -> None:
        lines = self._lines
        if not lines:
            return
        self._lines = []
        if len(self._kept) > KEPT:
            self.dropped += len(lines)
            return
        text = "\n".join(map(self._render, lines)) + "\n"
        self._kept += text.encode("utf-8", "backslashreplace")

    def _write_some(self) -> str | None:
        """Write a piece; give what went wrong, an empty text when there is no room just now."""
        if self._poll is not None and not self._poll.poll(0):
            return ""
        try:
            written = os.write(self._descriptor, self._kept[: self._step])
        except BlockingIOError:
            return ""
        except OSError as error:
            return error.strerror or "unknown error"
        self._kept = self._kept[written:]
        return None

    def _tell(self, error: str) -> None:
        if self._trouble:
            return
        self._trouble = error
        self.log.error(
            "the login log {path} cannot be written: {error}; logins go on",
            path=self.path,
            error=error,
        )

    def _recovered(self) -> None:
        self._trouble = ""
        dropped, self.dropped = self.dropped, 0
        self.log.warn(
            "the login log {path} is written again; {dropped} lines were lost",
            path=self.path,
            dropped=dropped,
        )

    def reopen(self) -> None:
        """Begin a new file after the old one was moved away; when it cannot be, keep the old."""
        if self.path == "-":
            return
        self.flush()
        try:
            descriptor = os.open(self.path, _NEW_FILE, 0o640)
        except OSError as error:
            self.log.error(
                "the login log {path} cannot be opened anew: {error}; the old file is kept",
                path=self.path,
                error=error.strerror,
            )
            return
        old = self._descriptor
        self._take(descriptor)
        os.close(old)

    def close(self) -> None:
        """Write what can be written and let go of the file."""
        self.flush()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self.path != "-":
            os.close(self._descriptor)
