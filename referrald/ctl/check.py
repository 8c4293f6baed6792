"""Check the configuration, and with --live the servers that it names.

Prints every problem of the configuration file and of the files that it points to, one on a line:
where it is, what is wrong, and what would be right. Nothing is started and nothing is changed, so
it can be run beside the server, before a reload.

With --live every server is called that a home or a remote mailbox can be on, as the backends list
them, or that a listener drains to: each once, twenty at a time. Prints a row for each: how it is
to be secured and how it was, the milliseconds, which capabilities there are that matter to
referrals, and who names it. JSON has the greeting and all capabilities as well. Without --user
nobody logs in anywhere. Certificates are checked as the relay does it, against "[relay] ca" or the
authorities of the system. The verdicts:

- "fine": it can be used. That it does not offer LOGIN-REFERRALS is no fault.
- "refers on": its greeting sends everyone to another server; a fault only where that is this server
  or is not allowed.
- "unreachable": no connection, no greeting, or not all of it in time.
- "no TLS": it has none, or that came to nothing, and it may not be used without.
- "certificate": it has expired, is for another name, is not signed by who is believed.
- "lacks": what IMAP needs, or the relay: a login with a password, AUTH=PLAIN for a master user.
- "lets everyone in": without a login (PREAUTH).
- "turns clients away": without saying where to.
- "is this server itself": a loop. It is not called.
- "not allowed by [referral]": "allowed" or "allow_clear" leaves it out. It is not called.

With --user a password is asked for (or one line is read when the input is no terminal), and sent to
each server of that user's home as the relay would; where that refers the way is followed, to
servers that "[referral] allowed" names.

Exits with 1 when there is any problem, or any verdict other than "fine" and "refers on".
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from referrald.config.load import load
from referrald.config.settings import Config
from referrald.ctl.assembly import running
from referrald.ctl.live import Live, Round
from referrald.ctl.terminal import Refused, Terminal
from referrald.ctl.trace import ask_credentials, positive_seconds


def add_arguments(parser: ArgumentParser) -> None:
    """Add the look at servers; never a password."""
    parser.add_argument(
        "--live", action="store_true", help="call every server that the configuration names"
    )
    parser.add_argument(
        "--user", metavar="USER", help="with --live: log in at this user's home as well"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=positive_seconds,
        default=10.0,
        help="with --live: how long each server may take (default: 10)",
    )


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Print the problems, and what there is to say of servers."""
    if arguments.user is not None and not arguments.live:
        raise Refused("--user is for --live: nobody logs in without it")
    loaded = load(arguments.file)
    if loaded.config is None or not arguments.live:
        terminal.output.problems(arguments.file, loaded.problems)
        return 1 if loaded.problems else 0
    live = _look(loaded.config, arguments, terminal)
    shown = {"file": arguments.file, "problems": []} | live.document()
    terminal.output.document(live.text(), shown)
    return 1 if live.faults else 0


def _look(config: Config, arguments: Namespace, terminal: Terminal) -> Live:
    user = arguments.user
    credentials = None if user is None else ask_credentials(terminal, user)

    async def work(reactor: Any) -> Live:
        async with running(config, reactor) as assembly:
            round_ = Round(reactor, config, assembly, arguments.timeout)
            return await round_.go(credentials)

    live: Live = terminal.run(work)
    return live
