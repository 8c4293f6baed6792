"""Backends are started, watched and stopped with the directory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.proves import proves
from tests.routing.support import Answers, Living, Table, at_once, home, login, start


class LifecycleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.story: list[str] = []

    def test_all_are_started_in_order_and_stopped_in_reverse(self) -> None:
        directory = Answers(Living("a", self.story), Table(), Living("b", self.story))
        self.successResultOf(start(directory.start()))
        self.successResultOf(start(directory.stop()))
        expected = "start a,start b,watch a,watch b,unwatch b,unwatch a,stop b,stop a"
        self.assertEqual(",".join(self.story), expected)

    def test_one_that_cannot_start_stops_the_others_and_is_told(self) -> None:
        directory = Answers(Living("a", self.story), Living("b", self.story, broken="start"))
        failure = self.failureResultOf(start(directory.start()), ValueError)
        self.assertEqual(str(failure.value), "start b failed")
        self.assertEqual(self.story, ["start a", "start b", "stop a"])

    @proves("S1")
    def test_one_that_cannot_stop_does_not_keep_the_others_from_it(self) -> None:
        directory = Answers(Living("a", self.story), Living("b", self.story, broken="stop"))
        self.successResultOf(start(directory.start()))
        failure = self.failureResultOf(start(directory.stop()), ValueError)
        self.assertEqual(str(failure.value), "stop b failed")
        self.assertEqual(self.story[-2:], ["stop b", "stop a"])

    def test_a_change_at_the_source_is_seen_at_once(self) -> None:
        backend = Living("a", self.story)
        directory = Answers(backend)
        self.successResultOf(start(directory.start()))
        for changed, host in (("alice", "a.example"), (None, "b.example")):
            backend.homes["alice"] = home(host)
            assert backend.changed is not None
            backend.changed(changed)
            self.assertEqual(at_once(directory.home(login())).servers[0].host, host)
