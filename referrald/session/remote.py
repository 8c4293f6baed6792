"""What a session knows of mailboxes that are elsewhere.

A part of `ReferralServer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from referrald.interfaces import IReferralAccount
from referrald.mailmodel import RemoteMailbox
from referrald.model import RelayOrder
from referrald.session.door import Door
from referrald.session.followers import client_key
from referrald.session.foreign import ForeignAccount
from referrald.session.pace import Pace

if TYPE_CHECKING:
    pass


class Remote:
    """The half of a session that looks beyond this server."""

    door: Door
    user: str
    peer_host: str
    client_id: dict[str, str | None] | None
    account: Any
    mbox: Any
    _asked = False
    order: RelayOrder | None = None

    @cached_property
    def mail(self) -> Any:
        """The user's mailboxes, here and elsewhere (`IReferralAccount`)."""
        account = self.account
        if IReferralAccount.providedBy(account):
            return account
        return ForeignAccount(account, Pace(self.door.clock, self.door.wheel).breathe)

    @cached_property
    def errands(self) -> Any:
        """What carries commands out at other servers for this client."""
        assert self.door.errands is not None and self.order is not None, "asked for by policy only"
        return self.door.errands.errands(self.order)

    @cached_property
    def below(self) -> dict[str, tuple[float, Sequence[RemoteMailbox]]]:
        """What other servers have lately said to be below a mailbox, and when."""
        return {}

    def end_errands(self) -> None:
        """Let go of the connections to other servers."""
        self.order = None
        cut = getattr(self.mbox, "cut", None)
        if cut is not None:
            cut()
        errands = self.__dict__.pop("errands", None)
        if errands is not None:
            errands.close()

    @property
    def unasked(self) -> Literal["hide", "say", "relay"]:
        """What becomes of mailboxes elsewhere for a client that has never asked for them."""
        door = self.door
        if door.unasked != "relay":
            return door.unasked
        can = self.order is not None and door.errands is not None and door.errands.can(self.order)
        return "relay" if can else "say"

    @property
    def relays(self) -> bool:
        """True when commands on mailboxes elsewhere are carried out there for this client."""
        return self.unasked == "relay" and not self.asks_for_remote

    def ask_remote(self) -> None:
        """Note that the client asks for remote names, as those do that follow referrals."""
        self._asked = True
        self.door.followers.note(client_key(self.user, self.peer_host, self.client_id))

    @property
    def asks_for_remote(self) -> bool:
        """True for a client that has asked for remote names, here or in another connection."""
        if not self._asked:
            key = client_key(self.user, self.peer_host, self.client_id)
            # Without a name it may be another program, which is served all the same.
            guessed = not key[-1] and self.unasked == "relay"
            self._asked = not guessed and self.door.followers.known(key)
        return self._asked
