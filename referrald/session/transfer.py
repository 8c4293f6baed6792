"""Messages from one server to another, for COPY, MOVE and APPEND: all of them or none.

Within one other server the server does it. Between two, each message is read whole at one and put
into the mailbox at the other; where that fails, the copies made so far are removed again.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from referrald.errors import MailboxReferral, Unavailable
from referrald.mailmodel import NewMessage, ReferMailbox, Replica
from referrald.mime.dates import parse_date
from referrald.session import beyond, edge, uidplus
from referrald.session.away import AwayMailbox, as_status
from referrald.session.table import Answer
from referrald.session.targets import target
from referrald.wire.response import Code, StatusError, mailbox, no, ok, render
from referrald.wire.sets import SequenceSet

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

NO_MOVE: Final = no(
    "The server of this mailbox cannot remove single messages; copy and delete them instead.",
    Code("CANNOT"),
)
NOT_READ: Final = no("The server of this mailbox did not give a message.", Code("UNAVAILABLE"))

_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)", re.IGNORECASE)
_DATE = re.compile(
    rb'INTERNALDATE "([ 0-9][0-9]-[A-Z]{3}-[0-9]{4} [0-9:]{8} [+-][0-9]{4})"', re.IGNORECASE
)
_SHORT = re.compile(rb'BODY\[\] (?:"((?:[^"\\]|\\.)*)"|NIL)', re.IGNORECASE)
_APPENDUID = re.compile(rb"\[APPENDUID ([0-9]+) ([0-9]+)\]", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Letter:
    """A message on its way. date: in the form of RFC 3501, empty where it is not known."""

    uid: int
    content: bytes = attrs.field(repr=False)
    flags: tuple[str, ...] = ()
    date: str = ""


@attrs.frozen(kw_only=True)
class Arrival:
    """What a mailbox has said of a message that it took. made: whatever is needed to undo it."""

    made: Any
    validity: int | None = None
    uid: int | None = None


class Mailbox(Protocol):
    """Takes messages."""

    async def take(self, letter: Letter) -> Arrival:
        """Put a message in; raises when it was not taken."""
        ...

    async def take_back(self, arrivals: Sequence[Arrival]) -> bool:
        """Remove what was put in; False when that was not possible."""
        ...


class HereMailbox:
    """A mailbox of this server."""

    def __init__(self, session: ReferralServer, name: str, folder: Any) -> None:
        self._mail = session.mail
        self._name = name
        self._folder = folder

    async def take(self, letter: Letter) -> Arrival:
        """Put a message in."""
        received = parse_date(letter.date)
        new = NewMessage(content=letter.content, flags=letter.flags, received=received)
        placed = await self._mail.append(self._name, [new])
        uid = placed.uids[0] if placed.uids else None
        return Arrival(made=uid, validity=placed.uid_validity, uid=uid)

    async def take_back(self, arrivals: Sequence[Arrival]) -> bool:
        """Remove messages by their UIDs."""
        uids = sorted(each.uid for each in arrivals if each.uid is not None)
        await self._folder.store(uids, ["\\Deleted"], 1)
        await self._folder.expunge(uids)
        return len(uids) == len(arrivals)


class ThereMailbox:
    """A mailbox of another server."""

    def __init__(self, session: ReferralServer, places: Sequence[Replica]) -> None:
        self._errands = session.errands
        self._places = places

    async def take(self, letter: Letter) -> Arrival:
        """Append a message."""
        message = NewMessage(content=letter.content, flags=letter.flags)
        done = await self._errands.append(self._places, message, letter.date)
        _require(beyond.told(done))
        # All go to one place: copies of a mailbox need not have the same UIDs.
        self._places = (done.place,)
        found = _APPENDUID.search(done.reply.text)
        numbers = (None, None) if found is None else (int(found[1]), int(found[2]))
        return Arrival(made=done.reply, validity=numbers[0], uid=numbers[1])

    async def take_back(self, arrivals: Sequence[Arrival]) -> bool:
        """Remove messages by the UIDs that they got."""
        replies = [each.made for each in arrivals]
        return bool(await self._errands.take_back(self._places[0], replies))


@asynccontextmanager
async def opened(session: ReferralServer, name: str) -> AsyncIterator[Mailbox]:
    """Give a mailbox that takes messages, wherever it is; or raise."""
    there = None
    try:
        await beyond.require_here(session, name)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        there = ThereMailbox(session, error.replicas)
    if there is not None:
        yield there
        return
    async with target(session, name) as folder:
        yield HereMailbox(session, name, folder)


async def deliver(
    session: ReferralServer, letters: AsyncIterator[Letter], name: str
) -> tuple[list[int], Code | None]:
    """Put messages into a mailbox, all or none; gives their UIDs and what tells the new ones."""
    sources, arrivals = await _put_all(session, letters, name)
    return sources, _copyuid(sources, arrivals)


async def _put_all(
    session: ReferralServer, letters: AsyncIterator[Letter], name: str
) -> tuple[list[int], list[Arrival]]:
    async with opened(session, name) as box:
        arrivals: list[Arrival] = []
        sources: list[int] = []
        try:
            async for letter in letters:
                arrivals.append(await box.take(letter))
                sources.append(letter.uid)
        except Exception:
            if arrivals:
                await _undo(session, box, arrivals, name)
            raise
    return sources, arrivals


async def _undo(
    session: ReferralServer, box: Mailbox, arrivals: Sequence[Arrival], name: str
) -> None:
    try:
        undone = await box.take_back(arrivals)
    except Exception as error:  # noqa: BLE001 - what failed first is what the client is told
        session.door.notes.fault(f"{session.session_id}: copies could not be taken back", error)
        return
    if not undone:
        session.door.notes.note(
            "copies left",
            f"{session.session_id} {session.user}: {len(arrivals)} copies stay in {name!r}: they "
            "could not be removed again, or its server does not say what they are (no UIDPLUS)",
        )


def _copyuid(sources: Sequence[int], arrivals: Sequence[Arrival]) -> Code | None:
    made = _made(arrivals)
    return made and Code("COPYUID", f"{made[0]} {uidplus.spans(sources)} {made[1]}")


def _made(arrivals: Sequence[Arrival]) -> tuple[int, str] | None:
    """Give the UIDVALIDITY and the new UIDs, where all of them are known."""
    uids = [each.uid for each in arrivals if each.uid is not None]
    validities = {each.validity for each in arrivals}
    validity = validities.pop() if len(validities) == 1 else None
    if not uids or len(uids) < len(arrivals) or validity is None:
        return None
    return validity, uidplus.spans(uids)


# -- from a mailbox of this server -------------------------------------------------------------


async def letters_here(folder: Any, uids: Sequence[int]) -> AsyncIterator[Letter]:
    """Give messages of a mailbox of this server one by one."""
    for uid, flags, received in await folder.rows(uids, ("flags", "received")):
        content = await folder.content(uid)
        if content is not None:
            names = edge.flag_names(flags.split())
            yield Letter(
                uid=uid,
                content=content,
                flags=tuple(name for name in names if name.lower() != "\\recent"),
                date=received.decode("ascii"),
            )


async def append_there(
    session: ReferralServer, name: str, places: Sequence[Replica], messages: Sequence[NewMessage]
) -> Answer:
    """Append messages at another server, all or none."""
    if len(messages) == 1:
        when = edge.date_time(messages[0].received) if messages[0].received else ""
        return beyond.told(await session.errands.append(places, messages[0], when))
    # One command with all of them needs a server that knows such commands.
    _, arrivals = await _put_all(session, _letters(messages), name)
    made = _made(arrivals)
    return ok("Appended.", made and Code("APPENDUID", f"{made[0]} {made[1]}"))


async def _letters(messages: Sequence[NewMessage]) -> AsyncIterator[Letter]:
    for message in messages:
        date = edge.date_time(message.received) if message.received else ""
        yield Letter(uid=0, content=message.content, flags=message.flags, date=date)


# -- from a mailbox of another server ----------------------------------------------------------


async def copy_away(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Copy messages of a mailbox that is selected at another server (RFC 3501 section 6.4.7)."""
    box: AwayMailbox = session.mbox
    there = await _at_same_server(session, box, name)
    if there is not None:
        command = b"UID COPY" if by_uid else b"COPY"
        return await box.carry(command, (b"%b %b" % (_set(messages), mailbox(there)),))
    uids = await _uids(box, messages, by_uid)
    _sources, code = await deliver(session, _letters_there(box, uids), name)
    return ok("Copied.", code)


