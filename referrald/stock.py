"""An account for Twisted's own ``IMAP4Server``, which knows no referrals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.mail.imap4 import (
    IAccount,
    IMailboxInfo,
    INamespacePresenter,
    MailboxCollision,
    MailboxException,
    NoSuchMailbox,
    wildcardToRegexp,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald import errors
from referrald.errors import MailboxExists, ReferraldError
from referrald.mailbox import TwistedMailbox, plain, plain_error
from referrald.mailmodel import MailboxEntry

if TYPE_CHECKING:
    from referrald.account import ReferralAccount

INBOX: Final = "INBOX"
NOT_YET: Final = "Not known yet, please try again."
NOT_DONE: Final = "It took too long, please look whether it was done."
_log = Logger()


@implementer(IMailboxInfo)
class ListedMailbox:
    """A line of LIST: a stock server takes the flags for the attributes of the name."""

    def __init__(self, entry: MailboxEntry, delimiter: str) -> None:
        self._entry = entry
        self._delimiter = delimiter

    def getFlags(self) -> tuple[str, ...]:
        """Give the attributes."""
        return self._entry.attributes

    def getHierarchicalDelimiter(self) -> str:
        """Give the character between levels of names."""
        return self._delimiter


@implementer(IAccount, INamespacePresenter)
class TwistedAccount:
    """An account for a stock ``IMAP4Server``.

    That has no way to send a referral: a remote mailbox is not listed, and every command on it is
    answered with ``NO`` or ``BAD``, never with anything of the URL. And it takes CREATE, DELETE,
    RENAME, SUBSCRIBE and UNSUBSCRIBE to be done when the method returns: what needs longer to
    find out raises, and the client may try again.
    """

    def __init__(self, account: ReferralAccount) -> None:
        self.account = account
        self._subscribed: frozenset[str] | None = None
        self._open: list[TwistedMailbox] = []

    # -- what may take its time --------------------------------------------------------------

    def select(self, name: str, rw: Any = None) -> Deferred[TwistedMailbox | None]:
        """Give a mailbox; None when there is none, or none here.

        Without ``rw``, as APPEND and COPY ask, it fails instead: a stock server stumbles over the
        None there.
        """
        return Deferred.fromCoroutine(self._select(self._name(name), rw))

    async def _select(self, name: str, rw: Any) -> TwistedMailbox | None:
        self._tidy()
        try:
            folder = await self.account.open(name, True if rw is None else bool(rw))
            box = await TwistedMailbox.open(folder, self._local, eager=True)
        except Exception as error:  # noqa: BLE001 - the client learns of it in any case
            if rw is not None and isinstance(error, ReferraldError) and not error.temporary:
                return None
            raise _twisted(error, name) from None
        self._open.append(box)
        return box

    def _tidy(self) -> None:
        """Close what nobody listens to: STATUS, APPEND and COPY leave it open."""
        for box in self._open:
            if not box.in_use:
                box.close().addErrback(_not_closed)
        self._open = [box for box in self._open if box.in_use]

    def close(self) -> None:
        """Close every mailbox, when the connection ends."""
        for box in self._open:
            box.close().addErrback(_not_closed)
        self._open.clear()

    def listMailboxes(self, ref: str, wildcard: str) -> Deferred[list[tuple[str, ListedMailbox]]]:
        """Give the names here that match; what is subscribed is known from then on."""
        return Deferred.fromCoroutine(self._list(self._name(ref + wildcard)))

    async def _list(self, pattern: str) -> list[tuple[str, ListedMailbox]]:
        delimiter = self.account.delimiter
        matches = wildcardToRegexp(pattern, delimiter).fullmatch
        try:
            self._subscribed = await self.account.subscriptions()
            entries = await self.account.entries()
        except Exception as error:  # noqa: BLE001 - the client learns of it in any case
            raise _twisted(error, pattern) from None
        return [(e.name, ListedMailbox(e, delimiter)) for e in entries if matches(e.name)]

    # -- what may not ------------------------------------------------------------------------

    def isSubscribed(self, name: str) -> bool:
        """Say whether a name is subscribed."""
        if self._subscribed is None:
            self._subscribed = _at_once(self.account.subscriptions(), name, NOT_YET)
        return self._name(name) in self._subscribed

    def addMailbox(self, name: str, mbox: Any = None) -> Any:
        """Refuse: the mailboxes of a store are its own."""
        raise MailboxException("Not possible here.")

    def create(self, pathspec: str) -> bool:
        """Make a mailbox."""
        name = self._name(pathspec)
        return self._carry_out(name, self._required(name), lambda: self._local.create(name))

    def delete(self, name: str) -> bool:
        """Remove a mailbox."""
        name = self._name(name)
        return self._carry_out(name, self._required(name), lambda: self._local.delete(name))

    def rename(self, oldname: str, newname: str) -> bool:
        """Give a mailbox and all below it a new name."""
        old, new = self._name(oldname), self._name(newname)
        lookup = self.account.require_rename(old, new)
        return self._carry_out(old, lookup, lambda: self._local.rename(old, new), other=new)

    def subscribe(self, name: str) -> bool:
        """Add a name to the subscriptions."""
        name = self._name(name)
        return self._carry_out(name, self._required(name), lambda: self._local.subscribe(name))

    def unsubscribe(self, name: str) -> bool:
        """Take a name from the subscriptions, wherever the mailbox is: this list is kept here."""
        name = self._name(name)
        return self._carry_out(name, _nothing(), lambda: self._local.unsubscribe(name))

    @property
    def _local(self) -> Any:
        return self.account.local

    def _required(self, name: str) -> Any:
        return self.account.require(name)

    def _carry_out(
        self, name: str, lookup: Any, work: Callable[[], Awaitable[Any]], other: str = ""
    ) -> bool:
        # Only the lookup may go on when the client has been told that nothing was done.
        _at_once(lookup, name, NOT_YET)
        self._subscribed = None
        _at_once(work(), other or name, NOT_DONE)
        return True

    def _name(self, name: Any) -> str:
        """Write INBOX so, on the first level too."""
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        first, rest, below = text.partition(self.account.delimiter)
        return INBOX + rest + below if first.upper() == INBOX else text

    # -- namespaces --------------------------------------------------------------------------

    def getPersonalNamespaces(self) -> list[list[bytes]] | None:
        """Tell where the user's own mailboxes are."""
        return self._namespaces(self.account.namespaces().personal)

    def getSharedNamespaces(self) -> list[list[bytes]] | None:
        """Tell where mailboxes are that are there for all."""
        return self._namespaces(self.account.namespaces().shared)

    def getUserNamespaces(self) -> list[list[bytes]] | None:
        """Tell where other users' mailboxes are."""
        return self._namespaces(self.account.namespaces().others)

    def _namespaces(self, prefixes: Sequence[str]) -> list[list[bytes]] | None:
        delimiter = self.account.delimiter.encode("ascii")
        return [[prefix.encode("imap4-utf-7"), delimiter] for prefix in prefixes] or None


async def _nothing() -> None:
    """Look nothing up."""


def _at_once(work: Any, name: str, late: str) -> Any:
    """Give the result of a coroutine, or raise what it raised or that it is not there yet."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    if not results:
        raise MailboxException(late)
    if isinstance(results[0], Failure):
        error: Any = results[0].value
        raise _twisted(error, name) from None
    return results[0]


class _Collision(MailboxCollision):
    def __str__(self) -> str:
        return plain(MailboxExists.public)


class _NoSuchMailbox(NoSuchMailbox):
    def __str__(self) -> str:
        return plain(errors.NoSuchMailbox.public)


def _twisted(error: BaseException, name: str) -> MailboxException:
    """Give an error as Twisted knows it. Its text is sent as it is, so no name stands in it."""
    if isinstance(error, MailboxExists):
        return _Collision(name)
    if isinstance(error, errors.NoSuchMailbox):
        return _NoSuchMailbox(name)
    return plain_error(error)


def _not_closed(failure: Failure) -> None:
    _log.failure("a mailbox could not be closed", failure)
