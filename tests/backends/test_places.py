"""Lines of keys in TOML files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.places import Places

TEXT = """\
users_file = "x"   # 1
[servers.a]        # 2
host = "h"
[servers]          # 4
b = { host = "h" }
[users]            # 6
alice = "a"
"bob@x" = "a"
'carol' = "a"
[[patterns]]       # 10
match = "*"
[[patterns]]\r
match = "*"
[servers."c.d"]    # 14
host = "h"
"""


class Lines(SynchronousTestCase):
    def test_keys_are_found_in_their_tables(self) -> None:
        places = Places(TEXT)
        for table, key, line in (
            ("", "users_file", 1),
            ("servers.a", "host", 3),
            ("servers", "b", 5),
            ("servers.b", "host", 5),
            ("users", "alice", 7),
            ("users", "bob@x", 8),
            ("users", "carol", 9),
            ("patterns #1", "match", 11),
            ("patterns #2", "match", 13),
            ("patterns #2", "home", 12),
            ("servers.c.d", "host", 15),
            ("servers.a", "port", 2),
        ):
            self.assertEqual(places.line(table, key), line, (table, key))

    def test_what_stands_nowhere_or_twice_has_no_line(self) -> None:
        places = Places('x = """\n[users]\n"""\n[users]\na = 1\n')
        self.assertIsNone(places.line("nowhere", "x"))
        self.assertIsNone(places.line("users", "b"))
        self.assertIsNone(places.line(""))

    @given(st.text("[]\"=.#'\\ \nab", max_size=40), st.text("ab. #1", max_size=6))
    def test_no_text_is_too_odd(self, text: str, table: str) -> None:
        places = Places(text)
        for key in ("", "a", "b"):
            places.line(table, key)
