"""Parts of large messages: taken apart in a thread, decoded while they are sent."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from referrald.interfaces import IApart, IContent
from referrald.mime.parts import Section
from referrald.session import sections
from referrald.session.fetching import Item
from referrald.session.sections import SMALL, Reader, Streamed
from tests.session.native import Site

TEXT = b"0123456789" * (SMALL // 5)
ENCODED = base64.encodebytes(TEXT).replace(b"\n", b"\r\n")


def mail(content: bytes, encoding: bytes) -> bytes:
    """Make a message with two parts, of which the second is short."""
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Transfer-Encoding: %b\r\n\r\n%b\r\n--b\r\n\r\nshort\r\n--b--\r\n"
    ) % (encoding, content)


@implementer(IContent)
class Plain:
    """A message in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    async def read(self, start: int, length: int) -> bytes:
        """Give bytes."""
        return self.data[start : start + length]

    def close(self) -> None:
        """Let go of it."""


@implementer(IApart)
class Apart(Plain):
    """The same, of a store that has threads; ``done``: what was done in one."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.done: list[Any] = []

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do it now."""
        self.done.append(work)
        return work(*arguments)


class PartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.breaths = 0

    async def breathe(self) -> None:
        """Count the turns that others could have had."""
        self.breaths += 1

    def value(self, content: Any, item: Item) -> Any:
        """Find out what an item comes to."""
        work = Deferred.fromCoroutine(Reader(content, self.breathe).values([item]))
        ((_label, value),) = self.successResultOf(work)
        return value

    def sent(self, content: Any, item: Item) -> bytes:
        """Give the response."""

        async def pieces() -> bytes:
            values = await Reader(content, self.breathe).values([item])
            return b"".join([piece async for piece in sections.response(b"(", values, content)])

        return self.successResultOf(Deferred.fromCoroutine(pieces()))

    def test_a_large_message_is_taken_apart_in_a_thread(self) -> None:
        content = Apart(mail(TEXT, b"7bit"))
        item = Item(label=b"BODY[2]", section=Section(path=(2,)))
        self.assertEqual(self.sent(content, item), b"(BODY[2] {5}\r\nshort)\r\n")
        self.assertIn(sections.mime.span, content.done)
        self.assertEqual(self.breaths, 0)

    def test_a_small_one_is_not_worth_the_way(self) -> None:
        content = Apart(mail(b"a", b"7bit"))
        item = Item(label=b"BODY[2]", section=Section(path=(2,)))
        self.assertEqual(self.sent(content, item), b"(BODY[2] {5}\r\nshort)\r\n")
        self.assertEqual(content.done, [])

    def test_a_large_part_is_decoded_while_it_is_sent(self) -> None:
        for make in (Plain, Apart):
            content = make(mail(ENCODED, b"base64"))
            item = Item(label=b"BINARY[1]", section=Section(path=(1,)), binary="BINARY")
            self.assertIsInstance(self.value(content, item), Streamed)
            told = b"(BINARY[1] {%d}\r\n%b)\r\n" % (len(TEXT), TEXT)
            self.assertEqual(self.sent(content, item), told)
            size = Item(label=b"SIZE", section=Section(path=(1,)), binary="BINARY.SIZE")
            self.assertEqual(self.value(content, size), b"%d" % len(TEXT))

    def test_what_has_nul_far_behind_is_a_literal8_from_its_start(self) -> None:
        content = Plain(b"\r\n" + TEXT + b"\0")
        item = Item(label=b"BINARY[]", section=Section(), binary="BINARY")
        told = b"(BINARY[] ~{%d}\r\n%b)\r\n" % (content.size, content.data)
        self.assertEqual(self.sent(content, item), told)

    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, len(TEXT) + 9), st.integers(1, len(TEXT) + 9))
    def test_any_bytes_of_it_can_be_asked_for(self, start: int, count: int) -> None:
        content = Plain(mail(ENCODED, b"base64"))
        item = Item(label=b"X", section=Section(path=(1,)), binary="BINARY", partial=(start, count))
        cut = TEXT[start : start + count]
        self.assertEqual(self.sent(content, item), b"(X {%d}\r\n%b)\r\n" % (len(cut), cut))

    def test_clients_get_it(self) -> None:
        client = Site(mail(ENCODED, b"base64")).log_in(b"SELECT INBOX")
        answer = client.say(b"x FETCH 1 BINARY.PEEK[1]\r\n")
        told = b"* 1 FETCH (BINARY[1] {%d}\r\n%b)\r\nx OK Fetched.\r\n" % (len(TEXT), TEXT)
        self.assertEqual(answer, told)
