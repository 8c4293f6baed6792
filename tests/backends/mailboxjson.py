"""Remote mailboxes in JSON, for the suites of backends that have them so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referrald.backends.serverwords import write_server
from referrald.mailmodel import MailboxLocation


def mailboxes_json(mailboxes: Mapping[str, MailboxLocation]) -> dict[str, Any]:
    """Write a user's mailboxes as a service or a value says them."""
    entries = []
    for name, location in mailboxes.items():
        entry: dict[str, Any] = {"match": name}
        if location.here:
            entry["server"] = "here"
        if location.replicas:
            entry["replicas"] = [
                {"server": write_server(each.server), "name": each.name, "auth": each.auth}
                | ({"user": each.user} if each.user else {})
                for each in location.replicas
            ]
        if location.moving:
            entry["moving"] = True
        if location.ttl is not None:
            entry["ttl"] = location.ttl
        entries.append(entry)
    return {"mailboxes": entries}
