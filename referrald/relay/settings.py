"""How home servers are reached: what the configuration says about it."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class RelaySettings:
    """How home servers are reached.

    ca: a file of certificates of authorities, empty for those of the system. certificate, key:
    files with what is shown to servers that ask who we are; empty for none. timeout: seconds for
    each answer of a home server. deadline: seconds for a login at all servers of a home together.
    allowed, allow_clear: as for referrals. own: every (host, port) that leads back to this server.
    told: patterns of home servers that are told with ID where a client comes from. proxy: patterns
    of those that expect a header of the PROXY protocol.
    master_user, master_password: who may log in as anybody, for logins whose password is not known
    here; empty when nobody may.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""
    timeout: float = 10.0
    deadline: float = 30.0
    allowed: tuple[str, ...] = ("*",)
    allow_clear: tuple[str, ...] = ()
    own: frozenset[tuple[str, int]] = frozenset()
    told: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    master_user: str = ""
    master_password: str = attrs.field(default="", repr=False)
