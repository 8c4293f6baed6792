"""APPEND into mailboxes on disk: a file grows as the message comes, and goes if that breaks off."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from referrald.model import Limits
from referrald.realm import MailRealm
from referrald.store.maildir.store import MaildirStore
from tests.proves import proves
from tests.session.native import OWN
from tests.session.support import Client, House

MEGABYTE = 1024 * 1024
PIECE = b"x" * 65_534 + b"\r\n"
PAUSE = 0.001
"""Seconds between two looks."""


class OnDisk(TestCase):
    timeout = 60

    async def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        store = MaildirStore(str(self.root), reactor)
        await store.start()
        self.addCleanup(store.stop)
        limits = Limits(literal_authenticated=200 * MEGABYTE, failure_delay=0.0)
        self.house = House(realm=MailRealm(store, None, OWN), limits=limits)
        self.client = await self.log_in()

    async def log_in(self) -> Client:
        client = self.house.connect()
        answer = await self.answer(client, b"a LOGIN bob secret\r\n", b"a OK ")
        self.assertIn(b"a OK ", answer)
        return client

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let everybody else have a turn until something is so.

        Never without a pause: a reactor that polls all the time hardly lets go of the interpreter,
        and the threads of the store starve.
        """
        clock: Any = reactor
        while not condition():
            await deferLater(clock, PAUSE)

    async def answer(self, client: Client, data: bytes, tag: bytes = b"x ") -> bytes:
        """Send something and give what is said up to the tagged answer."""
        said = [client.say(data)]

        def has_come() -> bool:
            said.append(client.read())
            return b"\n" + tag in b"\n" + b"".join(said) and said[-1][-1:] in (b"", b"\n")

        await self.until(has_come)
        return b"".join(said)

    def files(self, folder: str) -> list[Path]:
        return [path for path in self.root.rglob(f"{folder}/*") if path.is_file()]

    @proves("base:memory", "K8")
    async def test_a_long_message_is_written_as_it_comes(self) -> None:
        client, count = self.client, 40 * MEGABYTE // len(PIECE)
        said = client.say(b"x APPEND INBOX {%d}\r\n" % (count * len(PIECE)))
        await self.until(lambda: said + client.read() == b"+ Ready.\r\n")
        sizes = []
        tracemalloc.start()
        try:
            for number in range(count):
                client.session.dataReceived(PIECE)
                await self.until(lambda: client.transport.producerState == "producing")
                if number % (count // 4) == 0:
                    sizes += [path.stat().st_size for path in self.files("tmp")]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertEqual(len(sizes), 4)
        self.assertGreater(sizes[-1], 28 * MEGABYTE)
        self.assertLess(peak, 8 * MEGABYTE)
        self.assertIn(b"x OK [APPENDUID ", await self.answer(client, b"\r\n"))
        (kept,) = self.files("cur") + self.files("new")
        self.assertEqual(kept.stat().st_size, count * len(PIECE))
        self.assertEqual(self.files("tmp"), [])

    @proves("S1", "K8")
    async def test_a_message_that_breaks_off_leaves_no_file(self) -> None:
        client = self.client
        client.say(b"x APPEND INBOX {1000000+}\r\n")
        for _ in range(10):
            client.say(PIECE)
        await self.until(lambda: self.files("tmp") != [])
        client.transport.loseConnection()
        await self.until(lambda: self.files("tmp") == [])
        self.assertEqual(self.files("cur") + self.files("new"), [])
        self.assertEqual(self.house.notes.faults, [])

    @proves("K3")
    async def test_where_one_is_refused_none_is_left(self) -> None:
        for second in (b" (\\Odd) {3+}\r\ntwo\r\n", b" {3+}\r\nt\0o\r\n", b" {0+}\r\n\r\n"):
            answer = await self.answer(self.client, b"x APPEND INBOX {3+}\r\none" + second)
            self.assertRegex(answer, rb"\Ax (NO|BAD) ")
            self.assertEqual(self.files("tmp") + self.files("cur") + self.files("new"), [])

    async def test_several_are_put_in_at_once(self) -> None:
        data = b"x APPEND INBOX (\\Seen) {3+}\r\none (\\Flagged) {3+}\r\ntwo ~{5+}\r\nthree\r\n"
        answer = await self.answer(self.client, data)
        self.assertRegex(answer, rb"\Ax OK \[APPENDUID \d+ 1:3\] Appended\.\r\n\Z")
        answer = await self.answer(self.client, b"x SELECT INBOX\r\n")
        self.assertIn(b"* 3 EXISTS\r\n", answer)
        answer = await self.answer(self.client, b"x FETCH 1:3 BODY.PEEK[]\r\n")
        self.assertRegex(answer, rb"(?s)\{3\}\r\none.*\{3\}\r\ntwo.*\{5\}\r\nthree")
