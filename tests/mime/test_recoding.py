"""Binary parts that are made such that BODY[] can give them back."""

from __future__ import annotations

import base64
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime import parts
from referrald.mime.recoding import HOLD, NulInText, Recoder
from tests.wire.support import cut, cuts, each_byte

BINARY = b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\nhello\r\n"
MIXED = b'Content-Type: multipart/mixed; boundary="=b"\r\nContent-Transfer-Encoding: binary\r\n\r\n'


def recoded(*pieces: bytes) -> bytes:
    recoder = Recoder()
    return b"".join([*map(recoder.feed, pieces), recoder.close()])


def mixed(*inside: bytes, boundary: bytes = b"=b") -> bytes:
    """Put parts together."""
    head = MIXED.replace(b"=b", boundary)
    between = b"\r\n--%b\r\n" % boundary
    return (
        head
        + b"preamble"
        + b"".join(between + one for one in inside)
        + b"\r\n--%b--\r\n" % boundary
    )


def leaves(message: bytes) -> list[bytes]:
    """Give what the parts of a message hold, decoded."""
    found: list[bytes] = []

    def walk(part: parts.Part) -> None:
        inside = [*part.children, *([part.embedded] if part.embedded else [])]
        for each in inside:
            walk(each)
        if not inside:
            based = (part.field(b"content-transfer-encoding") or b"").lower() == b"base64"
            found.append(base64.b64decode(part.body) if based else part.body)

    walk(parts.parse(message))
    return found


lines = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"--=b", b"--", b"-", b"\0", b"x", b"--=bb", b"\xff"]
)
bodies = st.one_of(st.binary(max_size=200), st.lists(lines, max_size=12).map(b"".join))


class Recoding(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(bodies, min_size=1, max_size=3), cuts)
    def test_parts_hold_the_same_afterwards(self, inside: list[bytes], places: list[int]) -> None:
        inside = [body.replace(b"--=b", b"--=B") for body in inside]
        nested = mixed(*(BINARY + body for body in inside), boundary=b"=c")
        flat = mixed(TEXT, *(BINARY + body for body in inside))
        for message in (flat, mixed(TEXT, nested, TEXT)):
            after = recoded(message)
            self.assertNotIn(b"\0", after)
            self.assertEqual(leaves(after), leaves(message))
            self.assertEqual(recoded(*cut(message, places)), after)
            self.assertEqual(recoded(*each_byte(message)), after)

    @settings(deadline=None)
    @given(st.lists(st.one_of(lines, st.just(BINARY), st.just(MIXED))).map(b"".join), cuts)
    def test_any_bytes_come_out_the_same_however_they_are_cut(
        self, message: bytes, places: list[int]
    ) -> None:
        try:
            after = recoded(message)
        except NulInText:
            self.assertIn(b"\0", message)
            self.assertRaises(NulInText, recoded, *cut(message, places))
            return
        self.assertEqual(recoded(*cut(message, places)), after)
        self.assertEqual(after == message, b"\0" not in message)

    def test_what_has_no_nul_stays_byte_for_byte(self) -> None:
        for message in (
            b"", b"hello", b"\r\nhello", TEXT, BINARY + b"hello\n\r\n\xff",
            mixed(TEXT, BINARY + b"a\r\n"), MIXED, b"--=b\r\n",
            mixed(mixed(BINARY, boundary=b"=c"), TEXT) + b"epilogue",
        ):  # fmt: skip
            self.assertEqual(recoded(message), message)

    def test_only_the_parts_with_nul_are_changed(self) -> None:
        before = mixed(BINARY + b"plain", BINARY + b"a\0b\r\n", TEXT)
        changed = BINARY.replace(b"binary", b"base64") + b"YQBiDQo=\r\n"
        self.assertEqual(recoded(before), mixed(BINARY + b"plain", changed[:-2], TEXT))

    def test_a_message_may_be_binary_itself(self) -> None:
        folded = b"Subject: a\r\ncontent-TRANSFER-encoding:\r\n binary (x)\r\nX: y\r\n\r\n"
        after = recoded(folded + b"\0")
        expected = b"Subject: a\r\nContent-Transfer-Encoding: base64\r\nX: y\r\n\r\nAA==\r\n"
        self.assertEqual(after, expected)

    def test_a_message_inside_is_looked_into(self) -> None:
        inner = BINARY.replace(b"application/x", b"message/rfc822") + BINARY
        digest = mixed(b"\r\n" + BINARY + b"a\0").replace(b"mixed", b"digest")
        for message in (mixed(inner + b"a\0"), inner + b"a\0", digest):
            after = recoded(message)
            self.assertEqual((leaves(after), b"\0" in after), ([b"a\0"], False))

    def test_nul_anywhere_else_is_refused(self) -> None:
        for message in (
            b"\0", b"Subject: \0\r\n\r\n", TEXT + b"\0", mixed(TEXT + b"\0"), mixed(BINARY) + b"\0",
            BINARY.replace(b"binary", b"8bit") + b"\0",
            BINARY.replace(b"application", b"\0") + b"a",
            mixed(b"\0"), MIXED + b"\0",
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\0",
        ):  # fmt: skip
            self.assertRaises(NulInText, recoded, message)

    def test_a_long_part_is_not_held(self) -> None:
        recoder, body, sizes = Recoder(), b"\0\xffab\r\n" * 10_000, []
        given = recoder.feed(mixed(BINARY)[: -len(b"\r\n--=b--\r\n")])
        for _ in range(3 * HOLD // len(body)):
            given += recoder.feed(body)
            sizes.append(len(recoder._held))
        given += recoder.feed(b"\r\n--=b--\r\n") + recoder.close()
        self.assertLess(max(sizes), HOLD + len(body))
        self.assertLess(sizes[-1], 100)
        self.assertEqual(leaves(given), [body * len(sizes)])

    def test_hostile_lines_take_time_in_proportion_to_their_length(self) -> None:
        def seconds(feeds: int) -> float:
            started = time.process_time()
            for unit in (b"\n--=b\n", b"\n-", b"\n", b"--", b"\n--", b"\0\n--=", b"a: b\n"):
                recoder = Recoder()
                recoder.feed(MIXED + b"\r\n--=b\r\n" + BINARY)
                try:
                    for _ in range(feeds):
                        recoder.feed(unit * (60_000 // len(unit)))
                except NulInText:
                    continue
            return time.process_time() - started

        # Ten times as much would take a hundred times as long, were each looked at with each.
        self.assertLess(seconds(10), 30 * seconds(1))
