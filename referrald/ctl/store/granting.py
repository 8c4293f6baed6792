"""The table of rights on shared mailboxes: shown, and changed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import attrs

from referrald.config.settings import Config, ServeSection
from referrald.ctl.assembly import running
from referrald.ctl.loading import load_config
from referrald.ctl.lookup import known_name, mailbox_name
from referrald.ctl.output import columns, visible
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import NoSuchMailbox, NotPossible
from referrald.store import rights
from referrald.store.names import DELIMITER, checked
from referrald.store.rightsfile import PUBLIC, RightsFile
from referrald.store.sharedtrees import Prefixes, Tree

HELP: Final = "Show and change who may do what with public mailboxes and those of other users"
HEADINGS: Final = ("mailbox", "who", "rights")
MODES: Final = {"+": 1, "-": -1}


@attrs.frozen(kw_only=True)
class Target:
    """A mailbox in the table of rights; ``name`` is what clients call it."""

    name: str
    owner: str
    key: str


def add_arguments(parser: ArgumentParser) -> None:
    """Add what can be done with the table."""
    group = parser.add_subparsers(metavar="WHAT", required=True)
    add = partial(group.add_parser, formatter_class=parser.formatter_class)
    shows = add("show", help="Show who has rights on a mailbox, or all that was given")
    shows.add_argument("mailbox", metavar="MAILBOX", nargs="?", help="as clients see its name")
    sets = add(
        "set",
        help="Give rights, or take them",
        description="Give rights, or take them. An identifier with - before it says what is taken "
        "away, whoever gives it; put -- before such arguments.",
    )
    removes = add("remove", help="Take all rights from somebody, or the list of a mailbox away")
    for each in (sets, removes):
        each.add_argument("-n", "--dry-run", action="store_true", help="only say what would change")
        each.add_argument("mailbox", metavar="MAILBOX", help="as clients see its name")
    sets.add_argument("who", metavar="WHO", help="a user, or anyone")
    sets.add_argument("letters", metavar="LETTERS", help="such as lrs, +w or -w (RFC 4314)")
    removes.add_argument(
        "who", metavar="WHO", nargs="?", help="left out: have the mailbox go by those above it"
    )
    shows.set_defaults(rights_verb=show)
    sets.set_defaults(rights_verb=set_rights)
    removes.set_defaults(rights_verb=remove)


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Do what was asked for."""
    config = load_config(arguments, terminal)
    serve = config.serve
    if not serve.rights or not (serve.public or serve.others):
        raise Refused("nothing is shared on disk: [serve] public, others and rights say what is")
    code: int = arguments.rights_verb(arguments, terminal, config)
    return code


# -- the verbs -------------------------------------------------------------------------------


def show(arguments: Namespace, terminal: Terminal, config: Config) -> int:
    """Print a row for each identifier."""
    serve = config.serve
    table = RightsFile(serve.rights)
    if arguments.mailbox is None:
        found = [
            (_outer(serve, owner, mailbox), owner, entries)
            for owner, mailbox, entries in table.every()
        ]
    else:
        target = _target(serve, arguments.mailbox)
        found = [(target.name, target.owner, _entries(table, target))]
    rows = [row for name, owner, entries in found for row in _rows(name, owner, entries)]
    shown = [HEADINGS, *(tuple(visible(cell) for cell in row) for row in rows)]
    told = [dict(zip(HEADINGS, row, strict=True)) for row in rows]
    terminal.output.document(columns(shown), {"rights": told})
    return 0


