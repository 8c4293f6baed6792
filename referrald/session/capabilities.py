"""What a session says that it can do: before TLS, before login, after login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referrald.session import accounts
from referrald.session.naming import IMAP4REV2, UTF8_ACCEPT
from referrald.wire.response import Code, ok, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

ALWAYS = ("IMAP4rev1", "LITERAL+", "ID", "ENABLE", "LOGIN-REFERRALS")
MAILBOXES = ("MAILBOX-REFERRALS",)
AUTHENTICATED = (
    "NAMESPACE", "UNSELECT", "IDLE", "UIDPLUS", "MOVE", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS",
    "SPECIAL-USE", "MULTIAPPEND", "CONDSTORE", "BINARY",
    "ESEARCH", "SEARCHRES", "WITHIN",
)  # fmt: skip
STORE = ("CREATE-SPECIAL-USE", "STATUS=SIZE")
"""What takes a mail store: an account that somebody wrote for Twisted cannot do it."""
RIGHTS = ("ACL", "RIGHTS=texk")


ENABLED = frozenset({IMAP4REV2, UTF8_ACCEPT, "CONDSTORE"})
"""Capabilities that a client can switch on."""


def listed(session: ReferralServer) -> tuple[str, ...]:
    """Name the capabilities of the session's present state.

    ``LOGIN-REFERRALS`` is in every list (RFC 2221 section 3).
    """
    names = [*ALWAYS]
    if session.door.realm is not None:
        names += MAILBOXES
    if session.state == "unauth":
        names += _before_login(session)
    else:
        names += (*AUTHENTICATED, *_of_account(session))
        if session.state == "away":
            names = [name for name in names if name not in session.mbox.lacking]
    for extension in session.door.extensions:
        names += extension.capabilities(session)
    return tuple(dict.fromkeys(names))


def _of_account(session: ReferralServer) -> list[str]:
    """Name what depends on the user's account."""
    names = [f"APPENDLIMIT={accounts.append_limit(session)}"]
    if accounts.has_store(session):
        names += STORE
    names += _modern(session)
    quotas = accounts.quotas_of(session)
    if quotas is not None and quotas.resources:
        names += ["QUOTA", *(f"QUOTA=RES-{resource}" for resource in quotas.resources)]
    if accounts.rights_of(session) is not None:
        names += RIGHTS
    return names


def _modern(session: ReferralServer) -> tuple[str, ...]:
    """Name what other servers would have to do as well, where their mailboxes are shown as ours."""
    if session.unasked == "relay":
        return ()
    return (IMAP4REV2, UTF8_ACCEPT) if accounts.has_store(session) else (UTF8_ACCEPT,)


def enabling(session: ReferralServer) -> dict[str, str]:
    """Name what ENABLE can switch on in this session, by the name in upper case (RFC 5161)."""
    own = [name for name in listed(session) if name in ENABLED]
    others = [
        name for extension in session.door.extensions for name in getattr(extension, "enables", ())
    ]
    return {name.upper(): name for name in (*own, *others)}


def _before_login(session: ReferralServer) -> list[str]:
    names = []
    if can_start_tls(session):
        names.append("STARTTLS")
    if may_log_in(session):
        offered = [f"AUTH={name}" for name in mechanisms(session)]
        names += ["SASL-IR", *offered] if offered else []
    else:
        names.append("LOGINDISABLED")
    return names


def can_start_tls(session: ReferralServer) -> bool:
    """Say whether STARTTLS would work now."""
    return session.door.tls is not None and not session.secure


def may_log_in(session: ReferralServer) -> bool:
    """Say whether credentials are taken on this connection as it is."""
    return session.secure or session.door.allow_cleartext


def mechanisms(session: ReferralServer) -> tuple[str, ...]:
    """Name the SASL mechanisms that can work on this connection."""
    if not session.door.sasl:
        return ()
    known = session.door.authenticator.mechanisms(session.secure, certificate(session) is not None)
    own = tuple(name.decode("ascii") for name in session.challengers)
    return tuple(dict.fromkeys((*known, *own)))


def certificate(session: ReferralServer) -> object | None:
    """Give the client's verified certificate (an `IClientCertificate`), if it showed one."""
    if not session.secure:
        return None
    get = getattr(session.transport, "client_certificate", None)
    return None if get is None else get()


def line(session: ReferralServer) -> bytes:
    """Give the list as the text of a CAPABILITY response or code."""
    key = None
    if (
        session.state != "away"
        and not session.door.extensions
        and session.challengers is type(session).challengers
    ):
        before = session.state == "unauth"
        account = () if before else tuple(_of_account(session))
        key = (before, session.secure, certificate(session) is not None, account)
        known = session.door.memo.get(key)
        if known is not None:
            return known
    text = " ".join(listed(session)).encode("ascii")
    if key is not None:
        session.door.memo[key] = text
    return text


def code(session: ReferralServer) -> Code:
    """Give the list as a response code, for the greeting and the OK of a login."""
    return Code("CAPABILITY", line(session).decode("ascii"))


def greeting(session: ReferralServer) -> bytes:
    """Give the whole greeting."""
    secure = session.secure
    key = ("greeting", secure, secure and certificate(session) is not None)
    known = session.door.memo.get(key)
    if known is None or session.door.extensions:
        door = session.door
        known = render(None, ok(f"{door.name} {door.greeting}", code(session)))
        door.memo[key] = known
    return known


def names(session: ReferralServer) -> list[bytes]:
    """Give the list in the form of ``IMAP4Server.listCapabilities``."""
    return line(session).split(b" ")


def as_mapping(session: ReferralServer) -> dict[bytes, list[bytes] | None]:
    """Give the list in the form of ``IMAP4Server.capabilities``."""
    found: dict[bytes, list[bytes] | None] = {}
    for name in names(session):
        head, equals, value = name.partition(b"=")
        if not equals:
            found[head] = None
        else:
            found[head] = [*(found.get(head) or []), value]
    del found[b"IMAP4rev1"]
    return found
