"""Which clients follow mailbox referrals: those that have asked for remote names (RFC 2193).

A client opens a connection for each mailbox, and asks for names in one of them only. So it is
remembered by user, address and the name that the program gives itself (RFC 2971).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

Key = tuple[str, str, str]


class Followers:
    """Remembers clients for a time.

    clock: gives seconds. seconds: how long one is remembered after it last asked. size: how many.
    """

    def __init__(
        self, clock: Callable[[], float], *, seconds: float = 86_400.0, size: int = 10_000
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._size = size
        self._asked: OrderedDict[Key, float] = OrderedDict()

    def note(self, client: Key) -> None:
        """Remember that a client has asked for remote names."""
        self._asked[client] = self._clock()
        self._asked.move_to_end(client)
        if len(self._asked) > self._size:
            self._asked.popitem(last=False)

    def known(self, client: Key) -> bool:
        """Say whether a client has asked, in this connection or in another one."""
        when = self._asked.get(client)
        return when is not None and self._clock() - when < self._seconds

    def __len__(self) -> int:
        return len(self._asked)


def client_key(user: str, host: str, ident: Mapping[str, str | None] | None) -> Key:
    """Tell clients of one user at one address apart, by what they say that they are."""
    return user, host, (ident or {}).get("name") or ""
