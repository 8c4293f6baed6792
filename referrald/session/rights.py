"""Access rights (RFC 4314), where an account has mailboxes with rights.

In some accounts they are the operator's to give: SETACL and DELETEACL change nothing there, and
LISTRIGHTS says so, for it names no right that could be granted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from referrald.errors import MailboxReferral, NoPermission, NoSuchMailbox, WireError
from referrald.session import beyond, elsewhere, naming
from referrald.session.accounts import grants_of, rights_of
from referrald.session.table import Answer
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, StatusError, Wire, astring, no, ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

STANDARD: Final = "lrswipkxtea"
"""The rights that there are (RFC 4314 section 2.1), in the order in which they are told."""

UNLIMITED: Final = "lrswipkxte"
"""The rights of who uses a mailbox and does not administer it."""

VIRTUAL: Final = (("c", "kx"), ("d", "te"))
"""Rights of RFC 2086, and the rights that they stand for (RFC 4314 section 2.1.1)."""

MODES: Final = {"+": 1, "-": -1}
ANYONE: Final = "anyone"
NOT: Final = "-"
NOBODY: Final = no("No user can have that name.", Code("CANNOT"))
FIXED: Final = no("Only the operator gives and takes rights.", Code("NOPERM"))
_LETTERS = re.compile(rb'(?: |\A)"?([a-z0-9]*)"?\Z')
_SHOWS: Final = frozenset("lrikxa")
"""Who has none of these may not know that there is such a mailbox (RFC 4314 section 4)."""


# -- grammar ---------------------------------------------------------------------------------


def identifier(command: Command) -> tuple[str, str]:
    """Read DELETEACL or LISTRIGHTS: the mailbox, and whom it is about."""
    arguments = Arguments(command)
    name = arguments.mailbox()
    arguments.space()
    who = _identifier(arguments)
    arguments.end()
    return name, who


def change(command: Command) -> tuple[str, str, str, int]:
    """Read SETACL: the mailbox, whom it is about, letters, and what is done with these.

    They are added (1), removed (-1), or in place of all that there were (0).
    """
    arguments = Arguments(command)
    name = arguments.mailbox()
    arguments.space()
    who = _identifier(arguments)
    arguments.space()
    letters = arguments.astring().decode("latin-1")
    arguments.end()
    mode = MODES.get(letters[:1], 0)
    letters = letters[mode != 0 :]
    if not set(letters) <= {*STANDARD, "c", "d"}:
        raise WireError("Unknown right.")
    return name, who, letters, mode


def _identifier(arguments: Arguments) -> str:
    try:
        who = arguments.astring().decode("utf-8")
    except UnicodeDecodeError:
        who = ""
    if not who or not who.isprintable():
        raise WireError("An identifier is the name of somebody.")
    return who


# -- handlers --------------------------------------------------------------------------------


async def myrights(session: ReferralServer, name: str) -> Answer:
    """Tell what the user may do with a mailbox (RFC 4314 section 3.5)."""
    try:
        account, name = await _here(session, name)
    except MailboxReferral as error:
        if not beyond.carried(session, error):
            raise
        return await _myrights_there(session, name, error)
    if account is None:
        return elsewhere.NOT_HERE
    letters = await _visible(account, name)
    session.untagged(b"MYRIGHTS", naming.shown(session, name), told(letters))
    return ok("Rights told.")


async def _myrights_there(session: ReferralServer, name: str, error: MailboxReferral) -> Answer:
    """Have the server of a mailbox asked.

    Where that knows no rights, everybody has them all: a client that is told of none would change
    nothing in the mailbox.
    """
    done = await session.errands.command(error.replicas, "MYRIGHTS")
    found = [each.segments[-1] for each in done.reply.untagged if each.kind == b"MYRIGHTS"]
    match = _LETTERS.search(found[0]) if found else None
    if done.reply.ok and match is not None:
        letters = match[1].decode("ascii")
    elif done.reply.kind == "BAD":
        letters = UNLIMITED
    else:
        return beyond.told(done)
    session.untagged(b"MYRIGHTS", naming.shown(session, name), told(letters))
    return ok("Rights told.")


async def getacl(session: ReferralServer, name: str) -> Answer:
    """Tell who may do what with a mailbox (RFC 4314 section 3.3)."""
    account, name = await _here(session, name)
    if account is None:
        return elsewhere.NOT_HERE
    entries = await _administered(account, name)
    parts = [
        part for who, letters in entries.items() for part in (astring(who.encode()), told(letters))
    ]
    session.untagged(b"ACL", naming.shown(session, name), *parts)
    return ok("Access rights told.")


async def listrights(session: ReferralServer, name: str, who: str) -> Answer:
    """Tell which rights somebody has for good, and which can be given (section 3.4)."""
    account, name = await _here(session, name)
    if account is None:
        return elsewhere.NOT_HERE
    grants = grants_of(session)
    if grants is None:
        required, optional = (await _administered(account, name)).get(who, ""), ""
    else:
        await _administered(account, name)
        required, optional = await grants.grantable(name, _known(session, who))
    each = [astring(letter.encode("ascii")) for letter in _whole(optional)]
    shown = naming.shown(session, name)
    session.untagged(b"LISTRIGHTS", shown, astring(who.encode()), told(required), *each)
    return ok("Rights told.")


async def setacl(session: ReferralServer, name: str, who: str, letters: str, mode: int) -> Answer:
    """Give or take rights (section 3.1)."""
    account, name = await _here(session, name)
    if account is None:
        return elsewhere.NOT_HERE
    await _visible(account, name)
    grants = grants_of(session)
    if grants is None:
        return FIXED
    await grants.grant(name, _known(session, who), letters, mode)
    return ok("Rights changed.")


async def deleteacl(session: ReferralServer, name: str, who: str) -> Answer:
    """Take all rights from somebody (section 3.2)."""
    return await setacl(session, name, who, "", 0)


async def may_move(session: ReferralServer) -> bool:
    """Say whether messages can be taken out of the selected mailbox (RFC 6851 section 4.2)."""
    account = rights_of(session)
    if account is None:
        return True
    return {"t", "e"} <= set(await account.rights(session.selected_name))


async def _here(session: ReferralServer, name: str) -> tuple[Any, str]:
    name = await naming.meant(session, name)
    await elsewhere.insist_here(session, name)
    return rights_of(session), name


def _known(session: ReferralServer, who: str) -> str:
    """Give an identifier with the user's name as it is known after a login."""
    bare = who.removeprefix(NOT)
    if bare == ANYONE:
        return who
    try:
        return who[: len(who) - len(bare)] + session.door.authenticator.normalise(bare)
    except ValueError:
        raise StatusError(NOBODY) from None


async def _visible(account: Any, name: str) -> str:
    letters: str = await account.rights(name)
    if _SHOWS.isdisjoint(letters):
        raise NoSuchMailbox(name)
    return letters


async def _administered(account: Any, name: str) -> dict[str, str]:
    if "a" not in await _visible(account, name):
        raise NoPermission(name)
    return dict(await account.acl(name))


def told(letters: str) -> Wire:
    """Render rights, with those of RFC 2086 that follow from them."""
    return astring(_whole(letters).encode("ascii"))


def _whole(letters: str) -> str:
    known = "".join(letter for letter in STANDARD if letter in letters)
    more = "".join(old for old, members in VIRTUAL if not set(members).isdisjoint(letters))
    return known + more
