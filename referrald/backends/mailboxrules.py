"""What a table says of mailboxes, ready for lookups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from referrald.backends.homes import decode_server
from referrald.backends.mailboxnames import DELIMITER, Kind, fill_template
from referrald.backends.patterns import Pattern
from referrald.backends.variables import expand
from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Server


class Audience:
    """Who may see an entry: names of users, and globs over them."""

    __slots__ = ("_globs", "_users")

    def __init__(self, words: Iterable[str]) -> None:
        words = set(words)
        globs = {word for word in words if "*" in word or "?" in word}
        self._globs = tuple(map(Pattern, sorted(globs)))
        self._users = frozenset(words - globs)

    def has(self, user: str) -> bool:
        """Tell whether a user is one of them."""
        return user in self._users or any(glob.matches(user) for glob in self._globs)


@attrs.frozen
class There:
    """One replica as the file has it: the name may be a prefix or template, the user a template.

    delimiter: what stands between levels there.
    """

    server: Server
    name: str | None
    user: str | None
    is_template: bool
    auth: str
    delimiter: str = DELIMITER

    def said(self, name: str) -> str | None:
        """Write a name with the delimiter that is used there; None for one that cannot be there."""
        if self.delimiter == DELIMITER:
            return name
        # What is one level here would be two there.
        return None if self.delimiter in name else name.replace(DELIMITER, self.delimiter)

    def user_for(self, user: str) -> str | None:
        """Give the name that a user has there; raises `Unavailable` when none is left."""
        if not self.is_template or self.user is None:
            return self.user
        name = expand(self.user, user)
        if not name:
            raise Unavailable(f"no name is left for {user!r} at {self.server}")
        return name


@attrs.frozen(eq=False)
class MailboxRule:
    """One entry of ``[[mailboxes]]``.

    at: the name, the root of the subtree, or the pattern. audience: None for everybody.
    listed, folders: what it puts into lists, except where that differs from user to user.
    """

    kind: Kind
    at: str
    audience: Audience | None
    there: tuple[There, ...]
    moving: bool
    ttl: float | None
    attributes: tuple[str, ...]
    subscribed: bool
    folders: tuple[tuple[str, tuple[str, ...], bool], ...]
    for_each: bool
    _known: list[RemoteMailbox] = attrs.field(factory=list, init=False)

    def seen_by(self, user: str) -> bool:
        """Tell whether the entry is there for a user."""
        return self.audience is None or self.audience.has(user)

    def location(self, name: str, user: str) -> MailboxLocation:
        """Say where a name that the entry is about is for a user; raises `Unavailable`."""
        replicas = tuple(
            Replica(
                server=there.server,
                name=known_there,
                user=there.user_for(user),
                auth=there.auth,
            )
            for there in self.there
            if (known_there := self._name_there(there, name)) is not None
        )
        if self.there and not replicas:
            return MailboxLocation(nowhere=True, ttl=self.ttl)
        return MailboxLocation(replicas=replicas, moving=self.moving, ttl=self.ttl)

    def _name_there(self, there: There, name: str) -> str | None:
        """Give the name there; None where there can be none."""
        given = there.name
        if given is not None and self.kind == "name":
            return given
        below = name[len(self.at) :] if given is not None and self.kind == "subtree" else name
        said = there.said(below)
        if given is None or said is None:
            return said
        return fill_template(given, said) if self.kind == "pattern" else given[:-1] + said

    def names(self, user: str) -> list[RemoteMailbox]:
        """Name what the entry puts into the list of a user; its own name comes first."""
        if self.kind == "pattern":
            return []
        if self.for_each:
            return list(self._names(user))
        if not self._known:
            self._known.extend(self._names(user))
        return self._known

    def _names(self, user: str) -> Iterator[RemoteMailbox]:
        own = self.location(self.at, user)
        if own.nowhere:
            raise Unavailable(f"{self.at!r} has another meaning with the delimiter that is there")
        yield RemoteMailbox(
            name=self.at,
            location=own,
            attributes=self.attributes,
            subscribed=self.subscribed,
            subtree=self.kind == "subtree",
        )
        for below, attributes, subscribed in self.folders:
            name = self.at + DELIMITER + below
            yield RemoteMailbox(
                name=name,
                location=self.location(name, user),
                attributes=attributes,
                subscribed=subscribed,
            )


def decode_rule(said: Mapping[str, Any], audience: Callable[[list[str]], Audience]) -> MailboxRule:
    """Read what `referrald.backends.mailboxspec` wrote; ``audience`` makes each only once."""
    words = said.get("for")
    there = tuple(
        There(decode_server(server), name, user, is_template, auth, *delimiter)
        for server, name, user, is_template, auth, *delimiter in said.get("replicas", ())
    )
    return MailboxRule(
        kind=said["kind"],
        at=said["at"],
        audience=None if words is None else audience(words),
        there=there,
        moving=said.get("moving", False),
        ttl=said.get("ttl"),
        attributes=tuple(said.get("attributes", ())),
        subscribed=said.get("subscribed", False),
        folders=tuple(
            (name, tuple(attributes), subscribed)
            for name, attributes, subscribed in said.get("folders", ())
        ),
        for_each=any(each.is_template for each in there),
    )
