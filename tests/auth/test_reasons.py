from __future__ import annotations

import errno

from twisted.internet.error import ConnectionRefusedError

from referrald.auth.reasons import LONGEST, reason
from referrald.errors import Unavailable
from tests.auth.support import AuthTestCase
from tests.proves import proves


def raised(error: Exception) -> Exception:
    """Give the error a traceback."""
    try:
        raise error
    except (OSError, ValueError, Unavailable) as caught:
        return caught


class ReasonTests(AuthTestCase):
    def test_the_operating_system_is_quoted_without_the_file(self) -> None:
        error = raised(OSError(errno.EACCES, "Permission denied", "/etc/secret"))
        self.assertRegex(
            reason(error), r"^PermissionError: Permission denied \(in test_reasons.py:\d+\)$"
        )

    def test_connections_and_our_own_errors_are_quoted(self) -> None:
        self.assertIn("refused", reason(ConnectionRefusedError()))
        self.assertEqual(reason(raised(Unavailable("the disk is full"))), "the disk is full")

    @proves("S4")
    def test_of_any_other_error_only_kind_and_place_are_told(self) -> None:
        said = reason(raised(ValueError("S3cret")))
        self.assertRegex(said, r"^ValueError \(in test_reasons.py:\d+\)$")

    @proves("S4")
    def test_a_text_that_holds_the_secret_is_not_told(self) -> None:
        for error in (Unavailable("no S3cret"), OSError(5, "S3cret?")):
            self.assertNotIn("S3cret", reason(raised(error), b"S3cret"))

    def test_it_is_short(self) -> None:
        self.assertLessEqual(len(reason(Unavailable("x" * 1000))), LONGEST)
