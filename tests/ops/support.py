"""What tests of operations share."""

from __future__ import annotations

from typing import Any

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


class Listener:
    """Keeps the log lines of the project that come during a test."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("referrald"):
            self.lines.append(formatEvent(event))

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)
