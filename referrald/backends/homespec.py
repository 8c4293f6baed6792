"""What a table says about a user, domain or pattern: a word, a list of words, a small table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from referrald.backends.servers import Wrong, did_you_mean, plain_text, show
from referrald.backends.serverwords import HERE, read_server
from referrald.backends.variables import expand, is_template
from referrald.model import Home, How, Server

KEYS = ("server", "user", "auth", "public_here", "login", "spread", "closed", "held", "ttl")
FORM = '"here", a server, a list of servers, or a table with ' + ", ".join(KEYS)
LOGINS: tuple[How, ...] = ("refer", "relay", "auto")
LONGEST_TEXT = 1_000
WORDS_KEPT = 10_000

_MECHANISM = re.compile(r"\*|[A-Za-z0-9_-]{1,20}")


@attrs.frozen(kw_only=True)
class Spec:
    """A home, and the name to use there: None for the same, else maybe with variables."""

    home: Home
    user: str | None = None
    is_template: bool = False


class Faults(ValueError):
    """All that is wrong with one home: pairs of a key below it (or nothing) and what is wrong."""

    def __init__(self, faults: Iterable[tuple[str, Wrong]]) -> None:
        super().__init__("a home that cannot be used")
        self.faults = tuple(faults)


class HomeReader:
    """Reads homes; knows the servers that have a name."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = servers
        self._known: dict[str, Spec] = {}

    def read(self, value: object) -> Spec:
        """Read a home as TOML gives it; raises `Faults`."""
        if isinstance(value, dict):
            return self._table(value)
        known = self._known.get(value) if isinstance(value, str) else None
        if known is not None:
            return known
        try:
            spec = Spec(home=Home(servers=self.servers(value)))
        except Wrong as error:
            raise Faults([("", error)]) from None
        if isinstance(value, str) and len(self._known) < WORDS_KEPT:
            self._known[value] = spec
        return spec

    def servers(self, value: object) -> tuple[Server, ...]:
        """Read one server, or several in order of preference; ``here`` is none. Raises `Wrong`."""
        if value == HERE:
            return ()
        words: list[Any] = value if isinstance(value, list) else [value]
        if not words or not all(isinstance(word, str) for word in words):
            raise Wrong("is not a home", FORM)
        found = tuple(self.server(word) for word in words)
        if len(set(found)) < len(found):
            raise Wrong("names a server twice", "name each once, the preferred one first")
        return found

    def server(self, word: str) -> Server:
        """Find a server by its name, else take the word for ``host:port/security*weight``.

        Only the host must be there.
        """
        named = self._servers.get(word)
        if named is not None:
            return named
        if word == HERE:
            raise Wrong('"here" cannot be one of several', "a list names other servers only")
        if word and not any(char in word for char in ".:[/*"):
            hint = did_you_mean(word, [*self._servers, HERE])
            raise Wrong(f'there is no server "{show(word)}"', hint)
        return read_server(word)

    def _table(self, table: dict[str, Any]) -> Spec:
        faults: list[tuple[str, Wrong]] = []
        for key in table:
            if key not in KEYS:
                faults.append((key, Wrong("there is no such key", did_you_mean(key, KEYS))))
        values: dict[str, Any] = {}
        for key in KEYS:
            if key in table:
                try:
                    values[key] = getattr(self, f"_{key}")(table[key])
                except Wrong as error:
                    faults.append((key, error))
        if not faults:
            faults += [("", wrong) for wrong in _contradictions(values)]
        if faults:
            raise Faults(faults)
        user, is_template_ = values.pop("user", (None, False))
        home = Home(servers=values.pop("server", ()), how=values.pop("login", None), **values)
        return Spec(home=home, user=user, is_template=is_template_)

    def _server(self, value: object) -> tuple[Server, ...]:
        return self.servers(value)

    def _user(self, value: object) -> tuple[str, bool]:
        return read_user(read_text(value))

    def _auth(self, value: object) -> str:
        return read_auth(value)

    def _public_here(self, value: object) -> bool:
        return read_boolean(value)

    def _login(self, value: object) -> How:
        return read_login(value)

    def _spread(self, value: object) -> bool:
        return read_boolean(value)

    def _closed(self, value: object) -> str:
        return read_text(value, LONGEST_TEXT)

    def _held(self, value: object) -> bool:
        return read_boolean(value)

    def _ttl(self, value: object) -> float:
        return read_ttl(value)


def read_auth(value: object) -> str:
    """Read the mechanism that a referral prescribes; raises `Wrong`."""
    if not isinstance(value, str) or not _MECHANISM.fullmatch(value):
        raise Wrong("is not a SASL mechanism", 'such as "PLAIN", or "*" for any')
    return value.upper()


def read_login(value: object) -> How:
    """Read whether a user's clients are referred or relayed; raises `Wrong`."""
    for word in LOGINS:
        if value == word:
            return word
    raise Wrong("is not a choice", 'one of "refer", "relay", "auto"')


def read_ttl(value: object) -> float:
    """Read how many seconds an answer may be kept; raises `Wrong`."""
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    if not usable or not math.isfinite(value) or value < 0:  # type: ignore[operator, arg-type]
        raise Wrong("is not a time", "seconds, 0 or more")
    return float(value)  # type: ignore[arg-type]


def read_user(text: str) -> tuple[str, bool]:
    """Read the name to use at a home server, which may have variables in it; raises `Wrong`.

    Gives the name, and whether it has to be filled in for each user.
    """
    plain_text(text)
    if not is_template(text):
        return text, False
    if expand(text, "a@b") == expand(text, "c@d"):
        return expand(text, ""), False
    return text, True


def words_of(text: str) -> object:
    """Read a home from a line of text: ``a,b user=NAME public_here held``, or ``closed REASON``.

    The result is for `HomeReader.read`; it may still be wrong.
    """
    first, _, rest = text.partition(" ")
    if first == "closed":
        return {"closed": rest.strip()}
    servers: object = first.split(",") if "," in first else first
    options = rest.split()
    if not options:
        return servers
    table: dict[str, object] = {"server": servers}
    for option in options:
        key, equals, value = option.partition("=")
        table[key] = value if equals else True
    if isinstance(table.get("ttl"), str):
        table["ttl"] = _number(str(table["ttl"]))
    return table


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _contradictions(values: Mapping[str, Any]) -> Iterator[Wrong]:
    if "server" not in values and "closed" not in values:
        yield Wrong("says neither server nor closed", FORM)
    if not values.get("server") and "closed" not in values:
        for key in ("user", "auth", "login", "spread"):
            if key in values:
                yield Wrong(f"{key} means nothing for a home that is here", "leave it out")


def read_text(value: object, longest: int = 255) -> str:
    """Read one line of text of that many bytes or fewer; raises `Wrong`."""
    if not isinstance(value, str):
        raise Wrong("is not text", "put it in quotes")
    return plain_text(value, longest)


def read_boolean(value: object) -> bool:
    """Read a yes or no; raises `Wrong`."""
    if not isinstance(value, bool):
        raise Wrong("is neither true nor false", "true or false, without quotes")
    return value
