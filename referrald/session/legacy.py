"""Commands of a subclass in the old style of ``IMAP4Server``: ``auth_FOO = (do_FOO, arg_astring)``.

Only what a subclass itself declares counts: Twisted's own tuples are the faulty handlers that this
package replaces. A literal reaches such a handler as a quoted string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from twisted.mail.imap4 import IMAP4Server

from referrald.errors import WireError
from referrald.session import capabilities as offered
from referrald.session.door import Door
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from referrald.wire.response import Code, Status, bad, bye, no, ok, render

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

CODE = re.compile(r"\[([^\] ]+)(?: ([^\]]*))?\] ?")
KINDS = {b"OK": ok, b"NO": no, b"BAD": bad, b"BYE": bye}


def find(session: ReferralServer, name: bytes) -> tuple[Any, ...] | None:
    """Give the tuple that a subclass declares for a command in the present state."""
    attribute = f"{session.state}_{name.decode('ascii', 'replace')}"
    found = getattr(type(session), attribute, None)
    if found is None or found is getattr(IMAP4Server, attribute, None):
        return None
    return tuple(found)


def has(session: ReferralServer, name: bytes) -> bool:
    """Say whether a subclass declares the command."""
    return find(session, name) is not None


def run(session: ReferralServer, command: Command) -> None:
    """Run the command through Twisted's dispatch; it ends when its tagged answer is sent."""
    try:
        rest = Arguments(command).rest()
    except WireError as error:
        session.write(render(command.tag, bad(error.public)))
        return
    session.legacy_begins(command.tag)
    try:
        session.dispatchCommand(command.tag, command.name, rest)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - old-style handlers raise whatever they like
        session.legacy_fails(error)


def respond(session: ReferralServer, kind: bytes, tag: bytes | None, message: bytes | None) -> None:
    """Write what an old-style handler says; the tagged line ends its command."""
    make = KINDS.get(kind)
    if make is None:
        session.untagged(kind if message is None else kind + b" " + message)
        return
    status = _status(make, (message or b"").decode("ascii", "replace"))
    if tag is not None and session.legacy_ends(tag, status):
        return
    session.write(render(tag, status))


def _status(make: Callable[[str, Code | None], Status], text: str) -> Status:
    """Make a status of a text that may begin with a response code, as old-style handlers write."""
    code = CODE.match(text)
    if code is None:
        return make(text, None)
    return make(text[code.end() :], Code(code[1], code[2] or ""))


class TwistedsFace:
    """What programs written for ``IMAP4Server`` call or override, over our own machinery."""

    door: Door
    folder: Any
    write: Callable[[bytes], None]
    _running: bytes | None
    answer: Callable[[Status], None]
    _failed: Callable[[BaseException], None]

    def legacy_begins(self, tag: bytes) -> None:
        """Hold further commands until an old-style handler has answered ``tag``."""
        self._running = tag

    def legacy_ends(self, tag: bytes, status: Status) -> bool:
        """Finish the old-style command that ``tag`` belongs to; False when none does."""
        if self._running != tag:
            return False
        self.answer(status)
        return True

    def legacy_fails(self, error: BaseException) -> None:
        """Finish an old-style command that raised."""
        self._failed(error)

    def capabilities(self) -> dict[bytes, list[bytes] | None]:
        """Name the capabilities of the present state, in the form of ``IMAP4Server``."""
        return offered.as_mapping(cast("ReferralServer", self))

    def listCapabilities(self) -> list[bytes]:
        """Name the capabilities of the present state as they go over the wire."""
        return offered.names(cast("ReferralServer", self))

    def sendLine(self, line: bytes) -> None:
        """Send one line (for handlers written for ``IMAP4Server``)."""
        self.write(line + b"\r\n")

    def _respond(self, state: bytes, tag: bytes | None, message: bytes | None) -> None:
        respond(cast("ReferralServer", self), state, tag, message)

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        """Tell the selected mailbox, if it is an IMailbox: that is what listens to it now."""
        self._pass_on("newMessages", exists, recent)

    def flagsChanged(self, newFlags: Mapping[int, Iterable[Any]]) -> None:
        """Tell the selected mailbox of new flags, see `newMessages`."""
        self._pass_on("flagsChanged", newFlags)

    def modeChanged(self, writeable: bool) -> None:
        """Tell the selected mailbox that it can be changed no more, see `newMessages`."""
        self._pass_on("modeChanged", writeable)

    def _pass_on(self, method: str, *arguments: Any) -> None:
        tell = getattr(self.folder, method, None)
        if tell is not None:
            tell(*arguments)

    def setTimeout(self, period: int | None) -> None:
        """Do nothing: the wheel keeps the time (Twisted's sessions have a timer each)."""

    def resetTimeout(self) -> None:
        """Do nothing, see `setTimeout`."""

    @property
    def ctx(self) -> Any:
        """What ``transport.startTLS`` takes, or None (Twisted's name for it)."""
        return self.door.tls
