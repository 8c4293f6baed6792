"""List and make mailboxes that are kept here, take mail in and out, and put right what is wrong.

Works on the store that [serve] names, in this process, while the server goes on: its sessions see
what has changed. "import" reads a Maildir with its folders (Maildir++), an mbox, or a directory of
them, and adds every message with its flags and its date to the mailbox of that name, which is made
where it is not there; doing it twice adds everything twice. "export" writes a new Maildir or a
directory of mbox files. Neither holds a mailbox in memory. The ends of lines become those of IMAP
(CRLF) on the way in and those of files on the way out.

The user need not live here yet, but has to be one whose login is not refused as unknown. A store in
memory ends with its process, so there is nothing to be done with one.

"rights" shows and changes the table of rights on mailboxes that are shared.

"check" looks at a user's mail on disk, "repair" puts right what can be without losing a message,
and "reindex" makes the index anew from the files. All may be done while the server runs.

Exits with 1 when something could not be taken over, or is wrong; each such thing is one line.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from referrald.ctl.store import exporting, granting, importing, listing, mending
from referrald.ctl.terminal import Terminal

VERBS = (
    listing.LIST,
    listing.CREATE,
    importing.IMPORT,
    exporting.EXPORT,
    *mending.VERBS,
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add what can be done with a store."""
    group = parser.add_subparsers(metavar="WHAT", required=True)
    for verb in VERBS:
        made = group.add_parser(
            verb.name,
            help=verb.help,
            description=f"{verb.help}.",
            formatter_class=parser.formatter_class,
        )
        if verb not in mending.VERBS:
            made.add_argument("user", metavar="USER", help="the name as a client would send it")
        verb.add_arguments(made)
        made.set_defaults(store_verb=verb)
    made = group.add_parser(
        "rights",
        help=granting.HELP,
        description=f"{granting.HELP}.",
        formatter_class=parser.formatter_class,
    )
    granting.add_arguments(made)
    made.set_defaults(store_verb=granting)


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Do what was asked for."""
    code: int = arguments.store_verb.run(arguments, terminal)
    return code
