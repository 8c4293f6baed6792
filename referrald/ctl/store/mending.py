"""A look at a user's mail as it lies on disk, and what can be put right."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from referrald.config.settings import Config, ServeSection
from referrald.ctl.assembly import running
from referrald.ctl.loading import load_config
from referrald.ctl.lookup import known_name
from referrald.ctl.output import visible
from referrald.ctl.store.opening import StoreVerb
from referrald.ctl.terminal import Refused, Terminal


def _look(verb: str, arguments: Namespace, terminal: Terminal) -> int:
    """Do something with the directory of a user, and print what is wrong with it."""
    # Here, because it brings in the store, which most verbs do without.
    from referrald.store.maildir import checking

    config = load_config(arguments, terminal)
    if config.serve.store != "maildir":
        raise Refused(f'[serve] store is "{config.serve.store}": nothing is kept on disk')
    owner, root = _place(arguments, terminal, config)
    work: Callable[[str], Sequence[Any]] = getattr(checking, verb)
    faults = [*work(root), *_shared(verb, config.serve, owner, root)]
    lines = [visible(str(fault)) for fault in faults] or ["all is well"]
    told = [
        {"mailbox": each.mailbox, "wrong": each.wrong, "mended_by_repair": each.mended}
        for each in faults
    ]
    terminal.output.document("".join(f"{line}\n" for line in lines), {"root": root, "faults": told})
    return 1 if faults else 0


def _place(arguments: Namespace, terminal: Terminal, config: Config) -> tuple[str, str]:
    """Give the owner of the mailboxes, and the directory that has them."""
    from referrald.store.maildir.naming import root_of
    from referrald.store.rightsfile import PUBLIC

    if arguments.public == (arguments.user is not None):
        raise Refused("name a user, or say --public")
    if arguments.public:
        if not config.serve.public_root:
            raise Refused("there are no public mailboxes: [serve] public_root says where")
        return PUBLIC, config.serve.public_root

    async def name(reactor: Any) -> str:
        async with running(config, reactor) as assembly:
            return known_name(assembly, arguments.user)

    owner: str = terminal.run(name)
    return owner, root_of(config.serve.root, owner)


def _shared(verb: str, serve: ServeSection, owner: str, root: str) -> Sequence[Any]:
    """List what is wrong with what is shared, once rights are removed that are for nothing."""
    from referrald.store.maildir import checking
    from referrald.store.rightsfile import RightsFile
    from referrald.store.sharedtrees import Prefixes

    if not os.path.exists(serve.rights):
        return ()
    table = RightsFile(serve.rights)
    if verb != "check":
        checking.drop_rights(root, owner, table)
    prefixes = Prefixes(public=serve.public, others=serve.others)
    return checking.check_shared(root, owner, table, prefixes)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "user", metavar="USER", nargs="?", help="the name as a client would send it"
    )
    parser.add_argument("--public", action="store_true", help="the public mailboxes, of no user")


def _verb(name: str, help: str) -> StoreVerb:
    return StoreVerb(name=name, help=help, add_arguments=_arguments, run=partial(_look, name))


CHECK = _verb("check", "List what is wrong with the mail of a user on disk, and change nothing")
REPAIR = _verb("repair", "Put right what can be, and list what is wrong then")
REINDEX = _verb(
    "reindex", "Make the index anew from the files; clients have to fetch their lists again"
)
VERBS = (CHECK, REPAIR, REINDEX)
