"""The suite for factories, on all that come with the package; and that it can fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from docs.examples.own_backend.my_backend import factory as example
from referrald.config.plugins import BUILT_IN, backend_factory
from referrald.interfaces import IReferralBackendFactory
from referrald.model import Option
from referrald.testing import FactoryContract, MemoryBackend
from referrald.testing.factories import SECRET

ABSENT = "/no such folder/file"


class OfType(FactoryContract):
    """A factory that is found by its name."""

    type: str

    def setUp(self) -> None:
        self.factory = backend_factory(self.type)

    def file(self, text: str) -> str:
        path = Path(self.mktemp()).absolute()  # type: ignore[attr-defined]
        path.write_text(text, encoding="utf-8")
        return str(path)


class OfTable(OfType, SynchronousTestCase):
    type = "table"
    wrong_options = ({"file": ABSENT},)

    def setUp(self) -> None:
        super().setUp()
        self.options = {"file": self.file('[users]\nann = "a.example"\n')}


class OfPasswdFile(OfType, SynchronousTestCase):
    type = "passwd-file"
    wrong_options = ({"file": ABSENT}, {"scheme": ""}, {"username_format": "%q"})

    def setUp(self) -> None:
        super().setUp()
        self.options = {"file": self.file("ann:{PLAIN}x::::::host=a.example\n")}


class OfDns(OfType, SynchronousTestCase):
    type = "dns"
    options: Mapping[str, Any] = {"domains": ("example.org",), "nameservers": ("192.0.2.53",)}
    wrong_options = ({"nameservers": ("nowhere",)}, {"signed_key": ABSENT}, {"user": "%q"})


class OfSqlite(OfType, SynchronousTestCase):
    type = "sqlite"
    wrong_options = ({"database": ABSENT}, {"home_query": "SELECT"}, {"password_query": "SELECT 1"})

    def setUp(self) -> None:
        super().setUp()
        self.options = {"database": str(Path(self.mktemp()).absolute())}


class OfPostgresql(OfType, SynchronousTestCase):
    type = "postgresql"
    options: Mapping[str, Any] = {"dsn": "host=127.0.0.1 password=hush"}
    wrong_options = ({"dsn": "nothing"}, {"password_query": "SELECT 1"})


class OfRedis(OfType, SynchronousTestCase):
    type = "redis"
    options: Mapping[str, Any] = {"servers": ("rediss://redis.example.org",)}
    wrong_options = ({"servers": ("http://a",)},)


class OfEtcd(OfType, SynchronousTestCase):
    type = "etcd"
    options: Mapping[str, Any] = {"servers": ("https://etcd.example.org:2379",)}
    wrong_options = ({"servers": ("http://etcd.example.org:2379",)},)


class OfConsul(OfType, SynchronousTestCase):
    type = "consul"
    options: Mapping[str, Any] = {"servers": ("https://consul.example.org:8501",)}
    wrong_options = ({"servers": ("ftp://a",)},)


class OfRing(OfType, SynchronousTestCase):
    type = "ring"
    options: Mapping[str, Any] = {"servers": ("a.example*2", "b.example")}
    wrong_options = ({"servers": ("::1",)}, {"groups": ("*=x",)})


class OfLdap(OfType, SynchronousTestCase):
    type = "ldap"
    options: Mapping[str, Any] = {"servers": ("ldaps://ldap.example.org",), "base": "dc=example"}
    wrong_options = ({"servers": ("http://a",)}, {"filter": "(uid="})


class OfHttp(OfType, SynchronousTestCase):
    type = "http"
    options: Mapping[str, Any] = {"url": "https://directory.example.org/home"}
    wrong_options = ({"url": "http://directory.example.org/"}, {"header": "no header"})
    secrets: Mapping[str, str] = {"header": f"X-Key: {SECRET}"}


class OfTheExample(FactoryContract, SynchronousTestCase):
    factory = example
    wrong_options = ({"database": ABSENT},)

    def setUp(self) -> None:
        path = Path(self.mktemp()).absolute()
        sql = (Path(__file__).parents[2] / "docs/examples/own_backend/homes.sql").read_text("utf-8")
        connection = sqlite3.connect(path)
        connection.executescript(sql)
        connection.close()
        self.options = {"database": str(path)}


class Types(SynchronousTestCase):
    def test_every_type_is_tested(self) -> None:
        tested = {each.type for each in OfType.__subclasses__()}
        self.assertEqual(tested, set(BUILT_IN))


@implementer(IReferralBackendFactory)
class Broken:
    """Does many things wrong, when told to."""

    name = "broken"
    help = "A factory for tests."
    options: tuple[Option, ...] = (Option(name="token", kind="secret", default="", help="It."),)

    def build(self, options: Mapping[str, Any], reactor: Any) -> Any:
        """Make a backend."""
        return MemoryBackend()


class StartsAtOnce(Broken):
    def build(self, options: Mapping[str, Any], reactor: Any) -> Any:
        reactor.callLater(1, int)
        return MemoryBackend()


class Telling(Broken):
    def build(self, options: Mapping[str, Any], reactor: Any) -> Any:
        class Backend(MemoryBackend):
            def __repr__(self) -> str:
                return str(options)

        return Backend()


class BadDefault(Broken):
    options = (Option(name="count", kind="integer", default="1", help="How many."),)


class TooSmall(Broken):
    options = (Option(name="count", kind="integer", default=0, minimum=1, help="How many."),)


class BadKey(Broken):
    options = (Option(name="name", kind="string", default="", help="A name."),)


class BadName(Broken):
    name = "Broken Type"


class TheSuiteItself(SynchronousTestCase):
    def test_it_fails_for_every_mistake_and_not_without_one(self) -> None:
        for kind, name in (
            (StartsAtOnce, "test_building_gives_a_backend_and_starts_nothing"),
            (Telling, "test_no_secret_is_shown"),
            (BadDefault, "test_every_default_is_a_value_of_its_kind"),
            (TooSmall, "test_every_default_is_a_value_of_its_kind"),
            (BadKey, "test_every_option_can_be_written_and_read_about"),
            (BadName, "test_name_and_help_are_fit_for_the_configuration_and_its_reference"),
        ):

            class Suite(FactoryContract, SynchronousTestCase):
                factory: Any = Broken()

            getattr(Suite(name), name)()
            Suite.factory = kind()
            self.assertRaises(self.failureException, getattr(Suite(name), name))

    def test_the_secret_would_be_seen(self) -> None:
        self.assertIn(SECRET, repr(Telling().build({"token": SECRET}, Clock())))
