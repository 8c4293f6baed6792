"""Backends, credential checkers and extensions: the parts that other people's code is asked about.

Such code may raise anything; here that becomes a problem with a place, never a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import (
    InvalidAuthType,
    findCheckerFactories,
    makeChecker,
)

from referrald.config import plugins
from referrald.config.checks import Addresses, leads_home
from referrald.config.document import Table
from referrald.config.report import Place, read_options, refuse_unknown
from referrald.config.settings import BackendSettings, folded_host
from referrald.config.values import Wrong, did_you_mean, one_line
from referrald.interfaces import IBearerToken, ICheckingFactory, IClientCertificate
from referrald.model import Security

# What a client can present that a checker may be asked about.
CREDENTIALS = (IUsernamePassword, IBearerToken, IClientCertificate)


def read_backend(table: Table, base: str) -> BackendSettings | None:
    """Find the type of a ``[[backend]]``, check its keys by it, and let it look at them itself."""
    place, before = table.place, len(table.place.report.problems)
    if "type" not in table.values:
        return None
    type_ = table.values["type"]
    try:
        factory = plugins.backend_factory(type_)
    except Wrong as error:
        place.wrong("type", error.wrong, error.right)
        return None
    options = read_options(place, tuple(factory.options), table.more, base)
    known = [option.name for option in (*place.section.options, *factory.options)]
    refuse_unknown(place, known, table.more)
    if len(place.report.problems) == before:
        _ask(place, "check", ICheckingFactory(factory, None), options)
    return BackendSettings(
        **table.values | {"name": table.values["name"] or type_},
        options=options,
        factory=factory,
    )


def _ask(place: Place, method: str, factory: Any, options: dict[str, Any]) -> list[Any] | None:
    """Call a method of a factory that gives problems (or servers); whatever it raises is one.

    None says that the factory cannot tell.
    """
    call: Callable[[dict[str, Any]], Any] | None = getattr(factory, method, None)
    if call is None:
        return None
    try:
        given = call(options)
        answer = None if given is None else list(given)
    except Exception as error:  # noqa: BLE001 - a plugin's code, which may raise anything
        place.wrong("type", f"its {method} failed: {type(error).__name__}: {one_line(error)}")
        return None
    if method == "check":
        place.report.problems += answer or ()
    return answer


def check_targets(place: Place, backend: BackendSettings, own: Addresses) -> None:
    """Note homes that are this server itself: a referral to one would come back for ever."""
    for server in _ask(place, "targets", backend.factory, dict(backend.options)) or ():
        if leads_home(server, own):
            place.wrong(
                "home",
                f'"{server}" is this server itself, so that a referral would be a loop',
                "name the server where the mail is, or make the home local",
            )
        elif ":" in server.host:
            place.wrong(
                "home",
                f'"{server.host}" is an IPv6 address, which no referral can carry',
                "give the server a name",
            )


def check_asked(place: Place, backends: Sequence[tuple[Place, BackendSettings]]) -> None:
    """Note that home servers are to be asked where no backend names one.

    place: the section ``auth``. A backend that cannot say what it names may name some.
    """
    for its, backend in backends:
        if _ask(its, "targets", backend.factory, dict(backend.options)) != []:
            return
    place.wrong("home", "no backend names a home server to ask", "name one in a [[backend]]")


def check_asked_in_the_clear(
    place: Place, backend: BackendSettings, allow_clear: Sequence[str]
) -> None:
    """Note homes where no password may be tried, because they have no TLS."""
    for server in _ask(place, "targets", backend.factory, dict(backend.options)) or ():
        host = folded_host(server.host)
        allowed = any(fnmatchcase(host, pattern.lower()) for pattern in allow_clear)
        if server.security is Security.CLEAR and not allowed:
            place.wrong(
                "home",
                f'"{server}" has no TLS, so that no password is tried there',
                "name it in referral.allow_clear, or give it TLS",
            )


def check_checkers(place: Place, descriptions: tuple[str, ...]) -> set[Any]:
    """Try every ``twisted.cred`` string; gives the kinds of credentials that they take together.

    Messages name the type only: what follows the first colon may be a password.
    """
    kinds: set[Any] = set()
    for number, description in enumerate(descriptions, 1):
        type_ = description.partition(":")[0]
        name = f"checkers #{number}"
        try:
            checker = makeChecker(description)  # type: ignore[no-untyped-call]
        except InvalidAuthType:
            known = {factory.authType for factory in _checker_factories()}
            place.wrong(name, f'there is no checker type "{type_}"', did_you_mean(type_, known))
            continue
        except Exception as error:  # noqa: BLE001 - a plugin's code; its message may hold a password
            place.wrong(
                name,
                f'"{type_}" does not take what follows the colon ({type(error).__name__})',
                f"twistd referrald --help-auth-type {type_} shows the form",
            )
            continue
        usable = [kind for kind in checker.credentialInterfaces if kind in CREDENTIALS]
        if not usable:
            place.wrong(
                name, f'"{type_}" takes nothing that an IMAP client can present', "remove it"
            )
        kinds.update(usable)
    return kinds


def check_extensions(place: Place, names: tuple[str, ...]) -> None:
    """Note extensions that are not there or cannot be imported."""
    for name in names:
        try:
            plugins.extension(name)
        except Wrong as error:
            place.wrong("use", error.wrong, error.right)


def _checker_factories() -> list[Any]:
    return list(findCheckerFactories())  # type: ignore[no-untyped-call]
