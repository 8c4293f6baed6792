"""What can be wrong with the options of etcd and Consul."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.backends import checking
from referrald.backends.keyvalue.factory import consul, etcd
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IReferralBackend,
    IReferralBackendFactory,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from tests.backends.support import filled

GOOD = {"servers": ("https://kv1.example.org:2379", "http://127.0.0.1:2379/kv")}


class Factories(SynchronousTestCase):
    factories = (etcd, consul)

    def wrong(self, factory: Any = etcd, **options: Any) -> list[str]:
        given = filled(factory, **(GOOD | options))
        return [f"{each.key}: {each.wrong}" for each in factory.check(given)]

    def test_they_and_their_backends_are_what_they_say(self) -> None:
        for factory in self.factories:
            for interface in (IReferralBackendFactory, ICheckingFactory):
                verifyObject(interface, factory)
            backend = factory.build(filled(factory, **GOOD), Clock())
            for interface in (
                IReferralBackend, IWatchableBackend, IWritableBackend, ITargets, ILifecycle,
            ):  # fmt: skip
                verifyObject(interface, backend)
            self.assertEqual(self.wrong(factory), [])

    def test_servers_are_urls_that_nobody_else_can_read(self) -> None:
        for factory in self.factories:
            for url in (
                "http://kv1.example.org:2379", "kv1.example.org", "https://u:p@a", "https://", "",
                "https://a:0", "https://a/?x", "https://a/#x", "https://[a", "ftp://127.0.0.1",
            ):  # fmt: skip
                told = self.wrong(factory, servers=(url,))
                self.assertEqual(told, [f'servers: "{url}" is not usable'])
            self.assertEqual(self.wrong(factory, servers=()), ["servers: is empty"])

    def test_prefixes_are_apart(self) -> None:
        for factory in self.factories:
            told = self.wrong(factory, prefix="a/", history="a/b/")
            self.assertEqual(told, ["history: is not apart from prefix"])
            self.assertEqual(self.wrong(factory, prefix="a/b/", history="a/"), told)
            self.assertIn("prefix: cannot stand", self.wrong(factory, prefix="a b")[0])
            self.assertIn("history: cannot stand", self.wrong(factory, history="")[0])

    def test_certificates_and_the_library_have_to_be_there(self) -> None:
        for factory in self.factories:
            self.assertIn("ca: ", self.wrong(factory, ca=self.mktemp())[0])
            self.assertIn("certificate: ", self.wrong(factory, certificate=self.mktemp())[0])
        self.patch(checking, "find_spec", lambda name: None)
        for factory in self.factories:
            self.assertEqual(self.wrong(factory), ["type: needs treq, which is not there"])

    def test_a_user_of_etcd_has_a_password(self) -> None:
        self.assertEqual(self.wrong(user="mail", password="x"), [])
        self.assertEqual(self.wrong(user="mail"), ["user: is of no use alone"])
        self.assertEqual(self.wrong(password="x"), ["password: is of no use alone"])

    def test_keys_and_tokens_of_consul(self) -> None:
        told = self.wrong(consul, prefix="/homes/", history="/history/")
        self.assertEqual([each.split()[0] for each in told], ["prefix:", "history:"])
        for token in ("a\nb", "a\r", "\0", "\u00e4"):
            told = self.wrong(consul, token=token)
            self.assertEqual(told, ["token: has something in it that no token has"])
            self.assertNotIn(token, str(told))

    def test_no_secret_is_in_a_repr(self) -> None:
        backend = etcd.build(filled(etcd, **GOOD, user="mail", password="hush"), Clock())
        self.assertNotIn("hush", repr(backend))
        self.assertIn("kv1.example.org", repr(backend))
        self.assertNotIn("hush", repr(consul.build(filled(consul, **GOOD, token="hush"), Clock())))
