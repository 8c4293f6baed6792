"""A user's account in the store, as the verbs about stores need it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from referrald.config.settings import Config
from referrald.ctl.assembly import Assembled, running
from referrald.ctl.loading import load_config
from referrald.ctl.lookup import known_name
from referrald.ctl.terminal import Refused, Terminal
from referrald.interfaces import ILifecycle
from referrald.model import Login, Refuse

NOT_KEPT: Final = {
    "none": "no mailboxes are kept here",
    "memory": "it ends with its process, so nothing can be put into it from here",
}


@attrs.frozen(kw_only=True)
class StoreVerb:
    """One thing that can be done with a store."""

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int]


def with_account(
    arguments: Namespace, terminal: Terminal, work: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Give the result of ``work`` on the account of the user that the command line names."""
    config = load_config(arguments, terminal)
    why = NOT_KEPT.get(config.serve.store)
    if why is not None:
        raise Refused(f'[serve] store is "{config.serve.store}": {why}')

    async def working(reactor: Any) -> Any:
        async with opened(config, reactor, arguments.user) as account:
            return await work(account)

    return terminal.run(working)


def own_part(account: Any) -> Any:
    """Give the account without what others share with the user."""
    return getattr(account, "own", account)


@asynccontextmanager
async def opened(config: Config, reactor: Any, user: str) -> AsyncIterator[Any]:
    """Give the account of a user that somebody knows; raises `Refused` for others."""
    async with running(config, reactor) as assembly:
        name = known_name(assembly, user)
        await _check_known(assembly, name)
    store = make_store(config)
    lifecycle = ILifecycle(store, None)
    if lifecycle is not None:
        await lifecycle.start()
    try:
        yield await store.account(name)
    finally:
        if lifecycle is not None:
            await lifecycle.stop()


def make_store(config: Config) -> Any:
    """Make the store of a configuration, for this process alone."""
    # Here, because it brings in every store, which most verbs do without.
    from referrald.storing import store_for

    return store_for(config.serve, None)


async def _check_known(assembly: Assembled, user: str) -> None:
    """Keep an account from being made for a name that was mistyped."""
    login = Login(user=user, secure=True)
    if (await assembly.directory.explain(login)).home is not None:
        return
    decision = await assembly.router.route(login)
    if isinstance(decision, Refuse):
        raise Refused(f"{user} has no mail here: {decision.cause or decision.text}")
