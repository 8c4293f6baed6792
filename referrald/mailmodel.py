"""The values about mailboxes and messages that travel through the house. All are frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

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
    """The counts of a mailbox (RFC 3501 section 6.3.10). size: bytes of all messages (RFC 8438).

    modseq: the highest modification sequence (RFC 7162). deleted_size: bytes of what an EXPUNGE
    would remove (RFC 9208). recent: how many messages nobody was told of yet.
    """

    messages: int
    unseen: int
    deleted: int
    uid_next: int
    uid_validity: int
    size: int
    modseq: int = 0
    deleted_size: int = 0
    recent: int = 0


@attrs.frozen(kw_only=True)
class FolderState:
    """What there is to know of a mailbox when it is opened.

    uids: of all messages, ascending. modseq: the state that all this is of, see `Changes`; it is
    the highest modification sequence too (RFC 7162).
    flags: every flag and keyword that messages have or may have.
    permanent: those that a client can change for good; ``\\*`` when it can make new keywords.
    first_unseen: the UID of the first message without ``\\Seen``, None when there is none.
    has_modseqs: False where messages have no modification sequences that a client could use again
    (RFC 7162, NOMODSEQ). recent: how many messages nobody was told of yet (see `IRecents`); of a
    mailbox without that, how many are ``\\Recent``.
    """

    uid_validity: int
    uid_next: int
    uids: Sequence[int]
    modseq: int
    flags: tuple[str, ...]
    permanent: tuple[str, ...]
    first_unseen: int | None = None
    has_modseqs: bool = True
    recent: int = 0


@attrs.frozen(kw_only=True)
class Changes:
    """What has happened to a mailbox since a state that is known by its ``modseq``.

    arrived, gone: the UIDs of messages that have come, and that are there no more, ascending; what
    has come and gone since is in neither.
    uids: of all messages now, ascending, in place of both, from a store that does not know them
    (any more).
    flags: the flags now of messages whose flags have changed, new messages not among them.
    modseqs: the modification sequences of those messages.
    recent: as in `FolderState`, None where there is nothing to tell of that.
    """

    modseq: int
    arrived: Sequence[int] = ()
    gone: Sequence[int] = ()
    uids: Sequence[int] | None = None
    flags: Mapping[int, tuple[str, ...]] = attrs.field(factory=dict)
    modseqs: Mapping[int, int] = attrs.field(factory=dict)
    recent: int | None = None


@attrs.frozen(kw_only=True)
class StoredMessage:
    """What is known of a message without reading it. received: with its zone; size: in bytes."""

    uid: int
    flags: tuple[str, ...]
    received: datetime
    size: int
    modseq: int


Column = Literal["flags", "modseq", "size", "received", "envelope", "body", "structure", "fields"]
"""What a store tells of a message without reading it, all but numbers ready to be sent.

flags: bytes, as between the parentheses of FETCH. modseq, size: numbers. received: bytes, the
``date-time`` of INTERNALDATE without its quotes. envelope, body, structure: the values of ENVELOPE,
BODY and BODYSTRUCTURE. fields: the lines of those header fields that are in `COMMON_FIELDS`, in
their order, as they stand in the message.
"""

COMMON_FIELDS: Final = frozenset(
    (
        b"bcc", b"cc", b"content-transfer-encoding", b"content-type", b"date", b"from",
        b"importance", b"in-reply-to", b"list-id", b"list-post", b"message-id", b"mime-version",
        b"newsgroups", b"priority", b"references", b"reply-to", b"sender", b"subject", b"to",
        b"x-priority",
    )
)  # fmt: skip
"""The header fields, in lower case, that clients ask for often and a store keeps at hand."""


@attrs.frozen(kw_only=True)
class Stored:
    """What has become of a STORE.

    flags: of all messages that were named and are there, afterwards; modseqs: theirs.
    unchanged: those that were left alone, for they had changed meanwhile (RFC 7162, MODIFIED).
    """

    flags: Mapping[int, tuple[str, ...]]
    modseqs: Mapping[int, int] = attrs.field(factory=dict)
    unchanged: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class Quota:
    """How much is used of a quota root, and how much may be (RFC 9208).

    storage: bytes; messages: a number of them; each with the limit, None where there is none.
    """

    root: str
    storage: tuple[int, int | None] | None = None
    messages: tuple[int, int | None] | None = None


@attrs.frozen(kw_only=True)
class NewMessage:
    """A message to be put into a mailbox. received: None means now.

    content: the bytes, or the `IIncoming` of the account that has taken them.
    """

    content: Any = attrs.field(repr=False)
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
