"""Commands on whole mailboxes, through the IAccount and IMailbox that the realm gave.

Any account of Twisted's kind works as far as its methods go: results may be values or Deferreds,
and what the account lacks is answered with ``NO [CANNOT]``. An account may have one method more,
``subscribed()``, which names all subscriptions, be there such mailboxes or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from twisted.mail.imap4 import INamespacePresenter, NoSuchMailbox

from referrald.errors import NotPossible
from referrald.session.edge import ask, batches, flag_names, messages, native, uids
from referrald.session.table import Answer
from referrald.session.view import View
from referrald.wire.names import compile_pattern, encode_utf7
from referrald.wire.response import (
    Code,
    Wire,
    bad,
    mailbox,
    no,
    nstring,
    number,
    ok,
    paren_list,
    quoted,
    render,
)

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

STATUS_ITEMS: Final = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"})
ATTRIBUTES: Final = {
    name.lower(): name.encode("ascii")
    for name in (
        "\\Noselect", "\\Noinferiors", "\\Marked", "\\Unmarked", "\\HasChildren", "\\HasNoChildren",
    )
}  # fmt: skip
LOOKED_THROUGH: Final = 1000
"""Messages among which SELECT looks for the first unseen one."""


async def open_mailbox(session: ReferralServer, name: str, writable: bool) -> Any:
    """Give the IMailbox of that name; raise when there is none or it cannot be selected."""
    box = await ask(session.account, "select", name, writable)
    if box is None:
        raise NoSuchMailbox(name)
    if b"\\Noselect" in await attributes_of(box):
        raise NotPossible("cannot be selected", public="That name cannot be selected.")
    return box


async def attributes_of(box: Any) -> list[bytes]:
    """Give the LIST attributes that an IMailbox tells through its flags (RFC 3501, 7.2.2)."""
    flags = (flag.lower() for flag in flag_names(await ask(box, "getFlags")))
    return [ATTRIBUTES[flag] for flag in flags if flag in ATTRIBUTES]


async def select(session: ReferralServer, name: str) -> Answer:
    """Open a mailbox (RFC 3501 section 6.3.1)."""
    return await _select(session, name, True)


async def examine(session: ReferralServer, name: str) -> Answer:
    """Open a mailbox for reading only (RFC 3501 section 6.3.2)."""
    return await _select(session, name, False)


async def _select(session: ReferralServer, name: str, writable: bool) -> Answer:
    # A SELECT that fails leaves nothing selected (RFC 3501 section 6.3.1).
    await session.leave_mailbox()
    box = await open_mailbox(session, name, writable)
    writable = writable and bool(await ask(box, "isWriteable"))
    view = View(await uids(box, 1, int(await ask(box, "getMessageCount"))))
    flags = [flag for flag in flag_names(await ask(box, "getFlags")) if _is_flag(flag)]
    recent = int(await ask(box, "getRecentCount"))
    codes = await _codes(box, view, [*flags, "\\*"] if writable else [])
    session.untagged(number(len(view)), b"EXISTS")
    session.untagged(number(recent), b"RECENT")
    session.untagged(b"FLAGS", paren_list(*flags))
    for code in codes:
        session.write(render(None, ok("Mailbox data.", code)))
    session.selected(box, writable, view)
    return ok("Mailbox selected.", Code("READ-WRITE" if writable else "READ-ONLY"))


def _is_flag(name: str) -> bool:
    return name.lower() not in ATTRIBUTES and name.lower() != "\\recent"


async def _codes(box: Any, view: View, permanent: list[str]) -> list[Code]:
    codes = [
        Code("PERMANENTFLAGS", paren_list(*permanent).decode("ascii")),
        Code("UIDVALIDITY", str(int(await ask(box, "getUIDValidity")))),
        Code("UIDNEXT", str(int(await ask(box, "getUIDNext")))),
    ]
    unseen = await _first_unseen(box, view)
    return codes if unseen is None else [*codes, Code("UNSEEN", str(unseen))]


async def _first_unseen(box: Any, view: View) -> int | None:
    """Find the first message without ``\\Seen``; None where there is none or it would cost much."""
    if not await ask(box, "getUnseenCount"):
        return None
    for batch in batches(view.uids[:LOOKED_THROUGH]):
        for message in await messages(box, batch):
            if "\\Seen" not in flag_names(await ask(message, "getFlags")):
                return view.number(await ask(message, "getUID"))
    return None


async def close(session: ReferralServer) -> Answer:
    """Expunge silently and deselect (RFC 3501 section 6.4.2)."""
    if session.mbox is not None and session.writable:
        await ask(session.mbox, "expunge")
    await session.leave_mailbox()
    return ok("Mailbox closed.")


async def unselect(session: ReferralServer) -> Answer:
    """Deselect and expunge nothing (RFC 3691)."""
    await session.leave_mailbox()
    return ok("Mailbox closed, nothing expunged.")


async def check(session: ReferralServer) -> Answer:
    """Do nothing more than NOOP does (RFC 3501 section 6.4.1)."""
    return ok("Checked.")


async def expunge(session: ReferralServer) -> Answer:
    """Remove messages marked as deleted (RFC 3501 section 6.4.3)."""
    if not session.writable:
        return no("The mailbox is open for reading only.", Code("NOPERM"))
    await ask(session.mbox, "expunge")
    # What is gone is told with everything else that has changed, in the client's own numbers.
    session.newMessages(await ask(session.mbox, "getMessageCount"), None)
    return ok("Expunged.")


async def create(session: ReferralServer, name: str) -> Answer:
    """Make a mailbox (RFC 3501 section 6.3.3)."""
    if name == "INBOX":
        return no("INBOX is always there.", Code("ALREADYEXISTS"))
    made = await ask(session.account, "create", name)
    return ok("Mailbox created.") if made else no("Mailbox not created.", Code("CANNOT"))


async def delete(session: ReferralServer, name: str) -> Answer:
    """Remove a mailbox (RFC 3501 section 6.3.4)."""
    if name == "INBOX":
        return no("INBOX cannot be deleted.", Code("CANNOT"))
    await ask(session.account, "delete", name)
    return ok("Mailbox deleted.")


async def rename(session: ReferralServer, old: str, new: str) -> Answer:
    """Give a mailbox another name (RFC 3501 section 6.3.5)."""
    if "INBOX" in (old, new):
        return no("INBOX cannot be renamed here.", Code("CANNOT"))
    await ask(session.account, "rename", old, new)
    return ok("Mailbox renamed.")


async def subscribe(session: ReferralServer, name: str) -> Answer:
    """Add a name to the subscriptions (RFC 3501 section 6.3.6)."""
    await ask(session.account, "subscribe", name)
    return ok("Subscribed.")


async def unsubscribe(session: ReferralServer, name: str) -> Answer:
    """Take a name from the subscriptions (RFC 3501 section 6.3.7)."""
    await ask(session.account, "unsubscribe", name)
    return ok("Unsubscribed.")


async def list_(session: ReferralServer, reference: str, pattern: str) -> Answer:
    """List names (RFC 3501 section 6.3.8)."""
    boxes = await _boxes(session)
    delimiter = await _delimiter(boxes)
    if not pattern:
        _tell(session, b"LIST", [b"\\Noselect"], delimiter, "")
        return ok("Listed.")
    for name in _matching(boxes, reference, pattern, delimiter):
        _tell(session, b"LIST", await _attributes(boxes, name), delimiter, name)
    return ok("Listed.")


async def lsub(session: ReferralServer, reference: str, pattern: str) -> Answer:
    """List subscribed names (RFC 3501 section 6.3.9)."""
    boxes = await _boxes(session)
    delimiter = await _delimiter(boxes)
    names = dict.fromkeys(await _subscribed(session, boxes))
    for name in _matching(names, reference, pattern, delimiter):
        # A level above a subscribed name is told of as what cannot be selected.
        attributes = await _attributes(boxes, name) if name in names else [b"\\Noselect"]
        _tell(session, b"LSUB", attributes, delimiter, name)
    return ok("Listed.")


async def _boxes(session: ReferralServer) -> dict[str, Any]:
    # The account's own matching is not relied upon: only its names are.
    listed = await ask(session.account, "listMailboxes", "", "*")
    return {native(name): box for name, box in listed}


async def _delimiter(boxes: dict[str, Any]) -> str | None:
    for box in boxes.values():
        given = await ask(box, "getHierarchicalDelimiter")
        return native(given) if given else None
    return "/"


async def _subscribed(session: ReferralServer, boxes: dict[str, Any]) -> list[str]:
    if hasattr(session.account, "subscribed"):
        return [native(name) for name in await ask(session.account, "subscribed")]
    return [name for name in boxes if await ask(session.account, "isSubscribed", name)]


def _matching(
    names: Iterable[str], reference: str, pattern: str, delimiter: str | None
) -> list[str]:
    """Give the names that match, and with a ``%`` at the end also the levels above others."""
    matches = compile_pattern(reference, pattern, delimiter)
    found = dict.fromkeys(name for name in names if matches(name))
    if delimiter and pattern.endswith("%"):
        above = (level for name in names for level in _levels_above(name, delimiter))
        found |= dict.fromkeys(level for level in above if matches(level))
    return sorted(found)


def _levels_above(name: str, delimiter: str) -> list[str]:
    parts = name.split(delimiter)
    return [delimiter.join(parts[:depth]) for depth in range(1, len(parts))]


async def _attributes(boxes: dict[str, Any], name: str) -> list[bytes]:
    return await attributes_of(boxes[name]) if name in boxes else [b"\\Noselect"]


def _tell(
    session: ReferralServer,
    kind: bytes,
    attributes: list[bytes],
    delimiter: str | None,
    name: str,
) -> None:
    shown = nstring(None) if delimiter is None else quoted(delimiter)
    session.untagged(kind, paren_list(*attributes), shown, mailbox(name))


async def status(session: ReferralServer, name: str, items: tuple[str, ...]) -> Answer:
    """Tell counts of a mailbox without opening it (RFC 3501 section 6.3.10)."""
    unknown = [item for item in items if item not in STATUS_ITEMS]
    if unknown:
        return bad("Unknown status item.")
    box = await open_mailbox(session, name, False)
    found = await ask(box, "requestStatus", list(items))
    told = [part for item in items for part in (item.encode("ascii"), number(int(found[item])))]
    session.untagged(b"STATUS", mailbox(name), paren_list(*told))
    return ok("Status told.")


async def namespace(session: ReferralServer) -> Answer:
    """Tell the namespaces: personal, other users', shared (RFC 2342)."""
    presenter: Any = INamespacePresenter(session.account, None)
    if presenter is None:
        told = [_namespaces([("", await _delimiter(await _boxes(session)))]), *[nstring(None)] * 2]
    else:
        told = [
            _namespaces(await ask(presenter, method))
            for method in ("getPersonalNamespaces", "getUserNamespaces", "getSharedNamespaces")
        ]
    session.untagged(b"NAMESPACE", *told)
    return ok("Namespaces told.")


def _namespaces(given: Iterable[tuple[Any, Any]] | None) -> Wire:
    """Render the prefixes and delimiters of one kind of namespace."""
    shown = [
        paren_list(_prefix(prefix), quoted(native(delimiter)) if delimiter else nstring(None))
        for prefix, delimiter in given or ()
    ]
    return Wire(b"(" + b"".join(shown) + b")") if shown else nstring(None)


def _prefix(prefix: Any) -> Wire:
    return quoted(encode_utf7(native(prefix)))
