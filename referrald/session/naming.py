"""Names of mailboxes as one client spells them: modified UTF-7, or UTF-8 once that is enabled.

RFC 3501 section 5.1.3, RFC 6855, RFC 9051 section 5.1. What a client calls a mailbox may be
written with other characters than the mailbox's own name, though it looks the same: such a name is
taken for the normalised one (Unicode NFC), unless there is a mailbox that is called just so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unicodedata import is_normalized, normalize

import attrs

from referrald.session.names import entry_attributes
from referrald.wire.listing import ListQuery
from referrald.wire.response import Wire, mailbox, nstring, paren_list, prefix, quoted

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

IMAP4REV2: Final = "IMAP4rev2"
UTF8_ACCEPT: Final = "UTF8=ACCEPT"


def shown(session: ReferralServer, name: str) -> Wire:
    """Render the name of a mailbox."""
    return mailbox(name, utf8=session.utf8)


def shown_prefix(session: ReferralServer, name: str) -> Wire:
    """Render the prefix of a namespace."""
    return prefix(name, utf8=session.utf8)


def normal(name: str) -> str:
    """Give a name in the form that new mailboxes get."""
    return name if is_normalized("NFC", name) else normalize("NFC", name)


async def meant(session: ReferralServer, name: str) -> str:
    """Give the name of the mailbox that a client means by ``name``."""
    if is_normalized("NFC", name):
        return name
    entries = await session.mail.entries()
    return name if any(entry.name == name for entry in entries) else normal(name)


def widened(query: ListQuery) -> ListQuery:
    """Have patterns match the normalised names as well."""
    wholes = [query.reference + pattern for pattern in query.patterns if pattern]
    if all(is_normalized("NFC", whole) for whole in wholes):
        return query
    both = dict.fromkeys((*wholes, *map(normal, wholes)))
    return attrs.evolve(query, reference="", patterns=tuple(both))


async def tell(session: ReferralServer, name: str, said: str = "") -> None:
    """Send the LIST response of one mailbox; ``said`` is what the client called it, if it differs.

    RFC 9051 sections 6.3.2 and 6.3.9.7.
    """
    mail = session.mail
    attributes = entry_attributes(await mail.entries(), name, mail.delimiter)
    send(session, attributes, name, said)


def send(session: ReferralServer, attributes: tuple[str, ...], name: str, said: str = "") -> None:
    """Send a LIST response."""
    delimiter = session.mail.delimiter
    parts = [
        paren_list(*attributes),
        quoted(delimiter) if delimiter else nstring(None),
        shown(session, name),
    ]
    if said and said != name:
        parts.append(paren_list(quoted("OLDNAME"), paren_list(shown(session, said))))
    session.untagged(b"LIST", *parts)
