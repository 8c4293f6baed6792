"""The login that most connections begin with: one line that came whole, and takes no reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referrald.wire import grammar

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


def begins_with_login(session: ReferralServer, data: bytes) -> bool:
    """Run a LOGIN in its plain form; False when the first bytes of a client are something else."""
    door = session.door
    found = grammar.login_line(data)
    if found is None or len(data) > door.before_login.line:
        return False
    spec = door.table.find("unauth", b"LOGIN")
    if spec is None or spec.grammar is not grammar.login:
        # An extension has a LOGIN of its own.
        return False
    tag, user, password = found
    if spec.quick is None or not spec.quick(session, tag, user, password):
        session.run(tag, spec.handler(session, user, password))  # type: ignore[arg-type]
    return True
