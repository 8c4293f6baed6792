"""The commands that every session has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from referrald.session import (
    appending,
    away,
    copying,
    counting,
    fetch,
    fetching,
    general,
    listing,
    login,
    mailboxes,
    messages,
    quota,
    rights,
    sasl,
    searches,
    searching,
    storing,
    transfer,
    uidplus,
)
from referrald.session.table import (
    ANY,
    AUTH,
    AWAY,
    SELECT,
    UNAUTH,
    CommandSpec,
    CommandTable,
    Grammar,
    Handler,
    Quick,
)
from referrald.wire import append, grammar
from referrald.wire import listing as lists

ROWS: tuple[tuple[str, frozenset[str], Grammar, Handler], ...] = (
    ("CAPABILITY", ANY, grammar.no_args, general.capability),
    ("NOOP", ANY - AWAY, grammar.no_args, general.noop),
    ("LOGOUT", ANY, grammar.no_args, general.logout),
    ("ID", ANY, grammar.id_, general.identify),
    ("STARTTLS", UNAUTH, grammar.no_args, general.starttls),
    ("LOGIN", UNAUTH, grammar.login, login.login),
    ("AUTHENTICATE", UNAUTH, grammar.authenticate, sasl.authenticate),
    ("ENABLE", AUTH, grammar.enable, general.enable),
    ("NAMESPACE", AUTH, grammar.no_args, mailboxes.namespace),
    ("SELECT", AUTH, grammar.select, mailboxes.select),
    ("EXAMINE", AUTH, grammar.select, mailboxes.examine),
    ("CREATE", AUTH, grammar.create, mailboxes.create),
    ("DELETE", AUTH, grammar.mailbox, mailboxes.delete),
    ("RENAME", AUTH, grammar.mailbox_pair, mailboxes.rename),
    ("SUBSCRIBE", AUTH, grammar.mailbox, mailboxes.subscribe),
    ("UNSUBSCRIBE", AUTH, grammar.mailbox, mailboxes.unsubscribe),
    ("LIST", AUTH, lists.list_, listing.list_),
    ("LSUB", AUTH, lists.plain, listing.lsub),
    ("RLIST", AUTH, lists.plain, listing.rlist),
    ("RLSUB", AUTH, lists.plain, listing.rlsub),
    ("STATUS", AUTH, grammar.status, counting.status),
    ("CLOSE", SELECT, grammar.no_args, mailboxes.close),
    ("UNSELECT", SELECT, grammar.no_args, mailboxes.unselect),
    ("CHECK", SELECT, grammar.no_args, mailboxes.check),
    ("EXPUNGE", SELECT, grammar.no_args, mailboxes.expunge),
    ("APPEND", AUTH, append.append, appending.append),
    ("IDLE", AUTH - AWAY, grammar.no_args, messages.idle),
    ("FETCH", SELECT, fetching.fetch, fetch.fetch),
    ("STORE", SELECT, grammar.store, storing.store),
    ("COPY", SELECT, grammar.copy, copying.copy),
    ("MOVE", SELECT, grammar.copy, copying.move),
    ("SEARCH", SELECT, searching.search, searches.search),
    ("UID", SELECT, grammar.uid, messages.uid),
    ("UID FETCH", SELECT, fetching.fetch, partial(fetch.fetch, by_uid=True)),
    ("UID STORE", SELECT, grammar.store, partial(storing.store, by_uid=True)),
    ("UID COPY", SELECT, grammar.copy, partial(copying.copy, by_uid=True)),
    ("UID MOVE", SELECT, grammar.copy, partial(copying.move, by_uid=True)),
    ("UID EXPUNGE", SELECT, uidplus.one_set, uidplus.uid_expunge),
    ("UID SEARCH", SELECT, searching.search, partial(searches.search, by_uid=True)),
    ("NOOP", AWAY, grammar.no_args, partial(away.bare, b"NOOP")),
    ("CHECK", AWAY, grammar.no_args, partial(away.bare, b"CHECK")),
    ("EXPUNGE", AWAY, grammar.no_args, partial(away.bare, b"EXPUNGE")),
    ("IDLE", AWAY, grammar.no_args, away.idle),
    ("CLOSE", AWAY, grammar.no_args, away.close),
    ("UNSELECT", AWAY, grammar.no_args, away.unselect),
    *((name, AWAY, away.raw, away.forward) for name in ("FETCH", "STORE", "SEARCH")),
    ("COPY", AWAY, grammar.copy, transfer.copy_away),
    ("MOVE", AWAY, grammar.copy, transfer.move_away),
    ("UID", AWAY, grammar.uid, messages.uid),
    *(
        (f"UID {name}", AWAY, away.raw, away.forward_uid)
        for name in ("FETCH", "STORE", "SEARCH", "EXPUNGE")
    ),
    ("UID COPY", AWAY, grammar.copy, partial(transfer.copy_away, by_uid=True)),
    ("UID MOVE", AWAY, grammar.copy, partial(transfer.move_away, by_uid=True)),
    ("GETQUOTA", AUTH, quota.root, quota.getquota),
    ("GETQUOTAROOT", AUTH, grammar.mailbox, quota.getquotaroot),
    ("SETQUOTA", AUTH, quota.limits, quota.setquota),
    ("MYRIGHTS", AUTH, grammar.mailbox, rights.myrights),
    ("GETACL", AUTH, grammar.mailbox, rights.getacl),
    ("LISTRIGHTS", AUTH, rights.identifier, rights.listrights),
    ("SETACL", AUTH, rights.change, rights.setacl),
    ("DELETEACL", AUTH, rights.identifier, rights.deleteacl),
)


QUICK: dict[str, Quick] = {"LOGIN": login.quick, "AUTHENTICATE": sasl.quick}


def standard_table(extra: Iterable[CommandSpec] = ()) -> CommandTable:
    """Make a table of the built-in commands and those of extensions."""
    table = CommandTable(
        CommandSpec(name=name, states=states, grammar=reads, handler=handler, quick=QUICK.get(name))
        for name, states, reads, handler in ROWS
    )
    for spec in extra:
        table.add(spec)
    return table
