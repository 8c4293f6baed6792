"""``twistd referrald``: options, and the service that they ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from twisted.application.service import IService
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from referrald.interfaces import IBearerToken, IClientCertificate
from referrald.model import Problem


class Options(usage.Options, AuthOptionMixin):
    """The command line. Everything else is in the configuration file."""

    supportedInterfaces = (IUsernamePassword, IBearerToken, IClientCertificate)

    synopsis = "[options]"
    longdesc = (
        "Run an IMAP front door: authenticate users, find their home server, and refer their "
        "clients there. Everything is in the configuration file, or try --demo."
    )
    optParameters = [
        ["config", "c", None, "The configuration file (TOML)."],
    ]
    optFlags = [
        ["demo", None, "Run a front door and a home server on loopback, without any files."],
    ]
    compData: Any = usage.Completions(  # type: ignore[no-untyped-call]
        optActions={"config": usage.CompleteFiles("*.toml")}  # type: ignore[no-untyped-call]
    )

    def postOptions(self) -> None:
        """Load and check the configuration; all problems are printed, and then it is over."""
        if self["demo"]:
            if self["config"]:
                _give_up([_problem("--demo", "takes no configuration", "leave out --config")])
            return
        if not self["config"]:
            _give_up([_problem("--config", "is missing", "name a file, or try --demo")])
        from referrald.config.load import load

        loaded = load(self["config"])
        if loaded.config is None:
            _give_up(loaded.problems)
        self["loaded"] = loaded.config


def _problem(key: str, wrong: str, right: str) -> Problem:
    return Problem(where="command line", key=key, wrong=wrong, right=right)


def _give_up(problems: Iterable[Problem]) -> None:
    """Print one line for each problem and leave: a usage error would print the whole help."""
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(1)


def makeService(options: Options) -> IService:
    """Make the service that the options ask for."""
    from twisted.internet import reactor

    checkers: list[Any] = list(options.get("credCheckers") or ())
    if options["demo"]:
        from referrald.demo import Demo

        return Demo(reactor)
    from referrald.service import FrontDoor

    return FrontDoor.from_file(options["config"], options["loaded"], reactor, checkers)
