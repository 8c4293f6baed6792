"""The errors of the project: one tree, each with a response code and a text for the client.

Every error has two faces. ``public`` and ``code`` go to the client; the exception's own message is
the private reason and goes to the log only. ``temporary`` says whether trying again may help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.cred.error import UnauthorizedLogin


class ReferraldError(Exception):
    """Base of all errors that the project raises on purpose.

    user: the name that a client tried to log in with, for the log; empty when there was none.
    """

    code: ClassVar[str | None] = "SERVERBUG"
    public: str = "Internal error, please try again later."
    temporary: ClassVar[bool] = False
    user: str = ""

    def __init__(self, reason: str = "", *, public: str | None = None) -> None:
        super().__init__(reason or public or self.public)
        if public is not None:
            self.public = public


class Unavailable(ReferraldError):
    """Something that the answer depends on is down, slow or gave nonsense (RFC 5530)."""

    code = "UNAVAILABLE"
    public = "Temporarily unavailable, please try again later."
    temporary = True


class BackendTimeout(Unavailable):
    """A backend did not answer within its deadline."""


class ProxyLoop(Unavailable):
    """A login has come through so many proxies that they must be going round."""

    public = "The mail servers pass this login on to each other in a circle."


class NoSuchUser(ReferraldError):
    """A backend was told to change users whom it does not know; it has changed nothing."""

    code = "NONEXISTENT"
    public = "There is no such user."


class AuthenticationFailed(ReferraldError):
    """The credentials are not good, for whatever reason: the client never learns which."""

    code = "AUTHENTICATIONFAILED"
    public = "Authentication failed."


class TooManyFailures(ReferraldError):
    """There were so many failed logins that no password is looked at for a while (RFC 5530)."""

    code = "LIMIT"
    public = "Too many failed logins, please try again later."
    temporary = True


class AuthorizationFailed(ReferraldError):
    """The credentials are good, but may not act as the user asked for (RFC 4616, RFC 5530)."""

    code = "AUTHORIZATIONFAILED"
    public = "Not allowed to act as that user."


class PrivacyRequired(ReferraldError):
    """Credentials are not taken in the clear (RFC 5530)."""

    code = "PRIVACYREQUIRED"
    public = "Use TLS before logging in."


class NotPossible(ReferraldError):
    """The account or mailbox cannot do what was asked (RFC 5530)."""

    code = "CANNOT"
    public = "Not possible here."


class HasChildren(NotPossible):
    """A name cannot be removed while there are mailboxes below it (RFC 9051 section 6.3.5)."""

    code = "HASCHILDREN"
    public = "There are mailboxes below that one."


class UnknownUse(NotPossible):
    """A mailbox cannot be made for that special use (RFC 6154 section 3)."""

    code = "USEATTR"
    public = "No mailbox can be made for that special use."


class NoSuchMailbox(ReferraldError):
    """There is no such mailbox, or none that the user may know of (RFC 5530)."""

    code = "NONEXISTENT"
    public = "There is no such mailbox."


class MailboxExists(ReferraldError):
    """There is a mailbox of that name already (RFC 5530)."""

    code = "ALREADYEXISTS"
    public = "There is such a mailbox already."


class NoPermission(ReferraldError):
    """The user may not do that with that mailbox (RFC 5530, RFC 4314)."""

    code = "NOPERM"
    public = "You may not do that with this mailbox."


class OverQuota(ReferraldError):
    """There is no room for that (RFC 5530)."""

    code = "OVERQUOTA"
    public = "There is no room left."


class CorruptMailbox(ReferraldError):
    """A mailbox cannot be read as it is; somebody has to look at it."""

    code = "CORRUPTION"
    public = "This mailbox is damaged. The operator has been told."


class MailboxInUse(ReferraldError):
    """The mailbox is on its way to another server, or otherwise locked (RFC 5530)."""

    code = "INUSE"
    public = "This mailbox is being moved, please try again later."
    temporary = True


class UrlError(ReferraldError, ValueError):
    """An IMAP URL is wrong at a known place (RFC 5092).

    ``offset`` counts characters from the start of the text that was parsed.
    """

    code = None
    public = "Not a valid IMAP URL."

    def __init__(self, reason: str, *, text: str = "", offset: int = 0) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.reason = reason
        self.text = text
        self.offset = offset


class WireError(ReferraldError, ValueError):
    """The client sent something that is not IMAP; answered with a tagged ``BAD``.

    ``public`` says what is wrong, never what the argument contained.
    """

    code: ClassVar[str | None] = None

    def __init__(self, public: str) -> None:
        super().__init__(public, public=public)


class MalformedName(WireError):
    """No mailbox can have that name, for it is not what names are (RFC 3501 section 5.1.3).

    The command is well-formed all the same, so it is answered with ``NO``.
    """

    code = "CANNOT"


class LoginReferral(ReferraldError, UnauthorizedLogin):
    """The user's home is elsewhere (RFC 2221 section 4.1).

    It is also an `UnauthorizedLogin`, so that a stock ``IMAP4Server`` that meets it answers a plain
    ``NO``.
    """

    code = "REFERRAL"
    public = "Your mailbox is on another server."

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__("login referral")
        self.urls = tuple(urls)


class MailboxReferral(ReferraldError):
    """The mailbox is on another server (RFC 2193).

    urls: in order of preference; with ``pairs`` by turns the old and the new name of a RENAME.
    personal: the mailbox is there because all of the user's mail is.
    replicas: what the URLs stand for (`referrald.mailmodel.Replica`), where that is known; with
    ``pairs`` the old and the new name at one server, or nothing.
    """

    code = "REFERRAL"
    public = "That mailbox is on another server."

    def __init__(
        self,
        urls: Sequence[str],
        *,
        personal: bool = False,
        pairs: bool = False,
        replicas: Sequence[Any] = (),
    ) -> None:
        super().__init__("mailbox referral")
        self.urls = tuple(urls)
        self.personal = personal
        self.pairs = pairs
        self.replicas = tuple(replicas)


class ConfigurationError(ReferraldError):
    """A configuration cannot be used; ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
