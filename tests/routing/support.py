"""Backends that do as they are told, and coroutines run to their first pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
    IReferralBackend,
    IWatchableBackend,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Home, Login, Security, Server
from referrald.routing.directory import BackendEvent, Directory, DirectorySettings
from referrald.routing.locations import Locations


def home(host: str = "a.example", **parts: Any) -> Home:
    """Make a home on one server."""
    return Home(servers=(Server(host=host),), **parts)


def clear(host: str) -> Server:
    """Make a server without TLS."""
    return Server(host=host, security=Security.CLEAR)


def login(user: str = "alice", **parts: Any) -> Login:
    """Make a login."""
    return Login(user=user, **parts)


def at(*hosts: str, name: str = "There", **parts: Any) -> MailboxLocation:
    """Make a location with a replica on each host."""
    replicas = tuple(Replica(server=Server(host=host), name=name) for host in hosts)
    return MailboxLocation(replicas=replicas, **parts)


def listed(name: str, *hosts: str, **parts: Any) -> RemoteMailbox:
    """Make an entry of a list; without hosts it is here."""
    return RemoteMailbox(name=name, location=at(*hosts, name=name), **parts)


@implementer(IReferralBackend)
class Table:
    """Answers at once from a dict; ``fault`` is raised instead while it is set."""

    def __init__(self, **homes: Any) -> None:
        self.homes: dict[str, Any] = homes
        self.fault: Exception | None = None
        self.asked: list[str] = []

    async def home(self, login: Login) -> Home | None:
        self.asked.append(login.user)
        if self.fault is not None:
            raise self.fault
        answer = self.homes.get(login.user)
        return answer(login) if callable(answer) else answer


@implementer(IReferralBackend)
class Slow:
    """Gives Deferreds, which the test fires or lets hang."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []

    def home(self, login: Login) -> Awaitable[Home | None]:
        work: Deferred[Any] = Deferred()
        self.asked.append(work)
        return work


@implementer(IReferralBackend, IMailboxReferralBackend)
class Mailboxes(Table):
    """Knows of mailboxes too: ``places`` by user and name, ``lists`` by user."""

    def __init__(self, **homes: Any) -> None:
        super().__init__(**homes)
        self.places: dict[tuple[str, str], Any] = {}
        self.lists: dict[str, Any] = {}
        self.questions: list[tuple[str, ...]] = []

    async def mailbox(self, user: str, name: str) -> Any:
        return self._answer((user, name), self.places.get((user, name)))

    async def remote_mailboxes(self, user: str) -> Any:
        return self._answer((user,), self.lists.get(user, ()))

    def _answer(self, question: tuple[str, ...], answer: Any) -> Any:
        self.questions.append(question)
        if self.fault is not None:
            raise self.fault
        return answer


@implementer(IReferralBackend, IMailboxReferralBackend)
class SlowMailboxes(Slow):
    """Gives Deferreds for mailboxes."""

    def mailbox(self, user: str, name: str) -> Awaitable[Any]:
        work: Deferred[Any] = Deferred()
        self.asked.append(work)
        return work

    def remote_mailboxes(self, user: str) -> Awaitable[Any]:
        return self.mailbox(user, "")


@implementer(IReferralBackend, ILifecycle, IWatchableBackend)
class Living(Table):
    """Notes what is done with it."""

    def __init__(self, name: str, story: list[str], *, broken: str = "") -> None:
        super().__init__()
        self.name = name
        self.story = story
        self.broken = broken
        self.changed: Callable[[str | None], None] | None = None

    def start(self) -> Awaitable[None]:
        return self._step("start")

    def stop(self) -> Awaitable[None]:
        return self._step("stop")

    def _step(self, step: str) -> Awaitable[None]:
        self.story.append(f"{step} {self.name}")
        if step in self.broken:
            raise ValueError(f"{step} {self.name} failed")
        return succeed(None)

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        self.story.append(f"watch {self.name}")
        self.changed = changed
        return lambda: self.story.append(f"unwatch {self.name}")


class Answers(Directory):
    """A directory with its clock and events at hand."""

    def __init__(self, *backends: Any, **settings: Any) -> None:
        self.clock = Clock()
        self.events: list[BackendEvent] = []
        super().__init__(
            [(f"b{number}", backend) for number, backend in enumerate(backends)],
            clock=self.clock,
            settings=DirectorySettings(**settings),
            on_event=self.events.append,
        )

    @property
    def kinds(self) -> list[str]:
        """What happened, in short."""
        return [f"{event.backend} {event.kind}" for event in self.events]


class Places(Locations):
    """Locations with their clock and events at hand."""

    def __init__(self, *backends: Any, delimiter: str = "/", **settings: Any) -> None:
        self.clock = Clock()
        self.events: list[BackendEvent] = []
        super().__init__(
            [(f"b{number}", backend) for number, backend in enumerate(backends)],
            clock=self.clock,
            settings=DirectorySettings(**settings),
            on_event=self.events.append,
            delimiter=delimiter,
        )

    @property
    def kinds(self) -> list[str]:
        """What happened, in short."""
        return [f"{event.backend} {event.kind}" for event in self.events]


def start(work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    """Run a coroutine until it waits."""
    return Deferred.fromCoroutine(work)


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Give the result of a coroutine that must not suspend."""
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"waits for {waits_for!r}")
