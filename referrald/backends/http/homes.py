"""The dialect ``json`` of the ``http`` backend: a question for each thing there is to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from zope.interface import alsoProvides, implementer

from referrald.backends.homespec import HomeReader
from referrald.backends.http.asking import LONGEST, Answer, Service
from referrald.backends.jsonhomes import JsonHomes, read_object
from referrald.backends.jsonmailboxes import read_mailboxes
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
    IPasswordCheck,
    IReferralBackend,
    ITargets,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.model import Home, Login, Server
from referrald.workers import WorkerPool

FOUND: Final = 200
UNKNOWN: Final = 404

LONGEST_LIST: Final = 4 * 1024 * 1024
"""Bytes that an answer about many mailboxes or servers may have."""


@implementer(IReferralBackend, ILifecycle)
class JsonBackend:
    """Asks a service; provides what there is a `Service` for.

    homes: ``GET url?user=NAME`` gives ``{"home": …}`` in the form that tables have. Status 404, or
    a home that is null, is an unknown user.
    passwords: ``POST url`` with ``{"user": …, "password": …}`` gives ``{"ok": true}``.
    mailboxes: ``GET url?user=NAME``, with ``&name=MAILBOX`` when it is about one, gives
    ``{"mailboxes": […]}`` with entries in the form that tables have.
    targets: ``GET url`` gives ``{"targets": […]}``.
    close: ends the connections that are kept.
    """

    def __init__(
        self,
        homes: Service,
        pool: WorkerPool,
        close: Callable[[], Any],
        *,
        passwords: Service | None = None,
        mailboxes: Service | None = None,
        targets: Service | None = None,
    ) -> None:
        self._homes = homes
        self._pool = pool
        self._close = close
        self._services = {
            IPasswordCheck: passwords,
            IMailboxReferralBackend: mailboxes,
            ITargets: targets,
        }
        self._reader = JsonHomes()
        for interface, service in self._services.items():
            if service is not None:
                alsoProvides(self, interface)

    async def start(self) -> None:
        """Get ready to read long answers."""
        await self._pool.start()

    async def stop(self) -> None:
        """Let go of connections and threads."""
        await self._pool.stop()
        await self._close()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        if not is_text(login.user):
            return None
        answer = await self._homes.get(params={"user": login.user})
        if answer.code == UNKNOWN:
            return None
        value = _object(answer).get("home")
        return None if value is None else self._reader.read(login.user, value)

    async def check_password(self, user: str, password: bytes) -> bool:
        """Say whether a password is the user's; one that is not UTF-8 is nobody's."""
        try:
            text = password.decode("utf-8")
        except UnicodeDecodeError:
            return False
        if not text or not is_text(user):
            return False
        answer = await self._service(IPasswordCheck).post({"user": user, "password": text})
        return answer.code != UNKNOWN and _object(answer).get("ok") is True

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox of a user is."""
        if not is_text(name):
            return None
        table = await self._mailboxes(user, {"name": name})
        return table.location(name, user, user)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what a user may see elsewhere."""
        return (await self._mailboxes(user, {})).names(user, user)

    async def _mailboxes(self, user: str, about: Mapping[str, str]) -> MailboxTable:
        if not is_text(user):
            return MailboxTable()
        service = self._service(IMailboxReferralBackend)
        answer = await service.get(params={"user": user, **about}, longest=LONGEST_LIST)
        if answer.code == UNKNOWN:
            return MailboxTable()

        def read() -> MailboxTable:
            return read_mailboxes(user, _object(answer).get("mailboxes") or [])

        table: MailboxTable = await self._read(answer, read)
        return table

    async def targets(self) -> Sequence[Server]:
        """Name the servers that the service sends people to."""
        answer = await self._service(ITargets).get(longest=LONGEST_LIST)
        found: Sequence[Server] = await self._read(answer, lambda: _targets(answer))
        return found

    async def _read(self, answer: Answer, read: Any) -> Any:
        """Read an answer, in a thread when it is long."""
        return read() if len(answer.body) <= LONGEST // 4 else await self._pool.run(read)

    def _service(self, interface: Any) -> Service:
        service = self._services[interface]
        assert service is not None, "this is provided only where there is a service for it"
        return service


def _targets(answer: Answer) -> Sequence[Server]:
    words = _object(answer).get("targets")
    reader = HomeReader({})
    try:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise Wrong("is not a list of servers")
        return tuple(dict.fromkeys(reader.server(word) for word in words))
    except Wrong as error:
        raise Unavailable(f"the answer about targets: {error}") from None


def _object(answer: Answer) -> dict[str, Any]:
    """Read a JSON object; raises `Unavailable`."""
    if answer.code != FOUND:
        raise Unavailable(f"the service answered with HTTP status {answer.code}")
    found = read_object(answer.body)
    if found is None:
        raise Unavailable("the service did not answer with a JSON object")
    return found


def is_text(user: str) -> bool:
    """Tell whether a name can be written in UTF-8 at all."""
    return not any("\ud800" <= character <= "\udfff" for character in user)
