"""Long answers to clients that read slowly, stop reading, or go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Limits
from referrald.session.outgoing import PIECE
from tests.proves import proves
from tests.session.inbox import Home, say
from tests.session.responses import fetched, lines
from tests.session.support import Client

BIG = b"Subject: big\r\n\r\n" + b"0123456789abcde\n" * 60_000
BUFFER = 65_536


class SlowReader:
    """Reads what a session sends in bits, over a transport whose buffer fills up."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.most = 0
        transport = client.transport
        write = transport.write

        def writing(data: bytes) -> None:
            write(data)
            held = len(transport.value())
            self.most = max(self.most, held)
            if transport.producer is not None and held > BUFFER:
                transport.producer.pauseProducing()

        transport.write = writing  # type: ignore[method-assign]

    def read(self) -> bytes:
        """Take what is buffered and let the session go on, as a transport does."""
        data = self.client.read()
        producer = self.client.transport.producer
        if producer is not None:
            producer.resumeProducing()
        return data

    def start(self, command: bytes) -> bytes:
        """Send a command and take the first of the answer, without asking for more."""
        return self.client.say(command + b"\r\n")

    def ask(self, command: bytes) -> bytes:
        """Send a command and read until nothing more comes."""
        return self.start(command) + self.read_all()

    def read_all(self) -> bytes:
        """Read until nothing more comes."""
        pieces = [self.read()]
        while piece := self.read():
            pieces.append(piece)
        return b"".join(pieces)


@proves("base:DoS limits")
class BackPressure(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(*[BIG] * 3, limits=Limits(write_stall=60.0, idle_time=1800.0))
        self.client = self.home.log_in()
        self.reader = SlowReader(self.client)

    def test_a_long_answer_waits_for_the_client_and_is_whole(self) -> None:
        data = self.reader.ask(b"x FETCH 1:3 BODY.PEEK[]\r\ny NOOP")
        self.assertTrue(data.endswith(b"x OK Fetched.\r\ny OK Nothing done.\r\n"))
        self.assertEqual(
            {number: items[b"BODY[]"] for number, items in fetched(data).items()},
            {1: BIG, 2: BIG, 3: BIG},
        )
        self.assertLessEqual(self.reader.most, BUFFER + 2 * PIECE)
        self.assertEqual(self.client.transport.producerState, "producing")

    def test_many_short_answers_wait_too(self) -> None:
        home = Home(*[b"Subject: short\r\n\r\n" + b"x" * 2000] * 300)
        client = home.log_in()
        reader = SlowReader(client)
        data = reader.ask(b"x FETCH 1:* BODY.PEEK[]")
        self.assertEqual(len(fetched(data)), 300)
        self.assertLessEqual(reader.most, 2 * BUFFER)

    def test_what_happens_meanwhile_is_told_after_it(self) -> None:
        other = self.home.log_in()
        first = self.reader.start(b"x FETCH 1 BODY.PEEK[]")
        say(other, b"STORE 1:2 +FLAGS.SILENT \\Deleted")
        say(other, b"EXPUNGE")
        data = first + self.reader.read_all()
        self.assertEqual(fetched(data)[1][b"BODY[]"], BIG)
        self.assertNotIn(b"EXPUNGE\r\n", data)
        self.assertEqual(
            [line[1:] for line in say(self.client, b"NOOP")[1]], [[2, b"EXPUNGE"], [1, b"EXPUNGE"]]
        )

    def test_reading_slowly_is_not_silence(self) -> None:
        self.reader.start(b"x FETCH 1:3 BODY.PEEK[]")
        for _ in range(20):
            self.home.house.clock.advance(50)
            self.reader.read()
        self.assertTrue(self.reader.read_all().endswith(b"x OK Fetched.\r\n"))
        self.home.house.clock.advance(1799)
        self.assertFalse(self.client.closed)

    def test_one_that_stops_reading_is_cut_off(self) -> None:
        self.reader.start(b"x FETCH 1:3 BODY.PEEK[]")
        self.home.house.clock.advance(60)
        self.assertTrue(self.client.transport.aborted)
        self.assertEqual(self.home.inbox.listeners, [])
        self.assertEqual(self.home.house.notes.faults, [])

    def test_a_bye_in_the_middle_does_not_stand_inside_the_message(self) -> None:
        first = self.reader.start(b"x FETCH 1 BODY.PEEK[]")
        self.client.session.say_bye("Going down.")
        self.assertTrue(self.client.closed)
        self.assertNotIn(b"BYE", first + self.client.read())
        self.assertEqual(self.home.house.notes.faults, [])

    def test_a_bye_in_between_is_told(self) -> None:
        self.client.session.say_bye("Going down.")
        self.assertEqual(lines(self.client.read()), [b"* BYE Going down."])
