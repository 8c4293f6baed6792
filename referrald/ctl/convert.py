"""Turn what another program knows of homes into files for this one.

Reads a file of Dovecot, its director, perdition, nginx's mail proxy or Cyrus, and writes it as csv
or json (for "referralctl home import"), as a table (the file of a backend of type table), or as a
section (a [[backend]] for the configuration). Without --output it is printed.

What cannot be taken over is told, one line for each: where it stands, what is wrong, what to do.
Then nothing is written, unless --skip says to leave all that out. Notes tell what is to be known of
the rest. With --dry-run nothing is written at all.

Exits with 1 when something was left out, or would be.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from referrald.ctl.origins import ORIGINS
from referrald.ctl.origins.found import Found, Wishes
from referrald.ctl.origins.writing import FORMS, Form, write
from referrald.ctl.output import visible
from referrald.ctl.terminal import Refused, Terminal
from referrald.model import Security

STANDARD = "-"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the origin, the file, and what the operator wishes."""
    origins = ", ".join(f"{name} ({origin.help})" for name, origin in ORIGINS.items())
    parser.add_argument("origin", metavar="ORIGIN", choices=[*ORIGINS], help=f"one of {origins}")
    parser.add_argument("path", metavar="FILE", help='"-" for standard input')
    parser.add_argument(
        "--to", choices=FORMS, help="what is written (default: what suits the origin)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where it is written")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what is left out")
    parser.add_argument("--skip", action="store_true", help="leave out what cannot be taken over")
    parser.add_argument(
        "--security",
        choices=[each.value for each in Security],
        help="how to reach servers of which the file does not say it (default: what fits the port)",
    )
    parser.add_argument(
        "--rename",
        metavar="OLD=NEW",
        type=_pair,
        action="append",
        default=[],
        help="write NEW for the host OLD, such as a name for an address",
    )
    parser.add_argument(
        "--names-there", action="store_true", help="popmap: a name before a host is the name there"
    )
    parser.add_argument(
        "--obey",
        action="store_true",
        help="dovecot: proxy means relay, nologin beside host means refer",
    )
    parser.add_argument(
        "--own-host", action="append", default=[], help="dovecot: proxy_maybe to it is here"
    )
    parser.add_argument(
        "--local", metavar="HOST", default="", help="cyrus: the server whose list it is"
    )
    parser.add_argument(
        "--delimiter", choices=(".", "/"), default=".", help="cyrus: of mailbox names (default: .)"
    )


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not old or not equals or not new:
        raise ArgumentTypeError("is not OLD=NEW")
    return old, new


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Read, tell, write."""
    origin = ORIGINS[arguments.origin]
    found = origin.read(_data(arguments.path, terminal), arguments.path, _wishes(arguments))
    form: Form = arguments.to or origin.form
    text = write(found, form)
    writes = not arguments.dry_run and (arguments.skip or not found.left_out)
    counted = arguments.dry_run or arguments.output not in (None, STANDARD)
    if not (counted and terminal.output.json):
        _tell(found, terminal)
    if writes:
        _put(text, arguments.output, terminal, form)
    if counted:
        terminal.output.record(_counted(found, form, writes, whole=terminal.output.json))
    if not writes and not arguments.dry_run:
        _refuse(found)
    return 1 if found.left_out else 0


def _refuse(found: Found) -> None:
    count = len(found.left_out) + found.omitted
    raise Refused(
        f"{count} things cannot be taken over, so nothing was written; --skip leaves them"
    )


def _data(path: str, terminal: Terminal) -> bytes:
    if path != STANDARD:
        return Path(path).read_bytes()
    # What other programs print need not be UTF-8.
    buffer: Any = getattr(terminal.input, "buffer", None)
    return terminal.input.read().encode() if buffer is None else bytes(buffer.read())


def _wishes(arguments: Namespace) -> Wishes:
    return Wishes(
        security=None if arguments.security is None else Security(arguments.security),
        renamed=dict(arguments.rename),
        local=arguments.local,
        own_hosts=tuple(arguments.own_host),
        names_there=arguments.names_there,
        obey=arguments.obey,
        delimiter=arguments.delimiter,
    )


def _tell(found: Found, terminal: Terminal) -> None:
    """Print, beside what is written, what is left out and what is to be known."""
    say = terminal.output.error_out.write
    for each in found.left_out:
        say(visible(f"left out: {each}") + "\n")
    if found.omitted:
        say(f"left out: {found.omitted} more\n")
    for each in found.notes:
        say(visible(f"note: {each}") + "\n")


def _counted(found: Found, form: Form, writes: bool, *, whole: bool) -> dict[str, Any]:
    """Give the numbers; ``whole`` for what is left out and to be known itself."""
    told = {"left_out": found.left_out, "notes": found.notes}
    return {
        "form": form,
        "users": len(found.homes),
        "patterns": len(found.rules),
        "mailboxes": len(found.mailboxes),
        **{
            name: list(map(attrs.asdict, each)) if whole else len(each)
            for name, each in told.items()
        },
        "more_left_out": found.omitted or None,
        "written": writes,
    }


def _put(text: str, path: str | None, terminal: Terminal, form: Form) -> None:
    if path in (None, STANDARD):
        terminal.output.out.write(text)
        return
    beside = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(beside)
    # A section may have a password in it.
    mode = 0o600 if form == "section" else 0o644
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(beside, str(path))
