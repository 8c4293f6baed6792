"""The suite that says when a mail store is right."""

from __future__ import annotations

from referrald.testing.storeaccess import AccessContract
from referrald.testing.storebulk import BulkContract
from referrald.testing.storechanges import ChangesContract
from referrald.testing.storeincoming import IncomingContract
from referrald.testing.storemessages import MessagesContract
from referrald.testing.storemodseqs import ModseqsContract
from referrald.testing.storenames import NamesContract
from referrald.testing.storepublic import PublicContract
from referrald.testing.storerecents import RecentsContract
from referrald.testing.storerenames import RenamesContract
from referrald.testing.storesearch import SearchContract
from referrald.testing.storeshared import SharedMessagesContract
from referrald.testing.storesharing import SharingContract
from referrald.testing.storetogether import TogetherContract


class MailStoreContract(
    NamesContract,
    RenamesContract,
    MessagesContract,
    BulkContract,
    ModseqsContract,
    RecentsContract,
    IncomingContract,
    ChangesContract,
    SearchContract,
    TogetherContract,
    AccessContract,
    SharingContract,
    SharedMessagesContract,
    PublicContract,
):
    """Mix into a `twisted.trial.unittest.TestCase` and say how the store is made.

    Implement `make_store`; implement `reopen` too if the store keeps mail for longer than it runs,
    and `second_store` if several processes can work on it at once; `let` if it has public
    mailboxes that are used by rights. ``users`` and ``too_much`` can
    be set where the store needs others. What is tested is what can be seen through `IMailStore`
    alone; quotas, rights, what is ``\\Recent`` and what users share are where the accounts provide
    them.
    """
