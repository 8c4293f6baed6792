"""Ask one backend about mailboxes. Plugins are not trusted with anything here either."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.routing.asking import Nonsense, answer, describe, is_text, is_time, server_faults
from referrald.routing.cache import MailboxKey

_NEVER_IN_A_NAME = re.compile("[\0\r\n\ud800-\udfff]")
_ATTRIBUTE = re.compile(r"\\[!#$&'+,./0-9:;<=>?@A-Z\[^_`a-z|}~-]+")


async def ask_mailbox(name: str, backend: Any, question: MailboxKey) -> MailboxLocation | None:
    """Give a backend's answer about a mailbox; raises `Unavailable`, `Nonsense` for a wrong one."""
    location = await answer("mailbox", partial(backend.mailbox, *question))
    if location is None:
        return None
    if wrong := wrong_with_location(location):
        raise Nonsense(wrong)
    checked: MailboxLocation = attrs.evolve(location, source=name)
    return checked


async def ask_list(backend: Any, user: str) -> Any:
    """Give what a backend gives for a list of mailboxes; raises as `ask_mailbox` does."""
    return await answer("remote_mailboxes", partial(backend.remote_mailboxes, user))


def checked_list(name: str, given: Any) -> tuple[RemoteMailbox, ...]:
    """Give a list with its source filled in; raises `Nonsense` for what is none."""
    listed = _entries(given)
    # Many mailboxes often share one location; each is looked at once.
    known: dict[int, MailboxLocation] = {}
    checked = []
    for entry in listed:
        if wrong := _wrong_with_entry(entry, known):
            raise Nonsense(wrong)
        location = known.get(id(entry.location))
        if location is None:
            location = known[id(entry.location)] = attrs.evolve(entry.location, source=name)
        checked.append(
            RemoteMailbox(
                name=entry.name,
                location=location,
                attributes=entry.attributes,
                subscribed=entry.subscribed,
                subtree=entry.subtree,
            )
        )
    return tuple(checked)


def _entries(listed: Any) -> list[Any]:
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise Nonsense(f"a list of type {type(listed).__name__}")
    try:
        return [*listed]
    except Exception as error:
        raise Nonsense(f"a list that cannot be read: {describe(error)}") from error


def wrong_with_location(location: Any) -> str:
    """Say what is wrong with a location; empty when nothing is.

    Whether a client may be sent there is not looked at: that is policy.
    """
    if not isinstance(location, MailboxLocation):
        return f"a location of type {type(location).__name__}"
    return next(_faults(location), "")


def wrong_with_entry(entry: Any) -> str:
    """Say what is wrong with an entry of a list; empty when nothing is."""
    return _wrong_with_entry(entry, {})


def _wrong_with_entry(entry: Any, known: dict[int, MailboxLocation]) -> str:
    """Look at an entry; its location not again when it is a ``known`` one."""
    if not isinstance(entry, RemoteMailbox):
        return f"an entry of type {type(entry).__name__}"
    if id(entry.location) not in known and (wrong := wrong_with_location(entry.location)):
        return wrong
    return next(_entry_faults(entry), "")


def _faults(location: Any) -> Iterator[str]:
    if isinstance(location.replicas, tuple):
        for replica in location.replicas:
            yield from _replica_faults(replica)
    else:
        yield f"replicas of type {type(location.replicas).__name__}"
    if not isinstance(location.moving, bool):
        yield "moving is no boolean"
    if not isinstance(location.nowhere, bool):
        yield "nowhere is no boolean"
    if location.ttl is not None and not is_time(location.ttl):
        yield "ttl is no time"


def _replica_faults(replica: Any) -> Iterator[str]:
    if not isinstance(replica, Replica):
        yield f"a replica of type {type(replica).__name__}"
        return
    yield from server_faults(replica.server)
    if not is_text(replica.name) or "\0" in replica.name:
        yield "a replica whose name is empty, no text, or holds NUL"
    if replica.user is not None and not is_text(replica.user):
        yield "a replica whose user is empty or no text"
    if not is_text(replica.auth):
        yield "a replica whose auth is empty or no text"


def _entry_faults(entry: Any) -> Iterator[str]:
    if not is_text(entry.name) or _NEVER_IN_A_NAME.search(entry.name):
        yield "a mailbox whose name is empty, no text, or holds NUL, CR, LF or half a character"
    if not isinstance(entry.attributes, tuple):
        yield f"attributes of type {type(entry.attributes).__name__}"
    elif not all(is_text(each) and _ATTRIBUTE.fullmatch(each) for each in entry.attributes):
        yield "an attribute that LIST cannot carry"
    if not isinstance(entry.subscribed, bool) or not isinstance(entry.subtree, bool):
        yield "subscribed or subtree is no boolean"