async def move_away(
    session: ReferralServer, messages: SequenceSet, name: str, *, by_uid: bool = False
) -> Answer:
    """Move messages of a mailbox that is selected at another server (RFC 6851)."""
    box: AwayMailbox = session.mbox
    there = await _at_same_server(session, box, name)
    if there is not None and "MOVE" in box.passing.capabilities:
        command = b"UID MOVE" if by_uid else b"MOVE"
        return await box.carry(command, (b"%b %b" % (_set(messages), mailbox(there)),))
    if "UIDPLUS" not in box.passing.capabilities:
        return NO_MOVE
    uids = await _uids(box, messages, by_uid)
    sources, code = await deliver(session, _letters_there(box, uids), name)
    if code is not None:
        # The UIDs have to be told before the messages are gone (RFC 6851 section 4.3).
        session.write(render(None, ok("Moved.", code)))
    if not sources:
        return ok("Moved.")
    chosen = _numbers(sources)
    for command, rest in (
        (b"UID STORE", b" +FLAGS.SILENT (\\Deleted)"), (b"UID EXPUNGE", b""),
    ):  # fmt: skip
        answer = as_status(await box.carry(command, (chosen + rest,)))
        if answer.kind != "OK":
            raise StatusError(no(f"The messages were copied, not removed: {answer.text}"))
    return ok("Moved.")


