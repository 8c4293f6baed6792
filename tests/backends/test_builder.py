"""Building beside the reactor."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from referrald.backends import builder as module
from referrald.backends.build import BuildFailed, Built, Job, build_here
from referrald.backends.builder import Builder
from referrald.model import Home
from tests.backends.support import image_of, record
from tests.proves import proves


class Builders(TestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        with open(self.path, "w", encoding="utf-8") as file:
            file.write('[users]\nalice = "here"\n')
        self.job = Job(kind="table", options={"file": self.path, "lowercase": True})

    def build(self, builder: Builder) -> Deferred[Built]:
        return Deferred.fromCoroutine(builder.build(self.job, None))

    def test_a_small_source_is_built_at_once(self) -> None:
        built = self.successResultOf(self.build(Builder(reactor)))
        self.assertEqual(record(built, "alice").line, 0)

    @proves("S1")
    async def test_a_large_source_is_built_while_the_reactor_goes_on(self) -> None:
        building = self.build(Builder(reactor, small=0))
        self.assertNoResult(building)
        turns: list[int] = []

        def turn() -> None:
            turns.append(1)
            if not building.called:
                reactor.callLater(0, turn)

        turn()
        self.assertEqual(record(await building, "alice").line, 0)
        self.assertGreater(len(turns), 5)

    async def test_what_goes_wrong_there_is_raised_here(self) -> None:
        builder = Builder(reactor, small=0)
        bad = Job(kind="table", options={"file": self.path})
        with self.assertRaises(BuildFailed):
            await builder.build(bad, None)

    async def test_a_stop_ends_the_process(self) -> None:
        builder = Builder(reactor, small=0)
        started = builder._started
        seen: list[Any] = []

        def stop_then_start(process: Any) -> None:
            seen.append(process)
            builder.stop()
            started(process)

        builder._started = stop_then_start
        with self.assertRaises(BuildFailed):
            await self.build(builder)
        self.assertEqual(seen[0].returncode, -9)

    def test_without_calls_from_threads_everything_is_built_at_once(self) -> None:
        self.successResultOf(self.build(Builder(Clock(), small=0)))

    async def test_a_large_image_is_given_back_in_a_thread(self) -> None:
        self.patch(module, "LARGE", 1)
        closed: Deferred[str] = Deferred()
        for homes in ({}, {"alice": Home(), "bob": Home()}):
            image = image_of(homes)
            close = image.close

            def closing(close: Any = close, large: bool = bool(homes)) -> None:
                close()
                name = threading.current_thread().name
                self.assertEqual(name == "referrald-discard", large)
                if large:
                    reactor.callFromThread(closed.callback, name)

            image.close = closing
            Builder(reactor).discard(image)
        await closed

    def test_both_ways_build_the_same(self) -> None:
        built = self.successResultOf(self.build(Builder(Clock())))
        self.assertEqual(built.outcome, build_here(self.job).outcome)
