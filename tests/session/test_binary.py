"""BINARY: parts without their transfer encoding (RFC 3516, RFC 9051 section 6.4.5)."""

from __future__ import annotations

import base64

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.session.inbox import say
from tests.session.native import Site

DATA = bytes(range(256)) * 4
MIXED = (
    b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9= \r\n! \r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"
    + base64.encodebytes(DATA).replace(b"\n", b"\r\n")
    + b"--b\r\nContent-Transfer-Encoding: x-mine\r\n\r\nstrange\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\n"
)


class Binary(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(MIXED, b"Subject: nul\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b")
        self.client = self.site.log_in(b"SELECT INBOX")

    def fetch(self, what: bytes) -> bytes:
        """Give what stands between the parentheses of a FETCH response."""
        answer = self.client.say(b"x FETCH " + what + b"\r\n")
        head, _, rest = answer.partition(b" FETCH (")
        self.assertTrue(rest.endswith(b")\r\nx OK Fetched.\r\n"), answer)
        self.assertIn(head, (b"* 1", b"* 2"))
        return rest[: -len(b")\r\nx OK Fetched.\r\n")]

    def test_it_is_offered_after_login(self) -> None:
        self.assertIn(b" BINARY", self.client.say(b"x CAPABILITY\r\n"))

    def test_encodings_are_undone(self) -> None:
        self.assertEqual(self.fetch(b"1 BINARY.PEEK[1]"), b"BINARY[1] {6}\r\ncaf\xc3\xa9!")
        self.assertEqual(
            self.fetch(b"1 BINARY.PEEK[2]"), b"BINARY[2] ~{%d}\r\n%b" % (len(DATA), DATA)
        )

    def test_a_part_of_them_is_of_what_is_decoded(self) -> None:
        self.assertEqual(self.fetch(b"1 BINARY.PEEK[1]<3.2>"), b"BINARY[1]<3> {2}\r\n\xc3\xa9")
        self.assertEqual(self.fetch(b"1 BINARY.PEEK[2]<65.3>"), b"BINARY[2]<65> {3}\r\nABC")
        self.assertEqual(self.fetch(b"1 BINARY.PEEK[1]<99.2>"), b"BINARY[1]<99> {0}\r\n")

    def test_sizes_are_those_of_what_is_decoded(self) -> None:
        asked = b"1 (BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[9])"
        told = b"BINARY.SIZE[1] 6 BINARY.SIZE[2] %d BINARY.SIZE[9] 0" % len(DATA)
        self.assertEqual(self.fetch(asked), told)

    def test_nul_takes_a_literal8_and_nothing_else_does(self) -> None:
        self.assertEqual(self.fetch(b"2 BINARY.PEEK[1]"), b"BINARY[1] ~{3}\r\na\0b")
        self.assertEqual(self.fetch(b"2 BODY.PEEK[1]"), b"BODY[1] {3}\r\na\x80b")
        whole = self.fetch(b"1 BINARY.PEEK[]")
        self.assertEqual(whole, b"BINARY[] {%d}\r\n%b" % (len(MIXED), MIXED))

    def test_an_unknown_encoding_is_an_error_of_its_own(self) -> None:
        for item in (b"BINARY[3]", b"BINARY.SIZE[3]"):
            answer, untagged = say(self.client, b"FETCH 1 " + item)
            self.assertTrue(answer.startswith(b"NO [UNKNOWN-CTE] "), answer)
            self.assertEqual([line for line in untagged if b"BINARY" in str(line).encode()], [])

    def test_what_has_parts_is_not_decoded_and_what_is_not_there_is_nil(self) -> None:
        self.assertEqual(self.fetch(b"1 BINARY.PEEK[7]"), b"BINARY[7] NIL")
        told = self.fetch(b"1 BINARY.PEEK[4]")
        self.assertEqual(told, b"BINARY[4] {20}\r\nSubject: in\r\n\r\ninner")

    def test_it_marks_as_seen_unless_it_peeks(self) -> None:
        for item in (b"BINARY.PEEK[1]", b"BINARY.SIZE[1]"):
            self.assertNotIn(b"FLAGS", self.fetch(b"1 " + item))
        self.assertIn(b"FLAGS (\\Seen) BINARY[1] {6}", self.fetch(b"1 BINARY[1]"))

    def test_only_parts_can_be_asked_for(self) -> None:
        for item in (
            b"BINARY", b"BINARY[TEXT]", b"BINARY[1.MIME]", b"BINARY[0]", b"BINARY.SIZE[1]<0.1>",
            b"BINARY.PEEK", b"BINARY[1", b"BINARY[HEADER.FIELDS (To)]",
        ):  # fmt: skip
            self.assertTrue(say(self.client, b"FETCH 1 " + item)[0].startswith(b"BAD "), item)

    def test_a_big_part_is_decoded_in_small_steps(self) -> None:
        data = bytes(range(256)) * 4000
        head = b"Content-Transfer-Encoding: base64\r\n\r\n"
        site = Site(head + base64.encodebytes(data).replace(b"\n", b"\r\n"))
        client, clock = site.log_in(b"SELECT INBOX"), site.house.clock

        def passing() -> float:
            clock.advance(0.006)
            return clock.seconds()

        client.session.door = attrs.evolve(site.house.door, clock=passing)
        answer = client.say(b"x FETCH 1 BINARY.SIZE[1]\r\n")
        self.assertEqual(answer, b"")
        for _ in range(100):
            clock.advance(0)
        self.assertIn(b"BINARY.SIZE[1] %d" % len(data), client.read())
