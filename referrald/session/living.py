"""What has to be known of a session that is logged in, to end it when its user moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from referrald.model import Server
from referrald.session.door import Door, Spliced


class Living:
    """The part of a session that is a `referrald.routing.live.LiveSession`."""

    door: Door
    reader: Any
    spliced: Spliced | None
    _running: bytes | None
    _line_wanted: Any
    _last_input: float
    _unanswered: bool

    if TYPE_CHECKING:

        def say_bye(self, text: str) -> None: ...

    @property
    def relayed_to(self) -> Server | None:
        """The home server that the login went to first; None when it is served here."""
        return None if self.spliced is None else self.spliced.server

    @property
    def there(self) -> str:
        """The name at the home server."""
        return "" if self.spliced is None else self.spliced.user

    def quiet_for(self) -> float:
        """Give the seconds since something went through; 0 in the middle of a command."""
        if self._running is not None and self._line_wanted is None:
            return 0.0
        if self.spliced is not None and self._unanswered:
            # Cut off now, a message may be there all the same, and be sent to the new home as well.
            return 0.0
        reader = self.reader
        if reader is not None and (reader.buffered or reader.partial is not None):
            return 0.0
        return self.door.clock() - self._last_input

    def part(self, text: str) -> None:
        """End the session, with a word for a person where the client can take one."""
        self.say_bye(text)
