"""The extra fields of a passwd-file line: what Dovecot's passdb would make of them.

What is not understood is refused rather than passed over: a field may be there to keep somebody
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from referrald.backends.homespec import LONGEST_TEXT, read_user
from referrald.backends.servers import (
    Wrong,
    did_you_mean,
    host_name,
    make_server,
    plain_text,
    port_number,
    show,
)
from referrald.backends.variables import expand, is_template
from referrald.model import IMAPS_PORT, Home, Security, Server

HERE = Home()
WHOLE_NAME = "%u"
CLOSED = "Login is disabled for this account."

READ = (
    "host", "port", "ssl", "starttls", "nologin", "reason", "destuser", "user", "fail",
    "held", "proxy", "proxy_maybe",
)  # fmt: skip

# They steer Dovecot's proxy or its other parts; without them nobody gets in who should not.
PASSED_OVER = (
    "hostip", "master", "pass", "nopassword", "nodelay", "protocol", "source_ip", "k5principals",
    "proxy_always", "proxy_mech", "proxy_nopipelining", "proxy_not_trusted", "proxy_timeout",
)  # fmt: skip
PASSED_OVER_PREFIXES = ("userdb_", "forward_")

# Leaving one of these out would let somebody in, or in as somebody else.
REFUSED = {
    "allow_nets": "it says from where the user may log in",
    "allow_real_nets": "it says from where the user may log in",
    "delay_until": "it says when the user may log in",
    "domain": "it changes who the user is",
    "login_user": "it changes who the user is",
    "noauthenticate": "it leaves the password to another database",
    "username": "it changes who the user is",
}

YES = ("yes", "y", "true", "1")

_TWO_LINES = re.compile(r":[{$]|::")


@attrs.frozen(kw_only=True)
class Extra:
    """What the extra fields of a line come to.

    user, is_template: as in `homespec.Spec`.
    absent: the entry is as if it were not there.
    shared: the same fields mean the same for any user.
    """

    home: Home = HERE
    user: str | None = None
    is_template: bool = False
    absent: bool = False
    shared: bool = True


class ExtraReader:
    """Reads extra fields as the options of the backend say."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._security = Security(options["security"])
        self._own_hosts = frozenset(map(_folded, options["own_hosts"]))
        self._ignore = frozenset(options["ignore"])
        self._suggest = bool(options["suggest"])
        self._obey = bool(options["obey"])
        self._whole_names = options["username_format"] == WHOLE_NAME

    def read(self, text: str, user: str) -> Extra:
        """Make sense of the fields of a user's line; raises `Wrong`."""
        # The last of several with one key counts.
        pairs = dict(word.partition("=")[::2] for word in text.split(" ") if word)
        return self.of(pairs, user)

    def of(self, given: Mapping[str, str], user: str) -> Extra:
        """Make sense of fields that have been split; raises `Wrong`."""
        fields = self._understood(given)
        if "fail" in fields:
            return Extra(absent=True)
        shared = "%" not in fields.get("host", "") + fields.get("reason", "")
        if "host" in fields:
            extra = self._elsewhere(fields, user)
        else:
            extra = self._without_host(fields, user)
        if _is_held(fields):
            extra = attrs.evolve(extra, home=attrs.evolve(extra.home, held=True))
        return extra if shared else attrs.evolve(extra, shared=False)

    def _understood(self, given: Mapping[str, str]) -> dict[str, str]:
        """Leave out what may be passed over; raises `Wrong` for what may not."""
        fields: dict[str, str] = {}
        for key, value in given.items():
            if key in self._ignore:
                continue
            if key in READ:
                fields[key] = value
            elif key in REFUSED:
                raise Wrong(f"{key} is not supported: {REFUSED[key]}", "remove it, or the user")
            elif key not in PASSED_OVER and not key.startswith(PASSED_OVER_PREFIXES):
                raise Wrong(f'there is no field "{show(key)}"', _hint(key))
        return fields

    def _without_host(self, fields: dict[str, str], user: str) -> Extra:
        if fields.keys() & {"proxy", "proxy_maybe"}:
            raise Wrong("proxy without host", "add host=, or remove proxy")
        if _name_there(fields) not in (None, ("%u", True), (user, False)):
            raise Wrong("another user name without host", "add host=, or remove it")
        if "nologin" not in fields:
            return Extra()
        reason = fields.get("reason") or CLOSED
        if _TWO_LINES.search(reason):
            raise Wrong("the reason looks like two lines in one", "clients would be shown it")
        return Extra(home=Home(closed=plain_text(self._filled(reason, user), LONGEST_TEXT)))

    def _elsewhere(self, fields: dict[str, str], user: str) -> Extra:
        server = self._server(fields, user)
        name, is_template_ = _name_there(fields) or (None, False)
        if "proxy_maybe" in fields and server.host in self._own_hosts:
            return Extra()
        proxied = bool(fields.keys() & {"proxy", "proxy_maybe"})
        only_suggested = not proxied and "nologin" not in fields
        home = Home(
            servers=(server,),
            public_here=self._suggest and only_suggested,
            how=None if only_suggested or not self._obey else "relay" if proxied else "refer",
        )
        return Extra(home=home, user=name, is_template=is_template_)

    def _server(self, fields: dict[str, str], user: str) -> Server:
        port = port_number(fields["port"]) if "port" in fields else None
        security = _security(fields)
        if security is None and (port != IMAPS_PORT or self._security is not Security.STARTTLS):
            security = self._security
        return make_server(self._filled(fields["host"], user), port, security)

    def _filled(self, text: str, user: str) -> str:
        """Fill in the variables of a host or reason."""
        if not is_template(text):
            return text
        if not self._whole_names and expand(text, "a@b") != expand(text, "c@d"):
            raise Wrong("variables need whole user names here", 'username_format = "%u"')
        return expand(text, user)


def _name_there(fields: dict[str, str]) -> tuple[str, bool] | None:
    """Give the name to use at the host: ``destuser`` counts before ``user``."""
    text = fields.get("destuser", fields.get("user"))
    return None if text is None else read_user(text)


def _security(fields: dict[str, str]) -> Security | None:
    """Give what ``ssl`` and ``starttls`` say; to Dovecot even ``ssl=no`` is a yes."""
    for key in ("ssl", "starttls"):
        if key in fields and fields[key] not in ("any-cert", *YES):
            raise Wrong(f'"{show(fields[key])}" for {key} is neither yes nor any-cert')
    if "ssl" in fields and "starttls" in fields:
        raise Wrong("both ssl and starttls", "keep one of them")
    if "ssl" in fields:
        return Security.TLS
    return Security.STARTTLS if "starttls" in fields else None


def _is_held(fields: dict[str, str]) -> bool:
    """Say whether the user's mail is being copied: a field of ours, which Dovecot passes over."""
    if "held" not in fields:
        return False
    if fields["held"] not in ("", *YES):
        raise Wrong(f'"{show(fields["held"])}" for held is not yes', "write held, or leave it out")
    return True


def _folded(host: str) -> str:
    """Give a host in its canonical form, or at least in lower case."""
    try:
        return host_name(host)
    except Wrong:
        return host.lower()


def _hint(key: str) -> str:
    known = [*READ, *PASSED_OVER, *REFUSED]
    near = did_you_mean(key, known)
    return near or 'if it keeps nobody out, name it in "ignore"'
