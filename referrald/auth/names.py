"""User names: which are possible at all, and the one form under which each is known."""

from __future__ import annotations

import attrs

from referrald.auth.saslprep import saslprep

LONGEST = 255


@attrs.frozen(kw_only=True)
class Names:
    """How names are normalised.

    lowercase: fold to lower case. default_domain: appended to names without ``@``.
    """

    lowercase: bool = False
    default_domain: str = ""

    def normalise(self, user: str) -> str:
        """Give the name under which ``user`` is known everywhere behind the login.

        Raises ValueError, which never quotes the name, when no user can have that name: empty, not
        UTF-8 (lone surrogates), control characters, longer than 255 bytes.
        """
        name = saslprep(user)
        if self.lowercase:
            # Lower case may be in need of being composed again.
            name = saslprep(name.lower())
        if self.default_domain and name and "@" not in name:
            name = f"{name}@{self.default_domain}"
        if not name or len(name.encode("utf-8")) > LONGEST:
            raise ValueError("empty or too long")
        return name
