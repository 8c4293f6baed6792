"""What the tests of this room share: a channel with a scripted client, stores, and waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from referrald.auth.schemes import parse_password_field
from referrald.interfaces import IPasswordSamples, IPasswordStore
from referrald.model import StoredPassword

Result = TypeVar("Result")


async def _waiting(work: Awaitable[Result]) -> Result:
    return await work


class AuthTestCase(SynchronousTestCase):
    """Adds short ways to ask for the outcome of something awaitable."""

    def begin(self, work: Awaitable[Result]) -> Deferred[Result]:
        """Start it; it may have to wait."""
        return Deferred.fromCoroutine(_waiting(work))

    def result(self, work: Awaitable[Result]) -> Result:
        """Give its result, which must be there at once."""
        return self.successResultOf(self.begin(work))

    def failure(self, work: Awaitable[Any], kind: type[BaseException]) -> Any:
        """Give the error that it ends in, which must be of a kind."""
        failure = self.failureResultOf(self.begin(work))
        self.assertIs(type(failure.value), kind, failure.getTraceback())
        return failure.value

    def assert_hidden(self, secret: bytes, *shown: object) -> None:
        """Check that neither the repr nor the text, chain and traceback of anything tell it."""
        forms = (secret.decode("latin-1"), repr(secret)[2:-1], secret.hex())
        for thing in shown:
            for text in _faces(thing):
                for form in forms:
                    self.assertNotIn(form, text)


def _faces(thing: object) -> list[str]:
    faces = [repr(thing), str(thing)]
    if isinstance(thing, BaseException):
        failure = Failure(thing)
        faces += [failure.getTraceback(), failure.getBriefTraceback(), repr(vars(thing))]
        for other in (thing.__context__, thing.__cause__):
            faces += [] if other is None else _faces(other)
    return faces


class ScriptedChannel:
    """A `SaslChannel` whose client says given lines, or what a function makes of a challenge."""

    def __init__(
        self,
        initial: bytes | None = None,
        responses: Sequence[bytes | Callable[[bytes], bytes]] = (),
        certificate: Any = None,
        home: Any = None,
    ) -> None:
        self.initial = initial
        self.certificate = certificate
        self.home = home
        self.challenges: list[bytes] = []
        self._responses = list(responses)

    async def challenge(self, data: bytes) -> bytes:
        self.challenges.append(data)
        response = self._responses.pop(0)
        return response(data) if callable(response) else response


@implementer(IPasswordStore)
class DictStore:
    """Keeps password fields in a dict."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        self.asked: list[str] = []

    async def password(self, user: str) -> StoredPassword | None:
        self.asked.append(user)
        field = self.fields.get(user)
        return None if field is None else parse_password_field(field)


@implementer(IPasswordSamples)
class SamplingStore(DictStore):
    """Knows what its passwords look like."""

    def password_samples(self) -> Sequence[StoredPassword]:
        return [parse_password_field(field) for field in self.fields.values()]


class CountingPool:
    """Runs work at once and remembers what it was given."""

    def __init__(self) -> None:
        self.work: list[tuple[Any, ...]] = []

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        self.work.append(arguments)
        return work(*arguments)


@implementer(ICredentialsChecker)
class ScriptedChecker:
    """A cred checker that answers with what it is told to: a value, an error or a Deferred."""

    def __init__(self, answer: Any, interface: Any = IUsernamePassword) -> None:
        self.credentialInterfaces = (interface,)
        self.answer = answer
        self.asked: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials)
        answer = self.answer(credentials) if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer
