"""Reading sources: stamps, limits, problems in the order of the file."""

from __future__ import annotations

import os

from referrald.backends.draft import Draft, Large, Outcome, checked_name, look_at
from referrald.backends.image import USER
from referrald.backends.servers import Wrong
from referrald.model import Home
from tests.backends.support import BackendTestCase, new_file, told, write


class Drafts(BackendTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.file("one\r\n\n# two\nthree")
        self.draft = Draft(new_file())

    def test_lines_have_their_numbers_and_no_ends(self) -> None:
        lines = list(self.draft.lines(str(self.path), "x", "y"))
        self.assertEqual(lines, [(1, b"one"), (4, b"three")])

    def test_only_files_are_read(self) -> None:
        os.mkfifo(self.folder / "pipe")
        for name, wrong in (
            ("pipe", "is not a file"),
            ("", "is not a file"),
            ("missing", "cannot be read: No such file or directory"),
        ):
            draft = Draft(new_file())
            self.assertIsNone(draft.open(str(self.folder / name), "source", "key"))
            self.assertEqual([problem.wrong for problem in draft.problems], [wrong])
            self.assertTrue(draft.files[str(self.folder / name)] is None)

    def test_more_bytes_than_the_limit_are_not_read(self) -> None:
        size = self.path.stat().st_size
        list(Draft(new_file(), size).lines(str(self.path), "x", "y"))
        self.assertRaises(Large, list, Draft(new_file(), size - 1).lines(str(self.path), "x", "y"))
        draft = Draft(new_file(), 2 * size - 1)
        list(draft.lines(str(self.path), "x", "y"))
        self.assertRaises(Large, list, draft.lines(str(self.path), "x", "y"))

    def test_a_file_that_changes_while_it_is_read_is_not_steady(self) -> None:
        lines = self.draft.lines(str(self.path), "x", "y")
        next(lines)
        self.assertTrue(self.draft.outcome().steady)
        write(self.path, "other text")
        self.assertFalse(self.draft.outcome().steady)

    def test_a_file_that_goes_while_it_is_read_is_not_steady(self) -> None:
        next(self.draft.lines(str(self.path), "x", "y"))
        self.path.unlink()
        self.assertFalse(self.draft.outcome().steady)

    def test_a_stamp_tells_one_version_from_another(self) -> None:
        before = look_at(str(self.path))
        self.assertEqual(look_at(str(self.path)), before)
        self.file("one\r\n\n# two\nthreE")
        self.assertNotEqual(look_at(str(self.path)), before)
        self.assertIsNone(look_at(str(self.folder / "missing")))

    def test_problems_come_in_the_order_of_the_files(self) -> None:
        for name in ("b", "a"):
            self.draft.open(str(self.file("", name)), "x", "y")
        home = self.draft.writer.home(Home())
        for line in (3, 4):
            self.draft.writer.add(USER, b"alice", home, line=line)
        b, a = (str(self.folder / name) for name in "ba")
        self.draft.wrong(f"{a}:7", "k", "one")
        self.draft.wrong(f"{b}:10", "k", "two")
        self.draft.wrong(b, "k", "three")
        self.draft.finish({}, b, a)
        self.assertEqual(
            told(tuple(self.draft.problems), self.folder),
            [
                "/b k: three",
                "/b:10 k: two",
                "/a:4 alice: is there twice, first in line 3",
                "/a:7 k: one",
            ],
        )

    def test_names_that_nobody_can_have_are_refused(self) -> None:
        self.assertEqual(checked_name("j\u00fcrgen x"), b"j\xc3\xbcrgen x")
        for name in ("", " x", "x ", "\u00a0x", "a\nb", "\0", "x" * 256):
            self.assertRaises(Wrong, checked_name, name)

    def test_an_outcome_without_anything_is_good(self) -> None:
        self.assertEqual((Outcome().problems, Outcome().steady), ((), True))
