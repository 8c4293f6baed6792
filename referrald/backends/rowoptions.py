"""Options of backends whose homes are rows, whatever they lie in."""

from __future__ import annotations

from referrald.model import Option, Security

LOWERCASE = Option(
    name="lowercase",
    kind="boolean",
    default=True,
    help="Ask with user names in lower case, and take upper and lower case for the same.",
)
SCHEME = Option(
    name="scheme",
    kind="string",
    default="CRYPT",
    help="The password scheme of hashes without a `{SCHEME}` in front.",
)
SECURITY = Option(
    name="security",
    kind="choice",
    default="auto",
    choices=("auto", *(security.value for security in Security)),
    help="How to reach a host whose row does not say it. With `auto` port 993 means TLS, any other "
    "STARTTLS.",
)
WITHOUT_HOST = Option(
    name="without_host",
    kind="choice",
    default="unavailable",
    choices=("unavailable", "here"),
    help="What a row means that has no host: a mistake, so that the login gets "
    "`NO [UNAVAILABLE]`, or a user whose home is here.",
)
