"""Every contract that a plugin can implement.

One method is required of a backend; all else is an optional interface that is found by adaptation.
Methods that are typed ``-> Awaitable[X]`` may be coroutines or return a Deferred. A result is a
value; an exception means "could not answer" and becomes ``NO [UNAVAILABLE]``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, Interface

from referrald.mailmodel import (
    Changes,
    Column,
    FolderState,
    MailboxDecision,
    MailboxEntry,
    MailboxLocation,
    MailboxStatus,
    Namespaces,
    NewMessage,
    Placed,
    Quota,
    RemoteMailbox,
    Stored,
    StoredMessage,
)
from referrald.model import (
    Home,
    HomeChange,
    LoggedChange,
    Login,
    Occasion,
    Option,
    Options,
    Problem,
    ScramKeys,
    Server,
    StoredPassword,
)
from referrald.query import Found, Query


class IReferralBackend(Interface):
    """Says where users' mail lives."""

    def home(login: Login) -> Awaitable[Home | None]:
        """Give the home of ``login.user``, or None when this backend does not know the user.

        Answers are cached by user name; one that depends on anything else sets ``ttl=0``.
        """


class IMailboxReferralBackend(Interface):
    """A backend that also knows of single mailboxes that are on other servers (RFC 2193).

    Names are as clients of this server use them, decoded. Answers are cached by user and name; a
    change is told through `IWatchableBackend`.
    """

    def mailbox(user: str, name: str) -> Awaitable[MailboxLocation | None]:
        """Say where a mailbox is; None when this backend has nothing to say about the name.

        A user who may not see a mailbox gets None as well.
        """

    def remote_mailboxes(user: str) -> Awaitable[Sequence[RemoteMailbox]]:
        """Name every mailbox elsewhere that ``user`` may see, in any order, each once.

        It agrees with `mailbox`: what is listed, and what is below a ``subtree``, is where it says.
        """


class ILifecycle(Interface):
    """Anything that has to be started before use and stopped after."""

    def start() -> Awaitable[None]:
        """Get ready; an exception keeps the server from starting."""

    def stop() -> Awaitable[None]:
        """Let go of files, connections and timers."""


