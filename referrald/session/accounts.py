"""What the account of a session can do, beyond what every account has to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from referrald.interfaces import IGrants, IQuotas, IRights
from referrald.session.foreign import ForeignAccount

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


def has_store(session: ReferralServer) -> bool:
    """Say whether a mail store is behind the account, rather than what somebody wrote for Twisted.

    The latter counts neither bytes nor what is marked as deleted, and knows no special uses.
    """
    return not isinstance(session.mail, ForeignAccount)


def quotas_of(session: ReferralServer) -> Any:
    """Give the account as `IQuotas`, None where it has no quotas."""
    return IQuotas(getattr(session.mail, "local", None), None)


def rights_of(session: ReferralServer) -> Any:
    """Give the account as `IRights`, None where it knows no rights."""
    return IRights(getattr(session.mail, "local", None), None)


def grants_of(session: ReferralServer) -> Any:
    """Give the account as `IGrants`, None where users cannot give each other rights."""
    return IGrants(getattr(session.mail, "local", None), None)


def append_limit(session: ReferralServer) -> int:
    """Give the bytes that a message may have (RFC 7889)."""
    own: int | None = session.mail.append_limit
    ours = session.door.limits.literal_authenticated
    return ours if own is None else min(own, ours)
