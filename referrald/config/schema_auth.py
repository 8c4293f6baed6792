"""The schema of who may log in and how."""

from __future__ import annotations

from referrald.config.section import Section
from referrald.model import Option

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "EXTERNAL")

AUTH = Section(
    name="auth",
    help="Who may log in, and how.",
    options=(
        Option(
            name="backends",
            kind="strings",
            help="Names of the backends whose passwords count; all that keep passwords when left "
            "out.",
        ),
        Option(
            name="checkers",
            kind="strings",
            default=(),
            help="Credential checkers of `twisted.cred` as strings, as for `--auth` of every "
            "Twisted server: `file:/etc/referrald/passwords`. `twistd referrald --help-auth` "
            "lists them.",
        ),
        Option(
            name="home",
            kind="boolean",
            default=False,
            help="Try passwords and bearer tokens that nobody here knows at the user's home; "
            "SCRAM, OAUTHBEARER and XOAUTH2 are then offered only when `mechanisms` names them.",
        ),
        Option(
            name="home_cache",
            kind="duration",
            default=0.0,
            minimum=0,
            help="How long what was right at a home server is remembered (as a keyed hash), so "
            "that a referral needs no login there. 0 remembers nothing.",
        ),
        Option(
            name="masters",
            kind="strings",
            default=(),
            help="Users who may act as any other user (SASL authorization identity).",
        ),
        Option(
            name="mechanisms",
            kind="strings",
            choices=MECHANISMS,
            default=(),
            help="The SASL mechanisms to offer. When empty: all that can work with what is "
            "configured.",
        ),
        Option(
            name="sasl",
            kind="boolean",
            default=True,
            help="Offer AUTHENTICATE. Without it there is only LOGIN, after which Alpine follows a "
            "referral at once; after AUTHENTICATE it asks for the password three times first.",
        ),
        Option(
            name="lowercase",
            kind="boolean",
            default=False,
            help="Fold user names to lower case before anything else is done with them.",
        ),
        Option(
            name="default_domain",
            kind="string",
            default="",
            help="Added behind `@` to a user name that has none.",
        ),
        Option(
            name="cache",
            kind="duration",
            default=60.0,
            minimum=0,
            help="How long a good password is remembered (as a keyed hash), so that clients that "
            "log in again and again are cheap. 0 switches this off.",
        ),
        Option(
            name="cache_size",
            kind="integer",
            default=10_000,
            minimum=0,
            help="How many good passwords are remembered.",
        ),
        Option(
            name="workers",
            kind="integer",
            default=2,
            minimum=1,
            maximum=256,
            help="Threads that compute password hashes.",
        ),
    ),
)

INTROSPECTION = Section(
    name="auth.introspection",
    help="Asks an OAuth 2.0 server about bearer tokens (RFC 7662), for OAUTHBEARER and XOAUTH2.",
    optional=True,
    options=(
        Option(
            name="url",
            kind="string",
            required=True,
            help="The introspection endpoint; `https://`, or `http://` on loopback.",
        ),
        Option(name="client_id", kind="string", default="", help="Our name at that server."),
        Option(name="client_secret", kind="secret", default="", help="Our secret there."),
        Option(
            name="user_claim",
            kind="string",
            default="username",
            help="The field of the answer that holds the user name.",
        ),
        Option(
            name="scope",
            kind="string",
            default="",
            help="A scope that the token must have; any will do when empty.",
        ),
        Option(
            name="timeout",
            kind="duration",
            default=5.0,
            minimum=0.1,
            help="How long an answer may take.",
        ),
    ),
)