def _rows(name: str, owner: str, entries: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    if owner != PUBLIC:
        yield name, owner, rights.ALL
    for who, letters in sorted(entries.items()):
        yield name, who, letters


def set_rights(arguments: Namespace, terminal: Terminal, config: Config) -> int:
    """Give rights, or take them."""
    mode = MODES.get(arguments.letters[:1], 0)
    letters = arguments.letters[mode != 0 :]
    target = _target(config.serve, arguments.mailbox)
    return _change(arguments, terminal, config, target, letters, mode)


def remove(arguments: Namespace, terminal: Terminal, config: Config) -> int:
    """Take all rights from somebody, or have a mailbox go by those above it."""
    target = _target(config.serve, arguments.mailbox)
    if arguments.who is not None:
        return _change(arguments, terminal, config, target, "", 0)
    table = RightsFile(config.serve.rights)
    own = target.key in table.lists(target.owner)
    if own and not arguments.dry_run:
        table.drop(target.owner, target.key)
    would = "would have" if arguments.dry_run else "has"
    text = f"{target.name}: {would} no list of its own" if own else f"{target.name}: has no list"
    told = {"mailbox": target.name, "removed": own, "dry_run": arguments.dry_run}
    terminal.output.document(visible(text) + "\n", told)
    return 0


def _change(
    arguments: Namespace,
    terminal: Terminal,
    config: Config,
    target: Target,
    letters: str,
    mode: int,
) -> int:
    who = _identifier(terminal, config, arguments.who)
    if target.owner != PUBLIC and who.removeprefix(rights.NOT) == target.owner:
        raise Refused(f"{target.owner} is the owner, and has all rights")
    table = RightsFile(config.serve.rights)
    try:
        after = rights.changed(_entries(table, target), who, letters, mode).get(who, "")
    except NotPossible as error:
        raise Refused(f"{letters!r}: rights are letters of {rights.ALL}, c and d") from error
    if not arguments.dry_run:
        table.change(target.owner, target.key, who, letters, mode)
    would = "would have" if arguments.dry_run else "has"
    terminal.output.document(
        visible(f"{target.name}: {who} {would} {after or 'no rights'}") + "\n",
        {"mailbox": target.name, "who": who, "rights": after, "dry_run": arguments.dry_run},
    )
    return 0


# -- names -----------------------------------------------------------------------------------


def _entries(table: RightsFile, target: Target) -> Mapping[str, str]:
    return rights.nearest(table.lists(target.owner), target.key)


def _target(serve: ServeSection, text: str) -> Target:
    """Find a mailbox by the name that clients see; raises `Refused`."""
    prefixes = Prefixes(public=serve.public, others=serve.others)
    try:
        name = checked(mailbox_name(text))
        if prefixes.is_public(name):
            return _in_tree(PUBLIC, prefixes.root(PUBLIC), name)
        # The name of a user alone stands above all mailboxes of that user.
        owner = prefixes.owner(name) or prefixes.owner(name + DELIMITER + "x")
        if owner is not None and name == prefixes.root(owner):
            return Target(name=name, owner=owner, key="")
        if owner is not None:
            return _in_tree(owner, prefixes.root(owner), name)
    except NoSuchMailbox as error:
        raise Refused(f"{text}: no mailbox can be called so") from error
    known = " or ".join(f'"{each}"' for each in (serve.public, serve.others) if each)
    raise Refused(f"{text}: only what is below {known} is shared")


def _in_tree(owner: str, root: str, name: str) -> Target:
    tree = Tree(owner=owner, root=root, account=None)
    inner = tree.inner(name)
    if inner is None:
        raise NoSuchMailbox(name)
    return Target(name=name, owner=owner, key=tree.key(inner))


def _outer(serve: ServeSection, owner: str, key: str) -> str:
    """Give the name that clients see."""
    root = Prefixes(public=serve.public, others=serve.others).root(owner)
    return root + DELIMITER + key if key else root


def _identifier(terminal: Terminal, config: Config, text: str) -> str:
    """Give the name under which a user is known, with what is before it."""
    bare = text.removeprefix(rights.NOT)
    taken = text[: len(text) - len(bare)]
    if not bare:
        raise Refused("rights are of somebody: name a user, or anyone")
    if bare == rights.ANYONE:
        return text

    async def name(reactor: Any) -> str:
        async with running(config, reactor) as assembly:
            return known_name(assembly, bare)

    return taken + str(terminal.run(name))
