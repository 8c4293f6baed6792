"""What front doors tell each other: whom they have referred, and whose logins have failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from referrald.config.settings import Config, SharedSection
from referrald.ops.guesses import LONGEST_NAME, FailedLogins
from referrald.routing.guard import StormBreaker

STREAM = "shared"
REFERRED, FAILED = "referred", "failed"


class Feed(Protocol):
    """Tells others, and is told by them; see `referrald.backends.redis.feed`."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> Any:
        """End; gives a Deferred."""
        ...

    def tell(self, fields: Mapping[str, str]) -> None:
        """Tell others soon; takes no time."""
        ...


class Happened(Protocol):
    """What another front door has told."""

    @property
    def fields(self) -> Mapping[str, str]:
        """What it is, by name."""

    @property
    def when(self) -> float:
        """When it happened, by our clock."""


class Sharing:
    """Passes on what the counts of one front door are told, and counts what others pass on.

    breaker, failures: give those that are in use at the moment, None where there is none.
    """

    def __init__(
        self,
        breaker: Callable[[], StormBreaker | None],
        failures: Callable[[], FailedLogins | None],
    ) -> None:
        self._breaker = breaker
        self._failures = failures
        self.feed: Feed | None = None

    def referred(self, user: str, peer: str, name: str) -> None:
        """Tell of a referral."""
        if self.feed is not None and len(user) <= LONGEST_NAME >= len(name):
            self.feed.tell({"what": REFERRED, "user": user, "peer": peer, "name": name})

    def failed(self, user: str, peer: str) -> None:
        """Tell of a failed login."""
        if self.feed is not None:
            self.feed.tell({"what": FAILED, "user": user, "peer": peer})

    def heard(self, events: Sequence[Happened]) -> None:
        """Count what others have told."""
        breaker, failures = self._breaker(), self._failures()
        for event in events:
            user, peer = event.fields.get("user", ""), event.fields.get("peer", "")
            what = event.fields.get("what")
            if what == REFERRED and breaker is not None:
                breaker.hear(user, peer, event.fields.get("name", ""), event.when)
            elif what == FAILED and failures is not None:
                failures.hear(user, peer, event.when)


def feed_for(config: Config, reactor: Any, sharing: Sharing) -> Feed | None:
    """Make what the configuration asks for, None where nothing is shared."""
    section: SharedSection = config.shared
    if not section.servers:
        return None
    # Brings in the library, which others need not have.
    from referrald.backends.redis.connecting import access_of
    from referrald.backends.redis.feed import Feed as RedisFeed
    from referrald.backends.redis.places import read_place
    from referrald.backends.redis.servers import Servers

    access = access_of(attrs.asdict(section))
    servers = Servers([read_place(each) for each in section.servers], access)
    window = max(config.referral.storm_window, config.limits.failure_window)
    return RedisFeed(servers, f"{section.prefix}{STREAM}", reactor, sharing.heard, window)
