from __future__ import annotations

from unittest import SkipTest

from hypothesis import given
from hypothesis import strategies as st

from referrald.auth import hashes, libcrypt, schemes
from referrald.auth.schemes import SchemeError, make, parse_password_field, verify
from referrald.model import StoredPassword
from tests.auth import vectors
from tests.auth.support import AuthTestCase
from tests.proves import proves

CHEAP_COSTS = {
    "CRYPT": 1,
    "BLF-CRYPT": 4,
    "SHA256-CRYPT": 1000,
    "SHA512-CRYPT": 1000,
    "PBKDF2": 10,
    "ARGON2ID": 1,
    "SCRAM-SHA-256": 10,
}


def usable(fields: tuple[str, ...]) -> list[StoredPassword]:
    """Parse those fields that this machine can check."""
    stored = [parse_password_field(field) for field in fields]
    return [each for each in stored if schemes.known(each.scheme)]


class VectorTests(AuthTestCase):
    def test_passwords_as_dovecot_keeps_them_are_right(self) -> None:
        for stored in usable(vectors.OF_ASCII):
            self.assertIs(verify(stored, vectors.ASCII.encode()), True, stored.scheme)

    def test_passwords_that_are_not_ascii_are_right(self) -> None:
        for stored in usable(vectors.OF_NON_ASCII):
            self.assertIs(verify(stored, vectors.NON_ASCII.encode()), True, stored.scheme)

    def test_other_passwords_are_wrong(self) -> None:
        for stored in usable(vectors.OF_ASCII):
            for other in (b"corrupt horse", b"", b"\xff\xfe"):
                self.assertIs(verify(stored, other), False, stored.scheme)

    def test_every_scheme_has_a_vector(self) -> None:
        seen = {parse_password_field(field).scheme.split(".")[0] for field in vectors.OF_ASCII}
        self.assertEqual(seen, set(schemes.SCHEMES))

    def test_a_machine_with_libcrypt_knows_every_kind(self) -> None:
        if libcrypt.load() is None:
            raise SkipTest("no libcrypt here")
        for kind in ("MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT"):
            self.assertTrue(schemes.known(kind), kind)


class FieldTests(AuthTestCase):
    def test_scheme_and_hash_are_taken_apart(self) -> None:
        stored = parse_password_field("{ssha256.b64}abc{}")
        self.assertEqual((stored.scheme, stored.encoded), ("SSHA256.B64", b"abc{}"))

    def test_without_a_scheme_it_is_of_the_default_one(self) -> None:
        self.assertEqual(parse_password_field("$6$x$y").scheme, "CRYPT")
        stored = parse_password_field("secret", "plain")
        self.assertEqual((stored.scheme, stored.encoded), ("PLAIN", b"secret"))

    def test_the_default_scheme_stands_in_for_none_when_checked(self) -> None:
        sha512 = hashes.make_sha512_crypt(b"x", 1000) if schemes.known("CRYPT") else b""
        if not sha512:
            raise SkipTest("no libcrypt here")
        self.assertTrue(verify(StoredPassword(scheme="", encoded=sha512), b"x"))

    def test_braces_elsewhere_are_no_scheme(self) -> None:
        for text in ("{", "{}", "x{PLAIN}y", "{PL AIN}x"):
            self.assertEqual(parse_password_field(text).encoded, text.encode())

    @given(st.text())
    def test_any_text_can_be_a_field(self, text: str) -> None:
        if "\ud800" <= max(text, default="") <= "\udfff":
            return
        parse_password_field(text)

    def test_an_unknown_scheme_is_told_by_name(self) -> None:
        for name in ("ROT13", "PLAIN.b65", "PLAIN.", "PLAIN.b64.hex", "NTLM"):
            self.assertFalse(schemes.known(name))
            self.assertEqual(schemes.problem(name), f"unknown password scheme {name}")
            with self.assertRaisesRegex(SchemeError, "unknown password scheme"):
                verify(StoredPassword(scheme=name, encoded=b"x"), b"x")

    def test_a_known_scheme_has_no_problem(self) -> None:
        for name in ("plain", "SSHA.hex", "PBKDF2", "SHA256.BASE64"):
            self.assertTrue(schemes.known(name))
            self.assertEqual(schemes.problem(name), "")


