"""Clients that come back from a referral instead of following it.

One library takes the user out of the URL as it stands there, percent-encoded, and logs in with that
at the address that it was sent away from. Nobody has that name, but who is meant is certain: it is
what this very address was sent a moment ago. The password has to be that user's all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

from referrald.errors import AuthenticationFailed
from referrald.imapurl import login_name
from referrald.model import Refer
from referrald.session.relaying import Secret

if TYPE_CHECKING:
    from referrald.session.login import Attempt


async def proved(attempt: Attempt, proof: Awaitable[str], secret: Callable[[], Secret]) -> str:
    """Give the user who is proved; raises as ``proof`` does.

    When nobody is, the name may be one that a referral has sent: then it is that user's password
    which counts, and the attempt is marked as returned.
    """
    try:
        return await proof
    except AuthenticationFailed:
        given = secret()
        user = _meant(attempt, given)
        if not user:
            raise
    authenticator = attempt.session.door.authenticator
    found = await authenticator.password(user, given.password, home=attempt.asked)
    attempt.returned = True
    return found


def _meant(attempt: Attempt, given: Secret) -> str:
    """Say whom the client means by a name out of our referral; empty when it is none."""
    session = attempt.session
    named = given.login_as.decode("utf-8", "surrogateescape") or attempt.user
    for_another = given.acting_as not in (b"", given.login_as)
    if session.door.router is None or not named or not given.password or for_another:
        return ""
    return session.door.router.sent_away_as(named, session.peer_host)


def as_own(secret: Callable[[], Secret]) -> Callable[[], Secret]:
    """Give the same as the user's own: the name with it was another form of that user's."""
    return lambda: attrs.evolve(secret(), login_as=b"", acting_as=b"")


def note_sent_away(attempt: Attempt, decision: Refer, *, may_relay: bool) -> None:
    """Remember a client that was sent away, and under which name, should it come back.

    may_relay: when it does there is something else than to send it away again.
    """
    session = attempt.session
    if session.door.router is not None:
        name = login_name(decision.url) if may_relay else ""
        session.door.router.note_referred(attempt.user, session.peer_host, name)
