"""The store that a configuration asks for, and that a trial of referralctl does not touch."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from referrald.config.load import load_document
from referrald.config.settings import BackendSettings, ServeSection
from referrald.ctl.assembly import quiet
from referrald.mailmodel import Namespaces
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.store.memory import MemoryStore
from referrald.store.sharedtrees import Prefixes
from referrald.store.sharing import SharingStore
from referrald.storing import limits_of, store_for
from tests.store.support import now


class Stores(SynchronousTestCase):
    def test_mail_on_disk_has_the_limits_that_are_set(self) -> None:
        serve = ServeSection(store="maildir", root="/m/%u", quota=5, message_size=3)
        store = store_for(serve, None)
        self.assertIsInstance(store, MaildirStore)
        self.assertEqual(store.root, "/m/%u")
        self.assertEqual(store.limits, Limits(storage=5, messages=None, message=3))

    def test_no_limit_is_none(self) -> None:
        self.assertEqual(limits_of(ServeSection(store="maildir", root="/m/%u")), Limits())

    def test_else_it_is_in_memory(self) -> None:
        self.assertIsInstance(store_for(ServeSection(store="memory"), None), MemoryStore)

    def test_what_is_shared_is_where_it_is_asked_for(self) -> None:
        serve = ServeSection(
            store="maildir", root="/m/%u", public="P", public_root="/p", others="O", rights="/r"
        )
        store = store_for(serve, None)
        self.assertIsInstance(store, SharingStore)
        self.assertEqual(store.prefixes, Prefixes(public="P", others="O"))
        self.assertEqual((store.kept.root, store.kept.public_root), ("/m/%u", "/p"))
        self.assertEqual(store.granting.file.path, "/r")

    def test_in_memory_what_is_public_is_open_to_all(self) -> None:
        account = now(store_for(ServeSection(store="memory", public="P"), None).account("bob"))
        self.assertEqual(now(account.rights("P")), "lrswipkxte")
        self.assertEqual(account.namespaces(), Namespaces(shared=("P/",)))


class Trials(SynchronousTestCase):
    def test_a_trial_leaves_nothing_on_disk(self) -> None:
        document = {
            "server": {"name": "front.example"},
            "listener": [{"endpoint": "tcp:0", "tls": "none", "allow_cleartext": True}],
            "serve": {"store": "maildir", "root": os.path.abspath("%u")},
            "auth": {"checkers": ["memory:alice:secret"]},
        }
        backend = BackendSettings(name="none", type="none", options={}, factory=object())
        config = load_document(document, "test", backends=[backend]).config
        assert config is not None
        self.assertEqual(config.serve.store, "maildir")
        self.assertEqual(quiet(config).serve, ServeSection(store="memory"))
