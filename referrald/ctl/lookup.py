"""Show where a user lives and what a login would get.

Asks the backends as the server does and prints the decision, the URL that the client would be sent,
the backend that said so, and how long the answer is kept. The user need not log in. The backends
are asked anew by this process: what the running server has in its cache is not seen, and the age
that is shown is that of the answer in this process.

Exits with 1 when the login would be refused.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from referrald.config.settings import Config
from referrald.ctl.assembly import Found, running
from referrald.ctl.loading import load_config
from referrald.ctl.output import Seconds
from referrald.ctl.terminal import Refused, Terminal
from referrald.errors import Unavailable
from referrald.model import Decision, Home, Login, Refer, Refuse


def add_arguments(parser: ArgumentParser) -> None:
    """Add the user and how the user would come."""
    parser.add_argument("user", metavar="USER", help="the name as a client would send it")
    secure = parser.add_mutually_exclusive_group()
    secure.add_argument(
        "--secure",
        dest="secure",
        action="store_true",
        default=True,
        help="as for a client that came with TLS (the default)",
    )
    secure.add_argument(
        "--clear",
        dest="secure",
        action="store_false",
        help="as for a client that came without TLS",
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print what a login would get."""
    config = load_config(arguments, terminal)

    async def work(reactor: Any) -> tuple[Decision, dict[str, Any]]:
        return await look_up(config, reactor, arguments.user, arguments.secure)

    decision, fields = terminal.run(work)
    terminal.output.record(fields)
    return 1 if isinstance(decision, Refuse) else 0


async def look_up(
    config: Config, reactor: Any, user: str, secure: bool
) -> tuple[Decision, dict[str, Any]]:
    """Ask the backends; gives the decision and what there is to show."""
    async with running(config, reactor) as assembly:
        try:
            name = assembly.authenticator.normalise(user)
        except ValueError as error:
            raise Refused(f"no user can have that name: {error}") from error
        login = Login(user=name, secure=secure)
        try:
            source = _source(config, await assembly.directory.explain(login))
        except Unavailable:
            source = {}  # the decision will say why
        decision = await assembly.router.route(login)
        return decision, {"user": name, **_decision(decision), **source}


def _decision(decision: Decision) -> dict[str, Any]:
    """Show an outcome."""
    fields: dict[str, Any] = {"decision": decision.outcome}
    if isinstance(decision, Refer):
        fields["url"] = decision.url
        fields["authenticated"] = decision.authenticated or None
    elif isinstance(decision, Refuse):
        fields |= {"code": decision.code, "text": decision.text, "cause": decision.cause or None}
    return fields


def _source(config: Config, found: Found) -> dict[str, Any]:
    """Show who knew the user, and since when."""
    return {
        "backend": found.source or None,
        **_home(found.home),
        "cached": found.cached,
        "age": None if found.age is None else Seconds(found.age),
        "stale": found.stale or None,
        "ttl": Seconds(_kept(config, found.home)),
    }


def _home(home: Home | None) -> dict[str, Any]:
    """Show what the backend said."""
    if home is None:
        return {"home": "unknown"}
    servers = [f"{server} ({server.security.value})" for server in home.servers]
    return {"home": servers or "here", "user there": home.user, "closed": home.closed}


def _kept(config: Config, home: Home | None) -> float:
    """Give how long an answer is kept."""
    if home is None:
        return config.directory.cache_missing
    return config.directory.cache_found if home.ttl is None else home.ttl
