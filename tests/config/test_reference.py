from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.config import plugins, reference
from referrald.config.render import reference as render_reference
from referrald.config.schema import SECTIONS
from tests.config.fakes import ConfigTestCase


class TheReference(ConfigTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(plugins, "BUILT_IN", {"fake": plugins.BUILT_IN["fake"]})
        self.text = render_reference()

    def test_every_key_of_every_section_is_in_it(self) -> None:
        for section in SECTIONS:
            self.assertIn(f"\n## `{section.heading}`\n", self.text)
            for option in section.options:
                self.assertIn(f"\n| `{option.name}` | ", self.text)

    def test_a_limit_has_its_default_its_bound_and_what_happens(self) -> None:
        self.assertIn(
            "| `line` | size, at least 512 | `36k` | Longest command line before login; "
            "then `BYE`. The longest `ID` has 32k (RFC 2971). |",
            self.text,
        )
        self.assertIn("| `auth_time` | time, at least 1s | `1m` | ", self.text)

    def test_choices_and_what_is_required_are_shown(self) -> None:
        self.assertIn('| `minimum` | `1.2`, `1.3` | `"1.2"` | ', self.text)
        self.assertIn("| `certificate` | path | *required* | ", self.text)
        self.assertIn('| `logins` | `twisted`, `-` or a path | `"twisted"` | ', self.text)
        self.assertIn("| `workers` | whole number, at least 1, at most 256 | `2` | ", self.text)

    def test_a_backend_type_is_described_by_its_factory(self) -> None:
        self.assertIn('### `type = "fake"`\n\nA source for tests.\n\n| Key |', self.text)
        self.assertIn("| `every` | time | `30s` | A time. |", self.text)

    def test_every_row_has_four_cells(self) -> None:
        for line in self.text.splitlines():
            if line.startswith("|"):
                self.assertEqual(line.replace("\\|", "").count("|"), 5, line)

    def test_a_type_without_options_has_no_table(self) -> None:
        self.factory.options = ()
        self.assertIn("A source for tests.\n\n(config-directory)=", reference.reference())


class TheBackendsOfTheHouse(SynchronousTestCase):
    def test_they_are_described_too(self) -> None:
        text = reference.reference()
        for name in plugins.BUILT_IN:
            self.assertIn(f'\n### `type = "{name}"`\n', text)
