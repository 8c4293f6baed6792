"""The ``table`` backend: who lives where, and which mailboxes do, in a TOML file.

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

    [[mailboxes]]
    match = "#shared/"              # this mailbox and all below it
    server = "b"
    name = "Public/"                # what takes the place of `match` there
    folders = ["Minutes", { name = "Plans", subscribed = true }]

The most exact answer counts: a user's own line, then the domain (what follows the last ``@``), then
the patterns in the order of the file (the first that matches), then the default. Without a default
all other users are unknown to this backend, and the next one is asked.

A home is ``"here"``, a server, a list of servers, or a table: ``server``; ``user``, the name to use
there (``%u``, ``%n`` and ``%d`` stand for the user's name, what is before and what is after the
``@``); ``auth``, the SASL mechanism that the referral prescribes; ``public_here``, when public
mailboxes can be read here; ``login``, ``"refer"``, ``"relay"`` or ``"auto"``, whatever is
configured for all; ``spread``, when users are spread over the servers by the ``weight`` of each
rather than going to the first; ``closed``, a text to refuse the login with; ``held``, when a
migration copies the user's mail; ``ttl``, how many seconds the answer may be kept. A server is one
of ``[servers]`` or is written as ``host`` or ``host:port``, with TLS on port 993 and STARTTLS on
any other.

For very many users ``users_file = "users.tsv"`` at the top of the file names a plain list, whose
path is relative to the file. Each line is a name, a tab and a home; a space will do in place of the
tab where the line has no tab. The home is ``here``, servers with commas between them, or ``closed``
and a text; ``user=…``, ``auth=…``, ``login=…``, ``ttl=…``, ``public_here``, ``spread`` and ``held``
may follow servers, with spaces between them. It has the rank of ``[users]``, and nobody may be in
both. Empty lines and lines that begin with ``#`` do not count. It is looked at for changes as the
file itself is.

``[[mailboxes]]`` says which mailboxes are elsewhere, whoever's home is where (RFC 2193):

- ``match`` is a name; or a subtree, its root included, when it ends in ``/``; or a pattern as in
  LIST (``*`` is any text, ``%`` any within a level), where ``/*`` at the end is a subtree as well.
  Levels have ``/`` between them. INBOX is where the user's home is, and cannot be given.
- ``server`` is a server, a list of servers in order of preference, or ``"here"`` for an exception.
- ``name`` is the name there: of a subtree the prefix in place of ``match``; for a pattern with
  ``%m`` for the whole name; else it is the same name. ``delimiter`` is what stands between the
  levels there, if not ``/``. ``user`` and ``auth`` are as for homes.
- ``replicas`` replaces these five where they differ from server to server: a list of tables.
- ``for`` names the users who may see it, also by patterns (``*``, ``?``). For all others the entry
  is not there.
- ``moving = true``: nobody is served here; clients are sent to ``server``, or without one are asked
  to wait.
- ``folders`` are names below a subtree that lists show: relative, or tables with ``name``,
  ``attributes`` and ``subscribed``. What is below and not listed can be opened all the same.
- ``attributes`` and ``subscribed`` are for the name, or the subtree's root, in lists.
  ``selectable = false`` makes the root of a subtree a mere level.
- ``ttl`` is how many seconds the answer may be kept.

The most exact entry counts: the very name, the longest subtree, the first pattern that fits; at the
same name one with ``for`` before one without. Lists do not show what only fits a pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from zope.interface import implementer

from referrald.backends import homes
from referrald.backends.build import Job
from referrald.backends.filebacked import FILE, POLL, FileBackend, FileFactory, home_for
from referrald.backends.image import DOMAIN, USER, Image
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.patterns import Pattern
from referrald.interfaces import (
    ICheckingFactory,
    IMailboxReferralBackend,
    IReferralBackend,
    IReferralBackendFactory,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.model import Home, Login, Option, Options


@attrs.frozen(kw_only=True)
class Rule:
    """The home of those who fit one of the patterns, or of all others."""

    home: Home
    user: str | None
    is_template: bool
    patterns: tuple[Pattern, ...] = ()


@implementer(IReferralBackend, IMailboxReferralBackend)
class TableBackend(FileBackend):
    """Answers from an image of the file; ``lowercase`` as in the options."""

    def __init__(self, job: Job, reactor: Any, poll: float) -> None:
        super().__init__(job, reactor, poll)
        self._lowercase: bool = job.options["lowercase"]
        self._patterns: tuple[Rule, ...] = ()
        self._default: Rule | None = None
        self._mailboxes = MailboxTable()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user: by name, domain, pattern, or the default."""
        name = self._folded(login.user)
        home = self._find(name, login.user)
        if home is None or name == login.user:
            return home
        # A change is told by the name in lower case, so that no other form may be kept.
        return attrs.evolve(home, ttl=0)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is: by name, the longest subtree, or pattern."""
        return self._mailboxes_now().location(name, self._folded(user), user)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what is elsewhere and has a name in the file."""
        return self._mailboxes_now().names(self._folded(user), user)

    def _mailboxes_now(self) -> MailboxTable:
        """Give what is in force; raises `Unavailable` before the start and after the stop."""
        _ = self._source.image
        return self._mailboxes

    def _folded(self, user: str) -> str:
        return user.lower() if self._lowercase else user

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
        self._mailboxes = MailboxTable(rules.get("mailboxes", ()))


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
    help = "Users, domains, patterns and remote mailboxes in a TOML file."
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
