"""Passwords and tokens that nobody here knows, tried at the user's home server."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from referrald.auth.cache import SuccessCache
from referrald.auth.names import Names
from referrald.errors import AuthenticationFailed, ReferraldError
from referrald.interfaces import HomeLogin


@attrs.frozen(kw_only=True)
class Shown:
    """What a client has shown: a password or a token; ``authzid`` is whom it wants to act as."""

    user: str
    authzid: str = ""
    password: bytes = attrs.field(default=b"", repr=False)
    token: bytes = attrs.field(default=b"", repr=False)

    @property
    def usable(self) -> bool:
        """Whether a home server can be asked: no password holds a NUL, and an empty one is none."""
        return bool(self.token) or (bool(self.password) and b"\0" not in self.password)

    @property
    def key(self) -> bytes:
        """The one form of both for a hash: no password begins with a NUL."""
        return b"\0" + self.token if self.token else self.password


class AtHome:
    """Asks home servers, and remembers for ``seconds`` what was right; 0 remembers nothing.

    Who wants to act as another user is tried at *that* user's home, which has to accept it: nobody
    here knows who is a master there. Such a success is not remembered.
    """

    def __init__(self, names: Names, *, seconds: float, size: int, clock: IReactorTime) -> None:
        self._names = names
        self._cache = SuccessCache(seconds=seconds, size=size, clock=clock.seconds)

    def known(self, shown: Shown) -> str | None:
        """Give the user when the same was right a moment ago."""
        login = self._own(shown)
        return self._cache.get(self._cache.key(login, shown.key)) if login else None

    async def check(self, home: HomeLogin, shown: Shown) -> str:
        """Give the user to act as when the home server says yes.

        Raises `AuthenticationFailed`, or `Unavailable` when it cannot be asked.
        """
        wanted = self._normalised(shown.authzid or shown.user)
        generation = self._cache.generation
        try:
            if not wanted or not shown.usable:
                await home.nobody(wanted)
                raise AuthenticationFailed("not a possible user name or password")
            # Whose password it is goes there as the client wrote it.
            login_as = shown.user if shown.authzid else ""
            await home.log_in(wanted, password=shown.password, token=shown.token, login_as=login_as)
        except ReferraldError as error:
            error.user = wanted
            raise
        login = self._own(shown)
        if login:
            self._cache.put(self._cache.key(login, shown.key), login, generation)
        return wanted

    def forget(self, user: str | None) -> None:
        """Drop what is remembered of one user (normalised), or everything."""
        self._cache.forget(user)

    def _own(self, shown: Shown) -> str:
        """Give the user's name when nobody else is to be acted as, else nothing."""
        login = self._normalised(shown.user) if shown.usable else ""
        own = not shown.authzid or self._normalised(shown.authzid) == login
        return login if own else ""

    def _normalised(self, user: str) -> str:
        try:
            return self._names.normalise(user)
        except ValueError:
            return ""
