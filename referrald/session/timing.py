"""Time limits of a session, on the wheel that all sessions share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from referrald.session.door import Door
from referrald.wire.response import Status, bye


class Timing:
    """Ends a session that takes too long to log in, or is silent for too long after."""

    door: Door
    state: str
    _bye: Callable[[Status], None]
    _timer: Hashable | None = None
    _stall_timer: Hashable | None = None
    _last_input = 0.0

    if TYPE_CHECKING:

        @property
        def session_id(self) -> str: ...

        @property
        def peer(self) -> str: ...

    def _expect_login(self) -> None:
        self._timer = self.door.wheel.add(self.door.limits.auth_time, self._auth_overdue)

    def _expect_life(self) -> None:
        self._last_input = self.door.clock()
        limits = self.door.limits
        if self._timer is None or limits.idle_time < limits.auth_time:
            self._disarm()
            self._timer = self.door.wheel.add(limits.idle_time, self._idle_check)

    def _auth_overdue(self) -> None:
        if self.state != "unauth":
            # The login was in time; its timer is that of the idle session from now on.
            self._idle_check()
            return
        self._timer = None
        self.door.notes.note("slow login", f"{self.session_id} {self.peer}: not logged in in time")
        self._bye(bye("Too slow to log in."))

    def _idle_check(self) -> None:
        limit = self.door.limits.idle_time
        left = self._last_input + limit - self.door.clock()
        if left > 0:
            self._timer = self.door.wheel.add(left, self._idle_check)
            return
        self._timer = None
        self._bye(bye("Idle for too long."))

    def _disarm(self) -> None:
        for token in (self._timer, self._stall_timer):
            if token is not None:
                self.door.wheel.cancel(token)
        self._timer = self._stall_timer = None
