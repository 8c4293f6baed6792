from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.ops.logs import EventLog, LoginLog
from tests.ops.support import Listener
from tests.ops.test_lines import EVENT, changed
from tests.proves import proves


class LoginLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.now = 1_764_064_800.5
        self.set_zone("UTC")

    def set_zone(self, name: str) -> None:
        before = os.environ.get("TZ")
        os.environ["TZ"] = name
        time.tzset()

        def restore() -> None:
            os.environ.pop("TZ")
            if before is not None:
                os.environ["TZ"] = before
            time.tzset()

        self.addCleanup(restore)

    def make(self, form: str = "text", destination: str = "") -> LoginLog:
        log = LoginLog(
            self.clock,
            form=form,  # type: ignore[arg-type]
            destination=destination or str(self.path),
            wall_clock=lambda: self.now,
        )
        self.addCleanup(log.close)
        return log

    def test_a_line_in_a_file_carries_its_time(self) -> None:
        log = self.make()
        log.write(EVENT)
        self.now += 1
        log.write(EVENT)
        log.flush()
        first, second = self.path.read_text().splitlines()
        self.assertTrue(first.startswith("2025-11-25T10:00:00+0000 login s=K3F9 "), first)
        self.assertTrue(second.startswith("2025-11-25T10:00:01+0000 login s=K3F9 "), second)

    def test_json_carries_its_time_too(self) -> None:
        log = self.make("json")
        log.write(EVENT)
        log.flush()
        self.assertEqual(json.loads(self.path.read_text())["time"], "2025-11-25T10:00:00+0000")

    def test_twisted_gets_the_line_and_the_event(self) -> None:
        said = Listener(self)
        self.make(destination="twisted").write(changed(user="{braces} 100%"))
        self.assertEqual(len(said.lines), 1)
        self.assertTrue(said.lines[0].startswith("login s=K3F9 "))
        self.assertIn('user="{braces} 100%"', said.lines[0])

    def test_twisted_gets_json_where_that_is_wanted(self) -> None:
        said = Listener(self)
        self.make("json", "twisted").write(EVENT)
        self.assertEqual(json.loads(said.text)["user"], "alice")

    def test_results_are_counted(self) -> None:
        log = self.make()
        for result in ("referred", "failed", "referred"):
            log.write(changed(result=result))
        self.assertEqual(log.outcomes.snapshot(), {"referred": 2, "failed": 1})

    def test_rotation_begins_a_new_file(self) -> None:
        log = self.make()
        log.write(EVENT)
        self.path.rename(self.path.with_suffix(".1"))
        log.reopen()
        self.assertEqual(self.path.read_text(), "")
        self.assertEqual(log.dropped, 0)

    def test_after_closing_lines_go_to_twisted(self) -> None:
        said = Listener(self)
        log = self.make()
        log.close()
        log.write(EVENT)
        self.assertEqual(len(said.lines), 1)


class EventLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said = Listener(self)
        self.notes = EventLog(self.clock, most=3)

    @proves("S2")
    def test_a_kind_is_written_once_a_minute_and_the_rest_counted(self) -> None:
        for number in range(10):
            self.notes.note("refused 192.0.2.1", f"refused {number}")
        self.assertEqual(self.said.lines, ["refused 0"])
        self.clock.advance(60)
        self.assertEqual(self.said.lines, ["refused 0", "refused 9 (9 like this)"])
        self.notes.note("refused 192.0.2.1", "again")
        self.assertEqual(self.said.lines[-1], "again")

    def test_kinds_do_not_hold_each_other_back(self) -> None:
        self.notes.note("a", "one")
        self.notes.note("b", "two")
        self.assertEqual(self.said.lines, ["one", "two"])

    def test_a_flood_of_kinds_is_counted(self) -> None:
        for number in range(100):
            self.notes.note(f"refused {number}", f"refused {number}")
        self.assertEqual(len(self.said.lines), 3)
        self.clock.advance(60)
        self.assertEqual(self.said.lines[3:], ["97 other events were not written"])

    def test_words_that_nobody_reads_are_not_made(self) -> None:
        made: list[int] = []

        def words(number: int) -> str:
            made.append(number)
            return f"words {number}"

        for number in range(10):
            self.notes.note("a", partial(words, number))
            self.notes.note(f"b{number}", partial(words, 100 + number))
        self.assertEqual(self.said.lines, ["words 0", "words 100", "words 101"])
        self.clock.advance(60)
        self.assertEqual(self.said.lines[3], "words 9 (9 like this)")
        self.assertEqual(made, [0, 100, 101, 9])

    def test_without_anything_held_back_there_is_no_timer(self) -> None:
        self.notes.note("a", "one")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(61)
        self.notes.note("a", "two")
        self.assertEqual(self.said.lines, ["one", "two"])

    def test_closing_tells_the_rest(self) -> None:
        self.notes.note("a", "one")
        self.notes.note("a", "two")
        self.notes.close()
        self.assertEqual(self.said.lines, ["one", "two (1 like this)"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_text_cannot_make_a_second_line(self) -> None:
        self.notes.note("a", "one\r\ntwo {braces}")
        self.assertEqual(self.said.lines, ["one\\x0d\\x0atwo {braces}"])

    def test_a_fault_is_written_with_its_traceback_once(self) -> None:
        for _ in range(5):
            try:
                raise LookupError("broken")
            except LookupError as error:
                self.notes.fault("command failed", error)
        self.assertEqual(self.said.lines, ["command failed"])
        (failure,) = self.flushLoggedErrors(LookupError)
        self.assertIn("test_logs.py", failure.getTraceback())

    @proves("S4")
    def test_the_traceback_of_a_fault_shows_no_values(self) -> None:
        secret = b"open " + b"sesame"

        def check(password: bytes) -> None:
            raise LookupError("broken")

        try:
            check(secret)
        except LookupError as error:
            self.notes.fault("command failed", error)
        (failure,) = self.flushLoggedErrors(LookupError)
        self.assertNotIn(secret.decode(), failure.getTraceback())
        self.assertNotIn(secret.decode(), repr(failure.__dict__))
