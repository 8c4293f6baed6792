"""The server's own assembly, for verbs that show what it would do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import attrs

from referrald.config.settings import Config, ServeSection
from referrald.mailmodel import MailboxDecision, MailboxEntry, MailboxLocation, RemoteMailbox
from referrald.model import Decision, Home, Login
from referrald.routing.policy import PolicySettings


class Normaliser(Protocol):
    """What is needed of the authenticator."""

    def normalise(self, user: str) -> str:
        """Give the name under which ``user`` is known; ValueError for an impossible one."""
        ...


class Found(Protocol):
    """What is needed of the answer to a lookup; times in seconds."""

    @property
    def home(self) -> Home | None:
        """The home, None for an unknown user."""

    @property
    def source(self) -> str:
        """The backend that said so."""

    @property
    def age(self) -> float | None:
        """How long ago it said so."""

    @property
    def kept(self) -> float:
        """How old it may become."""

    @property
    def stale(self) -> bool:
        """The answer is older than it should be, because the backend is down."""

    @property
    def cached(self) -> bool:
        """The answer was there already."""


class Directory(Protocol):
    """What is needed of the directory."""

    def explain(self, login: Login) -> Awaitable[Found]:
        """Look a user up and say where the answer comes from."""
        ...


class Router(Protocol):
    """What is needed of the router."""

    async def route(self, login: Login) -> Decision:
        """Decide what is done about a login."""
        ...


class Locations(Protocol):
    """What is needed of the backends that know of mailboxes."""

    async def locate(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is, None when no backend does; raises `Unavailable`."""
        ...


class Mailboxes(Protocol):
    """What is needed of the router of mailboxes."""

    @property
    def locations(self) -> Locations:
        """What the backends say."""
        ...

    @property
    def policy(self) -> PolicySettings:
        """Where clients may be sent."""
        ...

    async def locate(self, user: str, name: str) -> MailboxDecision:
        """Decide about a mailbox; never raises."""
        ...

    async def remote(self, user: str) -> Sequence[RemoteMailbox]:
        """Name all that backends list, with what they say to be here; raises `Unavailable`."""
        ...


class Account(Protocol):
    """What is needed of a user's account, see `referrald.interfaces.IReferralAccount`."""

    @property
    def delimiter(self) -> str:
        """The character between the levels of names."""
        ...

    async def entries(self) -> Sequence[MailboxEntry]:
        """Name every mailbox that is here; raises `Unavailable`."""
        ...

    async def subscriptions(self) -> frozenset[str]:
        """Name all that is subscribed here."""
        ...


class Assembled(Protocol):
    """What is needed of `referrald.assembly.Assembly`."""

    @property
    def authenticator(self) -> Normaliser:
        """Who is it?"""
        ...

    @property
    def directory(self) -> Directory:
        """Where does a user live?"""
        ...

    @property
    def router(self) -> Router:
        """What is done about it?"""
        ...

    @property
    def mailboxes(self) -> Mailboxes:
        """Where is a mailbox?"""
        ...

    @property
    def backends(self) -> Sequence[tuple[str, Any]]:
        """Backends with their names, in order."""
        ...

    async def account(self, user: str) -> Account:
        """Give a user's account; raises `Unavailable` where no mailboxes are kept."""
        ...

    async def start(self) -> None:
        """Start backends and threads."""
        ...

    async def stop(self) -> None:
        """Stop them."""
        ...

    async def transcript(self, lines: Sequence[bytes]) -> bytes:
        """Give all that a session over TLS answers to ``lines``."""
        ...


def assemble(config: Config, reactor: Any) -> Assembled:
    """Build what the server would build."""
    # Here, because it brings in the whole server, which most verbs do without.
    from referrald.assembly import Assembly

    assembled: Assembled = Assembly.from_config(quiet(config), reactor)
    return assembled


def quiet(config: Config) -> Config:
    """Keep a trial from leaving anything: login lines in a file, or mailboxes on disk."""
    serve = config.serve
    if serve.store == "maildir":
        serve = ServeSection(store="memory", public=serve.public, others=serve.others)
    return attrs.evolve(config, serve=serve, log=attrs.evolve(config.log, logins="twisted"))


@asynccontextmanager
async def running(config: Config, reactor: Any) -> AsyncIterator[Assembled]:
    """Give a started assembly, and stop it in the end."""
    assembly = assemble(config, reactor)
    await assembly.start()
    try:
        yield assembly
    finally:
        await assembly.stop()
