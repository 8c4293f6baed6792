from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from referrald.config import plugins
from referrald.config.plugins import backend_factory, backend_names, extension
from referrald.config.values import Wrong
from referrald.interfaces import IProtocolExtension, IReferralBackendFactory
from tests.config.fakes import ConfigTestCase, FakeFactory

HERE = "tests.config.test_plugins"
FAKES = "tests.config.fakes"


@implementer(IProtocolExtension)
class Extension:
    name = "xhello"
    commands = ()

    def capabilities(self, session: Any) -> list[str]:
        return ["XHELLO"]


xhello = Extension()


class Finding(ConfigTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.entries: dict[str, dict[str, str]] = {}
        self.patch(plugins, "entry_points", self.entry_points)
        self.twisted: list[Any] = []
        self.patch(plugins, "getPlugins", lambda interface: iter(self.twisted))

    def entry_points(self, group: str) -> list[EntryPoint]:
        entries = self.entries.get(group, {})
        return [EntryPoint(name=name, value=value, group=group) for name, value in entries.items()]

    def failure(self, name: str) -> str:
        error = self.assertRaises(Wrong, backend_factory, name)
        return f"{error.wrong}; {error.right}"

    def test_what_comes_with_the_package_is_found_in_a_checkout(self) -> None:
        self.assertEqual(backend_names(), sorted({*plugins.BUILT_IN, "fake"}))
        self.assertIs(backend_factory("fake"), self.factory)

    def test_an_entry_point_is_found(self) -> None:
        self.entries["referrald.backends"] = {"sql": f"{FAKES}:factory"}
        self.assertIs(backend_factory("sql"), self.factory)

    def test_an_entry_point_may_be_a_module(self) -> None:
        self.entries["referrald.backends"] = {"sql": "os"}
        self.assertEqual(
            self.failure("sql"), "os is no backend type; it must provide IReferralBackendFactory"
        )

    def test_an_entry_point_may_name_extras(self) -> None:
        self.entries["referrald.backends"] = {"sql": f"{FAKES}:factory [sql]"}
        self.assertIs(backend_factory("sql"), self.factory)

    def test_a_twisted_plugin_is_found(self) -> None:
        other = FakeFactory()
        other.name = "whois"
        self.twisted.append(other)
        self.assertIs(backend_factory("whois"), other)
        self.assertIn("whois", backend_names())

    def test_an_entry_point_of_an_unused_type_is_not_imported(self) -> None:
        self.entries["referrald.backends"] = {"broken": "tests.config.no_such_module:factory"}
        self.assertIn("broken", backend_names())
        self.assertIs(backend_factory("fake"), self.factory)

    def test_a_type_that_cannot_be_imported(self) -> None:
        self.entries["referrald.backends"] = {
            "one": "tests.config.no_such_module:factory",
            "two": f"{FAKES}:no_such_thing",
        }
        self.assertEqual(
            self.failure("one"),
            "tests.config.no_such_module:factory cannot be imported: ModuleNotFoundError: "
            "No module named 'tests.config.no_such_module'; install what it needs",
        )
        self.assertEqual(
            self.failure("two"),
            f"{FAKES}:no_such_thing cannot be imported: AttributeError: "
            f"module '{FAKES}' has no attribute 'no_such_thing'; install what it needs",
        )

    def test_a_type_that_is_none(self) -> None:
        self.entries["referrald.backends"] = {"odd": f"{FAKES}:no_factory"}
        self.assertEqual(
            self.failure("odd"),
            f"{FAKES}:no_factory is no backend type; it must provide IReferralBackendFactory",
        )

    def test_a_twisted_plugin_that_fails_is_named_when_a_type_is_missing(self) -> None:
        def broken(interface: Any) -> Any:
            try:
                raise ImportError("No module named\n'ldap3'")
            except ImportError:
                Logger().failure("plugin")
            return iter(())

        self.patch(plugins, "getPlugins", broken)
        self.assertEqual(
            self.failure("whois"),
            'there is no backend type "whois"; a Twisted plugin failed: ImportError: '
            f"No module named 'ldap3'; known: {', '.join(sorted({*plugins.BUILT_IN, 'fake'}))}",
        )
        self.assertEqual(len(self.flushLoggedErrors(ImportError)), 1)

    def test_an_extension_is_found_either_way(self) -> None:
        self.entries["referrald.extensions"] = {"by-entry": f"{HERE}:xhello"}
        self.assertIs(extension("by-entry"), xhello)
        self.twisted.append(xhello)
        self.assertIs(extension("xhello"), xhello)

    def test_the_fakes_are_what_they_say(self) -> None:
        self.assertTrue(IReferralBackendFactory.providedBy(self.factory))
