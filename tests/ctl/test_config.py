from __future__ import annotations

import tomllib

from tests.ctl.fakes import CONFIG, CtlTestCase
from tests.proves import proves


class Config(CtlTestCase):
    def test_everything_is_shown_as_a_file(self) -> None:
        code, out, err = self.run_ctl("config")
        self.assertEqual((code, err), (0, ""))
        document = tomllib.loads(out)
        self.assertEqual(document["limits"]["line"], "36k")

    def test_the_differences_are_shown(self) -> None:
        code, out, _ = self.run_ctl("config", "-n")
        self.assertEqual(code, 0)
        self.assertNotIn("[limits]", out)
        self.assertIn('name = "users"', out)

    def test_programs_get_the_same_as_json(self) -> None:
        code, value = self.run_json("config", "--non-default")
        self.assertEqual((code, value["backend"]), (0, [{"name": "users", "type": "fake"}]))

    @proves("S4")
    def test_passwords_are_not_shown(self) -> None:
        for words in (["config"], ["config", "-n"], ["--format", "json", "config"]):
            self.assertNotIn("hush", self.run_ctl(*words)[1])

    def test_a_bad_file_is_not_shown(self) -> None:
        self.write("r.toml", CONFIG)
        code, out, err = self.run_ctl("config")
        self.assertEqual((code, out), (1, ""))
        first, last = err.splitlines()
        self.assertIn("[[backend]] #1 (users) type: is missing", first)
        self.assertEqual(last, f"referralctl: {self.file} cannot be used")
