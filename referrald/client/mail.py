"""One account's mailboxes, wherever they are (RFC 2193): a client that goes where it is sent.

Connections are kept and used again, one for each server and user. Every command first goes to the
home server; where that refers, to the replicas in their order.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from referrald.client.chain import Chain
from referrald.client.connection import ImapConnection
from referrald.client.following import Arrived, Forbidden, LoginFollower
from referrald.client.referrals import Referral, Target, counts, mailbox_targets, referral_in
from referrald.client.replies import ConnectionEnded, Literal, NotAccepted, Reply
from referrald.client.transport import NotReached
from referrald.errors import ReferraldError
from referrald.imapurl import ImapUrl, parse
from referrald.wire.names import decode_utf7, encode_utf7
from referrald.wire.response import Wire, mailbox, string
from referrald.wire.responses import Response

_LIST = re.compile(rb"\(([^)]*)\) (?:NIL|\"((?:[^\"\\]|\\.)*)\") (.*)\Z", re.DOTALL)
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)", re.IGNORECASE)
_DATE = re.compile(rb'INTERNALDATE ("[^"]*")', re.IGNORECASE)
_APPENDED = re.compile(rb"\[APPENDUID [0-9]+ ([0-9]+)\]", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(.)")

Run = Callable[[ImapConnection, str], Awaitable[Reply]]


class NotCopied(ReferraldError):
    """Messages could not be copied to another server; ``left`` says how many were left there."""

    code = None
    public = "The messages could not be copied."

    def __init__(self, reason: str, left: int = 0) -> None:
        super().__init__(reason)
        self.left = left


@attrs.frozen(kw_only=True)
class Listed:
    """A line of a listing."""

    name: str
    attributes: tuple[str, ...] = ()
    delimiter: str | None = None


@attrs.frozen(kw_only=True)
class Found:
    """Where a command was carried out in the end: the connection, the name there, the reply."""

    connection: ImapConnection
    name: str
    reply: Reply


class ReferralClient:
    """A client for one account; `start` it before anything else, and `close` it in the end."""

    def __init__(self, follower: LoginFollower) -> None:
        self._follower = follower
        self._open: dict[tuple[str, int, str], ImapConnection] = {}
        self.home: Arrived | None = None

    async def start(self, url: ImapUrl | str) -> Arrived:
        """Log in where the account is; raises what `LoginFollower.open` raises."""
        start = parse(url) if isinstance(url, str) else url
        home = self.home = await self._follower.open(start.server())
        await self._keep(home)
        return home

    async def close(self) -> None:
        """Log out everywhere."""
        while self._open:
            _, connection = self._open.popitem()
            await connection.logout()

    # -- commands ----------------------------------------------------------------------------

    async def list(self, reference: str = "", pattern: str = "*") -> tuple[Listed, ...]:
        """Name the mailboxes, those elsewhere as well where the server tells of them."""
        connection = self._home()
        offered = await connection.ask_capabilities()
        arguments = (mailbox(reference), string(mailbox_pattern(pattern)))
        if "MAILBOX-REFERRALS" in offered:
            reply = await connection.command("RLIST", *arguments)
        elif "LIST-EXTENDED" in offered:
            reply = await connection.command("LIST", Wire(b"(REMOTE)"), *arguments)
        else:
            reply = await connection.command("LIST", *arguments)
        _require(reply)
        return tuple(listed(each) for each in reply.untagged if each.kind == b"LIST")

    async def select(self, name: str, *, read_only: bool = False) -> Found:
        """Open a mailbox, at the first replica that lets us; raises `NotAccepted`."""
        command = "EXAMINE" if read_only else "SELECT"
        return await self.on_mailbox(
            name, lambda connection, there: connection.command(command, mailbox(there))
        )

    async def status(self, name: str, items: Sequence[str]) -> Found:
        """Ask for counts of a mailbox; raises `NotAccepted`."""
        wanted = Wire(b"(" + " ".join(items).encode("ascii") + b")")
        return await self.on_mailbox(
            name, lambda connection, there: connection.command("STATUS", mailbox(there), wanted)
        )

    async def append(
        self, name: str, message: bytes, flags: bytes = b"()", date: bytes = b""
    ) -> Found:
        """Put a message into a mailbox; raises `NotAccepted`."""
        more = [Wire(flags), *([Wire(date)] if date else [])]
        return await self.on_mailbox(
            name,
            lambda connection, there: connection.command(
                "APPEND", mailbox(there), *more, Literal(message)
            ),
        )

    async def copy(self, source: ImapConnection, uids: Sequence[int], name: str) -> None:
        """Copy messages of the selected mailbox of a connection, to whatever server: all or none.

        Raises `NotCopied`, `NotAccepted`, `ConnectionEnded`.
        """
        chosen = Wire(",".join(map(str, uids)).encode("ascii"))
        reply = await source.command("UID COPY", chosen, mailbox(name))
        if reply.ok:
            return
        if _referral(reply) is None:
            raise NotAccepted(reply)
        await self._copy_by_hand(source, uids, name)

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox another name; where both are on one other server, there.

        Between two servers nothing is done, and `NotAccepted` raised: see `copy`.
        """
        connection = self._home()
        reply = await connection.command("RENAME", mailbox(old), mailbox(new))
        referral = _referral(reply)
        if referral is None or len(referral.urls) < 2:
            _require(reply)
            return
        before, after = mailbox_targets(referral, connection.user)[:2]
        if (before.host, before.port, before.user) != (after.host, after.port, after.user):
            raise NotAccepted(reply)
        there = await self._at(before, connection.secure)
        names = mailbox(before.mailbox or old), mailbox(after.mailbox or new)
        _require(await there.command("RENAME", *names))

    async def on_mailbox(self, name: str, run: Run) -> Found:
        """Carry a command out at the mailbox's server, following referrals."""
        connection, there, chain = self._home(), name, Chain()
        while True:
            reply = await run(connection, there)
            referral = _referral(reply)
            if referral is None:
                _require(reply)
                return Found(connection=connection, name=there, reply=reply)
            targets = mailbox_targets(referral, connection.user, there)
            connection, there = await self._first(targets, chain, connection.secure)

    # -- connections -------------------------------------------------------------------------

    def _home(self) -> ImapConnection:
        if self.home is None:
            raise RuntimeError("the client has not been started")
        return self.home.connection

    async def _keep(self, arrived: Arrived) -> None:
        """Keep a connection, and let its server know that we follow referrals."""
        target, connection = arrived.target, arrived.connection
        self._open[target.host, target.port, target.user] = connection
        if "MAILBOX-REFERRALS" in await connection.ask_capabilities():
            # Asking for nothing is enough: who never asks is not sent mailbox referrals.
            await connection.command("RLIST", string(b""), string(b""))

    async def _first(
        self, targets: Sequence[Target], chain: Chain, secure: bool
    ) -> tuple[ImapConnection, str]:
        """Connect to the first replica that can be reached and may be."""
        fault: ReferraldError | None = None
        for target in targets:
            there = target.mailbox or ""
            # The same server may be asked for several mailboxes.
            chain.visit(target.host, target.port, f"{target.user}/{there}")
            try:
                return await self._at(target, secure), there
            except (NotReached, ConnectionEnded, Forbidden) as error:
                fault = error
        assert fault is not None, "a referral has a URL"
        raise fault

    async def _at(self, target: Target, secure: bool) -> ImapConnection:
        known = self._open.get((target.host, target.port, target.user))
        if known is not None and known.ended is None:
            return known
        arrived = await self._follower.go(target, secure=secure)
        await self._keep(arrived)
        return arrived.connection

    # -- copying -----------------------------------------------------------------------------

    async def _copy_by_hand(self, source: ImapConnection, uids: Sequence[int], name: str) -> None:
        made: list[Found] = []
        try:
            for uid in uids:
                message = await _fetch(source, uid)
                if message is not None:
                    made.append(await self.append(name, *message))
        except ReferraldError as error:
            left = await _take_back(made)
            raise NotCopied(str(error), left) from error


