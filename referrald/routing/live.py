"""Who is logged in at the moment: sessions by user, for the day when a user moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from referrald.model import Server


class LiveSession(Protocol):
    """A session, as far as it may have to end.

    user: who is logged in. there: the name at the home server, empty where the session is served.
    """

    user: str

    @property
    def relayed_to(self) -> Server | None:
        """The home server that its login went to first; None when it is served here."""
        ...

    @property
    def there(self) -> str:
        """The name at the home server."""
        ...

    def quiet_for(self) -> float:
        """Give the seconds since something went through it; 0 while it works on something."""
        ...

    def part(self, text: str) -> None:
        """End it, with a text for a person where the client can take one."""
        ...


def fold(user: str) -> str:
    """Give the name by which a user is found, in whatever case a change is told."""
    folded = user.lower()
    return user if folded == user else folded


class LiveSessions:
    """All sessions that are logged in.

    Most users have one session, which then is in the table itself: this costs a session no more
    than the room of a key and a value.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, LiveSession | dict[LiveSession, None]] = {}

    def add(self, session: LiveSession) -> None:
        """Remember a session; its user must not change from now on."""
        name = fold(session.user)
        known = self._sessions.get(name)
        if known is None:
            self._sessions[name] = session
        elif isinstance(known, dict):
            known[session] = None
        elif known is not session:
            self._sessions[name] = {known: None, session: None}

    def discard(self, session: LiveSession) -> None:
        """Forget a session, if it is there."""
        name = session.user.lower()
        known = self._sessions.get(name)
        if known is session:
            del self._sessions[name]
        elif isinstance(known, dict):
            known.pop(session, None)
            if not known:
                del self._sessions[name]

    @property
    def any(self) -> bool:
        """Say whether anybody is logged in."""
        return bool(self._sessions)

    def of(self, user: str) -> list[LiveSession]:
        """Give the sessions of a user, written in whatever case."""
        known = self._sessions.get(fold(user))
        if known is None:
            return []
        return [*known] if isinstance(known, dict) else [known]

    def users(self) -> Iterator[str]:
        """Name those who are logged in, in lower case."""
        return iter(self._sessions)
