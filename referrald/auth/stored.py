"""Checks passwords against hashes that a backend keeps, and finds SCRAM keys among them."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from hashlib import blake2b, shake_256

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from referrald.auth import schemes
from referrald.auth.schemes import SchemeError, is_cheap, verify
from referrald.auth.scram import ITERATIONS, SALT_SIZE, derive_keys, prepared_password
from referrald.errors import Unavailable
from referrald.interfaces import IPasswordSamples, IPasswordStore, IScramKeys
from referrald.model import ScramKeys, StoredPassword
from referrald.workers import Pool

DERIVED_KEPT = 1_000
TOLD_KEPT = 1_000
NO_PASSWORD = b"nobody has this password"


@implementer(ICredentialsChecker, IScramKeys)
class StoredPasswordChecker:
    """A cred checker over an `IPasswordStore`.

    An unknown user costs as much time as a wrong password for the scheme that most users have.

    scram: offer SCRAM-SHA-256. None: when the store says (`IPasswordSamples`) that every password
    in it can do that, since a client that finds it offered may try nothing else.
    secret: from which salts are made for users whose plain password is stored, as for
    `Authenticator`.
    """

    credentialInterfaces = (IUsernamePassword,)
    _log = Logger()

    def __init__(
        self,
        store: IPasswordStore,
        pool: Pool,
        *,
        scram: bool | None = None,
        secret: bytes | None = None,
    ) -> None:
        self._store = store
        self._pool = pool
        self._scram = scram
        self._secret = secret or secrets.token_bytes(32)
        self._usual = Usual(store)
        self._derived: OrderedDict[bytes, ScramKeys] = OrderedDict()
        self._told: dict[str, None] = {}

    @property
    def offers_scram(self) -> bool:
        """Whether SCRAM-SHA-256 would work for the users of this store."""
        if self._scram is not None:
            return self._scram
        samples = self._usual.samples()
        return bool(samples) and all(schemes.can_scram(sample.scheme) for sample in samples)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Give the user's name, or fail with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    async def scram_keys(self, user: str) -> ScramKeys | None:
        """Give the user's SCRAM keys; for a plain password they are derived, and kept for a while.

        For an unknown user the same is done for nothing, where most users have plain passwords.
        """
        stored = await self._find(user)
        if stored is None:
            sample = self._usual.stored
            if sample is not None and self._plain(user, sample) is not None:
                await self._derive(user, NO_PASSWORD)
            return None
        try:
            keys = schemes.scram_keys(stored)
        except SchemeError as error:
            self._tell(user, error)
            return None
        self._usual.see(stored, False)
        plain = self._plain(user, stored) if keys is None else None
        return keys if plain is None else await self._derive(user, plain)

    # -- inside ------------------------------------------------------------------------------

    async def _check(self, username: bytes | str, password: bytes | str) -> bytes | tuple[()]:
        user = _text(username)
        if not await self._fits(user, await self._find(user), _bytes(password)):
            raise UnauthorizedLogin
        return _bytes(username)

    async def _find(self, user: str) -> StoredPassword | None:
        stored = await self._store.password(user)
        if stored is not None and not isinstance(stored, StoredPassword):
            raise Unavailable(f"a password store answered with {type(stored).__name__}")
        return stored

    async def _fits(self, user: str, stored: StoredPassword | None, password: bytes) -> bool:
        if stored is not None:
            try:
                right = await self._verify(stored, password)
            except SchemeError as error:
                self._tell(user, error)
            else:
                self._usual.see(stored, right)
                return right
        try:
            await self._verify(self._usual.stored or DUMMY, password)
        except SchemeError:
            await self._verify(DUMMY, password)
        return False

    async def _verify(self, stored: StoredPassword, password: bytes) -> bool:
        if is_cheap(stored):
            return verify(stored, password)
        return await self._pool.run(verify, stored, password)

    def _plain(self, user: str, stored: StoredPassword) -> bytes | None:
        try:
            return schemes.plain_text(stored)
        except SchemeError as error:
            self._tell(user, error)
            return None

    async def _derive(self, user: str, password: bytes) -> ScramKeys:
        name = _bytes(user)
        key = blake2b(name + b"\0" + password, digest_size=16, key=self._secret).digest()
        known = self._derived.get(key)
        if known is not None:
            self._derived.move_to_end(key)
            return known
        salt = shake_256(self._secret + name).digest(SALT_SIZE)
        keys = await self._pool.run(_derive, prepared_password(password), salt)
        self._derived[key] = keys
        if len(self._derived) > DERIVED_KEPT:
            self._derived.popitem(last=False)
        return keys

    def _tell(self, user: str, error: SchemeError) -> None:
        """Log, once for each user, that a stored password cannot be used."""
        if user in self._told:
            return
        if len(self._told) >= TOLD_KEPT:
            self._told.clear()
        self._told[user] = None
        self._log.warn("password of {user!r}: {problem}", user=user, problem=str(error))


class Usual:
    """What most passwords of a store look like: an example, never used to let anybody in."""

    def __init__(self, store: IPasswordStore) -> None:
        self._samples = IPasswordSamples(store, None)
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, StoredPassword] = {}

    def samples(self) -> tuple[StoredPassword, ...]:
        """Give an example for each scheme in the store, the usual one first; none if unknown."""
        return () if self._samples is None else tuple(self._samples.password_samples())

    @property
    def stored(self) -> StoredPassword | None:
        """An example of the usual scheme; None as long as none is known."""
        for sample in self.samples():
            if schemes.known(sample.scheme):
                return sample
        if self._counts:
            return self._examples[max(self._counts, key=self._counts.__getitem__)]
        return None

    def see(self, stored: StoredPassword, right: bool) -> None:
        """Count a login. Failed ones do not count, since anybody could make them.

        But the first password that is seen serves until there are others.
        """
        if right or not self._counts:
            self._counts[stored.scheme] += right
            self._examples[stored.scheme] = stored


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _derive(password: bytes, salt: bytes) -> ScramKeys:
    return derive_keys(password, salt=salt, iterations=ITERATIONS)


# Serves until a real password has been seen.
DUMMY = StoredPassword(
    scheme="PBKDF2", encoded=b"$1$0123456789abcdef$20000$" + secrets.token_hex(20).encode("ascii")
)
