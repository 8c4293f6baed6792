"""Show the mailboxes that a user's client is told of, where they are, and why.

Prints one row for each name that LIST, RLIST, LSUB or RLSUB shows of those that match the pattern:
in which of the four it is for a client that has never asked for remote names (LIST, LSUB) and for
one that asks (RLIST, RLSUB); where it is ("here", or the servers that the client would be referred
to, each with the name there); its attributes; the backend that decided; and why. The user need not
log in, but must be one whose login succeeds here.

The names are put together by the same code as in the server, but in this process. Local names are
those of a store in memory that is empty but for INBOX, whatever the running server has in its own.
A name below a remote tree that no backend lists is in no list, though clients can open it;
"referralctl lookup --mailbox" tells where it is.

Exits with 1 when there is no list: the login is refused or referred, a backend is down, or this
server keeps no mailboxes.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from referrald.config.settings import Config
from referrald.ctl.assembly import Assembled, running
from referrald.ctl.loading import load_config
from referrald.ctl.lookup import known_name
from referrald.ctl.output import columns, visible
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import MailboxInUse
from referrald.mailmodel import MailboxDecision, ReferMailbox
from referrald.model import Home, Login, Refer, Refuse, Serve
from referrald.routing.lists import Listing
from referrald.session.names import Names, Row, rows
from referrald.wire.listing import ListQuery

COMMANDS: Final = ("LIST", "RLIST", "LSUB", "RLSUB")
BEST_FIRST: Final = ("RLIST", "LIST", "RLSUB", "LSUB")
HEADINGS: Final = ("name", *COMMANDS, "where", "attributes", "backend", "why")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the user and the pattern."""
    parser.add_argument("user", metavar="USER", help="the name as a client would send it")
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="?",
        default="*",
        help="which names, as in LIST: * stands for anything, %% for anything within a level; the "
        "name as people write it (default: *)",
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print the rows."""
    if not arguments.pattern:
        raise Refused("an empty pattern matches no name")
    config = load_config(arguments, terminal)

    async def work(reactor: Any) -> dict[str, Any]:
        return await listed(config, reactor, arguments.user, arguments.pattern)

    shown = terminal.run(work)
    terminal.output.document(_table(shown["mailboxes"]), shown)
    return 0


async def listed(config: Config, reactor: Any, user: str, pattern: str) -> dict[str, Any]:
    """Put the lists together; raises `Refused` for a user who gets none, and `Unavailable`."""
    async with running(config, reactor) as assembly:
        login = Login(user=known_name(assembly, user), secure=True)
        home = await _admitted(assembly, login)
        account = await assembly.account(login.user)
        names = Names(
            local=await account.entries(),
            remote=await assembly.mailboxes.remote(login.user),
            subscriptions=await account.subscriptions(),
            delimiter=account.delimiter,
        )
        reasons = Reasons(names=names, home=home, hides=config.referral.mailboxes == "hide")
        shown = []
        for name, lists in sorted(answers(names, pattern, hides=reasons.hides).items()):
            decision = await assembly.mailboxes.locate(login.user, name)
            shown.append(_shown(name, lists, decision, reasons))
    return {"user": login.user, "policy": config.referral.mailboxes, "mailboxes": shown}


async def _admitted(assembly: Assembled, login: Login) -> Home | None:
    """Give the home of a user whose login succeeds here; nobody else has lists."""
    decision = await assembly.router.route(login)
    if isinstance(decision, Refuse):
        cause = decision.cause or decision.text
        raise Refused(f"no lists for {login.user}: the login is refused: {cause}")
    if isinstance(decision, Refer) and not decision.authenticated:
        raise Refused(f"no lists for {login.user}: the login is referred to {decision.url}")
    return (await assembly.directory.explain(login)).home


def answers(names: Names, pattern: str, *, hides: bool) -> dict[str, dict[str, Row]]:
    """Give the rows of each name by the command that shows it, in the order of `COMMANDS`.

    hides: LIST and LSUB keep quiet about what is elsewhere. Raises `WireError` for a pattern that
    is too long.
    """
    query = ListQuery(patterns=(pattern,))
    found: dict[str, dict[str, Row]] = {}
    for command in COMMANDS:
        with_remote = not hides or command.startswith("R")
        for row in rows(names, query, lsub="LSUB" in command, with_remote=with_remote):
            found.setdefault(row.name, {})[command] = row
    return found


def _shown(
    name: str, lists: Mapping[str, Row], decision: MailboxDecision, reasons: Reasons
) -> dict[str, Any]:
    """Show one name; the attributes are those that a client gets that sees most."""
    best = next(lists[command] for command in BEST_FIRST if command in lists)
    return {
        "name": name,
        **{command: command in lists for command in COMMANDS},
        "where": _where(decision, here=name in reasons.local),
        "attributes": list(best.attributes),
        "backend": decision.source,
        "why": reasons.why(name, lists, decision),
    }


def _where(decision: MailboxDecision, *, here: bool) -> list[str]:
    if isinstance(decision, ReferMailbox):
        return [f"{replica.server}/{replica.name}" for replica in decision.replicas]
    return ["here"] if here and isinstance(decision, Serve) else []


@attrs.frozen(kw_only=True)
class Reasons:
    """Knows why a name is where it is, and is shown or not.

    names: all that there is, with what backends say to be here. home: the user's. hides: LIST and
    LSUB keep quiet about what is elsewhere.
    """

    names: Names
    home: Home | None
    hides: bool
    local: frozenset[str] = attrs.field(init=False)
    _listing: Listing = attrs.field(init=False)

    @local.default
    def _local(self) -> frozenset[str]:
        return frozenset(entry.name for entry in self.names.local)

    @_listing.default
    def _index(self) -> Listing:
        return Listing(self.names.remote, self.names.delimiter)

    def why(self, name: str, lists: Mapping[str, Row], decision: MailboxDecision) -> str:
        """Give the reason in short."""
        if isinstance(decision, ReferMailbox):
            reason = self._elsewhere(name, decision)
        elif isinstance(decision, Serve):
            reason = self._here(name, lists, decision)
        elif decision.code == MailboxInUse.code:
            reason = f"{decision.source}: moving"
        else:
            reason = f"refused: {decision.cause or decision.text}"
        hidden = self.hides and any(
            "R" + command in lists and command not in lists for command in ("LIST", "LSUB")
        )
        return f"{reason}; hidden: the policy is hide" if hidden else reason

    def _elsewhere(self, name: str, decision: ReferMailbox) -> str:
        if decision.personal:
            return "home elsewhere"
        box = self._listing.nearest(name)
        if box is None or box.location.here:
            # Such a one is opened there, but lists go by what backends list.
            return f"{decision.source}: elsewhere, but not in its list"
        return f"{decision.source}: {'moving' if box.location.moving else 'elsewhere'}"

    def _here(self, name: str, lists: Mapping[str, Row], decision: Serve) -> str:
        box = self._listing.nearest(name)
        if box is not None and not box.location.here:
            return f"{box.location.source}: elsewhere in its list, but not when asked for it"
        if name not in self.local:
            is_level = "RLIST" in lists or "LIST" in lists
            return "level above others" if is_level else "subscribed, but no such mailbox"
        if box is not None:
            return f"{decision.source}: here"
        return "local" if self.home is None or self.home.here else "public here"


def _table(shown: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out under their headings, as wide as each column needs."""
    return columns(
        [HEADINGS, *(tuple(_cell(row[heading]) for heading in HEADINGS) for row in shown)]
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(value)
    return visible(value) or "-"
