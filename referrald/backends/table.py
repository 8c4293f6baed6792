"""The ``table`` backend: who lives where, in a TOML file.

The file::

    [servers.a]
    host = "imap-a.example.com"     # a name or an IPv4 address
    port = 143                      # default: 143, or 993 with "tls"
    security = "starttls"           # "starttls", "tls" or "none"

    [users]
    alice = "a"
    bob = ["a", "b"]                # the preferred one first
    carol = "here"
    dave = { closed = "Moved away, please ask the help desk." }
    "erin@example.com" = { server = "b", user = "erin", public_here = true }

    [domains]
    "example.org" = "b"
    "example.net" = { server = "b", user = "%n" }

    [[patterns]]
    match = "*.student"
    home = "a"

    [default]
    home = "here"

The most exact answer counts: a user's own line, then the domain (what follows the last ``@``), then
the patterns in the order of the file (the first that matches), then the default. Without a default
all other users are unknown to this backend, and the next one is asked.

A home is ``"here"``, a server, a list of servers, or a table: ``server``; ``user``, the name to use
there (``%u``, ``%n`` and ``%d`` stand for the user's name, what is before and what is after the
``@``); ``auth``, the SASL mechanism that the referral prescribes; ``public_here``, when public
mailboxes can be read here; ``closed``, a text to refuse the login with; ``ttl``, how many seconds
the answer may be kept. A server is one of ``[servers]`` or is written as ``host`` or ``host:port``,
with TLS on port 993 and STARTTLS on any other.

For very many users ``users_file = "users.tsv"`` at the top of the file names a plain list, each
line a name, a tab and a home: ``here``, servers with commas between them, ``closed`` and a text;
``user=…``, ``auth=…``, ``ttl=…`` and ``public_here`` may follow servers. It has the rank of
``[users]``. Empty lines and lines that begin with ``#`` do not count.
"""

from __future__ import annotations

from typing import Any

import attrs
from zope.interface import implementer

from referrald.backends import homes
from referrald.backends.build import Job
from referrald.backends.filebacked import FILE, POLL, FileBackend, FileFactory, home_for
from referrald.backends.image import DOMAIN, USER, Image
from referrald.backends.patterns import Pattern
from referrald.interfaces import ICheckingFactory, IReferralBackend, IReferralBackendFactory
from referrald.model import Home, Login, Option, Options


@attrs.frozen(kw_only=True)
class Rule:
    """The home of those who fit one of the patterns, or of all others."""

    home: Home
    user: str | None
    is_template: bool
    patterns: tuple[Pattern, ...] = ()


@implementer(IReferralBackend)
class TableBackend(FileBackend):
    """Answers from an image of the file; ``lowercase`` as in the options."""

    def __init__(self, job: Job, reactor: Any, poll: float) -> None:
        super().__init__(job, reactor, poll)
        self._lowercase: bool = job.options["lowercase"]
        self._patterns: tuple[Rule, ...] = ()
        self._default: Rule | None = None

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user: by name, domain, pattern, or the default."""
        name = login.user.lower() if self._lowercase else login.user
        home = self._find(name, login.user)
        if home is None or name == login.user:
            return home
        # A change is told by the name in lower case, so that no other form may be kept.
        return attrs.evolve(home, ttl=0)

    def _find(self, name: str, user: str) -> Home | None:
        """Look ``name`` up for ``user``, who may write it in another case."""
        image = self._source.image
        place = image.seek(USER, name)
        if place is None:
            _, at, domain = name.rpartition("@")
            place = image.seek(DOMAIN, domain.lower()) if at else None
        if place is not None:
            return self._home_at(image, place, user)
        rule = self._rule_for(name)
        return None if rule is None else home_for(user, rule.home, rule.user, rule.is_template)

    def _rule_for(self, name: str) -> Rule | None:
        for rule in self._patterns:
            if any(pattern.matches(name) for pattern in rule.patterns):
                return rule
        return self._default

    def _adopt(self, image: Image) -> None:
        rules = image.notes["rules"]
        self._patterns = tuple(_rule(entry, globs) for globs, entry in rules["patterns"])
        default = rules.get("default")
        self._default = None if default is None else _rule(default, ())


def _rule(entry: list[Any], globs: Any) -> Rule:
    home, user, is_template = entry
    return Rule(
        home=homes.decode(home),
        user=user,
        is_template=is_template,
        patterns=tuple(map(Pattern, globs)),
    )


@implementer(IReferralBackendFactory, ICheckingFactory)
class TableFactory(FileFactory):
    """Makes `TableBackend` objects."""

    name = "table"
    help = "Users, domains and patterns in a TOML file."
    options = (
        FILE,
        Option(
            name="lowercase",
            kind="boolean",
            default=True,
            help="Take upper and lower case in user names for the same. Domains always are.",
        ),
        POLL,
    )

    def build(self, options: Options, reactor: Any) -> TableBackend:
        """Make a backend; it reads the file when it is started."""
        return TableBackend(self._job(options), reactor, options["poll"])

    def _job(self, options: Options) -> Job:
        wanted = {"file": options["file"], "lowercase": options["lowercase"]}
        return Job(kind=self.name, options=wanted)


factory = TableFactory()
