"""Try a login and show the server's answer.

Asks for the user's password (or reads one line when the input is no terminal) and prints, word for
word, the line with which the server would answer a client that logs in over TLS. The login goes
through the same code as in the server, with the same checkers and backends, but in this process and
without a connection: no listener is used, and the login file of the server is not written.

Exits with 1 when the login is denied. A referral is no denial: the password was right.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from referrald.config.settings import Config
from referrald.ctl.assembly import running
from referrald.ctl.loading import load_config
from referrald.ctl.terminal import Refused, Terminal
from referrald.wire.response import astring

TAG = b"a1"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the user; a password on the command line could be read by others."""
    parser.add_argument("user", metavar="USER", help="the name as a client would send it")


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Ask, try, and print the answer."""
    config = load_config(arguments, terminal)
    password = terminal.password(f"Password of {arguments.user}: ")
    lines = login_lines(arguments.user, password)

    async def work(reactor: Any) -> bytes:
        return await answer(config, reactor, lines)

    line = terminal.run(work).decode("ascii", "backslashreplace")
    welcome = is_welcome(line)
    if terminal.output.json:
        terminal.output.record({"answer": line, "accepted": welcome})
    else:
        terminal.output.line(line)
    return 0 if welcome else 1


def login_lines(user: str, password: bytes) -> list[bytes]:
    """Give what a client sends to log in, without the line end."""
    try:
        arguments = astring(user.encode("utf-8", "surrogateescape")) + b" " + astring(password)
    except ValueError as error:
        raise Refused(f"that cannot be sent: {error}") from error
    return [TAG + b" LOGIN " + arguments]


async def answer(config: Config, reactor: Any, lines: list[bytes]) -> bytes:
    """Give the tagged answer to the first of ``lines``."""
    async with running(config, reactor) as assembly:
        transcript = await assembly.transcript(lines)
    for line in transcript.split(b"\r\n"):
        if line.startswith(TAG + b" "):
            return line
    return transcript.rstrip(b"\r\n").rpartition(b"\r\n")[2] or b"(no answer)"


def is_welcome(line: str) -> bool:
    """Tell whether the credentials were good: ``OK``, or a referral to the home server."""
    status = line.partition(" ")[2]
    return status.startswith(("OK ", "NO [REFERRAL "))
