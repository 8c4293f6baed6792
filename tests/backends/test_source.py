"""Sources: noticed when they change, kept when they break, told to whoever watches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from referrald.backends import recent
from referrald.backends.build import BuildFailed, Built, Job
from referrald.backends.builder import Builder
from referrald.backends.image import USER
from referrald.backends.source import PROBLEMS_TOLD, REST, START_TRIES, Source
from referrald.errors import ConfigurationError, Unavailable
from tests.backends.support import BackendTestCase, replace, write
from tests.proves import proves

POLL = 2.0
ALICE = '[users]\nalice = "a.example"\n'
BOTH = ALICE + 'bob = "a.example"\n'
BROKEN = '[users]\nalice = "nowhere"\n'


class SlowBuilder(Builder):
    """Builds when it is told to."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self.waiting: list[Deferred[None]] = []
        self.slow = False
        self.failing: Exception | None = None
        self.stopped = False
        self.builds = 0

    async def build(self, job: Job, old: Any) -> Built:
        self.builds += 1
        if self.failing is not None:
            raise self.failing
        if self.slow:
            self.waiting.append(waiting := Deferred())
            await waiting
        return await super().build(job, old)

    def stop(self) -> None:
        self.stopped = True
        super().stop()


class SourceTestCase(BackendTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.file(ALICE)
        self.source = self.make(self.path)
        self.told: list[str | None] = []

    def make(self, path: Path) -> Source:
        self.builder = SlowBuilder(self.clock)
        job = Job(kind="table", options={"file": str(path), "lowercase": True})
        source = Source(job, self.clock, POLL, builder=self.builder)
        self.addCleanup(lambda: self.result(source.stop()))
        return source

    def begin(self) -> None:
        self.result(self.source.start())
        self.source.watch(self.told.append)

    def users(self) -> list[str]:
        image = self.source.image
        return sorted(image.key(place)[1:].decode() for place in image.places())

    def polls(self, count: int = 1) -> None:
        self.clock.pump([POLL] * count)


class Starting(SourceTestCase):
    def test_a_good_file_is_there_after_the_start(self) -> None:
        self.assertRaises(Unavailable, lambda: self.source.image)
        self.begin()
        self.assertEqual(self.users(), ["alice"])

    def test_a_broken_file_keeps_the_server_from_starting_with_all_its_problems(self) -> None:
        replace(self.path, BROKEN + "bob = 1\n")
        error = self.failure(self.source.start(), ConfigurationError)
        self.assertEqual(len(error.problems), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_missing_file_keeps_the_server_from_starting(self) -> None:
        self.path.unlink()
        error = self.failure(self.source.start(), ConfigurationError)
        self.assertIn("No such file", str(error))

    def test_an_image_that_cannot_be_made_keeps_the_server_from_starting(self) -> None:
        self.builder.failing = BuildFailed("no space left")
        error = self.failure(self.source.start(), ConfigurationError)
        self.assertIn("no space left", str(error))

    def test_a_file_that_changes_all_the_time_is_given_up(self) -> None:
        build = Builder.build

        async def restless(builder: Builder, job: Job, old: Any) -> Built:
            builder.builds += 1
            built = await build(builder, job, old)
            outcome = attrs.evolve(built.outcome, steady=False)
            return attrs.evolve(built, outcome=outcome, image=None)

        self.patch(SlowBuilder, "build", restless)
        error = self.failure(self.source.start(), ConfigurationError)
        self.assertIn("changes all the time", str(error))
        self.assertEqual(self.builder.builds, START_TRIES)

    def test_what_a_check_has_built_is_taken(self) -> None:
        recent.checked(self.source._job)
        self.begin()
        self.assertEqual((self.builder.builds, self.users()), (0, ["alice"]))


class Changing(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_a_file_that_is_renamed_over_counts_after_a_poll(self) -> None:
        # The time of the inode's change cannot be set, so it may take a second look.
        replace(self.path, BOTH)
        self.assertEqual(self.users(), ["alice"])
        self.polls(2)
        self.assertEqual((self.users(), self.told), (["alice", "bob"], ["bob"]))

    def test_a_file_that_was_left_alone_for_long_counts_at_the_first_look(self) -> None:
        replace(self.path, BOTH)
        now = time.time
        self.patch(time, "time", lambda: now() + 60)
        self.polls()
        self.assertEqual(self.told, ["bob"])

    def test_a_file_that_is_being_written_is_left_alone(self) -> None:
        for text in ("[users]", "[users]\n", ALICE, BOTH):
            write(self.path, text)
            self.polls()
            self.assertEqual((self.users(), self.told), (["alice"], []))
        self.polls()
        self.assertEqual((self.users(), self.told), (["alice", "bob"], ["bob"]))
        self.assertEqual(self.events("error"), [])

    def test_a_file_that_nobody_touches_is_not_read_again(self) -> None:
        self.polls(50)
        self.assertEqual(self.builder.builds, 1)

    def test_another_text_with_the_same_meaning_is_told_to_nobody(self) -> None:
        replace(self.path, "# new\n" + ALICE)
        self.polls(2)
        self.assertEqual((self.builder.builds, self.told), (2, []))

    def test_users_who_go_are_told_too(self) -> None:
        replace(self.path, "[users]\n")
        self.polls(2)
        self.assertEqual((self.users(), self.told), ([], ["alice"]))

    def test_many_changes_are_told_as_one(self) -> None:
        replace(self.path, "[users]\n" + "".join(f'u{n} = "here"\n' for n in range(200)))
        self.polls(2)
        self.assertEqual(self.told, [None])

    def test_a_reload_reads_at_once(self) -> None:
        write(self.path, BOTH)
        self.result(self.source.reload())
        self.assertEqual((self.users(), self.told), (["alice", "bob"], ["bob"]))
        self.polls(3)
        self.assertEqual(self.builder.builds, 2)

    def test_whoever_stops_watching_is_told_no_more(self) -> None:
        others: list[str | None] = []
        end = self.source.watch(others.append)
        end()
        end()
        write(self.path, BOTH)
        self.result(self.source.reload())
        self.assertEqual((others, self.told), ([], ["bob"]))

    def test_a_watcher_that_fails_does_not_keep_the_others_from_hearing(self) -> None:
        def bad(user: str | None) -> None:
            raise RuntimeError("watcher")

        source = self.source
        source._watchers = {object(): bad, **source._watchers}
        write(self.path, BOTH)
        self.result(source.reload())
        self.assertEqual(self.told, ["bob"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_the_list_beside_a_table_is_watched_as_well(self) -> None:
        users = self.file("carol\there\n", "list")
        write(self.path, 'users_file = "list"\n')
        self.result(self.source.reload())
        self.assertEqual(self.users(), ["carol"])
        replace(users, "carol\there\ndora\there\n")
        self.polls(2)
        self.assertEqual(self.users(), ["carol", "dora"])
        self.assertEqual(self.told, ["alice", "carol", "dora"])

    def test_only_one_load_is_under_way(self) -> None:
        self.builder.slow = True
        write(self.path, BOTH)
        self.polls(5)
        self.assertEqual(self.builder.builds, 2)
        reloading = Deferred.fromCoroutine(self.source.reload())
        self.builder.waiting.pop().callback(None)
        self.assertEqual(self.told, ["bob"])
        self.assertNoResult(reloading)
        self.builder.waiting.pop().callback(None)
        self.successResultOf(reloading)

    def test_lookups_go_on_with_the_old_while_the_new_is_built(self) -> None:
        self.builder.slow = True
        write(self.path, BOTH)
        self.polls(5)
        self.assertEqual(self.users(), ["alice"])
        self.builder.waiting.pop().callback(None)
        self.assertEqual(self.users(), ["alice", "bob"])


@proves("S1")
class Breaking(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def test_a_broken_file_changes_nothing_and_is_told_once(self) -> None:
        replace(self.path, BROKEN)
        self.polls(20)
        self.assertEqual((self.users(), self.told), (["alice"], []))
        (event,) = self.events("error")
        self.assertIn(f"{self.path}:2: users.alice: there is no server", event)
        self.assertIn("stays in force", event)

    def test_each_broken_version_is_told(self) -> None:
        for text in (BROKEN, BROKEN + "\n", "["):
            replace(self.path, text)
            self.polls(5)
        self.assertEqual(len(self.events("error")), 3)

    def test_a_file_that_is_good_again_is_told_and_counts(self) -> None:
        replace(self.path, BROKEN)
        self.polls(2)
        replace(self.path, BOTH)
        self.polls(2)
        self.assertEqual((self.users(), self.told), (["alice", "bob"], ["bob"]))
        self.assertIn(f"{self.path} is good again", self.events("info"))

    def test_a_file_that_is_as_it_was_before_it_broke_is_told_to_be_good(self) -> None:
        replace(self.path, BROKEN)
        self.polls(2)
        replace(self.path, ALICE)
        self.polls(2)
        self.assertIn(f"{self.path} is good again", self.events("info"))
        self.assertEqual(self.told, [])

    def test_a_file_that_is_gone_changes_nothing(self) -> None:
        self.path.unlink()
        self.polls(5)
        self.assertEqual(self.users(), ["alice"])
        self.assertEqual(len(self.events("error")), 1)
        replace(self.path, BOTH)
        self.polls(2)
        self.assertEqual(self.users(), ["alice", "bob"])

    def test_many_problems_are_counted_in_the_log(self) -> None:
        replace(self.path, "[users]\n" + "".join(f"u{n} = 1\n" for n in range(50)))
        self.polls(2)
        (event,) = self.events("error")
        self.assertEqual(event.count("is not a home"), PROBLEMS_TOLD)
        self.assertIn("and 40 more", event)

    def test_an_image_that_cannot_be_made_is_tried_again_later(self) -> None:
        self.builder.failing = BuildFailed("no space left")
        replace(self.path, BOTH)
        self.polls(2)
        self.assertEqual(self.builder.builds, 2)
        self.builder.failing = None
        self.polls(REST)
        self.assertEqual(self.users(), ["alice"])
        self.polls()
        self.assertEqual(self.users(), ["alice", "bob"])
        self.assertEqual(len(self.events("error")), 1)


class Stopping(SourceTestCase):
    def test_nothing_is_left_running(self) -> None:
        self.begin()
        image = self.source.image
        self.result(self.source.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(image.file.closed)
        self.assertTrue(self.builder.stopped)
        self.assertRaises(Unavailable, lambda: self.source.image)
        self.result(self.source.reload())

    def test_a_stop_before_the_start_is_no_matter(self) -> None:
        self.result(self.source.stop())

    def test_a_load_that_ends_after_the_stop_counts_no_more(self) -> None:
        self.begin()
        image = self.source.image
        self.builder.slow = True
        write(self.path, BOTH)
        self.polls(5)
        self.result(self.source.stop())
        self.assertFalse(image.file.closed)
        self.builder.waiting.pop().callback(None)
        self.assertTrue(image.file.closed)
        self.assertEqual(self.told, [])

    def test_a_load_that_is_ended_by_the_stop_is_no_error(self) -> None:
        self.begin()
        image = self.source.image
        self.builder.slow = True
        write(self.path, BOTH)
        self.polls(5)
        self.result(self.source.stop())
        self.builder.waiting.pop().errback(BuildFailed("ended"))
        self.assertTrue(image.file.closed)
        self.assertEqual(self.events("error"), [])

    def test_what_was_found_before_stays_usable(self) -> None:
        self.begin()
        found = self.source.image.find(USER, "alice")
        self.result(self.source.stop())
        self.assertEqual(found.key, b"ualice")
