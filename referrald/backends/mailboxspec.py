"""One entry of ``[[mailboxes]]``: from TOML to a form that JSON has, or all that is wrong with it.

What comes out is what `referrald.backends.mailboxrules` reads from the notes of an image. Keys that
have their defaults are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import attrs

from referrald.backends.homes import encode_server
from referrald.backends.homespec import (
    Faults,
    read_auth,
    read_boolean,
    read_text,
    read_ttl,
    read_user,
)
from referrald.backends.mailboxnames import (
    DELIMITER,
    LONGEST_NAME,
    Kind,
    Match,
    checked_mailbox,
    checked_template,
    checked_there,
    is_pattern,
    read_match,
)
from referrald.backends.servers import Wrong, did_you_mean, show
from referrald.backends.serverwords import HERE
from referrald.model import Server

KEYS = (
    "match", "server", "replicas", "name", "delimiter", "user", "auth", "for", "attributes",
    "subscribed", "moving", "folders", "selectable", "ttl",
)  # fmt: skip
REPLICA_KEYS = ("server", "name", "delimiter", "user", "auth")
FOLDER_KEYS = ("name", "attributes", "subscribed")
NOSELECT = "\\Noselect"
DEFAULTS: Mapping[str, Any] = {
    "replicas": [], "moving": False, "ttl": None, "for": None, "attributes": [],
    "subscribed": False, "folders": [],
}  # fmt: skip

_ATTRIBUTE = re.compile(r"\\[A-Za-z][A-Za-z0-9-]{0,60}")
_COMPUTED = {"\\haschildren", "\\hasnochildren", "\\remote", "\\subscribed", "\\nonexistent"}

Fault = tuple[str, Wrong]


@attrs.frozen
class Place:
    """What an entry says of the server part: the servers, and what goes with each.

    name: as the file has it; None for the same name. user: with whether it is a template.
    delimiter: what stands between levels there.
    """

    servers: tuple[Server, ...]
    name: str | None = None
    delimiter: str = DELIMITER
    user: tuple[str | None, bool] = (None, False)
    auth: str = "*"

    def replicas(self) -> list[list[Any]]:
        """Write one replica for each server."""
        rest = [self.delimiter] if self.delimiter != DELIMITER else []
        each_has = [self.name, *self.user, self.auth, *rest]
        return [[encode_server(server), *each_has] for server in self.servers]


class ServerReader(Protocol):
    """Knows how servers are written."""

    def servers(self, value: object) -> tuple[Server, ...]:
        """Read a server or a list of them, none for ``here``; raises `Wrong`."""
        ...


class MailboxReader:
    """Reads entries.

    fold: makes of a name of a user what is compared with.
    """

    def __init__(self, homes: ServerReader, fold: Callable[[str], str]) -> None:
        self._homes = homes
        self._fold = fold

    def read(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Give what an entry says; raises `Faults` with all that is wrong."""
        faults: list[Fault] = [*_unknown(entry, KEYS)]
        match = self._match(entry, faults)
        found = dict(self._plain(entry, faults))
        kind: Kind = match.kind if match is not None else "subtree"
        replicas = found["replicas"] = self._replicas(entry, kind, faults)
        folders = list(_folders(entry.get("folders", []), match, faults))
        if match is not None:
            faults += _unsayable(match, [name for name, *_ in folders], replicas)
        faults += _contradictions(entry, match)
        if faults or match is None:
            raise Faults(faults)
        attributes = found.pop("attributes", [])
        if not found.pop("selectable", True):
            attributes = [*attributes, NOSELECT]
        said = {**found, "attributes": attributes, "folders": folders}
        kept = {key: value for key, value in said.items() if value != DEFAULTS[key]}
        return {"kind": match.kind, "at": match.name, **kept}

    def _match(self, entry: Mapping[str, Any], faults: list[Fault]) -> Match | None:
        value = entry.get("match")
        try:
            if not isinstance(value, str):
                wrong = "is missing" if value is None else "is not text"
                raise Wrong(wrong, 'such as "#shared/", or "Team/Plans"')
            return read_match(value)
        except Wrong as error:
            faults.append(("match", error))
            return None

    def _plain(self, entry: Mapping[str, Any], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
        """Read the keys that do not depend on others."""
        readers: dict[str, Callable[[Any], Any]] = {
            "for": self._audience,
            "attributes": _attributes,
            "subscribed": read_boolean,
            "moving": read_boolean,
            "selectable": read_boolean,
            "ttl": read_ttl,
        }
        for key, reader in readers.items():
            if key in entry:
                try:
                    yield key, reader(entry[key])
                except Wrong as error:
                    faults.append((key, error))

    def _audience(self, value: object) -> list[str]:
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) and word for word in words):
            raise Wrong("is not a list of users", 'such as ["alice", "*@example.org"]')
        return sorted({self._fold(read_text(word)) for word in words})

    def _replicas(
        self, entry: Mapping[str, Any], kind: Kind, faults: list[Fault]
    ) -> list[list[Any]]:
        if "replicas" not in entry:
            place = self._place(entry, kind, faults)
            return [] if place is None else place.replicas()
        value = entry["replicas"]
        if not isinstance(value, list) or not value or not all(isinstance(x, dict) for x in value):
            wrong = Wrong("is not a list of tables", 'such as [{ server = "b" }, { server = "c" }]')
            faults.append(("replicas", wrong))
            return []
        found: list[list[Any]] = []
        for number, each in enumerate(value, 1):
            inner: list[Fault] = [*_unknown(each, REPLICA_KEYS)]
            if each.get("server") in (None, HERE):
                inner.append(("server", Wrong("is no other server", "one of [servers]")))
            place = self._place(each, kind, inner)
            found += [] if place is None else place.replicas()
            faults += [("replicas", _below(f"{number}.{key}", wrong)) for key, wrong in inner]
        places = [(*replica[0], replica[1], replica[2]) for replica in found]
        if len(set(places)) < len(places):
            faults.append(("replicas", Wrong("has a place twice", "name each once")))
        return found

    def _place(self, table: Mapping[str, Any], kind: Kind, faults: list[Fault]) -> Place | None:
        delimiter = table.get("delimiter", DELIMITER)
        usable = delimiter if _is_delimiter(delimiter) else DELIMITER
        readers: dict[str, Callable[[Any], Any]] = {
            "server": self._servers,
            "name": lambda value: _name_there(value, kind, usable),
            "delimiter": _delimiter,
            "user": lambda value: read_user(read_text(value)),
            "auth": read_auth,
        }
        found: dict[str, Any] = {}
        before = len(faults)
        for key, reader in readers.items():
            if key in table:
                try:
                    found[key] = reader(table[key])
                except Wrong as error:
                    faults.append((key, error))
        if len(faults) > before or "server" not in found:
            return None
        return Place(found.pop("server"), **found)

    def _servers(self, value: object) -> tuple[Server, ...]:
        words = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) for word in words):
            raise Wrong("is not a server", '"here", a server or a list of servers')
        return self._homes.servers(value)


