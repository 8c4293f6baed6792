from __future__ import annotations

import ctypes
from unittest import SkipTest

from referrald.auth import libcrypt
from tests.auth.support import AuthTestCase

MD5 = b"$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"


class CryptTests(AuthTestCase):
    def setUp(self) -> None:
        if libcrypt.load() is None:
            raise SkipTest("no libcrypt here")

    def test_a_hash_is_its_own_setting(self) -> None:
        self.assertEqual(libcrypt.crypt(b"password", MD5), MD5)
        self.assertNotEqual(libcrypt.crypt(b"passwort", MD5), MD5)

    def test_what_cannot_be_hashed_gives_nothing(self) -> None:
        for password, setting in (
            (b"x", b"$nosuch$salt$"),
            (b"x", b"*0"),
            (b"x", b""),
            (b"x\0y", MD5),
            (b"x", MD5 + b"\0"),
            (b"x" * 512, MD5),
        ):
            self.assertIsNone(libcrypt.crypt(password, setting))

    def test_hashing_lets_other_threads_run(self) -> None:
        # A CDLL releases the interpreter lock for the length of a call, a PyDLL keeps it.
        library = libcrypt.load()
        self.assertIsInstance(library, ctypes.CDLL)
        self.assertNotIsInstance(library, ctypes.PyDLL)
        assert library is not None
        self.assertIs(type(library.crypt_r).__mro__[1], ctypes._CFuncPtr)
        self.assertFalse(library.crypt_r._flags_ & 4, "FUNCFLAG_PYTHONAPI")

    def test_new_salts_differ(self) -> None:
        made = {libcrypt.setting(b"$6$") for _ in range(3)}
        if None in made:
            raise SkipTest("this libcrypt makes no salts")
        self.assertEqual(len(made), 3)
        self.assertIsNone(libcrypt.setting(b"$nosuch$"))

    def test_it_knows_what_it_can_hash(self) -> None:
        self.assertTrue(libcrypt.knows(b"$6$saltsalt"))
        self.assertFalse(libcrypt.knows(b"$nosuch$"))


class MissingTests(AuthTestCase):
    def test_without_the_library_nothing_is_hashed(self) -> None:
        self.patch(libcrypt, "load", lambda: None)
        self.assertIsNone(libcrypt.crypt(b"password", MD5))
        self.assertIsNone(libcrypt.setting(b"$6$"))
