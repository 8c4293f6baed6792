"""Sessions that do nothing but end when they are told to."""

from __future__ import annotations

from referrald.model import Server
from referrald.routing.moving import Mover

A, B = Server(host="a.example"), Server(host="b.example")


class Session:
    """A session of a user, relayed to a server or served here; quiet unless ``busy`` says so."""

    def __init__(
        self, mover: Mover, user: str, relayed_to: Server | None = A, there: str = ""
    ) -> None:
        self.mover = mover
        self.user = user
        self.relayed_to = relayed_to
        self.there = there or (user if relayed_to else "")
        self.busy = 0
        self.said: str | None = None
        self.ended_at = -1.0
        mover.join(self)

    def quiet_for(self) -> float:
        self.busy -= 1
        return 0.5 if self.busy >= 0 else 60.0

    def part(self, text: str) -> None:
        self.said = text
        self.mover.leave(self)
