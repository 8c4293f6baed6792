from __future__ import annotations

from referrald.auth.schemes import parse_password_field, verify
from referrald.ctl.pw import available
from tests.ctl.fakes import CtlTestCase
from tests.proves import proves


class Pw(CtlTestCase):
    def assert_hash_of(self, password: bytes, field: str) -> None:
        self.assertTrue(verify(parse_password_field(field.strip()), password))

    def test_a_password_is_asked_for_twice_and_hashed(self) -> None:
        self.typed = ["hush", "hush"]
        code, out, err = self.run_ctl("pw", "-s", "ssha256")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("{SSHA256}"), out)
        self.assert_hash_of(b"hush", out)
        self.assertEqual(self.prompts, ["Password: ", "Once more: "])

    @proves("S4")
    def test_what_is_printed_does_not_hold_the_password(self) -> None:
        self.assertNotIn("hush-hush", self.run_ctl("pw", "-s", "SSHA", piped="hush-hush\n")[1])

    def test_two_passwords_that_differ_are_refused(self) -> None:
        self.typed = ["hush", "husk"]
        self.assertEqual(
            self.run_ctl("pw", "-s", "SSHA"), (1, "", "referralctl: the two passwords differ\n")
        )

    def test_a_line_of_a_pipe_is_hashed(self) -> None:
        code, value = self.run_json("pw", "-s", "SSHA", piped="h\u00fcsh\r\n")
        self.assertEqual((code, value["scheme"]), (0, "SSHA"))
        self.assert_hash_of("h\u00fcsh".encode(), value["hash"])

    def test_without_a_scheme_a_slow_one_is_taken(self) -> None:
        code, out, _ = self.run_ctl("pw", piped="hush\n")
        self.assertEqual(code, 0)
        self.assertIn(out[1 : out.index("}")], ("BLF-CRYPT", "SHA512-CRYPT", "PBKDF2"))

    def test_a_scheme_that_cannot_be_made(self) -> None:
        for scheme in ("rot13", "MD5"):
            code, out, err = self.run_ctl("pw", "-s", scheme, piped="hush\n")
            self.assertEqual((code, out), (1, ""))
            self.assertIn(scheme.upper(), err)
            self.assertEqual(err.count("\n"), 1)

    def test_the_schemes_are_listed(self) -> None:
        code, out, _ = self.run_ctl("pw", "--list")
        self.assertEqual((code, out.split()), (0, available()))
        self.assertIn("SCRAM-SHA-256", out)
        self.assertNotIn("DES-CRYPT", out)
