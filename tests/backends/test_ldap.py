"""The factory of ldap backends; the backend itself is tried with a real server."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.backends import checking
from referrald.backends.ldap import factory as ldap
from referrald.backends.ldap.factory import factory
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IPasswordCheck,
    IReferralBackend,
    IReferralBackendFactory,
    ITargets,
)
from tests.backends.support import filled

GOOD = {"servers": ("ldaps://ldap.example.org", "ldap://192.0.2.1:3389"), "base": "dc=example"}


class Factories(SynchronousTestCase):
    def wrong(self, **options: object) -> list[str]:
        given = filled(factory, **(GOOD | options))
        return [f"{each.key}: {each.wrong}" for each in factory.check(given)]

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        backend = factory.build(filled(factory, **GOOD), Clock())
        for interface in (IReferralBackend, IPasswordCheck, ITargets, ILifecycle):
            verifyObject(interface, backend)
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)
        self.assertEqual(self.wrong(), [])

    def test_servers_are_urls(self) -> None:
        servers = [ldap._server(each, True) for each in GOOD["servers"]]
        self.assertEqual(
            [str(each) for each in servers], ["ldap.example.org:636", "192.0.2.1:3389"]
        )
        self.assertEqual(
            [(each.tls, each.starttls) for each in servers], [(True, False), (False, True)]
        )
        for text in (
            "ldap.example.org", "ldaps://", "http://a", "ldap://a:0", "ldap://a:99999",
            "ldap://u:p@a", "ldap://a/dc=x", "ldap://a?x", "ldap://[a", "",
        ):  # fmt: skip
            self.assertEqual(len(self.wrong(servers=(text,))), 1, text)

    def test_each_wrong_option_is_told(self) -> None:
        self.assertIn("is not a filter", self.wrong(filter="mail=%u")[0])
        self.assertIn("is not a variable", self.wrong(filter="(mail=%x)")[0])
        self.assertIn("is the same for all", self.wrong(filter="(mail=x)")[0])
        self.assertIn("has a user's name", self.wrong(list_filter="(mail=%u)")[0])
        self.assertIn("not the name of an attribute", self.wrong(host="mail host")[0])
        self.assertEqual(self.wrong(host=""), ["host: is empty"])
        self.assertIn("No such file", self.wrong(ca=self.mktemp())[0])
        self.assertIn("no use without a name", self.wrong(bind_password="x")[0])

    def test_authorities_must_be_some(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"nothing")
        self.assertIn("holds no certificates", self.wrong(ca=str(path))[0])

    def test_without_the_library_it_is_said_how_to_get_it(self) -> None:
        self.patch(checking, "find_spec", lambda name: None)
        self.assertEqual(self.wrong(), ["type: needs ldaptor, which is not there"])
