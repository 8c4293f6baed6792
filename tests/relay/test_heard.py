"""What home says before anybody listens."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.relay.heard import MOST, Heard
from referrald.wire.responses import ResponseReader


def heard(data: bytes) -> Heard:
    """Hear responses as they come from a server."""
    reader, found = ResponseReader(), Heard()
    reader.feed(data)
    while (response := reader.next()) is not None:
        found.take(response)
    return found


class Keeping(SynchronousTestCase):
    def test_it_comes_out_as_it_came_in_and_once(self) -> None:
        data = b'* OK [ALERT] a\r\n* 3 EXISTS\r\n* LIST () "/" {2}\r\nab (x {1}\r\nc)\r\n* NO b\r\n'
        found = heard(data)
        self.assertEqual((found.give(), found.give()), (data, b""))

    def test_what_was_for_us_is_left_out(self) -> None:
        for line in (
            b"* CAPABILITY IMAP4rev1", b"* OK [CAPABILITY IMAP4rev1] x", b"* ID NIL", b"* BYE go",
            b"* NO [REFERRAL imap://x/] y", b"* ok [referral imap://x/] y",
        ):  # fmt: skip
            self.assertEqual(heard(line + b"\r\n").give(), b"", line)

    def test_of_the_answer_only_an_alert_is_kept(self) -> None:
        for text, kept in ((b"[ALERT] x", b"* OK [ALERT] x\r\n"), (b"[CAPABILITY X] x", b""),
                           (b"Welcome", b""), (b"", b"")):  # fmt: skip
            found = Heard()
            found.take_answer(text)
            self.assertEqual(found.give(), kept)

    def test_no_server_makes_it_keep_more_than_that(self) -> None:
        line = b"* OK " + b"x" * 9_000 + b"\r\n"
        self.assertEqual(len(heard(line * 100).give()), MOST // len(line) * len(line))
