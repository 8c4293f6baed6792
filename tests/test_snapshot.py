"""Known homes on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Home, Login, Server
from referrald.routing.directory import Directory, Known
from referrald.snapshot import EVERY, Snapshot, read, write
from referrald.testing import RICH_HOMES, MemoryBackend
from referrald.workers import Inline
from tests.routing.support import at_once, start

A = Home(servers=(Server(host="a.example"),))
DAY = 86_400.0


class Broken:
    """A backend that is down."""

    async def home(self, login: Login) -> Home | None:
        raise Unavailable("down")


class Snapshots(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.clock.advance(100)
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def directory(self, backend: Any, name: str = "b") -> Directory:
        made: Directory = Directory([(name, backend)], clock=self.clock)
        return made

    def snapshot(self, directory: Directory, at: float = DAY) -> Snapshot:
        return Snapshot(str(self.path), directory, Inline(), clock=lambda: at)

    def written(self, **homes: Home) -> Directory:
        directory = self.directory(MemoryBackend(homes))
        for user in homes:
            at_once(directory.home(Login(user=user)))
        at_once(self.snapshot(directory).save())
        return directory

    def test_what_is_in_it_serves_while_a_backend_is_down(self) -> None:
        self.written(ann=A, bob=Home())
        directory = self.directory(Broken())
        at_once(self.snapshot(directory, DAY + 50).load())
        self.assertEqual(at_once(directory.home(Login(user="ann"))), attrs.evolve(A, source="b"))
        told = at_once(directory.explain(Login(user="ann")))
        self.assertEqual((told.stale, told.age), (True, 50))
        self.assertTrue(at_once(directory.home(Login(user="bob"))).here)
        self.failureResultOf(start(directory.home(Login(user="sue"))), Unavailable)

    def test_it_is_not_used_when_the_backend_answers_or_it_is_too_old(self) -> None:
        self.written(ann=A)
        new = Home(servers=(Server(host="new.example"),))
        directory = self.directory(MemoryBackend({"ann": new}))
        at_once(self.snapshot(directory, DAY + 50).load())
        self.assertEqual(at_once(directory.home(Login(user="ann"))).servers, new.servers)
        directory = self.directory(Broken())
        at_once(self.snapshot(directory, DAY + 3600).load())
        self.failureResultOf(start(directory.home(Login(user="ann"))), Unavailable)

    def test_homes_of_a_backend_that_is_no_longer_there_are_left_out(self) -> None:
        self.written(ann=A)
        directory = self.directory(Broken(), "other")
        self.assertEqual(directory.adopt(read(self.path)[1]), 0)

    def test_everything_of_a_home_is_kept(self) -> None:
        known = [
            Known(user=user, home=attrs.evolve(home, source="b"), age=1.5)
            for user, home in RICH_HOMES.items()
        ]
        write(self.path, 7.0, known)
        self.assertEqual(read(self.path), (7.0, known))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_a_damaged_file_is_told_and_left_alone(self) -> None:
        for text in ("", "nothing", "[]", '{"version": 9, "taken": 1}', '{"version": 1}',
                     '{"version": 1, "taken": 5}\n["ann", 1]\n'):  # fmt: skip
            self.path.write_text(text)
            self.logged.clear()
            directory = self.directory(Broken())
            at_once(self.snapshot(directory).load())
            self.assertEqual([each["log_level"].name for each in self.logged], ["warn"], text)
            self.assertEqual([*directory.known()], [])
            self.assertEqual(self.path.read_text(), text)

    def test_without_a_file_there_is_nothing_to_tell(self) -> None:
        at_once(self.snapshot(self.directory(Broken())).load())
        self.assertEqual(self.logged, [])

    def test_it_is_written_from_time_to_time_and_at_the_end_by_who_is_in_use(self) -> None:
        directory = self.written(ann=A)
        self.path.unlink()
        snapshot = self.snapshot(directory)
        at_once(snapshot.stop())
        self.assertFalse(self.path.exists())
        snapshot.keep(self.clock)
        self.assertFalse(self.path.exists())
        self.clock.advance(EVERY)
        self.assertEqual(json.loads(self.path.read_text().splitlines()[1])[0], "ann")
        self.path.unlink()
        at_once(snapshot.stop())
        self.assertTrue(self.path.exists())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.path.unlink()
        snapshot.keep(self.clock)
        self.assertTrue(snapshot.leave())
        at_once(snapshot.stop())
        self.assertFalse(self.path.exists())

    def test_a_disk_that_is_full_is_told(self) -> None:
        directory = self.directory(Broken())
        self.path = self.path / "no" / "such"
        at_once(self.snapshot(directory).save())
        self.assertIn("No such file", self.logged[-1]["why"])
