"""Several Redis servers: one takes changes, the others may answer when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from redis.exceptions import NoPermissionError

from referrald.backends.redis.access import Access
from referrald.backends.redis.clients import Client, Down, connect_later, failing
from referrald.backends.redis.places import Place
from referrald.errors import Unavailable

Result = TypeVar("Result")

LATELY = 1.0
"""A server that has failed is asked last for so many seconds."""

PATIENT = 60.0
"""Seconds that the answer to a change may take, which may be of a hundred thousand users."""


class Servers:
    """Asks servers, in whatever thread it is called; each call may take as long as they do.

    A server that takes changes is the one to ask as long as it answers. When it fails, the next one
    that answers is asked, which may be a replica that lags behind.
    """

    def __init__(
        self,
        places: Sequence[Place],
        access: Access,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = "redis " + ", ".join(map(str, places))
        self._places = tuple(places)
        self._access = access
        self._now = now
        self._clients = [connect_later(place, access) for place in places]
        self._primary = 0
        self._failed = [-LATELY] * len(places)

    def close(self) -> None:
        """Let go of all connections that are not in use."""
        for client in self._clients:
            client.close()

    def read(self, work: Callable[[Client], Result]) -> Result:
        """Do ``work(client)``, which only looks; raises `Unavailable`."""
        failures: list[str] = []
        for number in self._order():
            try:
                return self._do(number, work)
            except Down as error:
                failures.append(str(error))
        raise Unavailable("; ".join(failures))

    def write(self, work: Callable[[Client], Result]) -> Result:
        """Do ``work(client)`` where changes are taken; raises `Unavailable`.

        When the answer to a change does not come, it may have been made or not.
        """
        number = self.primary()
        place = self._places[number]
        client = connect_later(place, self._access, timeout=max(PATIENT, self._access.timeout))
        try:
            with failing(str(place)):
                return work(client)
        finally:
            client.close()

    def primary(self) -> int:
        """Find the server that takes changes, first where it was; raises `Unavailable`."""
        failures: list[str] = []
        for number in self._order():
            try:
                if len(self._places) == 1 or self._do(number, _takes_changes):
                    self._primary = number
                    return number
                failures.append(f"redis {self._places[number]}: is a replica")
            except Down as error:
                failures.append(str(error))
        raise Unavailable("; ".join(failures))

    def listening(self, at_least: float = 0.0) -> Client:
        """Make a client for a connection of its own to the server that takes changes.

        at_least: seconds that an answer may take, if more than usual.
        """
        timeout = max(self._access.timeout, at_least)
        return connect_later(self._places[self.primary()], self._access, timeout=timeout)

    def _order(self) -> list[int]:
        lately = self._now() - LATELY
        numbers = sorted(range(len(self._places)), key=lambda each: each != self._primary)
        return sorted(numbers, key=lambda each: self._failed[each] > lately)

    def _do(self, number: int, work: Callable[[Client], Result]) -> Result:
        try:
            with failing(str(self._places[number])):
                return work(self._clients[number])
        except Down:
            self._failed[number] = self._now()
            raise


def _takes_changes(client: Client) -> bool:
    try:
        return bool(client.role()[0] in (b"master", "master"))
    except NoPermissionError:
        # Who may not ask that is told by an error when it tries to change something.
        return True
