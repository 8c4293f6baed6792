from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.servers import Wrong
from referrald.backends.sql.parameters import (
    check_parameters,
    parameters_in,
    percent_style,
    values_for,
)
from referrald.testing.backends import ODD_NAMES


class Parameters(SynchronousTestCase):
    def test_they_are_found_where_they_are_parameters(self) -> None:
        query = (
            "SELECT ':no', \":no\", a::text, $$ :no $$, $x$ :no $x$ -- :no\n"
            "/* :no */ FROM t WHERE a = :user AND b=:domain OR c = :user"
        )
        self.assertEqual(parameters_in(query), ["user", "domain", "user"])

    def test_one_that_nobody_fills_in_is_wrong(self) -> None:
        check_parameters("SELECT :user, :local, :domain")
        with self.assertRaises(Wrong) as caught:
            check_parameters("SELECT :password")
        self.assertIn(":password", caught.exception.wrong)

    def test_other_drivers_get_them_in_their_way(self) -> None:
        self.assertEqual(
            percent_style("SELECT a::text FROM t WHERE b LIKE '%:x' AND c = :user AND d % 2 = 0"),
            "SELECT a::text FROM t WHERE b LIKE '%%:x' AND c = %(user)s AND d %% 2 = 0",
        )

    @given(st.text(alphabet="ab':\"-*/$%\n u", max_size=30))
    def test_any_text_can_be_searched(self, text: str) -> None:
        parameters_in(text)
        self.assertEqual(percent_style(text).count("%s"), 0)

    def test_a_name_is_taken_apart(self) -> None:
        self.assertEqual(values_for("al@b@c"), {"user": "al@b@c", "local": "al", "domain": "b@c"})
        self.assertEqual(values_for("al"), {"user": "al", "local": "al", "domain": ""})

    def test_a_name_that_nobody_can_have_has_no_values(self) -> None:
        for name in ("", "a\0", "a\n", "\ud800", " a", "x" * 256, "\x7f"):
            self.assertIsNone(values_for(name), repr(name))

    def test_no_odd_name_is_changed(self) -> None:
        for name in ODD_NAMES:
            values = values_for(name)
            if values is not None:
                self.assertEqual(values["user"], name)
