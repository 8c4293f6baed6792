from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from referrald.ctl.output import Output, visible


class Printed(SynchronousTestCase):
    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def output(self, as_json: bool = False) -> Output:
        return Output(out=self.out, error_out=self.err, json=as_json)

    def test_a_table_leaves_out_what_has_no_value(self) -> None:
        self.output().record({"a": None, "name": ("x", "y"), "on": True, "no": False, "n": 0})
        self.assertEqual(self.out.getvalue(), "name  x, y\non    yes\nno    no\nn     0\n")

    def test_json_has_every_field(self) -> None:
        self.output(as_json=True).record({"a": None, "b": "é"})
        self.assertEqual(json.loads(self.out.getvalue()), {"a": None, "b": "é"})

    def test_an_error_is_one_line_whatever_it_says(self) -> None:
        self.output().error("two\nlines \x1b[2J")
        self.assertEqual(self.err.getvalue(), "referralctl: two\\nlines \\x1b[2J\n")

    def test_what_can_be_printed_stays(self) -> None:
        self.assertEqual(visible("é 漢 \u2028\x7f"), "é 漢 \\u2028\\x7f")
