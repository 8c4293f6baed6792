"""What a session does at other servers on behalf of its client, one mailbox at a time.

Connections are made when they are first needed, one for each server and user, logged in with what
the client itself logged in with (or a master user); they are closed when they have not been needed
for a while. A second one, which has a mailbox selected, passes what it says on to the client.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import attrs

from referrald.client.chain import Chain
from referrald.client.connection import ImapConnection
from referrald.client.following import Arrived, Forbidden
from referrald.client.mail import Listed, appended_uid, listed, mailbox_pattern
from referrald.client.referrals import Referral, counts, mailbox_targets, referral_in
from referrald.client.replies import Argument, ConnectionEnded, Literal, Reply
from referrald.client.transport import NotReached
from referrald.errors import AuthenticationFailed, ReferraldError, Unavailable
from referrald.mailmodel import NewMessage, Replica
from referrald.model import IMAPS_PORT, RelayOrder, Security, Server
from referrald.relay.passing import LostServer, Passing
from referrald.wire.response import Wire, mailbox, string

IDLE_TIME: Final = 60.0
"""Seconds that a connection without a mailbox is kept for the next errand."""

_UNAVAILABLE = re.compile(rb"NO \[UNAVAILABLE\]", re.IGNORECASE)
_STATUS = re.compile(rb"([A-Za-z0-9.-]+) ([0-9]+)")

Run = Callable[[ImapConnection, Wire], Awaitable[Reply]]
Key = tuple[Server, str]


class NotLetIn(Unavailable):
    """A server knows what this client has logged in with here, and does not take it (RFC 5530)."""

    # That a login has failed would make programs ask for another password for this server.
    code = "NOPERM"
    public = "The server of this mailbox does not let you in."


class Connector(Protocol):
    """Logs in at other servers; see `referrald.relay.connector.RelayConnector`."""

    def allows(self, server: Server) -> bool:
        """Say whether a server that another one names may be gone to."""
        ...

    async def log_in(self, order: RelayOrder) -> Arrived:
        """Log in at the first server of the order that can be reached."""
        ...


@attrs.frozen(kw_only=True)
class Done:
    """What came of a command: the reply, and where it was carried out in the end."""

    reply: Reply
    place: Replica


@attrs.frozen(kw_only=True)
class Opened:
    """A mailbox that a server was asked to open. answer: what follows the tag; data: before it."""

    passing: Passing
    place: Replica
    answer: bytes
    data: bytes


class Errands:
    """All that one session does elsewhere; order: who it is and what it logs in with.

    closed: the session has ended.
    """

    def __init__(self, connector: Connector, order: RelayOrder, clock: Any) -> None:
        self._connector = connector
        self._order = order
        self._clock = clock
        self._open: dict[Key, ImapConnection] = {}
        self._parked: dict[Key, Passing] = {}
        self._used: dict[Key, float] = {}
        self._sweep: Any = None
        self.closed = False

    # -- commands without a selected mailbox ---------------------------------------------------

    async def command(self, places: Sequence[Replica], name: str, *more: Argument) -> Done:
        """Carry out a command whose first argument is the mailbox, at the first place there is.

        Raises `Unavailable` or another `ReferraldError`.
        """

        async def run(connection: ImapConnection, there: Wire) -> Reply:
            return await connection.command(name, there, *more)

        return await self._at_one(places, run)

    async def rename(self, old: Replica, new: Replica) -> Done:
        """Give a mailbox another name, both at the server of ``old``."""

        async def run(connection: ImapConnection, there: Wire) -> Reply:
            return await connection.command("RENAME", there, mailbox(new.name))

        return await self._at_one([old], run)

    async def status(
        self, places: Sequence[Replica], items: Sequence[str]
    ) -> tuple[Done, dict[str, int]]:
        """Ask for counts; gives those that the server told."""
        wanted = Wire(b"(" + " ".join(items).encode("ascii") + b")")
        done = await self.command(places, "STATUS", wanted)
        told: dict[str, int] = {}
        for response in done.reply.untagged:
            if response.kind == b"STATUS":
                found = _STATUS.findall(response.segments[-1].rpartition(b"(")[2])
                told.update({item.decode("ascii").upper(): int(value) for item, value in found})
        return done, told

    async def append(self, places: Sequence[Replica], message: NewMessage, date: str) -> Done:
        """Put a message into a mailbox; date: in the form of RFC 3501, empty for now."""
        more: list[Argument] = [Wire(b"(" + " ".join(message.flags).encode("ascii") + b")")]
        if date:
            more.append(Wire(b'"' + date.encode("ascii") + b'"'))
        return await self.command(places, "APPEND", *more, Literal(message.content))

    async def take_back(self, place: Replica, replies: Sequence[Reply]) -> bool:
        """Remove messages again that were appended; False where that was not possible."""
        uids = [uid for reply in replies if (uid := appended_uid(reply)) is not None]
        if len(uids) < len(replies):
            return False
        chosen = Wire(b",".join(uids))
        try:
            connection = await self._at(place)
            if "UIDPLUS" not in await connection.ask_capabilities():
                return False
            mark = Wire(b"+FLAGS.SILENT (\\Deleted)")
            for name, arguments in (
                ("SELECT", (mailbox(place.name),)),
                ("UID STORE", (chosen, mark)),
                ("UID EXPUNGE", (chosen,)),
            ):
                if not (await connection.command(name, *arguments)).ok:
                    return False
        except ReferraldError:
            return False
        return True

    async def below(self, places: Sequence[Replica]) -> tuple[Replica, tuple[Listed, ...]]:
        """List a mailbox and what is below it; gives the place that was asked, and the names."""
        place, connection = await self._reach(places)
        root = await connection.command("LIST", string(b""), mailbox(place.name))
        lines = [listed(each) for each in root.untagged if each.kind == b"LIST"]
        delimiter = next((line.delimiter for line in lines if line.delimiter), "/")
        pattern = mailbox_pattern(place.name + delimiter) + b"*"
        return place, (*lines, *await _list(connection, place, pattern))

    async def everything(self, places: Sequence[Replica]) -> tuple[Replica, tuple[Listed, ...]]:
        """List all mailboxes of a server; gives the place that was asked, and the names."""
        place, connection = await self._reach(places)
        return place, await _list(connection, place, b"*")

    # -- a selected mailbox --------------------------------------------------------------------

    async def select(
        self, places: Sequence[Replica], read_only: bool, modseqs: bool = False
    ) -> Opened:
        """Open a mailbox at the first place that can be reached; a server that refers is followed.

        modseqs: the client wants modification sequences (RFC 7162), where there are any. Raises
        `Unavailable` or another `ReferraldError`.
        """
        chain, faults = Chain(), list[Unavailable]()
        todo = [*places]
        while todo:
            place = todo.pop(0)
            chain.visit(place.server.host, place.server.port, f"{self._user(place)}/{place.name}")
            try:
                opened = await self._select(place, read_only, modseqs)
            except (NotReached, ConnectionEnded, LostServer, Unavailable) as error:
                faults.append(error)
                continue
            onward = _onward(opened.answer, self._user(place), place.name)
            if onward is None and not (todo and _UNAVAILABLE.match(opened.answer)):
                return opened
            self.park(opened)
            if onward is None:
                faults.append(Unavailable(f"{place.server} cannot open {place.name} now"))
            else:
                todo = self._allowed(onward)
        raise _nowhere(faults)

    async def _select(self, place: Replica, read_only: bool, modseqs: bool) -> Opened:
        kept = self._parked.pop(self._key(place), None)
        if kept is not None and kept.ended is None:
            # That it has gone may show only when it is used.
            with suppress(LostServer):
                return await self._select_by(kept, place, read_only, modseqs)
        connection = await self._log_in(place)
        passing = Passing(self._clock, connection, str(place.server))
        return await self._select_by(passing, place, read_only, modseqs)

    async def _select_by(
        self, passing: Passing, place: Replica, read_only: bool, modseqs: bool
    ) -> Opened:
        try:
            answer, data = await passing.select(mailbox(place.name), read_only, modseqs)
        except BaseException:
            passing.close()
            raise
        return Opened(passing=passing, place=place, answer=answer, data=data)

    def park(self, opened: Opened) -> None:
        """Keep a connection whose mailbox has been left, for the next one at that server."""
        key = self._key(opened.place)
        if self.closed or key in self._parked or opened.passing.ended is not None:
            opened.passing.close()
            return
        self._parked[key] = opened.passing
        self._note_used(key)

    # -- connections ---------------------------------------------------------------------------

    async def _at_one(self, places: Sequence[Replica], run: Run) -> Done:
        chain, todo = Chain(), places
        while True:
            place, connection = await self._reach(todo)
            chain.visit(place.server.host, place.server.port, f"{self._user(place)}/{place.name}")
            # From here on it may have been done: it is not tried elsewhere.
            reply = await run(connection, mailbox(place.name))
            self._note_used(self._key(place))
            onward = _onward(
                reply.kind.encode("ascii") + b" " + reply.text, self._user(place), place.name
            )
            if onward is None:
                return Done(reply=reply, place=place)
            todo = self._allowed(onward)

    async def _reach(self, places: Sequence[Replica]) -> tuple[Replica, ImapConnection]:
        """Give the first place that can be reached, with a connection to it."""
        faults = list[Unavailable]()
        for place in places:
            try:
                return place, await self._at(place)
            except (NotReached, ConnectionEnded, Unavailable) as error:
                faults.append(error)
        raise _nowhere(faults)

    async def _at(self, place: Replica) -> ImapConnection:
        key = self._key(place)
        connection = self._open.get(key)
        if connection is None or connection.ended is not None:
            connection = await self._log_in(place)
            if self.closed:
                connection.close()
                raise Unavailable("the session has ended")
            self._open[key] = connection
        self._note_used(key)
        return connection

    async def _log_in(self, place: Replica) -> ImapConnection:
        order = attrs.evolve(self._order, servers=(place.server,), user=self._user(place))
        try:
            arrived = await self._connector.log_in(order)
        except AuthenticationFailed as error:
            raise NotLetIn(f"{place.server} does not let {order.user} in: {error}") from error
        except Forbidden as error:
            raise Unavailable(f"{place.server}: {error}") from error
        await arrived.connection.ask_capabilities()
        return arrived.connection

    def _user(self, place: Replica) -> str:
        return place.user or self._order.user

    def _key(self, place: Replica) -> Key:
        return place.server, self._user(place)

    def _allowed(self, places: Sequence[Replica]) -> list[Replica]:
        """Leave out what another server names and this one does not allow."""
        found = [each for each in places if self._connector.allows(each.server)]
        if not found:
            names = ", ".join(str(each.server) for each in places)
            raise Unavailable(f"a server refers to {names}, which is not allowed")
        return found

    def _note_used(self, key: Key) -> None:
        self._used[key] = self._clock.seconds()
        if self._sweep is None and not self.closed:
            self._sweep = self._clock.callLater(IDLE_TIME, self._close_unused)

    def _close_unused(self) -> None:
        self._sweep = None
        now = self._clock.seconds()
        for key, used in [*self._used.items()]:
            connection = self._open.get(key)
            if now - used >= IDLE_TIME and not (connection is not None and connection.busy):
                self._drop(key)
        if self._used:
            self._sweep = self._clock.callLater(IDLE_TIME, self._close_unused)

    def _drop(self, key: Key) -> None:
        del self._used[key]
        kept: list[Any] = [self._open.pop(key, None), self._parked.pop(key, None)]
        for each in kept:
            if each is not None:
                each.close()

    def close(self) -> None:
        """End all connections."""
        self.closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for key in [*self._used]:
            self._drop(key)


async def _list(connection: ImapConnection, place: Replica, pattern: bytes) -> tuple[Listed, ...]:
    reply = await connection.command("LIST", string(b""), string(pattern))
    if not reply.ok:
        raise Unavailable(f"{place.server} lists no mailboxes")
    return tuple(listed(each) for each in reply.untagged if each.kind == b"LIST")


def _nowhere(faults: Sequence[Unavailable]) -> Unavailable:
    why = "; ".join(str(fault) for fault in faults)
    if faults and all(isinstance(fault, NotLetIn) for fault in faults):
        return NotLetIn(why)
    return Unavailable(f"no server of the mailbox answers: {why}")


def _onward(answer: bytes, user: str, name: str) -> list[Replica] | None:
    """Give where a server's answer refers to, None when it does not."""
    kind, _, text = answer.partition(b" ")
    found: Referral | None = None
    if counts(kind.decode("ascii", "replace"), True, "mailbox"):
        found = referral_in("NO", text)
    if found is None:
        return None
    return [
        Replica(
            server=Server(
                host=target.host,
                port=target.port,
                security=Security.TLS if target.port == IMAPS_PORT else Security.STARTTLS,
            ),
            name=target.mailbox or name,
            user=target.user,
        )
        for target in mailbox_targets(found, user, name)
    ]
