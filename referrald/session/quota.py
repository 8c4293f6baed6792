"""GETQUOTA and GETQUOTAROOT (RFC 9208), where an account has quotas; SETQUOTA is for operators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from referrald.errors import WireError
from referrald.mailmodel import Quota
from referrald.session import elsewhere, naming
from referrald.session.accounts import quotas_of
from referrald.session.table import Answer
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, Wire, astring, no, number, ok, paren_list

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

UNIT: Final = 1024
"""Bytes that a unit of STORAGE stands for (RFC 9208 section 5.1)."""

NO_ROOT: Final = no("There is no such quota root.", Code("NONEXISTENT"))
NOT_YOURS: Final = no("Only the operator sets quotas.", Code("NOPERM"))

_LIMIT = re.compile(rb"[0-9]{1,19}")


# -- grammar ---------------------------------------------------------------------------------


def root(command: Command) -> tuple[str]:
    """Read GETQUOTA: the name of a quota root."""
    arguments = Arguments(command)
    name = _root(arguments)
    arguments.end()
    return (name,)


def limits(command: Command) -> tuple[str]:
    """Read SETQUOTA: the name of a quota root; its resources and limits are looked at only."""
    arguments = Arguments(command)
    name = _root(arguments)
    arguments.space()
    arguments.paren(lambda: _limit(arguments), empty=True)
    arguments.end()
    return (name,)


def _root(arguments: Arguments) -> str:
    try:
        return arguments.astring().decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("Quota roots are in UTF-8.") from None


def _limit(arguments: Arguments) -> None:
    arguments.atom()
    arguments.space()
    arguments.production(_LIMIT, "a number")


# -- handlers --------------------------------------------------------------------------------


async def getquota(session: ReferralServer, name: str) -> Answer:
    """Tell what is used of a quota root, and what may be (RFC 9208 section 4.1.1)."""
    account = quotas_of(session)
    if account is None:
        return elsewhere.NOT_HERE
    quota = await account.quota(name)
    if quota is None:
        return NO_ROOT
    _tell(session, quota)
    return ok("Quota told.")


async def getquotaroot(session: ReferralServer, name: str) -> Answer:
    """Tell the quota roots of a mailbox, which need not be there (RFC 9208 section 4.1.2)."""
    name = await naming.meant(session, name)
    await elsewhere.insist_here(session, name)
    account = quotas_of(session)
    if account is None:
        return elsewhere.NOT_HERE
    quotas = await account.quotas(name)
    roots = [astring(quota.root.encode("utf-8")) for quota in quotas]
    session.untagged(b"QUOTAROOT", naming.shown(session, name), *roots)
    for quota in quotas:
        _tell(session, quota)
    return ok("Quota roots told.")


async def setquota(session: ReferralServer, name: str) -> Answer:
    """Refuse: limits are not the user's to set (RFC 9208 section 4.1.3)."""
    account = quotas_of(session)
    if account is None:
        return elsewhere.NOT_HERE
    return NO_ROOT if await account.quota(name) is None else NOT_YOURS


def _tell(session: ReferralServer, quota: Quota) -> None:
    told: list[Wire] = []
    for resource, usage, unit in (
        (b"STORAGE", quota.storage, UNIT),
        (b"MESSAGE", quota.messages, 1),
    ):
        # What is not limited is not told of (RFC 9208 section 4.2.1).
        if usage is not None and usage[1] is not None:
            used, limit = -(-usage[0] // unit), usage[1] // unit
            told += (Wire(resource), number(used), number(limit))
    session.untagged(b"QUOTA", astring(quota.root.encode("utf-8")), paren_list(*told))
