from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.redis.access import Access, read_password
from referrald.backends.servers import Wrong


class Passwords(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_the_file_has_it_in_one_line(self) -> None:
        for content in ("hush", "hush\n", "hush\r\n"):
            self.path.write_text(content, encoding="utf-8")
            self.assertEqual(read_password(str(self.path)), "hush")

    def test_a_file_that_has_anything_else_is_wrong_and_not_quoted(self) -> None:
        for content in (b"", b"\n", b"hush\nhush\n", b"hush\n\n", b"hush\xff"):
            self.path.write_bytes(content)
            with self.assertRaises(Wrong) as caught:
                read_password(str(self.path))
            self.assertNotIn("hush", caught.exception.wrong.replace(str(self.path), ""))
        self.path.unlink()
        with self.assertRaises(Wrong):
            read_password(str(self.path))

    def test_it_is_read_whenever_it_is_needed_and_never_shown(self) -> None:
        access = Access(password_file=str(self.path))
        for word in ("one", "two"):
            self.path.write_text(word, encoding="utf-8")
            self.assertEqual(access.current_password(), word)
        self.assertNotIn("hush", repr(Access(password="hush")))
