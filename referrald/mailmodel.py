"""The values about mailboxes and messages that travel through the house. All are frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import attrs

from referrald.model import Refuse, Serve, Server

# -- where mailboxes are ---------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Replica:
    """One place where a mailbox can be read.

    name: the mailbox's name there.
    user: the name to use there; None means the user's own.
    auth: the SASL mechanism that a referral prescribes, ``*`` for any (RFC 5092 section 3.2).
    """

    server: Server
    name: str
    user: str | None = None
    auth: str = "*"


@attrs.frozen(kw_only=True)
class MailboxLocation:
    """Where a mailbox is, as a backend says it.

    replicas: the places in order of preference; empty means *here*.
    moving: the mailbox is on its way to another server. Nobody is served here; clients are referred
    to ``replicas``, or asked to wait when there are none.
    nowhere: the mailbox belongs elsewhere, and no server there can have one of that name.
    ttl: seconds that this answer may be cached; None means as configured, 0 means never.
    source: the name of the backend that said so; filled in by the directory.
    """

    replicas: tuple[Replica, ...] = ()
    moving: bool = False
    nowhere: bool = False
    ttl: float | None = None
    source: str = ""

    @property
    def here(self) -> bool:
        """True when this server itself has the mailbox."""
        return not (self.replicas or self.moving or self.nowhere)

    @property
    def waits(self) -> bool:
        """True when the mailbox is on its way and nobody is served anywhere."""
        return self.moving and not self.replicas


@attrs.frozen(kw_only=True)
class RemoteMailbox:
    """A name that a backend puts into the list of a user's mailboxes.

    name: as it is called here. attributes: of LIST (RFC 3501 section 7.2.2, RFC 6154), such as
    ``\\Noselect`` or ``\\Sent``. subscribed: it is in RLSUB as well.
    subtree: whatever is below it belongs there too, unless a longer name in the list says
    otherwise. An entry whose ``location.here`` is true is such an exception, no remote mailbox.
    """

    name: str
    location: MailboxLocation
    attributes: tuple[str, ...] = ()
    subscribed: bool = False
    subtree: bool = False


@attrs.frozen(kw_only=True)
class ReferMailbox:
    """Send the client to another server for one mailbox.

    urls: in order of preference (RFC 2193 section 4.1). replicas: what they stand for.
    personal: the mailbox is there because all of the user's mail is; the client was told at login.
    """

    urls: tuple[str, ...]
    replicas: tuple[Replica, ...] = ()
    personal: bool = False
    outcome: Literal["refer"] = "refer"
    source: str = ""


MailboxDecision = Serve | ReferMailbox | Refuse


# -- mailboxes that are here -----------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Namespaces:
    """The prefixes of the three kinds of namespaces (RFC 2342); each ends with the delimiter.

    The personal prefix is usually empty.
    """

    personal: tuple[str, ...] = ("",)
    others: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class MailboxEntry:
    """A mailbox that a store has. attributes: of LIST, such as ``\\Noselect`` or ``\\Sent``.

    What follows from the other names (``\\HasChildren``) is not among them.
    """

    name: str
    attributes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class MailboxStatus:
    """The counts of a mailbox (RFC 3501 section 6.3.10). size: bytes of all messages (RFC 8438)."""

    messages: int
    unseen: int
    deleted: int
    uid_next: int
    uid_validity: int
    size: int


@attrs.frozen(kw_only=True)
class FolderState:
    """What there is to know of a mailbox when it is opened.

    uids: of all messages, ascending. modseq: the state that all this is of, see `Changes`.
    flags: every flag and keyword that messages have or may have.
    permanent: those that a client can change for good; ``\\*`` when it can make new keywords.
    first_unseen: the UID of the first message without ``\\Seen``, None when there is none.
    """

    uid_validity: int
    uid_next: int
    uids: tuple[int, ...]
    modseq: int
    flags: tuple[str, ...]
    permanent: tuple[str, ...]
    first_unseen: int | None = None


@attrs.frozen(kw_only=True)
class Changes:
    """What has happened to a mailbox since a state that is known by its ``modseq``.

    uids: of all messages now, ascending; None when none has come or gone.
    flags: the flags now of messages whose flags have changed, new messages not among them.
    """

    modseq: int
    uids: tuple[int, ...] | None = None
    flags: Mapping[int, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class StoredMessage:
    """What is known of a message without reading it. received: with its zone; size: in bytes."""

    uid: int
    flags: tuple[str, ...]
    received: datetime
    size: int
    modseq: int


@attrs.frozen(kw_only=True)
class NewMessage:
    """A message to be put into a mailbox. received: None means now."""

    content: bytes = attrs.field(repr=False)
    flags: tuple[str, ...] = ()
    received: datetime | None = None


@attrs.frozen(kw_only=True)
class Placed:
    """Which UIDs messages got in a mailbox, in their order (RFC 4315).

    sources: the UIDs of the originals, where they were copied or moved.
    """

    uid_validity: int
    uids: tuple[int, ...]
    sources: tuple[int, ...] = ()