async def _at_same_server(session: ReferralServer, box: AwayMailbox, name: str) -> str | None:
    """Give the name that a mailbox has at the server of the selected one, if it is there too."""
    decision = await session.mail.locate(name)
    if isinstance(decision, ReferMailbox):
        for replica in decision.replicas:
            if (replica.server, replica.user) == (box.place.server, box.place.user):
                return str(replica.name)
    return None


async def _uids(box: AwayMailbox, messages: SequenceSet, by_uid: bool) -> list[int]:
    """Give the UIDs of a set, ascending."""
    key = b"UID " if by_uid else b""
    answer, found = await box.collect(b"UID SEARCH", key + _set(messages), b"SEARCH")
    _require(answer)
    numbers = [int(word) for each in found for word in each.text.split() if word.isdigit()]
    return sorted(numbers)


async def _letters_there(box: AwayMailbox, uids: Sequence[int]) -> AsyncIterator[Letter]:
    items = b"(UID FLAGS INTERNALDATE BODY.PEEK[])"
    for uid in uids:
        answer, found = await box.collect(b"UID FETCH", b"%d %b" % (uid, items), b"FETCH")
        if as_status(answer).kind != "OK" or not found:
            raise StatusError(NOT_READ)
        yield _letter(uid, found[0])


def _letter(uid: int, response: Any) -> Letter:
    around = b"".join(response.segments[0::2])
    flags, date = _FLAGS.search(around), _DATE.search(around)
    # They go on to another server: what cannot be a flag is left out.
    names = edge.flag_names([] if flags is None else flags[1].split())
    if len(response.segments) > 1:
        content = response.segments[1]
    else:
        short = _SHORT.search(around)
        if short is None:
            raise Unavailable("a message without its content")
        content = re.sub(rb"\\(.)", rb"\1", short[1] or b"")
    return Letter(
        uid=uid,
        content=content,
        flags=tuple(name for name in names if name.lower() != "\\recent"),
        date="" if date is None else date[1].decode("ascii", "replace"),
    )


def _require(answer: Answer) -> None:
    status = as_status(answer)
    if status.kind != "OK":
        raise StatusError(status)


def _set(messages: SequenceSet) -> bytes:
    return str(messages).encode("ascii")


def _numbers(uids: Sequence[int]) -> bytes:
    return uidplus.spans(sorted(uids)).encode("ascii")
