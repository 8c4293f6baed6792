"""APPEND: messages from the client into a mailbox, all or none (RFC 3501 section 6.3.11, RFC 3502).

What can be refused is refused before the bytes come; they go to the store as they come. A mailbox
of another server, or of an IAccount, gets whole messages: those are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import NoSuchMailbox as TwistedNoSuchMailbox

from referrald.errors import MailboxInUse, MailboxReferral, NoSuchMailbox, WireError
from referrald.mailmodel import NewMessage, ReferMailbox
from referrald.mime.recoding import NulInText, Recoder
from referrald.model import Refuse
from referrald.session import answers, beyond, naming, transfer, uidplus
from referrald.session.accounts import append_limit
from referrald.session.held import Held
from referrald.session.pace import Pace
from referrald.session.table import Answer
from referrald.session.targets import NO_SUCH_FLAG, TRY_CREATE, known_flags, target
from referrald.wire.append import Appended, Heading
from referrald.wire.arguments import SYSTEM_FLAGS
from referrald.wire.response import Code, StatusError, no, ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

TOO_BIG: Final = no("That message is too big.", Code("TOOBIG"))
CANCELLED: Final = no("Nothing was appended: there is a message of no bytes.")
UNKNOWN_CTE: Final = no("NUL is kept in binary parts only.", Code("UNKNOWN-CTE"))
NOT_ENABLED: Final = "UTF8 needs ENABLE UTF8=ACCEPT."


SLICE: Final = 8192
"""Bytes of a literal8 that are looked through before others may have a turn."""


class Arriving:
    """A message that is coming in.

    incoming: what takes it, an `IIncoming`. binary: it comes as a literal8, which may hold NUL,
    and is written such that BODY[] can give it back (RFC 3516 section 4.4).
    """

    def __init__(self, name: str, size: int, incoming: Any, binary: bool, pace: Pace) -> None:
        self.name = name
        self.size = size
        self.incoming = incoming
        self.error: Exception | None = None
        self._recoder = Recoder() if binary else None
        self._pace = pace
        self._writing = self._over = False

    async def write(self, data: bytes) -> None:
        """Hand on the next bytes; what goes wrong is told when the command is complete."""
        recoder = self._recoder
        if recoder is None:
            await self._hand_on(lambda: data)
            return
        for at in range(0, len(data), SLICE):
            await self._pace.breathe()
            await self._hand_on(partial(recoder.feed, data[at : at + SLICE]))

    async def _hand_on(self, next_bytes: Callable[[], bytes]) -> None:
        if self._over or self.error is not None:
            return
        self._writing = True
        try:
            data = next_bytes()
            if data:
                await self.incoming.write(data)
        except NulInText:
            self.error = StatusError(UNKNOWN_CTE)
        except Exception as error:  # noqa: BLE001 - raised again by `check`
            self.error = error
        finally:
            self._writing = False
        if self._over or self.error is not None:
            self.incoming.discard()

    def discard(self) -> None:
        """Forget it, once what is being written has been."""
        self._over = True
        if not self._writing:
            self.incoming.discard()

    def check(self) -> None:
        """Raise what has gone wrong so far."""
        if self.error is not None:
            raise self.error

    async def content(self) -> Any:
        """Give what a `NewMessage` is made of, now that all has come; or raise what went wrong."""
        if self._recoder is not None:
            await self._hand_on(self._recoder.close)
        self.check()
        return self.incoming.value if isinstance(self.incoming, Held) else self.incoming


# -- before the message comes ----------------------------------------------------------------


async def admit(
    session: ReferralServer,
    name: str,
    heading: Heading,
    size: int,
    binary: bool,
    before: Sequence[Arriving],
) -> Arriving:
    """Get ready for a message, or raise; before: those of the same command."""
    if heading.utf8 and "UTF8=ACCEPT" not in session.enabled:
        raise WireError(NOT_ENABLED)
    for each in before:
        each.check()
    if not size:
        raise StatusError(CANCELLED)
    name = await naming.meant(session, name)
    decision = await session.mail.locate(name)
    if isinstance(decision, Refuse):
        raise StatusError(answers.refused(decision))
    if isinstance(decision, ReferMailbox):
        error = MailboxReferral(
            decision.urls, personal=decision.personal, replicas=decision.replicas
        )
        if not beyond.carried(session, error):
            raise error
        incoming: Any = Held()
    else:
        incoming = await _incoming(session, name, heading, size, binary)
    # Of those that are held all are in memory at a time.
    others = sum(each.size for each in before) if isinstance(incoming, Held) else 0
    if others + size > session.door.limits.literal_authenticated:
        incoming.discard()
        raise StatusError(TOO_BIG)
    return Arriving(name, size, incoming, binary, Pace(session.door.clock, session.door.wheel))


async def _incoming(
    session: ReferralServer, name: str, heading: Heading, size: int, binary: bool
) -> Any:
    limit = append_limit(session)
    if size > limit:
        raise StatusError(TOO_BIG)
    if binary:
        # It may be longer in base64.
        size = min(2 * size + 1000, limit)
    try:
        if any(flag[0] == "\\" and flag not in SYSTEM_FLAGS.values() for flag in heading.flags):
            async with target(session, name) as folder:
                if not await known_flags(folder, heading.flags):
                    raise StatusError(NO_SUCH_FLAG)
        return await session.mail.incoming(name, size)
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        raise StatusError(TRY_CREATE) from None


# -- when all have come ----------------------------------------------------------------------


async def append(session: ReferralServer, name: str, messages: tuple[Appended, ...]) -> Answer:
    """Put messages into a mailbox, all or none."""
    try:
        contents = [await _new(message) for message in messages]
        return await _append(session, await naming.meant(session, name), contents)
    finally:
        session.forget_arriving()


async def _new(message: Appended) -> NewMessage:
    streamed = message.literal.streamed
    assert streamed is not None, "taken by `admit`"
    heading = message.heading
    content = await streamed.sink.content()
    return NewMessage(content=content, flags=heading.flags, received=heading.date)


async def _append(session: ReferralServer, name: str, messages: list[NewMessage]) -> Answer:
    try:
        placed = await session.mail.append(name, messages)
    except (NoSuchMailbox, TwistedNoSuchMailbox):
        return TRY_CREATE
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        if not all(isinstance(message.content, bytes) for message in messages):
            # It has left while the message came, and the store has that message.
            raise MailboxInUse(f"{name} is elsewhere now") from None
        return await transfer.append_there(session, name, error.replicas, messages)
    return ok("Appended.", uidplus.appended(placed))
