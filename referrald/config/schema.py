"""The schema of the configuration file, as data: the loader and the reference read the same."""

from __future__ import annotations

from collections.abc import Sequence

from referrald.config.schema_auth import AUTH, INTROSPECTION
from referrald.config.schema_limits import LIMITS
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
    ),
)

REFERRAL = Section(
    name="referral",
    help="Where clients may be sent.",
    options=(
        Option(
            name="allowed",
            kind="strings",
            default=("*",),
            help="Patterns of host names that clients may be sent to, such as `*.example.org`. "
            "Any other target is refused.",
        ),
        Option(
            name="allow_clear",
            kind="strings",
            default=(),
            help="Patterns of host names that may be referred to though they have no TLS: "
            "passwords will travel there in the clear.",
        ),
        Option(
            name="text",
            kind="string",
            default="Your mailbox is on another server.",
            help="The text behind the referral; clients without referrals show it to their user. "
            "`{server}` in it stands for the home server.",
        ),
        Option(
            name="text_unfollowed",
            kind="string",
            default="Your mailbox is on another server: {server}. Set that as the server in your "
            "mail program.",
            help="The text instead of `text` where a program that is not in `follow` should have "
            "been relayed and cannot be.",
        ),
        Option(
            name="storm_count",
            kind="integer",
            default=5,
            minimum=0,
            help="A client that logs in so many times within `storm_window` after it was referred "
            "does not follow referrals, and is relayed if `login` allows for that, else refused "
            "with a plain reason. 0 switches this off.",
        ),
        Option(
            name="storm_window",
            kind="duration",
            default=60.0,
            minimum=1,
            help="The time in which `storm_count` counts, and in which a client that comes back "
            "with the name out of its referral is known.",
        ),
        Option(
            name="login",
            kind="choice",
            choices=("refer", "relay", "auto"),
            default="refer",
            help="What is done at login about users who live elsewhere. `refer`: send the client "
            "there. `relay`: log in there for the client and pass everything on. `auto`: refer the "
            "programs in `follow`, relay for all others, also for one that was referred within "
            "`storm_window` and came back. A login whose password is not known here (SCRAM, a "
            "certificate) is referred unless `[relay]` has a master user. A `login` of the "
            "listener counts more, one of a `[[network]]` more than that, and most what a backend "
            "says of the user.",
        ),
        Option(
            name="follow",
            kind="strings",
            default=(),
            help="Programs that follow login referrals, by what they say with `ID`: the name, as "
            "`alpine`, or name and version, as `alpine/2.2*`. `*` is any text, `?` any character; "
            "upper and lower case are the same. A program that says it before it logs in is known "
            "at once; one that says it afterwards, as Alpine does, is relayed the first time.",
        ),
        Option(
            name="mailboxes",
            kind="choice",
            choices=("relay", "hide", "say"),
            default="relay",
            help="What a client sees of mailboxes on other servers that has never asked for them "
            "(with `RLIST`, `RLSUB` or `LIST (REMOTE)`). `relay`: they are listed, and all that is "
            "done with them is done at their server through this connection, which logs in there "
            "with what the client logged in with; where that cannot be done, as `say`. `hide`: "
            "they are not listed and do not exist. `say`: they are listed, and opening one answers "
            "`NO` with the referral and a text that tells a person where the mailbox is.",
        ),
        Option(
            name="status",
            kind="boolean",
            default=False,
            help="Refer on `STATUS` as well. Many programs ask for the status of every mailbox "
            "every few minutes; without this they get a plain `NO`.",
        ),
        Option(
            name="one_url",
            kind="strings",
            default=("alpine",),
            help="Programs, as in `follow`, that take several URLs for one: of a mailbox with "
            "replicas they get the first only.",
        ),
    ),
)

NETWORK = Section(
    name="network",
    help="Networks whose clients are treated in another way than their listener says. The first "
    "entry that a client is in counts; only the word of a backend about a user counts more.",
    many=True,
    options=(
        Option(
            name="networks",
            kind="strings",
            required=True,
            help='Networks or single addresses, such as `["10.0.0.0/8", "2001:db8::/32"]`.',
        ),
        Option(
            name="login",
            kind="choice",
            choices=("refer", "relay", "auto"),
            required=True,
            help="What is done at login about users who live elsewhere, as for `[referral]`.",
        ),
    ),
)

RELAY = Section(
    name="relay",
    help="How home servers are reached on behalf of clients, wherever `login` is `relay` or "
    "`auto`. They must be allowed by `[referral] allowed` and, without TLS, by `allow_clear`.",
    options=(
        Option(
            name="ca",
            kind="path",
            default="",
            help="A file of PEM certificates: the authorities that may vouch for home servers. "
            "Empty: those of the system. The name in the certificate is always checked.",
        ),
        Option(
            name="timeout",
            kind="duration",
            default=10.0,
            minimum=0.1,
            help="How long to wait for each answer of a home server, until it is passed over.",
        ),
        Option(
            name="deadline",
            kind="duration",
            default=30.0,
            minimum=0.1,
            help="How long a login at the home servers may take in all. After that the answer is "
            "`NO [UNAVAILABLE]`.",
        ),
        Option(
            name="told",
            kind="strings",
            default=(),
            help="Patterns of home servers that are told where a client comes from, with the `ID` "
            "command (`x-originating-ip`, `x-originating-port`, `x-session-id`), for their logs "
            "and limits, and with `x-proxy-ttl` how many more proxies may pass the login on. They "
            "have to believe this server: Dovecot by `login_trusted_networks`.",
        ),
        Option(
            name="proxy",
            kind="strings",
            default=(),
            help="Patterns of home servers that expect a header of the PROXY protocol, version 2, "
            "before anything else, TLS too: Dovecot with `haproxy = yes` at the listener and "
            "`haproxy_trusted_networks`. Others take it for garbage.",
        ),
        Option(
            name="master_user",
            kind="string",
            default="",
            help="A user who may log in as anybody at the home servers (SASL PLAIN with an "
            "authorization identity), for clients whose password is not known here.",
        ),
        Option(
            name="master_password",
            kind="secret",
            default="",
            help="The password of that user.",
        ),
        Option(
            name="grace",
            kind="duration",
            default=10.0,
            minimum=0,
            help="When a user has moved to another home or is held: how long sessions that are "
            "open go on, relayed or served here, before they end with `BYE`. One that is moved "
            "back within that time goes on.",
        ),
        Option(
            name="spread",
            kind="duration",
            default=30.0,
            minimum=0,
            help="Over how much time after `grace` those sessions end, each at a moment of its "
            "own, so that not all users come back at once.",
        ),
        Option(
            name="hold",
            kind="duration",
            default=20.0,
            minimum=0,
            help="How long a login waits for a user who is held while a migration copies mail; "
            "then it gets `NO [UNAVAILABLE]`. 0 refuses at once. At most half of "
            "`limits.auth_time` counts.",
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
            choices=("none", "memory"),
            default="none",
            help="`none`: they are refused. `memory`: mailboxes that are gone when the server "
            "stops, for trying things out.",
        ),
        Option(
            name="public",
            kind="string",
            default="",
            help="The first level of names that all users share, such as `Public`: mailboxes there "
            "are the same for everyone who may log in here. Empty: there are none. A change counts "
            "from the next start.",
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
    INTROSPECTION, SERVE, LIMITS, LOG, EXTENSIONS,
)  # fmt: skip

# Keys that are no secret as a whole, but may hold one behind the first colon of an entry.
HALF_SECRET = frozenset({("auth", "checkers")})
