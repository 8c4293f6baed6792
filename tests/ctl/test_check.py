from __future__ import annotations

from tests.ctl.fakes import CONFIG, CtlTestCase


class Check(CtlTestCase):
    def test_a_good_file_has_no_problems(self) -> None:
        self.assertEqual(self.run_ctl("check"), (0, f"{self.file}: no problems\n", ""))
        self.assertEqual(self.run_json("check"), (0, {"file": self.file, "problems": []}))

    def test_every_problem_is_a_line(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fak"\n[limits]\nline = 1\n')
        self.assertEqual(
            self.run_ctl("check"),
            (
                1,
                f"{self.file}: limits.line: 1 is too small; at least 512\n"
                f'{self.file}: [[backend]] #1 (users) type: there is no backend type "fak"; '
                'did you mean "fake"?\n',
                "",
            ),
        )

    def test_problems_can_be_read_by_programs(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\n[limits]\nline = 1\n')
        code, value = self.run_json("check")
        self.assertEqual(code, 1)
        self.assertEqual(
            value["problems"],
            [
                {
                    "where": self.file,
                    "key": "limits.line",
                    "wrong": "1 is too small",
                    "right": "at least 512",
                }
            ],
        )

    def test_a_name_from_the_file_does_not_steer_the_terminal(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\n"\\u009b2J" = 1\n')
        code, out, _ = self.run_ctl("check")
        self.assertEqual(code, 1)
        self.assertTrue(out[:-1].isprintable(), out)
