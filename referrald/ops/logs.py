"""What an operator reads: one line for each login, and a few for everything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from referrald.model import LoginEvent
from referrald.ops.counts import Outcomes
from referrald.ops.lines import json_line, shown, text_line
from referrald.ops.sink import LineSink

Text = str | Callable[[], str]


def local_stamp(seconds: float) -> str:
    """Give a wall clock time as ISO 8601 with the offset of the local zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))


class LoginLog:
    """Writes each login as one line of text or JSON.

    destination: ``twisted`` (an ordinary event of Twisted's log), ``-`` (standard output) or a file
    to append to. Lines for the last two carry their own time. ``outcomes`` counts the results.
    Raises `ConfigurationError` when the file cannot be opened.
    """

    log = Logger(namespace="referrald.logins")

    def __init__(
        self,
        clock: IReactorTime,
        *,
        form: Literal["text", "json"] = "text",
        destination: str = "twisted",
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.form = form
        self.destination = destination
        self.outcomes = Outcomes()
        self._wall_clock = wall_clock
        self._second = -1.0
        self._stamp = ""
        self._sink: LineSink | None = None
        if destination != "twisted":
            self._sink = LineSink(clock, destination, self._rendered)

    @property
    def dropped(self) -> int:
        """Lines that could not be written and were given up since the trouble began."""
        return 0 if self._sink is None else self._sink.dropped

    def write(self, event: LoginEvent) -> None:
        """Write one line; never raises and never waits for the disk."""
        self.outcomes.count(event.result)
        sink = self._sink
        if sink is None:
            line = text_line(event) if self.form == "text" else json_line(event)
            self.log.info("{line}", line=line, login=event)
            return
        sink.write((self._wall_clock(), event))

    def _rendered(self, written: tuple[float, LoginEvent]) -> str:
        """Give the line of a login that was told at a time."""
        when, event = written
        if when // 1 != self._second:
            self._second = when // 1
            self._stamp = local_stamp(when)
        if self.form == "text":
            return f"{self._stamp} {text_line(event)}"
        return json_line(event, self._stamp)

    def flush(self) -> None:
        """Write out what waits."""
        if self._sink is not None:
            self._sink.flush()

    def reopen(self) -> None:
        """Begin a new file, after log rotation has moved the old one."""
        if self._sink is not None:
            self._sink.reopen()

    def close(self) -> None:
        """Write out what waits and let go of the file."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None


class EventLog:
    """Everything else that sessions meet: at most one line a minute of each kind.

    What is held back is counted, and the count is told when the minute is over. No more than
    ``most`` kinds are told in one minute: a flood from many addresses does not fill the disk.
    """

    log = Logger(namespace="referrald")

    def __init__(self, clock: IReactorTime, *, seconds: float = 60.0, most: int = 500) -> None:
        self._clock: Any = clock
        self._length = seconds
        self._most = most
        self._held: dict[str, list[Any]] = {}
        self._other = 0
        self._since = 0.0
        self._call: Any = None

    def note(self, kind: str, text: Text) -> None:
        """Write one line, unless one of this ``kind`` was written within the minute.

        text: or what makes it.
        """
        if self._first(kind, text):
            self.log.info("{text}", text=shown(_made(text)))

    def fault(self, text: str, error: BaseException) -> None:
        """Write an error that should not have happened, with its traceback."""
        if self._first(f"fault {type(error).__qualname__} {_origin(error)}", text):
            failure = Failure(error, type(error), error.__traceback__)  # type: ignore[no-untyped-call]
            self.log.failure("{text}", failure=failure, text=shown(text))

    def close(self) -> None:
        """Tell what was held back."""
        if self._call is not None:
            self._call.cancel()
            self._minute_over()

    def _first(self, kind: str, text: Text) -> bool:
        now = self._clock.seconds()
        if not 0 <= now - self._since < self._length and self._call is None:
            self._since = now
            self._held.clear()
        held = self._held.get(kind)
        if held is None and len(self._held) < self._most:
            self._held[kind] = [0, ""]
            return True
        if held is None:
            self._other += 1
        else:
            held[0] += 1
            held[1] = text
        if self._call is None:
            self._call = self._clock.callLater(self._since + self._length - now, self._minute_over)
        return False

    def _minute_over(self) -> None:
        self._call = None
        self._since = self._clock.seconds()
        held, self._held = self._held, {}
        for count, text in held.values():
            if count:
                self.log.info("{text} ({count} like this)", text=shown(_made(text)), count=count)
        if self._other:
            self.log.info("{count} other events were not written", count=self._other)
            self._other = 0


def _made(text: Text) -> str:
    return text if isinstance(text, str) else text()


def _origin(error: BaseException) -> str:
    """Name the line that raised."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
