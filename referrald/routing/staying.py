"""May a session go on, now that its user's home is such? A pure function."""

from __future__ import annotations

import enum

import attrs

from referrald.model import Home
from referrald.routing.live import LiveSession


class Why(enum.Enum):
    """Why a session ends, in a word for the operator."""

    MOVED = "moved"
    HELD = "held"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@attrs.frozen
class Ground:
    """Why a session ends, and what the person in front of the client reads."""

    why: Why
    text: str


MOVED = Ground(Why.MOVED, "Your mailbox has moved; please connect again.")
HELD = Ground(Why.HELD, "This mailbox is being moved; please connect again in a few minutes.")
UNKNOWN = Ground(Why.UNKNOWN, "No mailbox is known for this user any more.")
CLOSED = "This account is closed."


def ground(session: LiveSession, home: Home | None) -> Ground | None:
    """Say why a session may not go on when this is its user's home; None when it may.

    What counts is the server that the login went to first: that a home sends people on by itself
    is its own business.
    """
    if home is None:
        return UNKNOWN
    if home.closed is not None:
        return Ground(Why.CLOSED, home.closed or CLOSED)
    if home.held:
        return HELD
    server = session.relayed_to
    if server is None:
        # With public mailboxes here a login is let in though the user's own are elsewhere.
        return None if home.here or home.public_here else MOVED
    same_name = session.there == (home.user or session.user)
    return None if server in home.servers and same_name else MOVED