class BrokenHashTests(AuthTestCase):
    def test_a_hash_that_is_not_of_its_kind_is_an_error_that_does_not_quote_it(self) -> None:
        for field in (
            "{SHA256}S3cret",
            "{SHA256.hex}S3cret",
            "{SSHA}S3cretA=",
            "{SHA512-CRYPT}$1$S3cret$S3cret",
            "{MD5-CRYPT}S3cret",
            "{BLF-CRYPT}S3cret",
            "{BLF-CRYPT}$2y$99$S3cret",
            "{CRYPT}$99$S3cret",
            "{PBKDF2}$1$S3cret$0$" + "0" * 40,
            "{PBKDF2}$1$S3cret$9$00",
            "{ARGON2ID}$argon2id$S3cret",
            "{ARGON2ID}S3cret\xe9",
            "{ARGON2ID}$argon2i$v=19$m=8,t=1,p=1$S3cretS3cret$S3cret",
            "{ARGON2ID}$argon2id$v=19$m=8,t=0,p=1$S3cretS3cret$S3cret",
            "{SCRAM-SHA-256}4096,S3cret",
            "{SCRAM-SHA-256}0,S3cretA=,S3cretA=,S3cretA=",
            "{SCRAM-SHA-256}4096,S3cretA=,S3cretA=,S3cretA=",
            "{SCRAM-SHA-256}4096,S3cretAB=,S3cret=,S3cret=",
        ):
            stored = parse_password_field(field)
            if not schemes.known(stored.scheme):
                continue
            error = self.assertRaises(SchemeError, verify, stored, b"Passw0rt")
            self.assert_hidden(b"S3cret", error)
            self.assert_hidden(b"Passw0rt", error)

    def test_a_locked_or_empty_password_fits_nothing(self) -> None:
        for field in ("*", "!", "!$6$salt$hash", "*0", "*1", "x", "", "{PLAIN}", "{BLF-CRYPT}*"):
            stored = parse_password_field(field)
            for password in (b"", b"x", b"*", b"*0", b"*1", b"!"):
                if schemes.known(stored.scheme):
                    self.assertFalse(verify(stored, password), field)

    def test_an_empty_password_is_never_right(self) -> None:
        import hashlib

        empty = hashlib.sha256(b"").hexdigest()
        self.assertFalse(verify(parse_password_field("{SHA256.hex}" + empty), b""))

    def test_over_long_passwords_and_nul_are_wrong_for_crypt(self) -> None:
        if not schemes.known("SHA512-CRYPT"):
            raise SkipTest("no libcrypt here")
        stored = parse_password_field(make("SHA512-CRYPT", b"x" * 511, 1000))
        self.assertTrue(verify(stored, b"x" * 511))
        self.assertFalse(verify(stored, b"x" * 512))
        short = parse_password_field(make("SHA512-CRYPT", b"x", 1000))
        self.assertFalse(verify(short, b"x\0y"))


class MakeTests(AuthTestCase):
    def test_a_new_hash_fits_its_password_only(self) -> None:
        for name, scheme in schemes.SCHEMES.items():
            if scheme.make is None or not schemes.known(name):
                continue
            for suffix in ("", ".b64", ".hex"):
                field = make(name + suffix, "pässwörd €".encode(), CHEAP_COSTS.get(name))
                stored = parse_password_field(field)
                self.assertEqual(stored.scheme, (name + suffix).upper())
                self.assertTrue(verify(stored, "pässwörd €".encode()), field)
                self.assertFalse(verify(stored, b"other"), field)

    def test_two_hashes_of_a_password_differ(self) -> None:
        for name in ("SSHA512", "PBKDF2", "SCRAM-SHA-256"):
            made = {make(name, b"x", CHEAP_COSTS.get(name)) for _ in range(3)}
            self.assertEqual(len(made), 3)

    def test_crypt_makes_the_best_that_the_system_knows(self) -> None:
        if not schemes.known("CRYPT"):
            raise SkipTest("no libcrypt here")
        best = "{CRYPT}$y$" if libcrypt.knows(b"$y$j75$abcdefgh") else "{CRYPT}$6$"
        self.assertTrue(make("CRYPT", b"x", 1).startswith(best))

    def test_weak_schemes_are_not_made(self) -> None:
        for name in ("SHA", "PLAIN-MD5", "MD5-CRYPT", "DES-CRYPT"):
            if schemes.known(name):
                with self.assertRaisesRegex(SchemeError, "too weak"):
                    make(name, b"x")

    def test_what_cannot_be_hashed_is_said_without_the_password(self) -> None:
        for password, cost in ((b"", None), (b"S3cret\0", None), (b"S3cret" * 100, None)):
            if schemes.known("SHA512-CRYPT"):
                error = self.assertRaises(SchemeError, make, "SHA512-CRYPT", password, cost)
                self.assert_hidden(b"S3cret", error)
        error = self.assertRaises(SchemeError, make, "NOSUCH", b"S3cret")
        self.assert_hidden(b"S3cret", error)