async def _fetch(source: ImapConnection, uid: int) -> tuple[bytes, bytes, bytes] | None:
    """Give content, flags and date of a message, None when it is gone."""
    reply = await source.command(
        "UID FETCH", Wire(b"%d" % uid), Wire(b"(UID FLAGS INTERNALDATE BODY.PEEK[])")
    )
    _require(reply)
    for response in reply.untagged:
        if response.kind == b"FETCH" and len(response.segments) > 1:
            around = b"".join(response.segments[0::2])
            flags, date = _FLAGS.search(around), _DATE.search(around)
            kept = [] if flags is None else flags[1].split()
            kept = [flag for flag in kept if flag.lower() != b"\\recent"]
            return response.segments[1], b"(" + b" ".join(kept) + b")", date[1] if date else b""
    return None


async def _take_back(made: Sequence[Found]) -> int:
    """Remove copies again, where their server says which they are; gives how many are left."""
    uids = [uid for each in made if (uid := appended_uid(each.reply)) is not None]
    if not made or len(uids) < len(made):
        return len(made)
    connection, chosen = made[0].connection, Wire(b",".join(uids))
    try:
        _require(await connection.command("SELECT", mailbox(made[0].name)))
        deleted = Wire(b"+FLAGS.SILENT (\\Deleted)")
        _require(await connection.command("UID STORE", chosen, deleted))
        _require(await connection.command("UID EXPUNGE", chosen))
    except ReferraldError:
        return len(made)
    return 0


def appended_uid(reply: Reply) -> bytes | None:
    """Give the UID that a message got, where the server says so (RFC 4315 section 3)."""
    found = _APPENDED.search(reply.text)
    return None if found is None else found[1]


def _referral(reply: Reply) -> Referral | None:
    """Give the referral in a reply that is to be followed."""
    return referral_in(reply.kind, reply.text) if counts(reply.kind, True, "mailbox") else None


def _require(reply: Reply) -> None:
    if not reply.ok:
        raise NotAccepted(reply)


def mailbox_pattern(pattern: str) -> bytes:
    """Write a pattern of mailbox names for the wire."""
    return encode_utf7(pattern)


def listed(response: Response) -> Listed:
    """Read a line of LIST or LSUB."""
    found = _LIST.match(response.text)
    if found is None:
        return Listed(name="")
    raw: Any = response.segments[1] if len(response.segments) > 1 else _unquoted(found[3])
    delimiter = None if found[2] is None else _ESCAPE.sub(rb"\1", found[2]).decode("ascii")
    try:
        name = decode_utf7(raw)
    except ReferraldError:
        name = raw.decode("utf-8", "replace")
    attributes = tuple(each.decode("ascii", "replace") for each in found[1].split())
    return Listed(name=name, attributes=attributes, delimiter=delimiter)


def _unquoted(text: bytes) -> bytes:
    if text.startswith(b'"'):
        end = re.match(rb'"((?:[^"\\]|\\.)*)"', text)
        return _ESCAPE.sub(rb"\1", end[1]) if end else text
    return text.partition(b" ")[0]
