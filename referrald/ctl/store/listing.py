"""What a user has in the store, and a new mailbox."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from referrald.ctl.lookup import mailbox_name
from referrald.ctl.output import columns, visible
from referrald.ctl.store.opening import StoreVerb, own_part, with_account
from referrald.ctl.terminal import Terminal

HEADINGS = ("name", "messages", "unseen", "bytes", "attributes")


def list_mailboxes(arguments: Namespace, terminal: Terminal) -> int:
    """Print a row for each mailbox."""
    rows = with_account(arguments, terminal, listed)
    shown = [HEADINGS, *(tuple(_cell(row[heading]) for heading in HEADINGS) for row in rows)]
    terminal.output.document(columns(shown), {"user": arguments.user, "mailboxes": rows})
    return 0


async def listed(account: Any) -> list[dict[str, Any]]:
    """Tell of every mailbox what there is to count."""
    own = own_part(account)
    entries = sorted(await own.entries(), key=lambda entry: entry.name)
    counts = await own.statuses([entry.name for entry in entries])
    return [_row(entry, counts.get(entry.name)) for entry in entries]


def _row(entry: Any, status: Any) -> dict[str, Any]:
    return {
        "name": entry.name,
        "messages": status and status.messages,
        "unseen": status and status.unseen,
        "bytes": status and status.size,
        "attributes": list(entry.attributes),
    }


def _cell(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return visible(text) or "-"


def _create_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("mailbox", metavar="MAILBOX", help="the name as people write it")
    parser.add_argument(
        "--use",
        metavar="USE",
        action="append",
        default=[],
        help="what it is for, such as Sent, Trash, Drafts or Junk (RFC 6154)",
    )


def create(arguments: Namespace, terminal: Terminal) -> int:
    """Make a mailbox, and the levels above it."""
    name = mailbox_name(arguments.mailbox)
    uses = ["\\" + use.removeprefix("\\") for use in arguments.use]

    async def work(account: Any) -> None:
        await account.create(name, uses)

    with_account(arguments, terminal, work)
    terminal.output.record({"created": name})
    return 0


LIST = StoreVerb(
    name="list",
    help="Name the mailboxes of a user, with their messages and sizes",
    add_arguments=lambda parser: None,
    run=list_mailboxes,
)
CREATE = StoreVerb(
    name="create",
    help="Make a mailbox, and the levels above it",
    add_arguments=_create_arguments,
    run=create,
)
