"""The suite for what makes backends from configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from referrald.interfaces import ICheckingFactory, IReferralBackend, IReferralBackendFactory
from referrald.model import Option, Problem, Server

SECRET = "a secret 7f3a"
RESERVED = frozenset(("name", "type", "cache"))
"""Keys that every ``[[backend]]`` has, whatever its type."""

_TYPE = re.compile(r"[a-z][a-z0-9-]*")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "secret": str, "path": str, "choice": str, "strings": (tuple, list),
    "integer": int, "number": (int, float), "duration": (int, float), "size": int,
    "boolean": bool,
}  # fmt: skip


class FactoryContract:
    """Mix into a `twisted.trial.unittest.SynchronousTestCase`, and say which factory it is about.

    factory: the object that an entry point or a plugin names.
    options: what a good section of its type says, defaults left out.
    wrong_options: sections that `check` has to find something wrong with.
    secrets: values of secret options that have to have a form; each has `SECRET` in it.
    """

    factory: Any
    options: Mapping[str, Any] = {}
    wrong_options: tuple[Mapping[str, Any], ...] = ()
    secrets: Mapping[str, str] = {}
    assertEqual: Any
    assertIn: Any
    assertIsInstance: Any
    assertNotIn: Any
    assertRegex: Any
    assertTrue: Any
    skipTest: Any

    def given(self, **more: Any) -> dict[str, Any]:
        """Fill defaults in, as the loader does."""
        defaults = {option.name: option.default for option in self.factory.options}
        return {**defaults, **self.options, **more}

    def test_it_provides_the_interface(self) -> None:
        """Name, help, options and ``build`` are there."""
        verifyObject(IReferralBackendFactory, self.factory)
        if ICheckingFactory.providedBy(self.factory):
            verifyObject(ICheckingFactory, self.factory)

    def test_name_and_help_are_fit_for_the_configuration_and_its_reference(self) -> None:
        """A word, and one sentence or two."""
        self.assertTrue(_TYPE.fullmatch(self.factory.name), self.factory.name)
        self.assertRegex(self.factory.help, r"^[A-Z].*\.$")

    def test_every_option_can_be_written_and_read_about(self) -> None:
        """Keys are bare words, each there once and none that all backends have."""
        names = [option.name for option in self.factory.options]
        self.assertEqual(len(names), len(set(names)))
        for option in self.factory.options:
            self.assertIsInstance(option, Option)
            self.assertTrue(_KEY.fullmatch(option.name), option.name)
            self.assertNotIn(option.name, RESERVED)
            self.assertRegex(option.help, r"\S", option.name)

    def test_every_default_is_a_value_of_its_kind(self) -> None:
        """None stands for nothing at all; what is required needs no default."""
        for option in self.factory.options:
            if option.default is None:
                continue
            self.assertTrue(not option.required, option.name)
            self.assertIsInstance(option.default, _KINDS[option.kind], option.name)
            if option.kind == "choice":
                self.assertIn(option.default, option.choices, option.name)
            for bound, sign in ((option.minimum, 1), (option.maximum, -1)):
                if bound is not None:
                    self.assertTrue(sign * option.default >= sign * bound, option.name)

    def test_the_options_of_the_suite_are_complete(self) -> None:
        """All that is required is there, and nothing unknown."""
        known = {option.name: option for option in self.factory.options}
        self.assertEqual([name for name in self.options if name not in known], [])
        missing = [name for name in known if known[name].required and name not in self.options]
        self.assertEqual(missing, [])

    def test_good_options_have_no_problem_and_wrong_ones_have(self) -> None:
        """Each problem is a value that can be shown in one line."""
        if not ICheckingFactory.providedBy(self.factory):
            self.skipTest("does not provide ICheckingFactory")
        self.assertEqual(list(self.factory.check(self.given())), [])
        for wrong in self.wrong_options:
            problems = list(self.factory.check(self.given(**wrong)))
            self.assertTrue(problems, wrong)
            for problem in problems:
                self.assertIsInstance(problem, Problem)
                self.assertNotIn("\n", str(problem))

    def test_building_gives_a_backend_and_starts_nothing(self) -> None:
        """Backends are also made to be looked at."""
        clock = Clock()
        backend = self.factory.build(self.given(), clock)
        self.assertTrue(IReferralBackend.providedBy(backend))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_no_secret_is_shown(self) -> None:
        """Neither by the backend nor in a problem."""
        secrets = [each.name for each in self.factory.options if each.kind == "secret"]
        given = {
            name: self.secrets.get(name, SECRET) for name in secrets if name not in self.options
        }
        if not given:
            self.skipTest("it has no option that is secret")
        options = self.given(**given)
        if ICheckingFactory.providedBy(self.factory):
            self.assertNotIn(SECRET, str(list(self.factory.check(options))))
        self.assertNotIn(SECRET, repr(self.factory.build(options, Clock())))

    def test_targets_are_servers_where_they_are_known(self) -> None:
        """None says that they cannot be."""
        ask: Any = getattr(self.factory, "targets", None)
        if ask is None:
            self.skipTest("it has no method targets")
        for server in ask(self.given()) or ():
            self.assertIsInstance(server, Server)
