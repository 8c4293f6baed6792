"""Reads the file of a ``table`` backend, and the list of users that it may name."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from referrald.backends import homes
from referrald.backends.draft import Draft, checked_name
from referrald.backends.homespec import Faults, HomeReader, Spec
from referrald.backends.image import DOMAIN, USER
from referrald.backends.mailboxsection import MailboxSection
from referrald.backends.places import Places
from referrald.backends.servers import Wrong, did_you_mean, host_name, make_server, show
from referrald.backends.serverwords import HERE
from referrald.backends.usersfile import UsersFile
from referrald.model import Security, Server

SECTIONS = ("servers", "users", "users_file", "domains", "patterns", "default", "mailboxes")
SERVER_KEYS = ("host", "port", "security", "weight")
HEAVIEST = 1000

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def compile_table(options: Mapping[str, Any], draft: Draft) -> None:
    """Turn the file into records: users and domains; all else becomes notes."""
    path = options["file"]
    text = _read(draft, path)
    document = None if text is None else _parse(draft, path, text)
    if text is None or document is None:
        return
    reader = TableReader(draft, path, text, lowercase=bool(options["lowercase"]))
    reader.read(document)
    draft.finish(reader.notes, path, reader.lines_in)


def _read(draft: Draft, path: str) -> str | None:
    file = draft.open(path, path, "file")
    if file is None:
        return None
    with file:
        try:
            data = file.read()
        except OSError as error:
            draft.wrong(path, "file", f"cannot be read: {error.strerror}")
            return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        draft.wrong(f"{path}:{line}", "syntax", "not UTF-8", "save the file as UTF-8")
        return None


def _parse(draft: Draft, path: str, text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except RecursionError:
        draft.wrong(path, "syntax", "nested too deeply")
    except ValueError as error:
        match = _AT_LINE.search(str(error))
        where = f"{path}:{match[1]}" if match else path
        draft.wrong(where, "syntax", show(_AT_LINE.sub("", str(error))))
    return None


class TableReader:
    """Goes through a parsed document and notes everything that is wrong with it."""

    def __init__(self, draft: Draft, path: str, text: str, *, lowercase: bool) -> None:
        self.notes: dict[str, Any] = {"rules": {}}
        self.lines_in = path
        self._draft = draft
        self._path = path
        self._text = text
        self._places: Places | None = None
        self._lowercase = lowercase
        self._homes = HomeReader({})

    def read(self, document: dict[str, Any]) -> None:
        """Read every section."""
        for key in document:
            if key not in SECTIONS:
                self._wrong("", key, Wrong("there is no such key", did_you_mean(key, SECTIONS)))
        self._homes = HomeReader(self._servers(self._table(document, "servers")))
        for name, value in self._table(document, "users").items():
            self._entry(USER, "users", name, value)
        self._users_file(document.get("users_file"))
        for name, value in self._table(document, "domains").items():
            self._entry(DOMAIN, "domains", name, value)
        self.notes["rules"]["patterns"] = list(self._patterns(document.get("patterns", [])))
        self._default(document.get("default"))
        self._mailboxes(document.get("mailboxes"))

    def _wrong(self, table: str, key: str, error: Wrong) -> None:
        """Note a problem with a key of a table."""
        if self._places is None:
            self._places = Places(self._text)
        line = self._places.line(table, key)
        where = self._path if line is None else f"{self._path}:{line}"
        shown = key if _BARE.fullmatch(key) or not table else f'"{key}"'
        full = ".".join(filter(None, (table, shown if key else "")))
        self._draft.wrong(where, full, error.wrong, error.right)

    def _table(self, document: dict[str, Any], name: str) -> dict[str, Any]:
        table = document.get(name, {})
        if isinstance(table, dict):
            return table
        self._wrong("", name, Wrong("is not a table", f"write [{name}] above its lines"))
        return {}

    def _servers(self, table: dict[str, Any]) -> dict[str, Server]:
        servers: dict[str, Server] = {}
        for name, value in table.items():
            try:
                if name == HERE or not _NAME.fullmatch(name):
                    raise Wrong("cannot be the name of a server", "letters, digits, . _ -")
                if not isinstance(value, dict):
                    raise Wrong("is not a table", 'such as { host = "imap.example.org" }')
            except Wrong as error:
                self._wrong("servers", name, error)
                continue
            server = self._server(f"servers.{name}", value)
            # A server that is wrong still has its name, so that its users are not wrong as well.
            servers[name] = server or Server(host=name)
        return servers

    def _server(self, table: str, value: dict[str, Any]) -> Server | None:
        before = len(self._draft.problems)
        for key in value:
            if key not in SERVER_KEYS:
                self._wrong(
                    table, key, Wrong("there is no such key", did_you_mean(key, SERVER_KEYS))
                )
        found: dict[str, Any] = {}
        for key, read in (
            ("host", _host), ("port", _port), ("security", _security), ("weight", _weight),
        ):  # fmt: skip
            try:
                found[key] = read(value.get(key))
            except Wrong as error:
                self._wrong(table, key, error)
        if len(self._draft.problems) > before:
            return None
        return make_server(**found)

    def _entry(self, space: bytes, table: str, name: str, value: object) -> None:
        try:
            key = self._key(space, name)
        except Wrong as error:
            self._wrong(table, name, error)
            return
        spec = self._spec(table, name, value)
        if spec is not None:
            self._add(space, key, spec, 0)

    def _key(self, space: bytes, name: str) -> bytes:
        if space == DOMAIN and "@" in name:
            raise Wrong("has an @ in it", "write the domain alone")
        return checked_name(name.lower() if self._lowercase or space == DOMAIN else name)

    def _spec(self, table: str, key: str, value: object) -> Spec | None:
        try:
            return self._homes.read(value)
        except Faults as error:
            for below, fault in error.faults:
                inner = f"{below}: {fault.wrong}" if below else fault.wrong
                self._wrong(table, key, Wrong(inner, fault.right))
            return None

    def _add(self, space: bytes, key: bytes, spec: Spec, line: int) -> None:
        writer = self._draft.writer
        writer.add(
            space,
            key,
            writer.home(spec.home),
            line=line,
            user=None if spec.user is None else spec.user.encode(),
            is_template=spec.is_template,
        )

    def _patterns(self, entries: object) -> Any:
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            self._wrong("", "patterns", Wrong("is not a list of tables", "write [[patterns]]"))
            return
        for number, entry in enumerate(entries, 1):
            table = f"patterns #{number}"
            for key in entry:
                if key not in ("match", "home"):
                    self._wrong(table, key, Wrong("there is no such key", "match and home"))
            globs = entry.get("match")
            for glob in globs if isinstance(globs, list) and globs else [globs]:
                if not isinstance(glob, str) or not glob:
                    self._wrong(table, "match", Wrong("is not a pattern", 'such as "*.student"'))
            rule = self._rule(table, entry)
            if rule is not None:
                yield [self._globs(globs), rule]

    def _globs(self, globs: object) -> list[str]:
        words = [str(glob) for glob in (globs if isinstance(globs, list) else [globs])]
        return [word.lower() for word in words] if self._lowercase else words

    def _default(self, entry: object) -> None:
        if entry is None:
            return
        if not isinstance(entry, dict):
            self._wrong("", "default", Wrong("is not a table", "write [default] above home ="))
            return
        for key in entry:
            if key != "home":
                self._wrong("default", key, Wrong("there is no such key", "home"))
        self.notes["rules"]["default"] = self._rule("default", entry)

    def _rule(self, table: str, entry: dict[str, Any]) -> list[Any] | None:
        """Read the home of a pattern or of the default, in a form that JSON has."""
        if "home" not in entry:
            self._wrong(table, "home", Wrong("is missing", 'such as home = "here"'))
            return None
        spec = self._spec(table, "home", entry["home"])
        if spec is None:
            return None
        self._draft.writer.home(spec.home)
        return [homes.encode(spec.home).decode(), spec.user, spec.is_template]

    def _mailboxes(self, entries: object) -> None:
        if entries is None:
            return
        section = MailboxSection(self._homes, self._folded, self._wrong)
        self.notes["rules"]["mailboxes"] = section.read(entries)
        self._draft.writer.servers.update(section.servers)

    def _folded(self, user: str) -> str:
        return user.lower() if self._lowercase else user

    def _users_file(self, name: object) -> None:
        if name is None:
            return
        if not isinstance(name, str) or not name or "\0" in name:
            self._wrong("", "users_file", Wrong("is not a path", 'such as "users.tsv"'))
            return
        self.lines_in = os.path.normpath(os.path.join(os.path.dirname(self._path), name))
        users = UsersFile(self._draft, self.lines_in, self._homes)
        for number, user, spec in users.read(self._path):
            try:
                self._add(USER, self._key(USER, user), spec, number)
            except Wrong as error:
                users.wrong(number, user, error)


def _host(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong("is missing" if value is None else "is not text", 'such as "imap.example.org"')
    return host_name(value)


def _port(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise Wrong("is not a port", "a number from 1 to 65535")
    return value


def _weight(value: object) -> int:
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= HEAVIEST:
        raise Wrong("is not a weight", f"a number from 1 to {HEAVIEST}")
    return value


def _security(value: object) -> Security | None:
    if value is None:
        return None
    try:
        return Security(value)
    except ValueError:
        raise Wrong("is not a choice", 'one of "starttls", "tls", "none"') from None
