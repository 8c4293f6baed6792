from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from referrald.ctl.homefiles import Form, HomeWriter, form_of, read_homes
from referrald.ctl.terminal import Refused
from referrald.model import Home, Server
from referrald.testing.backends import HOMES, RICH_HOMES

A = Home(servers=(Server(host="a.example"),))


class Files(SynchronousTestCase):
    def refused(self, text: str, form: Form = "csv") -> str:
        with self.assertRaises(Refused) as caught:
            read_homes(text, form, "f")
        return str(caught.exception)

    def test_what_was_written_comes_back_in_both_forms(self) -> None:
        homes = {**HOMES, **RICH_HOMES, 'q"u,o;te': A, "=1+1": A}
        forms: tuple[Form, ...] = ("csv", "json")
        for form in forms:
            out = io.StringIO()
            writer = HomeWriter(out, form)
            writer.write(list(homes.items())[:3])
            writer.write(list(homes.items())[3:])
            writer.finish()
            self.assertEqual(read_homes(out.getvalue(), form, "f"), homes)

    def test_no_users_are_a_file_too(self) -> None:
        for form, text in (("csv", "user,servers\n"), ("json", "[]\n")):
            self.assertEqual(read_homes(text, form, "f"), {})  # type: ignore[arg-type]
        out = io.StringIO()
        HomeWriter(out, "json").finish()
        self.assertEqual(out.getvalue(), "[]\n")

    def test_columns_may_be_left_out_and_stand_in_any_order(self) -> None:
        self.assertEqual(read_homes("held,host,user\n,a.example,x\n", "csv", "f"), {"x": A})

    def test_all_that_is_wrong_is_told_with_its_line(self) -> None:
        said = self.refused("user,servers\nalice,::1\nbob,a\n,a\nbob,a\n")
        self.assertIn('f:2: alice: "::1" is an IPv6 address', said)
        self.assertIn("f:4: user: has no user", said)
        self.assertIn("f:5: bob: is there twice", said)
        self.assertIn("and 80 more", self.refused("user,host\n" + "x,\n" * 100))

    def test_a_column_that_is_not_known_is_wrong(self) -> None:
        self.assertIn('has a column "server"', self.refused("user,server\nalice,a\n"))
        self.assertIn('has a column "more"', self.refused("user,host\nalice,a,b\n"))

    def test_what_is_no_such_file_is_wrong(self) -> None:
        for text, form in (
            ("", "csv"), ("alice,a\n", "csv"), ('user,host\n"a', "csv"),
            ("{", "json"), ("{}", "json"), ("[1]", "json"), ('[{"host": "a"}]', "json"),
            ('[{"user": 7, "host": "a"}]', "json"),
        ):  # fmt: skip
            self.assertTrue(self.refused(text, form))  # type: ignore[arg-type]

    def test_the_name_of_the_file_says_what_it_is(self) -> None:
        self.assertEqual(form_of("a.json", None), "json")
        self.assertEqual(form_of("a.csv", None), "csv")
        self.assertEqual(form_of("-", "json"), "json")
