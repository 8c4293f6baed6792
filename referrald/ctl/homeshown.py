"""How changes of homes are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from referrald.backends.serverwords import write_servers
from referrald.ctl.homefiles import row_of
from referrald.ctl.output import Output, columns, visible
from referrald.model import Home, HomeChange, LoggedChange

SHOWN = 20
"""So many changes are shown to people; programs get all of them."""

NOBODY = "-"


def describe(home: Home | None) -> str:
    """Say in a few words where a user lives."""
    if home is None:
        return NOBODY
    if home.closed is not None:
        return f"closed: {home.closed}"
    words = [write_servers(home.servers)]
    if home.user is not None:
        words.append(f"as {home.user}")
    words += [word for word in ("held", "spread", "public_here") if getattr(home, word)]
    return " ".join(words)


def show_changes(output: Output, changes: Sequence[HomeChange], *, dry_run: bool) -> None:
    """Show what has changed, or would."""
    # A million of them are not made ready for nobody.
    said = list(map(_said, changes)) if output.json else []
    document = {"dry_run": dry_run, "changed": len(changes), "changes": said}
    text = ""
    if changes:
        rows = list(map(_row, changes[:SHOWN]))
        text = columns([("user", "from", "to"), *rows])
        more = len(changes) - SHOWN
        text += f"… and {more} more\n" if more > 0 else ""
    verb = "would change" if dry_run else "changed"
    output.document(f"{text}{len(changes)} users {verb}\n", document)


def show_difference(output: Output, changes: Sequence[HomeChange]) -> None:
    """Show who lives elsewhere in the new list, and how many go from where to where."""
    document = {"changed": len(changes), "changes": list(map(_said, changes))}
    ways: dict[tuple[str, str], int] = {}
    for each in changes:
        way = _moved(each)
        ways[way] = ways.get(way, 0) + 1
    rows = list(map(_row, changes))
    text = columns([("user", "from", "to"), *rows]) if rows else ""
    counted = [(str(count), *way) for way, count in sorted(ways.items(), key=lambda it: -it[1])]
    text += "\n" + columns([("users", "from", "to"), *counted]) if counted else "no difference\n"
    output.document(text, document)


def show_history(output: Output, logged: Sequence[LoggedChange]) -> None:
    """Show changes with who made them and why."""
    document = {
        "history": [
            {"time": _time(each), "who": each.who, "why": each.why, **_said(each.change)}
            for each in logged
        ]
    }
    rows = [
        (_time(each), visible(each.who), *_row(each.change), visible(each.why)) for each in logged
    ]
    output.document(columns([("time", "who", "user", "from", "to", "why"), *rows]), document)


def show_homes(output: Output, entries: Iterable[tuple[str, Home]]) -> None:
    """Show users with their homes."""
    found = list(entries)
    document = {"users": [{"user": user, **row_of(home)} for user, home in found]}
    rows = [(visible(user), visible(describe(home))) for user, home in found]
    output.document(columns([("user", "home"), *rows]), document)


def _row(change: HomeChange) -> tuple[str, ...]:
    return (visible(change.user), *_moved(change))


def _moved(change: HomeChange) -> tuple[str, str]:
    return visible(describe(change.before)), visible(describe(change.after))


def _said(change: HomeChange) -> dict[str, Any]:
    return {
        "user": change.user,
        "before": None if change.before is None else row_of(change.before),
        "after": None if change.after is None else row_of(change.after),
    }


def _time(logged: LoggedChange) -> str:
    return datetime.fromtimestamp(logged.when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
