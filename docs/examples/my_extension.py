"""A protocol extension of one's own: the commands XHOME and XECHO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from referrald.interfaces import IProtocolExtension
from referrald.model import Login, Refer, Refuse
from referrald.session.table import ANY, AUTH, CommandSpec
from referrald.wire.grammar import Arguments, no_args
from referrald.wire.reader import Command
from referrald.wire.response import Code, Status, StatusError, astring, no, nstring, ok


async def xhome(session: Any) -> Status:
    """Say where the user's home is: a URL, or NIL when it is here."""
    login = Login(user=session.user, peer=session.peer_host, secure=session.secure)
    decision = await session.door.router.route(login)
    if isinstance(decision, Refuse):
        raise StatusError(no("Nobody can say.", Code("UNAVAILABLE")))
    url = decision.url.encode("ascii") if isinstance(decision, Refer) else None
    session.untagged(b"XHOME", nstring(url))
    return ok("That is it.")


def one_text(command: Command) -> tuple[bytes]:
    """Read a command with one string, in whichever form it was sent."""
    arguments = Arguments(command)
    text = arguments.astring()
    arguments.end()
    return (text,)


async def xecho(session: Any, text: bytes) -> Status:
    """Give the text back."""
    session.untagged(b"XECHO", astring(text))
    return ok("Echoed.")


@implementer(IPlugin, IProtocolExtension)
class HomeExtension:
    """Adds both commands, and says so in the capabilities."""

    name = "home"
    commands = (
        CommandSpec(name="XHOME", states=AUTH, grammar=no_args, handler=xhome),
        CommandSpec(name="XECHO", states=ANY, grammar=one_text, handler=xecho),
    )

    def capabilities(self, session: Any) -> Sequence[str]:
        """Announce what works in the session's present state."""
        return ("XECHO",) if session.state == "unauth" else ("XECHO", "XHOME")


extension = HomeExtension()
