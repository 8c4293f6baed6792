"""What was found in a file of another program, and what of it has no place here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from referrald.backends.draft import checked_name
from referrald.backends.homespec import Spec
from referrald.backends.servers import Wrong, make_server, port_number, show
from referrald.model import Home, Problem, Security, Server

SERVICES = {"imap": 143, "imap2": 143, "imap4": 143, "imaps": 993}
"""What `/etc/services` calls the ports of IMAP."""

PROBLEMS_KEPT = 10_000


@attrs.frozen(kw_only=True)
class Wishes:
    """What stands in no file, so that the operator has to say it.

    security: of servers that a file says nothing about; None for what fits the port.
    renamed: other names for hosts, such as names for addresses.
    local: the host of a Cyrus server, whose own list names no server for what is there.
    own_hosts: hosts that are this very server.
    names_there: a name before the host is the name to log in with there (perdition).
    obey: a file decides about referring and relaying (Dovecot).
    delimiter: what stands between the levels of mailbox names on the wire of the home servers.
    """

    security: Security | None = None
    renamed: Mapping[str, str] = {}
    local: str = ""
    own_hosts: tuple[str, ...] = ()
    names_there: bool = False
    obey: bool = False
    delimiter: str = "."

    def server(self, host: str, port: str = "", security: Security | None = None) -> Server:
        """Make a server of what a file says; raises `Wrong`."""
        number = SERVICES.get(port) or port_number(port) if port else None
        name = self.renamed.get(host, host)
        return make_server(name, number, security or self.security)

    def rename(self, servers: Sequence[Server]) -> tuple[Server, ...]:
        """Give servers the names that they shall have; raises `Wrong`."""
        return tuple(
            attrs.evolve(server, host=make_server(self.renamed[server.host]).host)
            if server.host in self.renamed
            else server
            for server in servers
        )


@attrs.frozen(kw_only=True)
class Rule:
    """A home for all whose names fit one of the globs."""

    globs: tuple[str, ...]
    spec: Spec


@attrs.frozen(kw_only=True)
class Section:
    """A ``[[backend]]`` section; ``remarks`` are written above it."""

    keys: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class Found:
    """Homes, rules, mailboxes and a section, with all that could not be taken over.

    left_out: what of the file is not in the result. notes: what to know about what is.
    """

    path: str
    homes: dict[str, Home] = attrs.field(factory=dict)
    rules: list[Rule] = attrs.field(factory=list)
    mailboxes: list[Mapping[str, Any]] = attrs.field(factory=list)
    section: Section | None = None
    left_out: list[Problem] = attrs.field(factory=list)
    notes: list[Problem] = attrs.field(factory=list)
    omitted: int = 0
    _lines: dict[str, int] = attrs.field(factory=dict)

    def add(self, line: int, user: str, home: Home) -> None:
        """Take a user; a name that nobody can have, or that came before, is left out."""
        try:
            checked_name(user)
            first = self._lines.setdefault(user.lower(), line)
            if first != line:
                raise Wrong(
                    f"is there twice, first in line {first}", "the first counts; remove one of them"
                )
        except Wrong as error:
            self.wrong(line, user, error)
            return
        self.homes[user] = home

    def wrong(self, line: int, key: str, error: Wrong) -> None:
        """Leave something out."""
        if len(self.left_out) >= PROBLEMS_KEPT:
            self.omitted += 1
            return
        self.left_out.append(
            Problem(
                where=self._where(line),
                key=show(key) or "line",
                wrong=error.wrong,
                right=error.right,
            )
        )

    def note(self, line: int, key: str, text: str, right: str = "") -> None:
        """Say what is to be known."""
        self.notes.append(Problem(where=self._where(line), key=key, wrong=text, right=right))

    def _where(self, line: int) -> str:
        return f"{self.path}:{line}" if line else self.path


def text_of(data: bytes) -> str:
    """Read a whole file; raises `Wrong` for one that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Wrong(f"line {line} is not UTF-8", "save the file as UTF-8") from None


def line_text(line: bytes) -> str:
    """Read a line; raises `Wrong` for one that is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Wrong("is not UTF-8", "save the file as UTF-8") from None
