"""Logins at several front doors without a pause, and what became of each."""

from __future__ import annotations

import imaplib
import re
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from tests.interop.support import PATIENCE

HOST = "127.0.0.1"
_REFERRAL = re.compile(r"REFERRAL imap://[^;]+;AUTH=\*@([^/]+)/")


@attrs.frozen(kw_only=True)
class Outcome:
    """One login: where it was referred to, else the answer; and how many seconds that took."""

    user: str
    host: str
    seconds: float


def log_in(port: int, user: str) -> Outcome:
    """Log a user in who lives elsewhere."""
    begun = time.monotonic()
    with imaplib.IMAP4(HOST, port, timeout=PATIENCE) as client:
        try:
            answer = str(client.login(user, "secret"))
        except imaplib.IMAP4.error as error:
            answer = str(error)
        seconds = time.monotonic() - begun
    found = _REFERRAL.search(answer)
    return Outcome(user=user, host=found[1] if found else answer, seconds=seconds)


class LoginLoad:
    """Threads that log users in, one after the other, at each of the ports."""

    def __init__(self, ports: Iterable[int], users: Sequence[str], threads: int = 2) -> None:
        self._users = users
        self._over = threading.Event()
        self._outcomes: dict[int, list[Outcome]] = {port: [] for port in ports}
        self._faults: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(port, number))
            for port in self._outcomes
            for number in range(threads)
        ]

    def __enter__(self) -> LoginLoad:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        """End, and raise what went wrong in a thread."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._faults and exception[0] is None:
            raise self._faults[0]

    def _run(self, port: int, number: int) -> None:
        try:
            while not self._over.is_set():
                user = self._users[number % len(self._users)]
                self._outcomes[port].append(log_in(port, user))
                number += 1
        except BaseException as fault:  # noqa: BLE001 - the test has to fail for it, not a thread
            self._faults.append(fault)

    def wait_for(self, more: int) -> None:
        """Wait until each port has had so many more logins."""
        goals = {port: len(outcomes) + more for port, outcomes in self._outcomes.items()}
        begun = time.monotonic()
        while any(len(self._outcomes[port]) < goal for port, goal in goals.items()):
            assert not self._faults, self._faults
            assert time.monotonic() - begun < PATIENCE, "logins do not come to an end"
            self._over.wait(0.01)

    @property
    def outcomes(self) -> list[Outcome]:
        """All logins so far."""
        return [each for outcomes in self._outcomes.values() for each in outcomes]


def p99(outcomes: Iterable[Outcome]) -> float:
    """Give the seconds that but one of a hundred logins took at most."""
    times = sorted(each.seconds for each in outcomes)
    return times[len(times) * 99 // 100]
