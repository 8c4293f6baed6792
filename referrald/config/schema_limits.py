"""The schema of the limits; the defaults are those of `referrald.model.Limits`."""

from __future__ import annotations

import attrs

from referrald.config.section import Section
from referrald.model import Limits, Option, OptionKind

_LIMITS: dict[str, tuple[OptionKind, float, str]] = {
    "connections": ("integer", 0, "Connections at a time; further ones get `BYE`. 0: no limit."),
    "connections_per_address": (
        "integer",
        0,
        "Connections at a time from one address; further ones get `BYE`. 0: no limit.",
    ),
    "auth_time": (
        "duration",
        1,
        "Time from connecting to having logged in, the TLS handshake included; then `BYE`.",
    ),
    "idle_time": (
        "duration",
        60,
        "Time that a logged-in client may be silent; then `BYE`. RFC 9051 asks for 30 minutes.",
    ),
    "login_failures": ("integer", 1, "Failed logins on one connection; then `BYE`."),
    "failure_delay": ("duration", 0, "Time that the answer to a failed login is held back."),
    "failures_per_user": (
        "integer",
        0,
        "Failed logins of one user within `failure_window`, wherever from; then every login of "
        "this user gets `NO [LIMIT]` for a while, be the password right or wrong. So others can "
        "keep a user out. 0: no limit.",
    ),
    "failures_per_address": (
        "integer",
        0,
        "The same for failed logins from one address, or from one IPv6 network of 64 bits. 0: no "
        "limit.",
    ),
    "failure_window": ("duration", 1, "The time in which they count."),
    "bad_commands": ("integer", 1, "Commands answered `BAD` before login; then `BYE`."),
    "line": (
        "size",
        512,
        "Longest command line before login; then `BYE`. The longest `ID` has 32k (RFC 2971).",
    ),
    "literal": (
        "size",
        64,
        "Largest literal before login; a larger one is refused. RFC 9051 asks for 4096.",
    ),
    "line_authenticated": ("size", 512, "Longest command line after login; then `BYE`."),
    "literal_authenticated": (
        "size",
        64,
        "Largest message that `APPEND` takes, where the store does not take less; clients are told "
        "(`APPENDLIMIT`). No other literal after login may be larger than 1 MB.",
    ),
    "queue": (
        "size",
        1024,
        "Bytes of commands that wait for the one in flight; the connection is not read further "
        "while there are more.",
    ),
    "write_stall": (
        "duration",
        1,
        "Time that a client may leave its answers unread; then the connection is dropped.",
    ),
}

_LIMIT_DEFAULTS = attrs.asdict(Limits())

LIMITS = Section(
    name="limits",
    help="What a peer may use, above all before it has logged in.",
    options=tuple(
        Option(name=name, kind=kind, help=text, minimum=least, default=_LIMIT_DEFAULTS[name])
        for name, (kind, least, text) in _LIMITS.items()
    ),
)
