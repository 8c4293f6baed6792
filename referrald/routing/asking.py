"""Ask one backend and see whether its answer can be used. Plugins are not trusted with anything."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import attrs

from referrald.errors import Unavailable
from referrald.model import Home, Login, Security, Server
from referrald.spreading import order_for


class Nonsense(Unavailable):
    """A backend answered, but with something that cannot be."""


async def ask(name: str, backend: Any, login: Login) -> Home | None:
    """Give the answer of a backend; raises `Unavailable`, and `Nonsense` for a wrong answer."""
    home = await answer("home", partial(backend.home, login))
    if home is None:
        return None
    if wrong := wrong_with(home):
        raise Nonsense(wrong)
    servers = order_for(login.user, home.servers) if home.spread else home.servers
    checked: Home = attrs.evolve(home, servers=servers, source=name)
    return checked


async def answer(method: str, call: Callable[[], Any]) -> Any:
    """Give what a method of a backend answers.

    Raises `Unavailable` for whatever it raises, and `Nonsense` when it cannot be awaited.
    """
    try:
        work = call()
        result = await work if isinstance(work, Awaitable) else None
    except Exception as error:  # a plugin may raise anything
        raise Unavailable(describe(error)) from error
    if not isinstance(work, Awaitable):
        raise Nonsense(f"{method}() gave {type(work).__name__}, which cannot be awaited")
    return result


def describe(error: BaseException) -> str:
    """Put an exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def wrong_with(home: Any) -> str:
    """Say what is wrong with a backend's answer; empty when nothing is.

    Whether a client may be sent there is not looked at: that is policy.
    """
    if not isinstance(home, Home):
        return f"an answer of type {type(home).__name__}"
    return next(_faults(home), "")


def _faults(home: Any) -> Iterator[str]:
    if isinstance(home.servers, tuple):
        for server in home.servers:
            yield from server_faults(server)
    else:
        yield f"servers of type {type(home.servers).__name__}"
    if home.user is not None and not is_text(home.user):
        yield "user is empty or no text"
    if not is_text(home.auth):
        yield "auth is empty or no text"
    if not isinstance(home.public_here, bool):
        yield "public_here is no boolean"
    if not isinstance(home.held, bool):
        yield "held is no boolean"
    if not isinstance(home.spread, bool):
        yield "spread is no boolean"
    if home.closed is not None and not isinstance(home.closed, str):
        yield "closed is no text"
    if home.ttl is not None and not is_time(home.ttl):
        yield "ttl is no time"


def server_faults(server: Any) -> Iterator[str]:
    """Say what is wrong with a server."""
    if not isinstance(server, Server):
        yield f"a server of type {type(server).__name__}"
        return
    port: Any = server.port
    security: Any = server.security
    weight: Any = server.weight
    if not is_text(server.host):
        yield "a server without a host"
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        yield "a server with an impossible port"
    if not isinstance(security, Security):
        yield "a server whose security is unknown"
    if not isinstance(weight, int) or isinstance(weight, bool) or weight < 1:
        yield "a server with an impossible weight"


def is_text(value: Any) -> bool:
    """Tell whether this is a text that is not empty."""
    return isinstance(value, str) and value != ""


def is_time(value: Any) -> bool:
    """Tell whether this can be a number of seconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and not math.isnan(value) and value >= 0
