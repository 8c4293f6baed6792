"""Options of the ``redis`` backend."""

from __future__ import annotations

from referrald.backends.redis.keys import USUAL_PREFIX
from referrald.backends.rowoptions import LOWERCASE, SCHEME, SECURITY, WITHOUT_HOST
from referrald.model import Option

OWN, DOVECOT = "referrald", "dovecot"

CONNECTING = (
    Option(
        name="servers",
        kind="strings",
        required=True,
        help="`rediss://HOST[:PORT]` with TLS, `redis://HOST[:PORT]` without, or `unix:///PATH`. "
        "Of several the one that takes changes is asked, and another one while it does not answer.",
    ),
    Option(name="database", kind="integer", default=0, minimum=0, help="The number of a database."),
    Option(name="username", kind="string", default="", help="Who to log in as, if not `default`."),
    Option(name="password", kind="secret", default="", help="The password."),
    Option(
        name="password_file",
        kind="path",
        help="A file with the password in its one line, read anew for each connection.",
    ),
    Option(name="ca", kind="path", help="The authorities that vouch for the servers."),
    Option(name="certificate", kind="path", help="A certificate to show to the servers."),
    Option(name="key", kind="path", help="Its key."),
    Option(
        name="timeout",
        kind="duration",
        default=2.0,
        minimum=0.1,
        help="How long a server may take to connect, and again to answer.",
    ),
    Option(
        name="connections",
        kind="integer",
        default=4,
        minimum=1,
        maximum=64,
        help="How many lookups are made at the same time.",
    ),
)  # fmt: skip
READING = (
    Option(
        name="layout",
        kind="choice",
        default=OWN,
        choices=(OWN, DOVECOT),
        help="Hashes of our own, which can be changed with `referralctl home`, or the JSON values "
        "that Dovecot's dict driver reads, which are only read.",
    ),
    Option(
        name="prefix",
        kind="string",
        help=f"What all keys begin with. Unless it is given: `{USUAL_PREFIX}`, and nothing with "
        "Dovecot's layout.",
    ),
    Option(
        name="dovecot_key",
        kind="string",
        default="passdb/%u",
        help="With Dovecot's layout: the key of a user, behind the prefix, with `%u`, `%n`, `%d`.",
    ),
    Option(
        name="channel",
        kind="string",
        default="",
        help="A channel of yours where changes are told: the name of a user, or nothing for "
        "everybody. Our own layout has one besides.",
    ),
    Option(
        name="keyspace_events",
        kind="boolean",
        default=False,
        help="Hear of changes from Redis itself, whose `notify-keyspace-events` has to be "
        "`Kg$hlx` or more.",
    ),
    Option(
        name="mailboxes",
        kind="boolean",
        default=False,
        help="Say also which mailboxes are elsewhere, by lists of our own.",
    ),
    LOWERCASE,
    SCHEME,
    SECURITY,
    WITHOUT_HOST,
    Option(
        name="own_hosts",
        kind="strings",
        default=(),
        help="With Dovecot's layout: hosts that are this very server, for `proxy_maybe`.",
    ),
    Option(
        name="suggest",
        kind="boolean",
        default=False,
        help="With Dovecot's layout: as in the [passwd-file backend](#config-backend-passwd-file).",
    ),
    Option(
        name="obey",
        kind="boolean",
        default=False,
        help="With Dovecot's layout: as in the [passwd-file backend](#config-backend-passwd-file).",
    ),
    Option(
        name="ignore",
        kind="strings",
        default=(),
        help="With Dovecot's layout: fields to pass over that would be refused otherwise.",
    ),
)  # fmt: skip
DOVECOT_ONLY = ("own_hosts", "suggest", "obey", "ignore")
