"""The schema of what is done about users who live elsewhere: referrals and the relay."""

from __future__ import annotations

from referrald.config.section import Section
from referrald.model import Option

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
            name="certificate",
            kind="path",
            default="",
            help="The certificate, and the chain behind it, that this server shows to home servers "
            "that ask for one, PEM. Empty: none.",
        ),
        Option(
            name="key",
            kind="path",
            default="",
            help="Its private key, PEM, without a passphrase; in the certificate's file when left "
            "out.",
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
