"""A look at a user's mail as it lies on disk, and what can be put right."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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
    from referrald.store.maildir.naming import root_of

    config = load_config(arguments, terminal)
    if config.serve.store != "maildir":
        raise Refused(f'[serve] store is "{config.serve.store}": nothing is kept on disk')

    async def name(reactor: Any) -> str:
        async with running(config, reactor) as assembly:
            return known_name(assembly, arguments.user)

    root = root_of(config.serve.root, terminal.run(name))
    work: Callable[[str], Sequence[Any]] = getattr(checking, verb)
    faults = work(root)
    lines = [visible(str(fault)) for fault in faults] or ["all is well"]
    told = [
        {"mailbox": each.mailbox, "wrong": each.wrong, "mended_by_repair": each.mended}
        for each in faults
    ]
    terminal.output.document("".join(f"{line}\n" for line in lines), {"root": root, "faults": told})
    return 1 if faults else 0


def _verb(name: str, help: str) -> StoreVerb:
    return StoreVerb(
        name=name, help=help, add_arguments=lambda parser: None, run=partial(_look, name)
    )


CHECK = _verb("check", "List what is wrong with the mail of a user on disk, and change nothing")
REPAIR = _verb("repair", "Put right what can be, and list what is wrong then")
REINDEX = _verb(
    "reindex", "Make the index anew from the files; clients have to fetch their lists again"
)
