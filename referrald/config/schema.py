"""The schema of the configuration file, as data: the loader and the reference read the same."""

from __future__ import annotations

from collections.abc import Sequence

from referrald.config.schema_auth import AUTH, INTROSPECTION
from referrald.config.schema_limits import LIMITS
from referrald.config.schema_referral import NETWORK, REFERRAL, RELAY
from referrald.config.schema_shared import SHARED
from referrald.config.section import Section
from referrald.model import Option

SERVER = Section(
    name="server",
    help="Who this server is.",
    options=(
        Option(
            name="name",
            kind="string",
            required=True,
            help="The host name that clients connect to. It is shown in the greeting, and no user "
            "may have it as a home: that would be a loop.",
        ),
        Option(
            name="own_names",
            kind="strings",
            default=(),
            help="Further names and addresses of this server, old ones too.",
        ),
        Option(
            name="greeting",
            kind="string",
            default="Ready.",
            help="The text of the greeting, after the capabilities.",
        ),
        Option(
            name="trusted",
            kind="strings",
            default=(),
            help="Networks of proxies in front of this server, such as `192.0.2.0/28`. What they "
            "say with `ID` of a client (`x-originating-ip`, `x-originating-port`, `x-session-id`) "
            "counts as its address and the session's name, and `limits.connections_per_address` is "
            "not for them.",
        ),
    ),
)

SERVER_ID = Section(
    name="server.id",
    help="What the ID command answers (RFC 2971): any keys, with text as values.",
    options=(),
    open=True,
)

LISTENER = Section(
    name="listener",
    help="A way in. At least one is needed.",
    many=True,
    options=(
        Option(
            name="name",
            kind="string",
            help="A name for logs and counters; the endpoint string when left out.",
        ),
        Option(
            name="endpoint",
            kind="string",
            required=True,
            help="A Twisted endpoint string: `tcp:143`, `tcp:143:interface=192.0.2.1`, "
            "`tcp6:143`, `unix:/run/referrald/imap.sock`, `systemd:domain=INET:name=imap`, "
            "`ssl:…` or `tls:…` with certificates of their own.",
        ),
        Option(
            name="tls",
            kind="choice",
            choices=("none", "starttls", "implicit"),
            help="`starttls`: in the clear until the client asks; `implicit`: TLS from the first "
            "byte (port 993); both use the certificate of `[tls]`. `none`: never. When left out it "
            "is `starttls`, and `none` for an endpoint that does TLS by itself (`ssl:`, `tls:`): "
            "there this key may not be set.",
        ),
        Option(
            name="allow_cleartext",
            kind="boolean",
            default=False,
            help="Take passwords without TLS. For loopback and trusted networks only.",
        ),
        Option(
            name="login",
            kind="choice",
            choices=("refer", "relay", "auto"),
            help="What is done here about users who live elsewhere; when left out, what "
            "`[referral] login` says.",
        ),
        Option(
            name="drain",
            kind="string",
            default="",
            help="Take no logins: greet everyone with `BYE` and a referral to this server. An IMAP "
            "URL with `;AUTH=`, or a host with or without a port.",
        ),
    ),
)

TLS = Section(
    name="tls",
    help="The certificate of this server. Needed by listeners with `starttls` or `implicit`.",
    optional=True,
    options=(
        Option(
            name="certificate",
            kind="path",
            required=True,
            help="The certificate and the chain behind it, PEM.",
        ),
        Option(
            name="key",
            kind="path",
            help="The private key, PEM, without a passphrase; in the certificate's file when left "
            "out.",
        ),
        Option(
            name="client_ca",
            kind="path",
            default="",
            help="The authorities whose client certificates may log in (SASL EXTERNAL), PEM. "
            "Without it no certificate is asked for.",
        ),
        Option(
            name="client_user",
            kind="choice",
            choices=("CN", "email", "UID"),
            default="CN",
            help="Which field of a client's certificate holds the user name.",
        ),
        Option(
            name="minimum",
            kind="choice",
            choices=("1.2", "1.3"),
            default="1.2",
            help="The oldest version of TLS that is spoken.",
        ),
    ),
)

BACKEND = Section(
    name="backend",
    help="A source that says where users live; asked in the order of the file. Further keys are "
    "those of its type.",
    many=True,
    open=True,
    options=(
        Option(
            name="name",
            kind="string",
            help="A name for logs and for `auth.backends`; the type when left out.",
        ),
        Option(
            name="type",
            kind="string",
            required=True,
            help="What kind of source it is: `table`, `passwd-file`, or the name of a plugin.",
        ),
        Option(
            name="cache_found",
            kind="duration",
            minimum=0,
            help="How long a home that this backend gives is kept, unless the backend itself says "
            "otherwise; when left out, what `[directory] cache_found` says.",
        ),
        Option(
            name="cache_missing",
            kind="duration",
            minimum=0,
            help="How long it is kept that this backend does not know a user. As long, at most, "
            "holds what a later backend says of the user: then this one is asked again. When left "
            "out, what `[directory] cache_missing` says of users that no backend knows, and no "
            "limit for the others.",
        ),
        Option(
            name="cache_size",
            kind="integer",
            minimum=0,
            help="How many answers of this backend are kept; those of all backends together are "
            "limited by `[directory] cache_size`.",
        ),
    ),
)

