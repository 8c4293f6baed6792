"""Every contract that a plugin can implement.

One method is required of a backend; all else is an optional interface that is found by adaptation.
Methods that are typed ``-> Awaitable[X]`` may be coroutines or return a Deferred. A result is a
value; an exception means "could not answer" and becomes ``NO [UNAVAILABLE]``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, Interface

from referrald.model import (
    Home,
    Login,
    Option,
    Options,
    Problem,
    ScramKeys,
    StoredPassword,
)


class IReferralBackend(Interface):
    """Says where users' mail lives."""

    def home(login: Login) -> Awaitable[Home | None]:
        """Give the home of ``login.user``, or None when this backend does not know the user.

        Answers are cached by user name; one that depends on anything else sets ``ttl=0``.
        """


class ILifecycle(Interface):
    """Anything that has to be started before use and stopped after."""

    def start() -> Awaitable[None]:
        """Get ready; an exception keeps the server from starting."""

    def stop() -> Awaitable[None]:
        """Let go of files, connections and timers."""


class IWatchableBackend(Interface):
    """A backend that notices changes at their source."""

    def watch(changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Call ``changed(user)`` for a changed user, ``changed(None)`` when all may have changed.

        Returns a function that ends the watch.
        """


class IReloadable(Interface):
    """A backend that can be told to look at its source now."""

    def reload() -> Awaitable[None]:
        """Read the source again; a broken one is logged and changes nothing."""


class IPasswordStore(Interface):
    """A backend that also keeps password hashes, so that the same source authenticates."""

    def password(user: str) -> Awaitable[StoredPassword | None]:
        """Give the stored password of ``user``, None when there is no such user or no password."""


class IPasswordSamples(Interface):
    """A password store that knows what its hashes look like, so that nobody has to guess."""

    def password_samples() -> Sequence[StoredPassword]:
        """Give one password of each scheme in use, the most used scheme first; cheap to call.

        Unknown users are made to cost as much as these, and SCRAM is offered only when all of them
        can do it.
        """


class IReferralBackendFactory(Interface):
    """Makes backends from configuration.

    Found as a Twisted plugin or as an entry point ``referrald.backends``.
    """

    name: str = Attribute("The word after ``type =`` in a ``[[backend]]`` section.")
    help: str = Attribute("One sentence for the reference.")
    options: Sequence[Option] = Attribute("The keys that a section of this type may have.")

    def build(options: Options, reactor: Any) -> Any:
        """Make an `IReferralBackend` of checked options (defaults filled in, paths absolute)."""


class ICheckingFactory(Interface):
    """A factory that can look at what its options point to, before anything is started."""

    def check(options: Options) -> Sequence[Problem]:
        """List everything that is wrong, without a reactor; may read files."""


class IScramKeys(Interface):
    """A credentials checker that can also do SCRAM-SHA-256."""

    def scram_keys(user: str) -> Awaitable[ScramKeys | None]:
        """Give the keys of ``user``, None when unknown or when kept in another form."""


class IBearerToken(ICredentials):
    """A token presented with OAUTHBEARER (RFC 7628) or XOAUTH2; for a cred checker.

    A checker answers with the name of the user that the token speaks for.
    """

    username: str = Attribute("The user that the client named, or an empty string.")
    token: bytes = Attribute("The bearer token; never logged.")


class IClientCertificate(ICredentials):
    """A verified client certificate, for SASL EXTERNAL (RFC 4422 appendix A) and a cred checker."""

    subject: Mapping[str, str] = Attribute("The subject's fields: CN, emailAddress, UID …")
    emails: Sequence[str] = Attribute("The rfc822Name entries of the alternative names.")
    fingerprint: str = Attribute("SHA-256 of the certificate, hexadecimal.")


class SaslChannel(Protocol):
    """What a SASL mechanism sees of the connection (RFC 4422 section 3)."""

    initial: bytes | None
    """The client's initial response, already decoded; None when there was none."""

    certificate: Any
    """An `IClientCertificate` that was verified on this connection, or None."""

    async def challenge(self, data: bytes) -> bytes:
        """Send a challenge and give the client's decoded response."""
        ...


class IProtocolExtension(Interface):
    """Adds commands and capabilities to a session; a Twisted plugin or an entry point
    ``referrald.extensions``.
    """

    name: str = Attribute("A short name, for configuration and logs.")

    def capabilities(session: Any) -> Sequence[str]:
        """Name the capabilities to advertise in this session's present state."""

    commands: Sequence[Any] = Attribute(
        "`referrald.session.table.CommandSpec` values: states, name, grammar, handler."
    )