def _below(key: str, error: Wrong) -> Wrong:
    return Wrong(f"{key}: {error.wrong}", error.right)


def _unknown(table: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Fault]:
    for key in table:
        if key not in keys:
            yield key, Wrong("there is no such key", did_you_mean(key, keys))


def _is_delimiter(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1 and value.isascii() and value.isprintable()


def _delimiter(value: Any) -> str:
    if not _is_delimiter(value) or value in '*%"':
        raise Wrong("is not a delimiter", 'one character, such as "."')
    return str(value)


def _name_there(value: object, kind: Kind, delimiter: str) -> str:
    """Read ``name``: a name, for a subtree what takes the place of ``match``, or a template.

    What names that server has is its own affair: one may begin with the delimiter.
    """
    text = read_text(value, LONGEST_NAME)
    if kind == "pattern":
        return checked_template(text)
    if "%m" in text:
        raise Wrong("%m is for patterns only", "write the name as it is there")
    if kind == "name":
        return checked_there(text)
    if not text.endswith(delimiter) or text == delimiter:
        raise Wrong(f'"{show(text)}" does not end in {delimiter}', f'such as "Public{delimiter}"')
    return checked_there(text[:-1]) + delimiter


def _unsayable(match: Match, folders: list[str], replicas: list[list[Any]]) -> Iterator[Fault]:
    """Note levels that have the delimiter of their server in them, which would split them."""
    for delimiter in {replica[5] for replica in replicas if len(replica) > 5}:
        same_name = any(replica[1] is None for replica in replicas)
        if same_name and match.kind != "pattern" and delimiter in match.name:
            wrong = f'"{show(match.name)}" has {delimiter} in it, which divides levels there'
            yield "match", Wrong(wrong, "give it another name there")
        for name in folders:
            if delimiter in name:
                wrong = f'"{show(name)}" has {delimiter} in it, which divides levels there'
                yield "folders", Wrong(wrong, "leave it out")


def _attributes(value: object) -> list[str]:
    found: list[str] = []
    for word in value if isinstance(value, list) else [value]:
        if not isinstance(word, str) or not _ATTRIBUTE.fullmatch(word):
            raise Wrong("is not a list of attributes", 'such as ["\\\\Sent"]')
        if word.lower() in _COMPUTED:
            raise Wrong(f"{word} is found out by the server itself", "leave it out")
        if word.lower() in {each.lower() for each in found}:
            raise Wrong(f"{word} is there twice", "name each once")
        found.append(word)
    return found


def _folders(value: object, match: Match | None, faults: list[Fault]) -> Iterator[list[Any]]:
    """Read the names below a subtree: each becomes a name, its attributes, if it is subscribed."""
    if not isinstance(value, list):
        faults.append(("folders", Wrong("is not a list", 'such as ["Minutes", "Minutes/2026"]')))
        return
    seen: set[str] = set()
    for number, each in enumerate(value, 1):
        try:
            name, *rest = _folder(each, match)
            if name in seen:
                raise Wrong(f'"{show(name)}" is there twice', "remove one of them")
            seen.add(name)
            yield [name, *rest]
        except Wrong as error:
            faults.append(("folders", _below(str(number), error)))


def _folder(value: object, match: Match | None) -> list[Any]:
    table = {"name": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise Wrong("is not a folder", 'a name, or a table such as { name = "Plans" }')
    for key, error in _unknown(table, FOLDER_KEYS):
        raise _below(key, error)
    name = table.get("name")
    if not isinstance(name, str):
        raise Wrong("has no name", 'such as { name = "Plans", subscribed = true }')
    if is_pattern(name):
        raise Wrong(f'"{show(name)}" is a pattern', "folders are names")
    checked_mailbox(name)
    if match is not None:
        checked_mailbox(match.name + DELIMITER + name)
    attributes = _attributes(table.get("attributes", []))
    return [name, attributes, read_boolean(table.get("subscribed", False))]


def _contradictions(entry: Mapping[str, Any], match: Match | None) -> Iterator[Fault]:
    """Say which keys do not go together."""
    servers = [key for key in ("server", "replicas") if key in entry]
    here = entry.get("server") == HERE
    if len(servers) == 2:
        yield "replicas", Wrong("and server are both there", "one of the two")
    if not servers and not entry.get("moving"):
        yield "server", Wrong("is missing", '"here", a server, or a list of servers')
    if here and entry.get("moving"):
        yield "moving", Wrong("means nothing for what is here", "leave out one of the two")
    for key in ("name", "delimiter", "user", "auth"):
        if key in entry and "replicas" in entry:
            yield key, Wrong("means nothing beside replicas", "write it in each of them")
        elif key in entry and (here or not servers):
            yield key, Wrong("means nothing without another server", "leave it out")
    for key in ("attributes", "subscribed", "folders", "selectable"):
        if key in entry and here:
            yield key, Wrong("means nothing for what is here", "leave it out")
    yield from _out_of_place(entry, match)


def _out_of_place(entry: Mapping[str, Any], match: Match | None) -> Iterator[Fault]:
    """Say which keys are for another kind of ``match``."""
    if match is None or match.kind == "subtree":
        return
    for key in ("folders", "selectable"):
        if key in entry:
            yield key, Wrong("is for a subtree only", f'end match with "{DELIMITER}"')
    for key in ("attributes", "subscribed"):
        if key in entry and match.kind == "pattern":
            yield key, Wrong("means nothing for a pattern", "no list names what fits a pattern")
