"""Who is it? Every way to prove it ends here, over any `twisted.cred` checkers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from zope.interface.interface import InterfaceClass

from referrald.auth.cache import SuccessCache
from referrald.auth.credentials import BearerToken, Password
from referrald.auth.deadline import within
from referrald.auth.mechanisms import run_mechanism
from referrald.auth.names import Names
from referrald.auth.reasons import reason
from referrald.auth.scram import ITERATIONS, SALT_SIZE, fake_keys
from referrald.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    ReferraldError,
    Unavailable,
)
from referrald.interfaces import IBearerToken, IClientCertificate, IScramKeys, SaslChannel
from referrald.model import ScramKeys

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
        masters: Iterable[str] = (),
        mechanisms: Sequence[str] = (),
        lowercase: bool = False,
        default_domain: str = "",
        secret: bytes | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._names = Names(lowercase=lowercase, default_domain=default_domain)
        self._masters = frozenset(map(self._names.normalise, masters))
        self._allowed = tuple(mechanisms)
        self._cache = SuccessCache(seconds=cache_seconds, size=cache_size, clock=clock.seconds)
        self._secret = secret or secrets.token_bytes(32)
        self._fake_shape: tuple[int, int] | None = None
        checkers = tuple(checkers)
        self._passwords = _that_check(checkers, IUsernamePassword)
        self._tokens = _that_check(checkers, IBearerToken)
        self._certificates = _that_check(checkers, IClientCertificate)
        self._scram = tuple(checker for checker in checkers if IScramKeys.providedBy(checker))

    def mechanisms(self, secure: bool, has_certificate: bool) -> tuple[str, ...]:
        """Name the mechanisms that can work on such a connection; ``LOGIN`` is the command too.

        Whether credentials may travel in the clear is for the session to say.
        """
        scram = any(getattr(checker, "offers_scram", True) for checker in self._scram)
        possible = {
            "EXTERNAL": secure and has_certificate and bool(self._certificates),
            "SCRAM-SHA-256": scram,
            "PLAIN": bool(self._passwords),
            "LOGIN": bool(self._passwords),
            "OAUTHBEARER": bool(self._tokens),
            "XOAUTH2": bool(self._tokens),
        }
        if self._allowed:
            # Named by the operator, who knows better what the store holds.
            possible["SCRAM-SHA-256"] = bool(self._scram)
        return tuple(name for name in self._allowed or possible if possible.get(name))

    def normalise(self, user: str) -> str:
        """Give the name under which a user is known here; ValueError when nobody can have it."""
        return self._names.normalise(user)

    def forget(self, user: str | None) -> None:
        """Drop what is remembered of a user whose password may have changed, or of all."""
        self._cache.forget(user)

    async def exchange(self, mechanism: str, channel: SaslChannel) -> str:
        """Carry out a SASL exchange and give the name of the user to act as.

        Raises `AuthenticationFailed`, `AuthorizationFailed`, `Unavailable`, and `WireError` for
        messages that are malformed.
        """
        return await run_mechanism(self, mechanism, channel)

    async def password(self, user: str, password: bytes, authzid: str = "") -> str:
        """Check a password and give the name of the user to act as; raises as `exchange` does."""
        key = self._cache.key(user, password)
        name = self._cache.get(key)
        if name is None:
            name = await self._check_password(user, password, key)
        return self.authorize(name, authzid) if authzid else name

    async def bearer(self, user: str, token: bytes, authzid: str = "") -> str:
        """Check a bearer token; ``user`` is whom the client says it speaks for, or empty."""
        credentials = BearerToken(username=user, token=token)
        name = await self._ask(self._tokens, lambda _: credentials, user, token)
        return self.authorize(name, authzid or user)

    async def certificate(self, credentials: ICredentials, authzid: str = "") -> str:
        """Take a certificate that TLS has verified for the user that it names."""
        name = await self._ask(self._certificates, lambda _: credentials)
        return self.authorize(name, authzid)

    async def scram_keys(self, user: str) -> ScramKeys:
        """Give the user's SCRAM keys, or for an unknown one keys that look alike and never fit."""
        try:
            name = self._names.normalise(user)
        except ValueError:
            return self._fake(user)
        outage = None
        for provider in self._scram:
            try:
                keys: ScramKeys | None = await self._within(provider, provider.scram_keys, name)
            except AuthenticationFailed:
                continue
            except Unavailable as error:
                outage = error
                continue
            if keys is not None:
                self._learn(keys)
                return keys
        if outage is not None:
            outage.user = name
            raise outage
        return self._fake(name)

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

    async def _check_password(self, user: str, password: bytes, key: bytes) -> str:
        generation = self._cache.generation
        usable = bool(password) and b"\0" not in password
        try:
            login = self._names.normalise(user)
        except ValueError:
            usable, login = False, NOBODY
        shown = password if usable else NO_PASSWORD
        name = await self._ask(
            self._passwords, lambda checker: _password_for(checker, login, shown), login, shown
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
                avatar_id = await self._within(
                    checker, checker.requestAvatarId, present(checker), secret
                )
                return self._acceptable(_user_of(avatar_id))
            except AuthenticationFailed:
                continue
            except Unavailable as error:
                outcome = error
        outcome.user = user
        raise outcome

    async def _within(
        self, plugin: object, ask: Callable[[Any], Any], question: object, secret: bytes = b""
    ) -> Any:
        """Wait for a plugin's answer; its "no" and its failures become two of our errors."""
        what = type(plugin).__name__
        work: Deferred[Any] = maybeDeferred(ask, question)
        try:
            return await within(work, self._seconds, self._clock, what)
        except CancelledError:
            raise
        except LoginFailed:
            said = None
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            said = None if _unreadable(error, secret) else reason(error, secret)
        # Raised here, outside of the handlers, so that the plugin's own error is not its context.
        if said is None:
            raise AuthenticationFailed(f"{what} said no")
        raise Unavailable(f"{what}: {said}")

    def _acceptable(self, user: str) -> str:
        try:
            return self._names.normalise(user)
        except ValueError:
            pass
        raise AuthenticationFailed("not a possible user name")

    def _learn(self, keys: ScramKeys) -> None:
        """Make fakes look like the first real keys seen.

        Only the first: a fake that changed its looks later would show that it is one.
        """
        if self._fake_shape is None:
            self._fake_shape = (keys.iterations, len(keys.salt))

    def _fake(self, user: str) -> ScramKeys:
        iterations, salt_size = self._fake_shape or (ITERATIONS, SALT_SIZE)
        return fake_keys(self._secret, user, iterations=iterations, salt_size=salt_size)


def _that_check(checkers: Sequence[Any], interface: InterfaceClass) -> tuple[Any, ...]:
    return tuple(
        checker
        for checker in checkers
        if ICredentialsChecker.providedBy(checker)
        and any(kind.isOrExtends(interface) for kind in checker.credentialInterfaces)
    )


def _password_for(checker: Any, user: str, password: bytes) -> Password:
    """Show the name as bytes, or as str to Twisted's ``memory:`` checker when it keeps str."""
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        kept: Any = next(iter(checker.users), b"")
        if isinstance(kept, str):
            return Password(user, password)
    return Password(user.encode("utf-8"), password)


def _user_of(avatar_id: object) -> str:
    """Give the name that a checker answered with; an anonymous avatar is not a proof."""
    if avatar_id == ():
        raise AuthenticationFailed("the checker knows nobody by that name")
    if isinstance(avatar_id, bytes):
        avatar_id = avatar_id.decode("utf-8", "surrogateescape")
    if not isinstance(avatar_id, str) or not avatar_id:
        raise Unavailable(f"a checker answered with {type(avatar_id).__name__}, not a user name")
    return avatar_id


def _unreadable(error: Exception, secret: bytes) -> bool:
    """Say whether a checker failed on a password that is not text; that is a wrong password."""
    return isinstance(error, UnicodeDecodeError) and error.object == secret
