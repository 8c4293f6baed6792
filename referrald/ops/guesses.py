"""Failed logins: who guesses passwords is not told any more whether one was right."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from referrald.recent import RecentTimes

LONGEST_NAME = 255


class FailedLogins:
    """Counts failed logins of each user and from each address within ``window`` seconds.

    A network of 64 bits counts as one IPv6 address, since whoever has one has all of it.
    clock: gives the time in seconds. per_user, per_address: so many are too many; 0 is no limit.
    size: so many users and addresses are remembered. tell: is told of every failure, so that others
    can `hear` of it; None where nobody wants to know.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        per_user: int = 0,
        per_address: int = 0,
        window: float = 600.0,
        size: int = 10_000,
        tell: Callable[[str, str], object] | None = None,
    ) -> None:
        self._seconds = clock
        self._window = window
        self._tell = tell
        self._users = RecentTimes[str](count=per_user, size=size) if per_user else None
        self._addresses = RecentTimes[str](count=per_address, size=size) if per_address else None

    def note(self, user: str, peer: str) -> None:
        """Count a failure; what is not known of it is empty."""
        self.hear(user, peer, self._seconds())
        if self._tell is not None:
            self._tell(user[:LONGEST_NAME], peer)

    def hear(self, user: str, peer: str, when: float) -> None:
        """Count a failure at another front door; ``when`` by our clock."""
        if user and self._users is not None:
            self._users.note(user[:LONGEST_NAME], when)
        if peer and self._addresses is not None:
            self._addresses.note(network_of(peer), when)

    def reason(self, user: str, peer: str) -> str:
        """Say why a login is not even tried, for the log; empty where it may be."""
        since = self._seconds() - self._window
        if self._addresses is not None and self._addresses.all_since(network_of(peer), since):
            return f"too many failed logins from {peer}"
        if self._users is not None and self._users.all_since(user[:LONGEST_NAME], since):
            return "too many failed logins of this user"
        return ""


def network_of(peer: str) -> str:
    """Give what counts as one address."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