class IWatchableBackend(Interface):
    """A backend that notices changes at their source."""

    def watch(changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Call ``changed(user)`` for a changed user, ``changed(None)`` when all may have changed.

        What was cached is forgotten, sessions of users who have moved end after a while, and
        logins that wait for a user who was held look again. Returns a function that ends the watch.
        """


class IWritableBackend(Interface):
    """A backend whose homes can be changed through it.

    Each change is one transaction: all users of a call or none. It is in the backend's log of
    changes (``history``), and is told to those who watch. Each gives the users who have another
    home by it, in the order in which they were named, and leaves out those who had it already.
    """

    def set_home(homes: Mapping[str, Home], occasion: Occasion) -> Awaitable[Sequence[HomeChange]]:
        """Give users these homes, known before or not."""

    def hold(users: Sequence[str], occasion: Occasion) -> Awaitable[Sequence[HomeChange]]:
        """Hold users, because their mail is copied; raises `NoSuchUser`."""

    def release(users: Sequence[str], occasion: Occasion) -> Awaitable[Sequence[HomeChange]]:
        """Hold users no more; raises `NoSuchUser`."""

    def remove(users: Sequence[str], occasion: Occasion) -> Awaitable[Sequence[HomeChange]]:
        """Forget users; raises `NoSuchUser`."""

    def import_(homes: Mapping[str, Home], occasion: Occasion) -> Awaitable[Sequence[HomeChange]]:
        """Know these users and no others: what `export` gave comes back as it was."""

    def export(after: str = "", limit: int = 10_000) -> Awaitable[Sequence[tuple[str, Home]]]:
        """Give users with their homes in an order of names, from the one behind ``after`` on.

        An empty answer is the end.
        """

    def history(user: str | None = None, limit: int = 100) -> Awaitable[Sequence[LoggedChange]]:
        """Give changes, of one user or of all, the latest first."""


class IReloadable(Interface):
    """A backend that can be told to look at its source now."""

    def reload() -> Awaitable[None]:
        """Read the source again; a broken one is logged and changes nothing."""


class ITargets(Interface):
    """A backend that can name the servers it sends people to, for a look at all of them."""

    def targets() -> Awaitable[Iterable[Server]]:
        """Name every server that a home or a mailbox of this backend is on, each once.

        Those whose names depend on who asks are left out. It must not take longer for more users
        than a look through them does.
        """


class IPasswordStore(Interface):
    """A backend that also keeps password hashes, so that the same source authenticates."""

    def password(user: str) -> Awaitable[StoredPassword | None]:
        """Give the stored password of ``user``, None when there is no such user or no password."""


class IPasswordCheck(Interface):
    """A backend that can find out whether a password is right, and shows no hash."""

    def check_password(user: str, password: bytes) -> Awaitable[bool]:
        """Say whether it is the password of ``user``; false when there is no such user.

        That takes about as long as for a wrong password.
        """


class IPasswordSamples(Interface):
    """A password store that knows what its hashes look like, so that nobody has to guess."""

    def password_samples() -> Sequence[StoredPassword]:
        """Give one password of each scheme in use, the most used scheme first; cheap to call.

        Unknown users are made to cost as much as these, and SCRAM is offered only when all of them
        can do it.
        """


class IReferralBackendFactory(Interface):
    """Makes backends from configuration.

    Found as a Twisted plugin or as an entry point ``referrald.backends``.
    """

    name: str = Attribute("The word after ``type =`` in a ``[[backend]]`` section.")
    help: str = Attribute("One sentence for the reference.")
    options: Sequence[Option] = Attribute("The keys that a section of this type may have.")

    def build(options: Options, reactor: Any) -> Any:
        """Make an `IReferralBackend` of checked options (defaults filled in, paths absolute)."""


class ICheckingFactory(Interface):
    """A factory that can look at what its options point to, before anything is started."""

    def check(options: Options) -> Sequence[Problem]:
        """List everything that is wrong, without a reactor; may read files."""


class IScramKeys(Interface):
    """A credentials checker that can also do SCRAM-SHA-256."""

    def scram_keys(user: str) -> Awaitable[ScramKeys | None]:
        """Give the keys of ``user``, None when unknown or when kept in another form."""


class IBearerToken(ICredentials):
    """A token presented with OAUTHBEARER (RFC 7628) or XOAUTH2; for a cred checker.

    A checker answers with the name of the user that the token speaks for.
    """

    username: str = Attribute("The user that the client named, or an empty string.")
    token: bytes = Attribute("The bearer token; never logged.")


class IClientCertificate(ICredentials):
    """A verified client certificate, for SASL EXTERNAL (RFC 4422 appendix A) and a cred checker."""

    subject: Mapping[str, str] = Attribute("The subject's fields: CN, emailAddress, UID …")
    emails: Sequence[str] = Attribute("The rfc822Name entries of the alternative names.")
    fingerprint: str = Attribute("SHA-256 of the certificate, hexadecimal.")


class SaslChannel(Protocol):
    """What a SASL mechanism sees of the connection (RFC 4422 section 3)."""

    initial: bytes | None
    """The client's initial response, already decoded; None when there was none."""

    certificate: Any
    """An `IClientCertificate` that was verified on this connection, or None."""

    home: HomeLogin | None
    """How to ask the user's home server, None where that is not done."""

    async def challenge(self, data: bytes) -> bytes:
        """Send a challenge and give the client's decoded response."""
        ...


class HomeLogin(Protocol):
    """Tries a login at the user's home server, where nobody here can check it."""

    async def log_in(
        self, user: str, *, password: bytes = b"", token: bytes = b"", login_as: str = ""
    ) -> None:
        """Log in as ``user``; ``login_as`` is whose password it is, empty for the user's own.

        Raises `AuthenticationFailed` when home says no, or there is no home server to ask, which
        takes about as long; `Unavailable` when it cannot be asked.
        """
        ...

    async def nobody(self, user: str) -> None:
        """Take as long as an attempt that a home server refuses."""
        ...


class IProtocolExtension(Interface):
    """Adds commands and capabilities to a session; a Twisted plugin or an entry point
    ``referrald.extensions``.
    """

    name: str = Attribute("A short name, for configuration and logs.")

    def capabilities(session: Any) -> Sequence[str]:
        """Name the capabilities to advertise in this session's present state."""

    commands: Sequence[Any] = Attribute(
        "`referrald.session.table.CommandSpec` values: states, name, grammar, handler."
    )


class IMailStore(Interface):
    """Keeps mailboxes. May be an `ILifecycle` too.

    All that a store raises on purpose is a `referrald.errors.ReferraldError`: `NoSuchMailbox`,
    `MailboxExists`, `NoPermission`, `OverQuota`, `NotPossible`, `Unavailable`, `CorruptMailbox`.
    Names are decoded, and INBOX is written so. What a coroutine has done when it returns has been
    done for good. None of them blocks.
    """

    def account(user: str) -> Awaitable[Any]:
        """Give the `IMailAccount` of a user; it is made when it is first asked for."""


class IMailAccount(Interface):
    """The mailboxes of one user."""

    delimiter: str = Attribute("The character between the levels of names.")

    def namespaces() -> Namespaces:
        """Give the prefixes of the namespaces."""

    def entries() -> Awaitable[Sequence[MailboxEntry]]:
        """Name every mailbox, INBOX among them, each once."""

    def subscriptions() -> Awaitable[frozenset[str]]:
        """Name all that is subscribed, be there such mailboxes or not."""

    def open(name: str, writable: bool) -> Awaitable[Any]:
        """Give the `IMailFolder` of that name. ``writable`` is what is wished for."""

    def status(name: str) -> Awaitable[MailboxStatus]:
        """Count without opening."""

    def statuses(names: Sequence[str]) -> Awaitable[Mapping[str, MailboxStatus]]:
        """Count many; those that are not there, or cannot be opened, are left out."""

    append_limit: int | None = Attribute("The bytes that a message may have, None for no limit.")

    def incoming(name: str, size: int) -> Awaitable[Any]:
        """Get ready to take a message of ``size`` bytes for a mailbox; gives an `IIncoming`.

        Raises what `append` would raise, as far as that can be known.
        """

    def append(name: str, messages: Sequence[NewMessage]) -> Awaitable[Placed]:
        """Put messages into a mailbox: all of them or none.

        An `IIncoming` among them is used up, whatever happens; one that has been used up or
        discarded before raises `NotPossible`.
        """

    def create(name: str, special_use: Sequence[str] = ()) -> Awaitable[None]:
        """Make a mailbox, and the levels above it (RFC 3501 section 6.3.3)."""

    def delete(name: str) -> Awaitable[None]:
        """Remove a mailbox; what is below it stays (RFC 3501 section 6.3.4)."""

    def rename(old: str, new: str) -> Awaitable[None]:
        """Give a mailbox and all below it a new name (RFC 3501 section 6.3.5).

        INBOX stays: its messages go to the new mailbox, what is below it does not move.
        """

    def subscribe(name: str) -> Awaitable[None]:
        """Add a name to the subscriptions, be there such a mailbox or not."""

    def unsubscribe(name: str) -> Awaitable[None]:
        """Take a name from the subscriptions; one that is not there is no error."""


class IQuotas(Interface):
    """An `IMailAccount` that limits what is kept (RFC 9208).

    Quotas are the operator's to set.
    """

    resources: Sequence[str] = Attribute(
        "What is limited: ``STORAGE``, ``MESSAGE``, both or nothing."
    )

    def quotas(name: str) -> Awaitable[Sequence[Quota]]:
        """Give the quota roots of a mailbox, none where nothing limits it.

        The mailbox need not be there.
        """

    def quota(root: str) -> Awaitable[Quota | None]:
        """Give a quota root by its name, None when there is none of that name."""


class IRights(Interface):
    """An `IMailAccount` that has mailboxes of others in it (RFC 4314).

    Rights are the operator's to give, but for those of an `IGrants`. What they do not allow is
    refused with `NoPermission`, and a mailbox of which nothing may be known with `NoSuchMailbox`.
    """

    def rights(name: str) -> Awaitable[str]:
        """Give the letters of what the user may do with a mailbox (RFC 4314 section 2.1).

        The virtual ``c`` and ``d`` are not among them.
        """

    def acl(name: str) -> Awaitable[Mapping[str, str]]:
        """Give the letters by identifier; raises `NoPermission` without the right ``a``."""


class IGrants(IRights):
    """An `IRights` whose users give others rights, where they have the right ``a`` themselves.

    Raises `NoPermission` without it. An identifier is a user's name or ``anyone``; with ``-``
    before it, it is about rights that are taken away whoever gives them (RFC 4314 section 2).
    """

    def grant(name: str, identifier: str, letters: str, mode: int) -> Awaitable[None]:
        """Add (mode 1), remove (-1) or set (0) letters; raises `NotPossible` for the owner's."""

    def grantable(name: str, identifier: str) -> Awaitable[tuple[str, str]]:
        """Give the letters that somebody has for good, and those that can be given and taken."""


class IIncoming(Interface):
    """A message that is arriving, and is kept where its store wants it, not in memory."""

    def write(data: bytes) -> Awaitable[None]:
        """Take the next bytes; who waits for it holds back the client.

        Raises `NotPossible` where that is more than was announced.
        """

    def discard() -> None:
        """Forget it all; nothing happens where it has been used up."""


class IRecents(Interface):
    """An `IMailFolder` that knows of which messages nobody has been told (RFC 3501, 2.3.2)."""

    def recent_from(last: int) -> Awaitable[int]:
        """Give the first UID of which nobody was told; they are now, up to ``last``.

        Nothing is noted where the folder is not writable: who only looks takes nothing away.
        """


class IContent(Interface):
    """The bytes of one message, to be read piece by piece."""

    size: int = Attribute("How many bytes it has.")

    def read(start: int, length: int) -> Awaitable[bytes]:
        """Give bytes; fewer than asked for only at the end."""

    def close() -> None:
        """Let go of it."""


class IApart(Interface):
    """An `IContent` of a store that has threads, with which large messages are taken apart."""

    def run(work: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """Give the result of ``work(*arguments)``, which asks the store for nothing."""


class IMailFolder(Interface):
    """An open mailbox. Messages are known by UID; those that are gone are passed over."""

    name: str = Attribute("The name under which it was opened.")
    writable: bool = Attribute("False when nothing can be changed through this folder.")

    def state() -> Awaitable[FolderState]:
        """Tell all that SELECT needs."""

    def changes(since: int) -> Awaitable[Changes]:
        """Tell what has happened since the state with that ``modseq``.

        Raises `NoSuchMailbox` once the mailbox is gone or its name has changed, and `NoPermission`
        once the user may not read it any more.
        """

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever `changes` may have something to tell; gives what ends that."""

    def fetch(uids: Sequence[int]) -> Awaitable[Sequence[StoredMessage]]:
        """Tell of messages what is known without reading them, by UID ascending."""

    def rows(uids: Sequence[int], columns: Sequence[Column]) -> Awaitable[Sequence[Any]]:
        """Give for each message a tuple of its UID and the columns, by UID ascending.

        See `referrald.mailmodel.Column`. What a store does not keep at hand it finds out.
        """

    def content(uid: int) -> Awaitable[bytes | None]:
        """Give a whole message, None when it is gone."""

    def read(uid: int) -> Awaitable[Any]:
        """Open a message for reading: an `IContent`, None when it is gone.

        It stays readable when the message is removed meanwhile.
        """

    def search(query: Query) -> Awaitable[Found]:
        """Find messages; `referrald.mime.matching` does that for whoever has no better way.

        It ends soon after it has been cancelled, where it is a Deferred or waits for one.
        """

    def store(
        uids: Sequence[int], flags: Sequence[str], mode: int, unchanged_since: int | None = None
    ) -> Awaitable[Stored]:
        """Add (mode 1), remove (-1) or set (0) flags.

        Messages with a modification sequence above ``unchanged_since`` are left alone. Raises
        `NoPermission` when the folder is not writable. Flags are compared without regard to case.
        """

    def expunge(uids: Sequence[int] | None = None) -> Awaitable[Sequence[int]]:
        """Remove messages marked ``\\Deleted``, of all or of ``uids``; gives the UIDs removed."""

    def copy(uids: Sequence[int], target: str) -> Awaitable[Placed]:
        """Copy messages with flags and dates into a mailbox of the account: all or none."""

    def move(uids: Sequence[int], target: str) -> Awaitable[Placed]:
        """Move messages into a mailbox of the account: all or none (RFC 6851)."""

    def close() -> Awaitable[None]:
        """Let go of it; nothing is expunged."""


class IReferralAccount(Interface):
    """All mailboxes of one user, here and elsewhere: what a session works on.

    A cred avatar. Where a name belongs to another server, every operation raises `MailboxReferral`,
    and has done nothing.
    """

    delimiter: str = Attribute("The character between the levels of names.")

    def namespaces() -> Namespaces:
        """Give the prefixes of the namespaces."""

    def entries() -> Awaitable[Sequence[MailboxEntry]]:
        """Name every mailbox that is here, and none that has moved away."""

    def remote() -> Awaitable[Sequence[RemoteMailbox]]:
        """Name every mailbox elsewhere, and the exceptions that are here; raises `Unavailable`."""

    def subscriptions() -> Awaitable[frozenset[str]]:
        """Name all that is subscribed here, be there such mailboxes or not."""

    def locate(name: str) -> Awaitable[MailboxDecision]:
        """Decide about a name, whether there is such a mailbox or not; never raises."""

    def open(name: str, writable: bool) -> Awaitable[Any]:
        """Give the `IMailFolder` of that name."""

    def status(name: str) -> Awaitable[MailboxStatus]:
        """Count without opening."""

    def statuses(names: Sequence[str]) -> Awaitable[Mapping[str, MailboxStatus]]:
        """As in `IMailAccount`, of names that are here."""

    append_limit: int | None = Attribute("The bytes that a message may have, None for no limit.")

    def incoming(name: str, size: int) -> Awaitable[Any]:
        """As in `IMailAccount`."""

    def append(name: str, messages: Sequence[NewMessage]) -> Awaitable[Placed]:
        """As in `IMailAccount`; ``uids`` is empty where they are not known."""

    def create(name: str, special_use: Sequence[str] = ()) -> Awaitable[None]:
        """As in `IMailAccount`, and so are those that follow."""

    def delete(name: str) -> Awaitable[None]:
        """Remove a mailbox."""

    def rename(old: str, new: str) -> Awaitable[None]:
        """Give a mailbox a new name; the URLs of a referral are pairs (RFC 2193 section 4.3)."""

    def subscribe(name: str) -> Awaitable[None]:
        """Add a name to the subscriptions."""

    def unsubscribe(name: str) -> Awaitable[None]:
        """Take a name from the subscriptions."""

    def remember(name: str) -> Awaitable[None]:
        """Add a name to the subscriptions that are kept here, wherever the mailbox is."""

    def forget(name: str) -> Awaitable[None]:
        """Take a name from the subscriptions that are kept here, wherever the mailbox is."""

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever `locate` may give other answers; gives what ends that."""
