from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import ConfigurationError
from referrald.ops import sink
from referrald.ops.sink import FLUSH_AT, KEPT, LineSink
from tests.ops.support import Listener


class SinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.said = Listener(self)

    def open(self, path: str = "") -> LineSink:
        opened = LineSink(self.clock, path or str(self.path))
        self.addCleanup(opened.close)
        return opened

    def test_lines_of_a_moment_are_written_together(self) -> None:
        lines = self.open()
        lines.write("one")
        lines.write("two")
        self.assertEqual(self.path.read_text(), "")
        self.clock.advance(0.1)
        self.assertEqual(self.path.read_text(), "one\ntwo\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_lines_do_not_wait(self) -> None:
        lines = self.open()
        for _ in range(FLUSH_AT):
            lines.write("x")
        self.assertEqual(self.path.read_text(), "x\n" * FLUSH_AT)

    def test_closing_writes_what_waits_and_leaves_no_timer(self) -> None:
        lines = LineSink(self.clock, str(self.path))
        lines.write("last")
        lines.close()
        self.assertEqual(self.path.read_text(), "last\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_file_is_appended_to(self) -> None:
        self.path.write_text("before\n")
        self.open().write("after")
        self.clock.advance(0.1)
        self.assertEqual(self.path.read_text(), "before\nafter\n")

    def test_what_utf8_cannot_say_is_escaped(self) -> None:
        self.open().write("a\udc80b")
        self.clock.advance(0.1)
        self.assertEqual(self.path.read_text(), "a\\udc80b\n")

    def test_a_file_that_cannot_be_opened_is_a_problem_in_the_configuration(self) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            LineSink(self.clock, str(self.path / "nowhere"))
        self.assertIn("cannot be written: No such file", str(caught.exception))

    def test_reopening_begins_a_new_file(self) -> None:
        lines = self.open()
        lines.write("old")
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        lines.reopen()
        lines.write("new")
        lines.flush()
        self.assertEqual((moved.read_text(), self.path.read_text()), ("old\n", "new\n"))

    def test_a_new_file_that_cannot_be_opened_leaves_the_old_one(self) -> None:
        lines = self.open()
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        self.path.mkdir()
        lines.reopen()
        lines.write("still here")
        lines.flush()
        self.assertEqual(moved.read_text(), "still here\n")
        self.assertIn("the old file is kept", self.said.text)

    def test_a_full_disk_is_told_once_and_lines_wait_for_room(self) -> None:
        lines = self.open()
        full = True

        def write(descriptor: int, data: bytes) -> int:
            if full:
                raise OSError(28, "No space left on device")
            return os.write(descriptor, data[:7])

        self.patch(sink, "os", _Os(write))
        for name in ("one", "two", "three"):
            lines.write(name)
            self.clock.advance(2)
        self.assertEqual(self.said.text.count("No space left on device; logins go on"), 1)
        full = False
        self.clock.advance(2)
        self.assertEqual(self.path.read_text(), "one\ntwo\nthree\n")
        self.assertIn("written again; 0 lines were lost", self.said.text)

    def test_lines_past_the_limit_are_dropped_and_counted(self) -> None:
        lines = self.open()

        def write(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        self.patch(sink, "os", _Os(write))
        long = "x" * (KEPT // 100)
        for _ in range(150):
            lines.write(long)
            lines.flush()
        self.assertGreater(lines.dropped, 40)
        self.assertLess(len(lines._kept), 1.1 * KEPT)
        self.patch(sink, "os", os)
        lost = lines.dropped
        self.clock.advance(2)
        self.assertIn(f"{lost} lines were lost", self.said.text)
        self.assertEqual(lines.dropped, 0)

    def test_a_pipe_that_nobody_reads_holds_nothing_up(self) -> None:
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        lines = self.open()
        for _ in range(40):
            lines.write("x" * 9999)
            lines.flush()
        self.assertEqual(lines.dropped, 0)
        self.assertEqual(self.said.text, "")
        got = b""
        while len(got) < 400_000:
            try:
                got += os.read(reader, 65536)
            except BlockingIOError:
                self.clock.advance(1)
        self.assertEqual(got, (b"x" * 9999 + b"\n") * 40)

    def test_a_pipe_that_is_closed_breaks_nothing(self) -> None:
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        lines = self.open()
        os.close(reader)
        for _ in range(5):
            lines.write("x")
            self.clock.advance(2)
        self.assertEqual(self.said.text.count("Broken pipe"), 1)


class _Os:
    """The os module with another write."""

    def __init__(self, write: object) -> None:
        self.write = write

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)