DIRECTORY = Section(
    name="directory",
    help="How backends are asked, and how long answers are kept.",
    options=(
        Option(
            name="deadline",
            kind="duration",
            default=2.0,
            minimum=0.01,
            help="How long a lookup may take in all. After that the answer is "
            "`NO [UNAVAILABLE]`, or a stale answer.",
        ),
        Option(
            name="cache_found",
            kind="duration",
            default=60.0,
            minimum=0,
            help="How long a home is kept, unless the backend says otherwise.",
        ),
        Option(
            name="cache_missing",
            kind="duration",
            default=10.0,
            minimum=0,
            help='How long "no such user" is kept.',
        ),
        Option(
            name="stale",
            kind="duration",
            default=3600.0,
            minimum=0,
            help="How long past its time a home is still used while the backend is down.",
        ),
        Option(
            name="cache_size",
            kind="integer",
            default=100_000,
            minimum=0,
            help="How many answers are kept.",
        ),
        Option(
            name="snapshot",
            kind="path",
            help="A file in which known homes are kept, so that after a start they can be used "
            "while a backend is down. Written every five minutes and at the end.",
        ),
    ),
)

SERVE = Section(
    name="serve",
    help="What happens to users whose home is here.",
    options=(
        Option(
            name="store",
            kind="choice",
            choices=("none", "memory", "maildir"),
            default="none",
            help="`none`: they are refused. `maildir`: mailboxes are kept on disk, in `root`. "
            "`memory`: mailboxes that are gone when the server stops, for trying things out. "
            "This and what follows in this section count from the next start.",
        ),
        Option(
            name="root",
            kind="path",
            default="",
            help="Where `maildir` keeps the mail of a user, such as `/var/mail/%d/%n`. `%u` stands "
            "for the user's name, `%n` for what is before the last `@` in it, `%d` for what is "
            "behind; a character that could lead elsewhere is written as `%2F` and the like. "
            "A user whose name has no `@` cannot have mail in a root with `%d`.",
        ),
        Option(
            name="quota",
            kind="size",
            default=0,
            minimum=0,
            help="Bytes that the mailboxes of one user may have in `maildir`. 0: no limit.",
        ),
        Option(
            name="quota_messages",
            kind="integer",
            default=0,
            minimum=0,
            help="Messages that the mailboxes of one user may have in `maildir`. 0: no limit.",
        ),
        Option(
            name="message_size",
            kind="size",
            default=0,
            minimum=0,
            help="Bytes that one message may have to be put into `maildir` (RFC 7889); it cannot "
            "be larger than `[limits]` allows a literal to be in any case. 0: no limit of its own.",
        ),
        Option(
            name="public",
            kind="string",
            default="",
            help="The first level of names of public mailboxes, such as `Public`; users whose home "
            "is elsewhere can have them here as well. In `maildir` they are in `public_root`, and "
            "nobody sees one without rights; in `memory` everyone may use them. Empty: there are "
            "none.",
        ),
        Option(
            name="public_root",
            kind="path",
            default="",
            help="Where `maildir` keeps public mailboxes: a directory like that of a user, whose "
            "INBOX is the mailbox that `public` names.",
        ),
        Option(
            name="others",
            kind="string",
            default="",
            help="The first level of names under which users see mailboxes of other users that "
            "these let them use, such as `Other Users`: alice's INBOX is `Other Users/alice/INBOX` "
            "to bob. Empty: users cannot share mailboxes.",
        ),
        Option(
            name="rights",
            kind="path",
            default="",
            help="The table of rights for `public` and `others` in `maildir`: a file that is made "
            "when it is first needed, and that belongs into every backup. See "
            "`referralctl store rights`, and SETACL (RFC 4314).",
        ),
    ),
)

LOG = Section(
    name="log",
    help="What is written down.",
    options=(
        Option(
            name="format",
            kind="choice",
            choices=("text", "json"),
            default="text",
            help="One line of text, or one JSON object, for each login.",
        ),
        Option(
            name="logins",
            kind="path",
            choices=("twisted", "-"),
            default="twisted",
            help="Where login lines go: `twisted` (the server's log), `-` (standard output), or a "
            "file.",
        ),
    ),
)

EXTENSIONS = Section(
    name="extensions",
    help="Additions to the protocol.",
    options=(
        Option(
            name="use",
            kind="strings",
            default=(),
            help="Names of the extensions to switch on.",
        ),
    ),
)

SECTIONS: Sequence[Section] = (
    SERVER, SERVER_ID, LISTENER, TLS, BACKEND, DIRECTORY, REFERRAL, NETWORK, RELAY, AUTH,
    INTROSPECTION, SERVE, LIMITS, SHARED, LOG, EXTENSIONS,
)  # fmt: skip

# Keys that are no secret as a whole, but may hold one behind the first colon of an entry.
HALF_SECRET = frozenset({("auth", "checkers")})