class MissingLibraryTests(AuthTestCase):
    def setUp(self) -> None:
        self.patch(libcrypt, "load", lambda: None)
        self.patch(libcrypt, "knows", lambda sample: False)

    def test_crypt_says_what_it_needs(self) -> None:
        self.assertFalse(schemes.known("SHA512-CRYPT"))
        self.assertIn("libcrypt", schemes.problem("SHA512-CRYPT"))
        for work in (
            lambda: verify(parse_password_field("{CRYPT}$6$a$b"), b"x"),
            lambda: make("CRYPT", b"x"),
        ):
            with self.assertRaisesRegex(SchemeError, "libcrypt"):
                work()

    def test_bcrypt_falls_back_to_the_package_of_that_name(self) -> None:
        if hashes._bcrypt_package() is None:
            raise SkipTest("the bcrypt package is not here")
        self.assertTrue(schemes.known("BLF-CRYPT"))
        for field in vectors.OF_ASCII + vectors.OF_NON_ASCII:
            if field.startswith("{BLF-CRYPT"):
                stored = parse_password_field(field)
                password = vectors.ASCII if field in vectors.OF_ASCII else vectors.NON_ASCII
                self.assertTrue(verify(stored, password.encode()))
                self.assertFalse(verify(stored, b"other"))
        long = parse_password_field(make("BLF-CRYPT", b"x" * 100, 4))
        self.assertTrue(verify(long, b"x" * 100))
        broken = parse_password_field("{BLF-CRYPT}$2y$99$abc")
        self.assertRaises(SchemeError, verify, broken, b"x")

    def test_bcrypt_without_either_says_what_it_needs(self) -> None:
        self.patch(hashes, "_bcrypt_package", lambda: None)
        self.assertIn("bcrypt", schemes.problem("BLF-CRYPT"))

    def test_argon2_without_its_library_says_what_it_needs(self) -> None:
        self.patch(hashes, "_argon2", lambda kind: None)
        self.assertIn("cryptography", schemes.problem("ARGON2ID"))


class ScramFieldTests(AuthTestCase):
    def test_keys_and_plain_text_are_found_where_they_are(self) -> None:
        scram = parse_password_field(make("SCRAM-SHA-256", b"x", 10))
        plain = parse_password_field("{PLAIN.hex}70")
        keys = schemes.scram_keys(scram)
        assert keys is not None
        self.assertEqual(keys.iterations, 10)
        self.assertIsNone(schemes.plain_text(scram))
        self.assertIsNone(schemes.scram_keys(plain))
        self.assertEqual(schemes.plain_text(plain), b"p")

    def test_only_those_two_can_do_scram(self) -> None:
        can = {name for name in schemes.SCHEMES if schemes.can_scram(name)}
        self.assertEqual(can, {"PLAIN", "CLEAR", "CLEARTEXT", "SCRAM-SHA-256"})
        self.assertTrue(schemes.can_scram("scram-sha-256.b64"))
        self.assertFalse(schemes.can_scram("NOSUCH"))

    def test_a_password_that_was_not_prepared_before_hashing_is_right_too(self) -> None:
        from base64 import b64encode

        from referrald.auth.scram import derive_keys

        unprepared = "I\u00adX".encode()
        keys = derive_keys(unprepared, iterations=10)
        parts = (b64encode(part) for part in (keys.salt, keys.stored_key, keys.server_key))
        field = StoredPassword(scheme="SCRAM-SHA-256", encoded=b"10," + b",".join(parts))
        self.assertTrue(verify(field, unprepared))
        self.assertFalse(verify(field, b"IX"))


@proves("S4")
class SecrecyTests(AuthTestCase):
    def test_a_stored_password_shows_its_scheme_only(self) -> None:
        stored = parse_password_field("{PLAIN}S3cret")
        self.assert_hidden(b"S3cret", stored)
        self.assertIn("PLAIN", repr(stored))
