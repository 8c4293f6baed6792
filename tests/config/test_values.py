from __future__ import annotations

import math
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.config.values import Wrong, convert, did_you_mean, display
from referrald.config.writing import format_duration, format_size
from referrald.model import Option, OptionKind

BASE = "/etc/referrald"


def option(kind: OptionKind, **more: Any) -> Option:
    return Option(name="key", kind=kind, help="", **more)


def take(kind: OptionKind, value: object, **more: Any) -> Any:
    return convert(option(kind, **more), value, BASE)


class Taken(SynchronousTestCase):
    def test_times_have_units_and_plain_numbers_are_seconds(self) -> None:
        for text, seconds in [
            (30, 30), (0.5, 0.5), ("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600),
            ("1d", 86400), ("250ms", 0.25), ("1.5h", 5400), ("2 m", 120),
        ]:  # fmt: skip
            self.assertEqual(take("duration", text), seconds)

    def test_sizes_have_units_and_plain_numbers_are_bytes(self) -> None:
        for text, size in [(4096, 4096), ("4k", 4096), ("4K", 4096), ("64M", 64 * 1024**2),
                           ("1g", 1024**3), ("12", 12), ("7B", 7)]:  # fmt: skip
            self.assertEqual(take("size", text), size)

    def test_a_path_is_relative_to_the_file(self) -> None:
        self.assertEqual(take("path", "users"), "/etc/referrald/users")
        self.assertEqual(take("path", "../users"), "/etc/users")
        self.assertEqual(take("path", "/srv/users"), "/srv/users")
        self.assertEqual(take("path", "~/users"), os.path.expanduser("~/users"))

    def test_words_that_stand_for_themselves_are_no_paths(self) -> None:
        self.assertEqual(take("path", "-", choices=("-",)), "-")

    def test_a_list_becomes_a_tuple(self) -> None:
        self.assertEqual(take("strings", ["a", "b"]), ("a", "b"))

    def test_other_kinds_stay_as_they_are(self) -> None:
        self.assertEqual(take("string", "é"), "é")
        self.assertEqual(take("secret", "p w"), "p w")
        self.assertIs(take("boolean", False), False)
        self.assertEqual(take("integer", 7), 7)
        self.assertEqual(take("number", 7), 7.0)
        self.assertEqual(take("choice", "b", choices=("a", "b")), "b")

    @given(st.floats(0, 1e15) | st.integers(0, 10**15))
    def test_a_time_that_was_written_is_read_again(self, seconds: float) -> None:
        written = format_duration(seconds)
        read = written.strip('"') if written[0] == '"' else float(written)
        self.assertEqual(take("duration", read), seconds)

    @given(st.integers(0, 10**18))
    def test_a_size_that_was_written_is_read_again(self, size: int) -> None:
        written = format_size(size)
        read = written.strip('"') if written[0] == '"' else int(written)
        self.assertEqual(take("size", read), size)


class Refused(SynchronousTestCase):
    def assert_wrong(self, line: str, kind: OptionKind, value: object, **more: Any) -> None:
        error = self.assertRaises(Wrong, take, kind, value, **more)
        self.assertEqual("; ".join(filter(None, [error.wrong, error.right])), line)

    def test_what_is_no_time(self) -> None:
        right = 'a time such as 30 (seconds), "30s", "5m", "1h" or "1d"'
        self.assert_wrong(f'"5 parsecs" is not a time; {right}', "duration", "5 parsecs")
        self.assert_wrong(f'"-5s" is not a time; {right}', "duration", "-5s")
        self.assert_wrong(f'"٣s" is not a time; {right}', "duration", "٣s")
        self.assert_wrong(f"true is not a number; {right}", "duration", True)
        self.assert_wrong(f"nan is not a number; {right}", "duration", math.nan)
        self.assert_wrong(f"a huge number is not a number; {right}", "duration", 10**400)

    def test_what_is_no_size(self) -> None:
        right = 'a size such as 4096 (bytes), "4k" or "64M"'
        self.assert_wrong(f'"4q" is not a size; {right}', "size", "4q")
        self.assert_wrong(f"4.5 is not a size; {right}", "size", 4.5)
        self.assert_wrong(f"true is not a size; {right}", "size", True)

    def test_what_is_outside_the_range(self) -> None:
        self.assert_wrong("0 is too small; at least 1", "integer", 0, minimum=1)
        self.assert_wrong("0 is too small; at least 1", "duration", "0s", minimum=1)
        self.assert_wrong("300 is too large; at most 256", "integer", 300, maximum=256)
        self.assert_wrong("a huge number is too large; at most 9", "integer", 10**500, maximum=9)

    def test_what_is_no_text(self) -> None:
        self.assert_wrong("7 is not text; put it in quotes", "string", 7)
        self.assert_wrong("a list is not text; put it in quotes", "string", [])
        self.assert_wrong("has a control character in it", "string", "a\r\nb")
        self.assert_wrong("is empty; it must have a value", "string", "", required=True)

    def test_a_wrong_secret_is_not_shown(self) -> None:
        self.assert_wrong("is not text; put it in quotes", "secret", 12345)
        self.assert_wrong("has a control character in it", "secret", "hush\0")

    def test_what_is_no_list(self) -> None:
        right = 'such as ["one", "two"]'
        self.assert_wrong(f"is not a list of texts; {right}", "strings", "one")
        self.assert_wrong(f"is not a list of texts; {right}", "strings", ["one", 2])
        self.assert_wrong(
            "has an empty entry or one with a control character in it", "strings", [""]
        )
        self.assert_wrong(
            '"plain" is not known; did you mean "PLAIN"?',
            "strings",
            ["plain"],
            choices=("PLAIN", "EXTERNAL"),
        )

    def test_what_is_no_choice(self) -> None:
        choices = ("1.2", "1.3")
        self.assert_wrong(
            '1.2 is not a choice; one of "1.2", "1.3"', "choice", 1.2, choices=choices
        )
        self.assert_wrong(
            '"1.1" is not a choice; one of "1.2", "1.3"', "choice", "1.1", choices=choices
        )

    def test_what_is_no_number_and_no_boolean(self) -> None:
        self.assert_wrong("1.5 is not a whole number; digits without quotes", "integer", 1.5)
        self.assert_wrong("true is not a whole number; digits without quotes", "integer", True)
        self.assert_wrong('"1" is not a number; digits without quotes', "number", "1")
        self.assert_wrong(
            '"yes" is neither true nor false; true or false, without quotes', "boolean", "yes"
        )


class Shown(SynchronousTestCase):
    def test_a_long_value_is_cut(self) -> None:
        self.assertEqual(len(display("x" * 500)), 58)

    def test_a_near_word_is_suggested_else_all_are_listed(self) -> None:
        self.assertEqual(did_you_mean("tabel", ["table", "users"]), 'did you mean "table"?')
        self.assertEqual(did_you_mean("zzz", ["table", "users"]), "known: table, users")
        self.assertEqual(did_you_mean("zzz", []), "")
