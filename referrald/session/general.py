"""The commands of every state, and those about the connection itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referrald.session import capabilities, recents
from referrald.session.table import Answer
from referrald.wire.response import Code, Status, bad, no, nstring, ok, paren_list, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def capability(session: ReferralServer) -> Answer:
    """List what can be done now (RFC 3501 section 6.1.1)."""
    session.untagged(b"CAPABILITY", capabilities.line(session))
    return ok("Capabilities listed.")


async def noop(session: ReferralServer) -> Answer:
    """Do nothing (RFC 3501 section 6.1.2)."""
    return ok("Nothing done.")


GOODBYE = Status(kind="BYE", text="Good-bye.")


async def logout(session: ReferralServer) -> Answer:
    """Say good-bye and close (RFC 3501 section 6.1.3)."""
    session.write(render(None, GOODBYE))
    session.afterwards(session.close)
    return ok("Logged out.")


async def identify(session: ReferralServer, said: dict[str, str | None] | None) -> Answer:
    """Exchange names of software (RFC 2971).

    What a client says about where it comes from is kept as its word only, unless it is a front that
    may speak for others (`referrald.session.fronts`), before the login.
    """
    if session.state == "unauth":
        session.introduced(said or {})
    else:
        session.client_id = said or {}
    ident = session.door.ident
    if not ident:
        session.untagged(b"ID NIL")
    else:
        fields = [nstring(text.encode()) for pair in ident.items() for text in pair]
        session.untagged(b"ID", paren_list(*fields))
    return ok("Nice to know.")


async def starttls(session: ReferralServer) -> Answer:
    """Turn to TLS; what was pipelined behind the command is dropped, never run."""
    if session.secure:
        return bad("TLS is already there.")
    if not capabilities.can_start_tls(session):
        return no("TLS is not available here.", Code("CANNOT"))
    session.afterwards(session.start_tls)
    return ok("Begin TLS now.")


async def enable(session: ReferralServer, names: tuple[str, ...]) -> Answer:
    """Switch extensions on; unknown ones are passed over (RFC 5161)."""
    can = capabilities.enabling(session)
    new = [can[name] for name in dict.fromkeys(names) if name in can]
    session.enable(new)
    recents.forget(session)
    session.untagged(b" ".join([b"ENABLED", *(name.encode("ascii") for name in new)]))
    return ok("Enabled what is known.")
