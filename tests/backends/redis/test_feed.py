"""The stream by which front doors tell each other things, over a real server."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from tests.backends.redis.support import RedisTestCase, clock, until

KEY = "referrald:shared"
PAGE = Path(__file__).parents[3] / "docs" / "howto" / "share-counts.md"


class One:
    """A feed, and what it has heard."""

    def __init__(self, url: str, timeout: float = 30.0, **access: Any) -> None:
        from referrald.backends.redis.access import Access
        from referrald.backends.redis.feed import Feed
        from referrald.backends.redis.places import read_place
        from referrald.backends.redis.servers import Servers

        servers = Servers([read_place(url)], Access(timeout=timeout, **access))
        self.heard: list[Any] = []
        self.feed = Feed(servers, KEY, clock, self._hear, 60.0)
        self.feed.start()

    def _hear(self, events: Sequence[Any]) -> None:
        self.heard += events

    def users(self) -> list[str]:
        """Name those who were heard of."""
        return [event.fields["user"] for event in self.heard]


@pytest.mark.interop
class Feeds(RedisTestCase):
    def setUp(self) -> None:
        self.logged: list[str] = []
        observe = lambda event: self.logged.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def together(self, work: Any, count: int = 2, **options: Any) -> Deferred[None]:
        """Do ``work`` with some feeds that can hear each other."""

        async def doing() -> None:
            ones = [One(self.server.url, **options) for _ in range(count)]
            try:
                await work(*ones)
            finally:
                for one in ones:
                    await one.feed.stop()

        return Deferred.fromCoroutine(doing())

    async def in_touch(self, one: One, other: One) -> None:
        """Wait until what one tells is heard by the other; what was heard till then is dropped."""
        while "probe" not in other.users():
            one.feed.tell({"user": "probe"})
            await until(lambda: True)
            await self.pause()
        # All that is on its way has come.
        one.feed.tell({"user": "end"})
        await until(lambda: "end" in other.users())
        del other.heard[:]

    async def pause(self) -> None:
        ended: Deferred[None] = Deferred()
        clock.callLater(0.02, ended.callback, None)
        await ended

    def test_what_one_tells_the_other_hears_at_once_and_in_order(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            await self.in_touch(other, one)
            names = [f"user{number}" for number in range(2_000)]
            begun = clock.seconds()
            for name in names:
                one.feed.tell({"user": name})
            self.assertLess(clock.seconds() - begun, 10, "who tells does not wait")
            await until(lambda: len(other.heard) == len(names))
            self.assertEqual(other.users(), names)
            self.assertEqual(one.heard, [], "nobody hears of what they have told")
            self.assertLess(abs(other.heard[-1].when - clock.seconds()), 30)

        return self.together(work)

    def test_names_come_as_they_were_whatever_is_in_them(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            names = ["", "*", "a\r\nFLUSHALL", "\0", "\u00e4", "\udcff", "%", "x" * 255]
            for name in names:
                one.feed.tell({"user": name})
            await until(lambda: len(other.heard) == len(names))
            self.assertEqual(other.users(), names)

        return self.together(work)

    def test_who_starts_later_hears_what_was_told_within_the_window(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            now = int(time.time() * 1000)
            # Of a time long ago, so that it comes before the rest.
            self.server.run("DEL", KEY)
            self.server.run("XADD", KEY, f"{now - 70_000}-0", "user", "old")
            self.server.run("XADD", KEY, f"{now - 30_000}-0", "user", "young")
            late = One(self.server.url)
            try:
                await until(lambda: late.heard)
                self.assertEqual(late.users(), ["young"])
                self.assertLess(abs(late.heard[0].when - (clock.seconds() - 30)), 20)
            finally:
                await late.feed.stop()

        return self.together(work)

    def test_the_rights_that_the_page_names_are_enough(self) -> Deferred[None]:
        page = PAGE.read_text(encoding="utf-8")
        ((rule),) = re.findall(r"^ACL SETUSER (.+)$", page, re.MULTILINE)
        self.server.run("ACL", "SETUSER", *rule.split())

        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            await self.in_touch(other, one)
            self.assertEqual(self.about("not shared"), [])

        return self.together(work, username="imap", password="wonderland")

    def test_a_key_is_gone_when_nobody_tells_anything_for_long(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            self.assertTrue(0 < self.server.run("PTTL", KEY) <= 60_000)

        return self.together(work)

    def test_an_outage_is_logged_once_and_over_by_itself(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            self.server.stop()
            for number in range(100):
                one.feed.tell({"user": f"lost{number}"})
            await until(lambda: len(self.about("not shared")) == 2)
            self.server.start()
            await until(lambda: len(self.about("shared again")) == 2)
            await self.in_touch(one, other)
            one.feed.tell({"user": "alice"})
            await until(lambda: other.users() == ["alice"])
            self.assertEqual(len(self.about("not shared")), 2, "once for each of the two")

        return self.together(work)

    def about(self, words: str) -> list[str]:
        return [line for line in self.logged if words in line]

    def test_a_server_that_hangs_keeps_nobody_waiting(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            self.server.hang()
            begun = clock.seconds()
            for number in range(20_000):
                one.feed.tell({"user": f"user{number}"})
            # To wait for the server each time would take half a second.
            self.assertLess(clock.seconds() - begun, 60)
            await until(lambda: self.about("not shared"))
            self.server.go_on()
            await self.in_touch(one, other)

        return self.together(work, timeout=0.5)

    def test_a_key_of_another_type_and_entries_of_others_do_no_harm(self) -> Deferred[None]:
        async def work(one: One, other: One) -> None:
            await self.in_touch(one, other)
            self.server.run("XADD", KEY, "*", b"\xff", b"\xfe")
            self.server.run("XADD", KEY, "*", "user", "x")
            await until(lambda: self.about("not shared") or other.heard)
            await self.in_touch(one, other)
            self.server.run("DEL", KEY)
            self.server.run("SET", KEY, "x")
            one.feed.tell({"user": "x"})
            await until(lambda: self.about("WRONGTYPE"))
            self.server.run("DEL", KEY)
            await self.in_touch(one, other)

        return self.together(work)
