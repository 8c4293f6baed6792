"""Keeps what proves somebody out of words that a server says: some repeat what they were sent."""

from __future__ import annotations

import re
from base64 import b64decode

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_URL_PASSWORD = re.compile(r"(//[^/?#\s:@\]]*):[^/?#\s@\]]*@")


class SecretWords:
    """Blots out a password or token; it is in no repr.

    Words have to come here before they are cut short: half a password would not be found in them.
    """

    def __init__(self, user: str, secret: str) -> None:
        self._raw = secret.encode("utf-8", "surrogateescape")
        # A password that is no UTF-8 looks like this when a server repeats it.
        shown = self._raw.decode("utf-8", "replace")
        quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
        # To blot out the user's own name would tell that it is the password.
        self._forms = () if not secret or secret == user else (quoted, shown)

    def hide(self, text: str) -> str:
        """Blot out what is secret, also in base64 and in a URL."""
        for form in self._forms:
            text = text.replace(form, "***")
        if self._raw:
            text = _BASE64.sub(self._encoded, text)
        return _URL_PASSWORD.sub(r"\1:***@", text)

    def _encoded(self, found: re.Match[str]) -> str:
        word = found[0].rstrip("=")
        word = word[:-1] if len(word) % 4 == 1 else word
        return "***" if self._raw in b64decode(word + "=" * (-len(word) % 4)) else found[0]
