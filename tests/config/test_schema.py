from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.config import settings
from referrald.config.schema import SECTIONS, SERVER_ID
from referrald.config.section import Section
from referrald.config.values import convert
from referrald.config.writing import toml_value
from referrald.model import Limits, Option

TYPES = {
    "server": settings.ServerSettings,
    "listener": settings.ListenerSettings,
    "tls": settings.TlsSettings,
    "directory": settings.DirectorySection,
    "referral": settings.ReferralSection,
    "network": settings.NetworkSettings,
    "relay": settings.RelaySection,
    "auth": settings.AuthSection,
    "auth.introspection": settings.IntrospectionSettings,
    "serve": settings.ServeSection,
    "limits": Limits,
    "log": settings.LogSection,
}
FILLED_FROM_OWN_SECTIONS = {"server": {"id"}, "auth": {"introspection"}}


class TheSchema(SynchronousTestCase):
    def test_its_keys_are_the_fields_of_the_settings(self) -> None:
        for section in SECTIONS:
            if section.name in TYPES:
                fields = set(attrs.fields_dict(TYPES[section.name]))
                fields -= FILLED_FROM_OWN_SECTIONS.get(section.name, set())
                self.assertEqual({option.name for option in section.options}, fields)

    def test_every_default_would_be_taken_from_a_file(self) -> None:
        for section in SECTIONS:
            for option in section.options:
                if option.default not in (None, "", ()):
                    self.assertEqual(self.read_back(option), option.default, option)

    def read_back(self, option: Option) -> object:
        value = list(option.default) if isinstance(option.default, tuple) else option.default
        return convert(option, value, "/")

    def test_everything_has_help_that_is_a_sentence(self) -> None:
        for section in SECTIONS:
            for text in (section.help, *(option.help for option in section.options)):
                self.assertTrue(text.endswith("."), text)

    def test_the_defaults_of_the_limits_are_those_of_the_values(self) -> None:
        limits = next(section for section in SECTIONS if section.name == "limits")
        self.assertEqual({o.name: o.default for o in limits.options}, attrs.asdict(Limits()))

    def test_a_heading_is_written_as_in_the_file(self) -> None:
        many = Section(name="backend", help="", options=(), many=True)
        self.assertEqual((many.heading, SERVER_ID.heading), ("[[backend]]", "[server.id]"))

    def test_values_are_written_as_toml(self) -> None:
        self.assertEqual(toml_value('a"\\\x00\n'), '"a\\"\\\\\\U00000000\\n"')
        self.assertEqual(toml_value(("a", 1, True)), '["a", 1, true]')
