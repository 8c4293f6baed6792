"""Who is it? Every way to prove it ends here, over any `twisted.cred` checkers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.internet.interfaces import IReactorTime

from referrald.auth.asking import ask, password_for, those_that_check, user_of
from referrald.auth.athome import AtHome, Shown
from referrald.auth.cache import SuccessCache
from referrald.auth.credentials import BearerToken
from referrald.auth.mechanisms import run_mechanism
from referrald.auth.names import Names
from referrald.auth.scram import FakeKeys
from referrald.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    ConfigurationError,
    ReferraldError,
    Unavailable,
)
from referrald.interfaces import (
    HomeLogin,
    IBearerToken,
    IClientCertificate,
    IScramKeys,
    SaslChannel,
)
from referrald.model import Problem, ScramKeys

# Stands in for what no user can have, so that the refusal takes as long as any other.
NOBODY = "unusable-name"
NO_PASSWORD = b"unusable password"

Present = Callable[[Any], ICredentials]


class Authenticator:
    """Asks the checkers, in their order; the first that says yes wins.

    checkers: `ICredentialsChecker` or `IScramKeys` providers, or both in one.
    seconds: how long each of them may take.
    cache_seconds, cache_size: how long and how many right passwords are remembered.
    masters: users who may act as any other.
    mechanisms: the SASL mechanisms to offer, of those that can work; empty for all.
    home: what no checker knows may be tried at the user's home server. home_seconds: how long a
    password or token that was right there is remembered.
    secret: 16 bytes or more from which the SCRAM salts of unknown users are made; processes that
    serve the same name share it, or else the salts tell who is unknown. None makes one.

    A user name may come with a domain missing or in another case, see `Names`.
    """

    def __init__(
        self,
        checkers: Iterable[Any],
        *,
        clock: IReactorTime,
        seconds: float = 10.0,
        cache_seconds: float = 0.0,
        cache_size: int = 10_000,
        home: bool = False,
        home_seconds: float = 0.0,
        masters: Iterable[str] = (),
        mechanisms: Sequence[str] = (),
        lowercase: bool = False,
        default_domain: str = "",
        secret: bytes | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._names = Names(lowercase=lowercase, default_domain=default_domain)
        self._masters = frozenset(map(self._master, masters))
        self._allowed = tuple(mechanisms)
        self._cache = SuccessCache(seconds=cache_seconds, size=cache_size, clock=clock.seconds)
        self._asks_home = home
        self._at_home = AtHome(self._names, seconds=home_seconds, size=cache_size, clock=clock)
        self._fakes = FakeKeys(secret or secrets.token_bytes(32))
        checkers = tuple(checkers)
        self._passwords = those_that_check(checkers, IUsernamePassword)
        self._tokens = those_that_check(checkers, IBearerToken)
        self._certificates = those_that_check(checkers, IClientCertificate)
        self._scram = tuple(checker for checker in checkers if IScramKeys.providedBy(checker))

    def mechanisms(self, secure: bool, has_certificate: bool) -> tuple[str, ...]:
        """Name the mechanisms that can work on such a connection; ``LOGIN`` is the command too.

        Whether credentials may travel in the clear is for the session to say. Where home servers
        are asked, SCRAM and tokens have to be named by the operator: with SCRAM there is nothing to
        ask with, so that those whose password is at home could not log in, and few homes take
        tokens.
        """
        scram = any(getattr(checker, "offers_scram", True) for checker in self._scram)
        passwords = bool(self._passwords) or self._asks_home
        tokens = bool(self._tokens)
        possible = {
            "EXTERNAL": secure and has_certificate and bool(self._certificates),
            "SCRAM-SHA-256": scram and not self._asks_home,
            "PLAIN": passwords,
            "LOGIN": passwords,
            "OAUTHBEARER": tokens,
            "XOAUTH2": tokens,
        }
        if self._allowed:
            # Named by the operator, who knows better what the store holds.
            possible["SCRAM-SHA-256"] = bool(self._scram)
            possible["OAUTHBEARER"] = possible["XOAUTH2"] = tokens or self._asks_home
        return tuple(name for name in self._allowed or possible if possible.get(name))

    def normalise(self, user: str) -> str:
        """Give the name under which a user is known here; ValueError when nobody can have it."""
        return self._names.normalise(user)

    def forget(self, user: str | None) -> None:
        """Drop what is remembered of a user whose password may have changed, or of all."""
        if user is not None:
            try:
                user = self._names.normalise(user)
            except ValueError:
                return
        self._cache.forget(user)
        self._at_home.forget(user)

    async def exchange(self, mechanism: str, channel: SaslChannel) -> str:
        """Carry out a SASL exchange and give the name of the user to act as.

        Raises `AuthenticationFailed`, `AuthorizationFailed`, `Unavailable`, and `WireError` for
        messages that are malformed.
        """
        return await run_mechanism(self, mechanism, channel)

    async def password(
        self, user: str, password: bytes, authzid: str = "", home: HomeLogin | None = None
    ) -> str:
        """Check a password and give the name of the user to act as; raises as `exchange` does.

        home: tries at the user's home server what no checker knows.
        """
        key = self._cache.key(user, password)
        name = self._cache.get(key)
        if name is None:
            if home is not None:
                shown = Shown(user=user, authzid=authzid, password=password)
                return await self._here_or_home(home, shown, key)
            name = await self._check_password(user, password, key)
        return self.authorize(name, authzid) if authzid else name

    def known(self, user: str, password: bytes) -> str | None:
        """Give the name of a user whose password was right a moment ago; None where none was."""
        cache = self._cache
        return cache.get(cache.key(user, password))

    async def bearer(
        self, user: str, token: bytes, authzid: str = "", home: HomeLogin | None = None
    ) -> str:
        """Check a bearer token; ``user`` is whom the client says it speaks for, or empty."""
        if home is not None:
            return await self._here_or_home(home, Shown(user=authzid or user, token=token))
        return await self._check_token(user, token, authzid)

    async def certificate(self, credentials: ICredentials, authzid: str = "") -> str:
        """Take a certificate that TLS has verified for the user that it names."""
        name = await self._ask(self._certificates, lambda _: credentials)
        return self.authorize(name, authzid)

    async def scram_keys(self, user: str) -> ScramKeys:
        """Give the user's SCRAM keys, or for an unknown one keys that look alike and never fit."""
        try:
            name = self._names.normalise(user)
        except ValueError:
            return self._fakes.make(user)
        outage = None
        for provider in self._scram:
            try:
                keys: ScramKeys | None = await self._question(provider.scram_keys, name)
            except AuthenticationFailed:
                continue
            except Unavailable as error:
                outage = error
                continue
            if keys is not None:
                self._fakes.learn(keys)
                return keys
        if outage is not None:
            outage.user = name
            raise outage
        return self._fakes.make(name)

    def authorize(self, authcid: str, authzid: str) -> str:
        """Give the user that ``authcid`` acts as on asking for ``authzid`` (RFC 4422, 3.4.1).

        Both normalised. Empty asks for nobody else; only masters may be somebody else.
        """
        name = self._acceptable(authcid)
        if not authzid:
            return name
        try:
            wanted = self._names.normalise(authzid)
        except ValueError:
            wanted = ""
        if wanted == name or (wanted and name in self._masters):
            return wanted
        refusal = AuthorizationFailed("may not act as another user")
        refusal.user = name
        raise refusal

    # -- inside ------------------------------------------------------------------------------

    async def _here_or_home(self, home: HomeLogin, shown: Shown, key: bytes = b"") -> str:
        """Ask the checkers here, then the home server, and raise only when none says yes."""
        known = self._at_home.known(shown)
        if known is not None:
            return known
        try:
            if shown.token:
                return await self._check_token(shown.user, shown.token, "")
            name = await self._check_password(shown.user, shown.password, key)
        except (AuthenticationFailed, Unavailable) as error:
            outcome = error
        else:
            return self.authorize(name, shown.authzid)
        try:
            return await self._at_home.check(home, shown)
        except AuthenticationFailed:
            if isinstance(outcome, AuthenticationFailed):
                raise
        raise outcome

    async def _check_token(self, user: str, token: bytes, authzid: str) -> str:
        credentials = BearerToken(username=user, token=token)
        name = await self._ask(self._tokens, lambda _: credentials, user, token)
        return self.authorize(name, authzid or user)

    async def _check_password(self, user: str, password: bytes, key: bytes) -> str:
        generation = self._cache.generation
        usable = bool(password) and b"\0" not in password
        try:
            login = self._names.normalise(user)
        except ValueError:
            usable, login = False, NOBODY
        shown = password if usable else NO_PASSWORD
        name = await self._ask(
            self._passwords,
            lambda checker: password_for(checker, login, shown),
            user=login if usable else "",
            secret=shown,
        )
        if not usable:
            raise AuthenticationFailed("not a possible user name or password")
        self._cache.put(key, name, generation)
        return name

    async def _ask(
        self, checkers: Sequence[Any], present: Present, user: str = "", secret: bytes = b""
    ) -> str:
        """Ask one checker after another; raise only when none says yes."""
        outcome: ReferraldError = AuthenticationFailed("wrong credentials or unknown user")
        for checker in checkers:
            try:
                answer = await self._question(checker.requestAvatarId, present(checker), secret)
                return self._acceptable(user_of(answer))
            except AuthenticationFailed:
                continue
            except Unavailable as error:
                outcome = error
        outcome.user = user
        raise outcome

    async def _question(
        self, method: Callable[[Any], Any], question: object, secret: bytes = b""
    ) -> Any:
        seconds, clock = self._seconds, self._clock
        return await ask(method, question, seconds=seconds, clock=clock, secret=secret)

    def _acceptable(self, user: str) -> str:
        try:
            return self._names.normalise(user)
        except ValueError:
            pass
        raise AuthenticationFailed("not a possible user name")

    def _master(self, user: str) -> str:
        try:
            return self._names.normalise(user)
        except ValueError as error:
            problem = Problem(where="auth", key="masters", wrong=f"not a user name: {error}")
        raise ConfigurationError([problem])
