"""Make the hash of a password.

Asks for a password twice (or reads one line when the input is no terminal) and prints its hash in
the form that a passwd-file takes, with the scheme in front.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from referrald.auth.schemes import SCHEMES, SchemeError, make
from referrald.ctl.terminal import Refused, Terminal

# The best that this machine has is taken, in this order.
PREFERRED = ("BLF-CRYPT", "SHA512-CRYPT", "PBKDF2")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the scheme."""
    parser.add_argument(
        "-s",
        "--scheme",
        type=str.upper,
        help=f"the hash: {', '.join(PREFERRED)} (the first that this machine has), "
        "SCRAM-SHA-256 for logins that never send the password, or any of --list",
    )
    parser.add_argument("--list", action="store_true", help="list the schemes, and leave")


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Ask and print the hash."""
    if arguments.list:
        for name in available():
            terminal.output.line(name)
        return 0
    scheme = arguments.scheme or next(name for name in PREFERRED if name in available())
    password = terminal.password("Password: ", again="Once more: ")
    try:
        field = make(scheme, password)
    except SchemeError as error:
        raise Refused(str(error)) from error
    if terminal.output.json:
        terminal.output.record({"scheme": scheme, "hash": field})
    else:
        terminal.output.line(field)
    return 0


def available() -> list[str]:
    """Name the schemes that new passwords can be made with on this machine."""
    return [
        name for name, scheme in SCHEMES.items() if scheme.make is not None and not scheme.missing()
    ]
