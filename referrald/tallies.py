"""What is counted over all logins and reloads: referrals that nobody follows, and failures."""

from __future__ import annotations

from typing import Any

from referrald.config.settings import Config
from referrald.ops.guesses import FailedLogins
from referrald.routing.guard import StormBreaker
from referrald.sharing import Sharing, feed_for


class Tallies:
    """Counts by the settings in force, together with other front doors where these are shared."""

    def __init__(self, config: Config, reactor: Any) -> None:
        self._seconds = reactor.seconds
        self._breaker: tuple[tuple[int, float], StormBreaker] | None = None
        self._failures: tuple[tuple[int, int, float], FailedLogins] | None = None
        self.shared = config.shared
        self.sharing = Sharing(lambda: _at(self._breaker), lambda: _at(self._failures))
        self.sharing.feed = feed_for(config, reactor, self.sharing)

    def start(self) -> None:
        """Hear what others count."""
        if self.sharing.feed is not None:
            self.sharing.feed.start()

    async def stop(self) -> None:
        """Hear no more."""
        if self.sharing.feed is not None:
            await self.sharing.feed.stop()

    def breaker(self, config: Config) -> StormBreaker:
        """Give the storm breaker; what it has seen is kept while its settings stay."""
        settings = (config.referral.storm_count, config.referral.storm_window)
        if self._breaker is None or self._breaker[0] != settings:
            made = StormBreaker(
                clock=self._seconds,
                count=settings[0],
                window=settings[1],
                size=self._remembered,
                tell=self.sharing.referred if self.sharing.feed else None,
            )
            self._breaker = (settings, made)
        return self._breaker[1]

    def failures(self, config: Config) -> FailedLogins | None:
        """Give what counts failed logins, as `breaker` does; None where nothing limits them."""
        limits = config.limits
        settings = limits.failures_per_user, limits.failures_per_address, limits.failure_window
        if not any(settings[:2]):
            return None
        if self._failures is None or self._failures[0] != settings:
            made = FailedLogins(
                clock=self._seconds,
                per_user=settings[0],
                per_address=settings[1],
                window=settings[2],
                size=self._remembered,
                tell=self.sharing.failed if self.sharing.feed else None,
            )
            self._failures = (settings, made)
        return self._failures[1]

    @property
    def _remembered(self) -> int:
        """Of so many users and addresses is counted; there are more where others are told of."""
        return 100_000 if self.sharing.feed else 10_000


def _at(counts: tuple[Any, Any] | None) -> Any:
    """Give counts without the settings that they were made for."""
    return None if counts is None else counts[1]
