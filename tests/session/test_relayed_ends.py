"""How relayed sessions go on, and how they end."""

from __future__ import annotations

from referrald.session.relaying import ANSWERS_WITHIN
from tests.session.relaycase import LOGIN, RelayCase


class Ends(RelayCase):
    def test_when_home_goes_away_the_client_is_told(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        self.made[0].transport.loseConnection()
        self.assertEqual(client.say(), b"* BYE The home server has closed the connection.\r\n")
        self.assertTrue(client.lost)
        (line,) = [each for each in self.house.notes.lines if "relayed to" in each]
        self.assertIn("0 bytes to home", line)
        self.assertTrue(line.endswith("; the home server broke off"), line)

    def test_a_good_bye_of_home_is_not_repeated(self) -> None:
        self.serve("home.example", logout=b"* BYE see you\r\n%b OK done")
        client = self.connect()
        client.say(b"a " + LOGIN)
        self.assertEqual(client.say(b"b LOGOUT"), b"* BYE see you\r\nb OK done\r\n")
        self.made[0].transport.loseConnection()
        self.assertEqual(client.say(), b"")
        self.assertTrue(client.lost)
        (line,) = [each for each in self.house.notes.lines if "relayed to" in each]
        self.assertTrue(line.endswith("; the home server said good-bye"), line)

    def test_in_the_middle_of_something_it_is_only_closed(self) -> None:
        self.serve("home.example")
        for part in (b"abc", b"a whole line\r\n"):
            client = self.connect()
            client.say(b"a " + LOGIN)
            self.made[-1].transport.write(b"* 1 FETCH (BODY[] {100}\r\n" + part)
            self.made[-1].transport.loseConnection()
            self.assertNotIn(b"BYE", client.say())
            self.assertTrue(client.lost)

    def test_nothing_of_ours_is_put_into_a_message(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        self.made[0].transport.write(b"* 1 FETCH (BODY[] {100}\r\nhalf\r\n")
        client.say()
        client.session.say_bye("The server stops.")
        self.assertNotIn(b"BYE", client.say())
        self.assertTrue(client.lost)

    def test_when_the_client_goes_home_is_let_go(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        client.ours.loseConnection()
        client.say()
        self.assertTrue(self.made[0].transport.other.transport.gone)
        self.assertEqual(self.house.notes.faults, [])

    def test_what_a_client_has_asked_for_before_it_closed_is_carried_out(self) -> None:
        self.serve("home.example", append=b"", logout=b"* BYE bye\r\n%b OK done")
        client = self.connect()
        client.say(b"a " + LOGIN)
        # Nothing is under way: it may go.
        self.assertFalse(client.session.inputEnded())
        client.say(b"b APPEND x")
        ended: list[bool] = []
        client.session.spliced.transport.loseWriteConnection = lambda: ended.append(True)
        self.assertTrue(client.session.inputEnded())
        self.assertTrue(client.session.inputEnded())
        self.assertEqual(ended, [True])
        # The answer still comes, and then the end, with no word of ours.
        self.made[0].transport.write(b"b OK appended\r\n")
        self.made[0].transport.loseConnection()
        self.assertEqual(client.say(), b"b OK appended\r\n")
        self.assertTrue(client.lost)

    def test_a_home_that_does_not_go_on_for_a_client_that_closed_is_not_waited_for(self) -> None:
        self.serve("home.example", append=b"")
        client = self.connect()
        client.say(b"a " + LOGIN, b"b APPEND x")
        client.session.spliced.transport.loseWriteConnection = lambda: None
        self.assertTrue(client.session.inputEnded())
        self.house.clock.advance(ANSWERS_WITHIN / 2)
        self.made[0].transport.write(b"* 1 EXISTS\r\n")
        client.say()
        self.house.clock.advance(ANSWERS_WITHIN / 2 + 2)
        client.say()
        self.assertFalse(client.lost)
        self.house.clock.advance(ANSWERS_WITHIN)
        client.say()
        self.assertTrue(client.lost)

    def test_a_client_that_goes_while_home_is_asked_leaves_nothing_behind(self) -> None:
        self.serve("home.example", authenticate=b"")
        self.serve("second.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        client.ours.loseConnection()
        client.say()
        # It says nothing about the server, and nobody else is asked on behalf of nobody.
        self.assertEqual(self.house.door.relay.circuit.resting, 0)
        self.assertEqual(self.net.dialled, [("home.example", 143)])
        self.assertEqual(self.house.notes.faults, [])

    def test_one_that_is_put_out_while_home_is_asked_leaves_nothing_behind(self) -> None:
        self.serve("home.example", authenticate=b"")
        client = self.connect()
        client.say(b"a " + LOGIN)
        client.session.state, client.session._closing = "logout", True
        self.made[0].transport.write(b"a1 OK in\r\n")
        client.say()
        self.assertTrue(self.made[0].transport.other.transport.gone)
        self.assertEqual(self.results(), [("refused", "")])

    def test_who_does_not_read_is_not_read_for(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        held: list[bool] = []
        spliced = client.session.spliced
        spliced.hold = held.append
        client.session.pauseProducing()
        client.session.resumeProducing()
        self.assertEqual(held, [True, False])
        client.session.pauseProducing()
        self.house.clock.advance(61)
        client.say()
        self.assertTrue(client.transport.gone)

    def test_what_home_does_not_take_the_client_is_not_read_for(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        client.session.spliced.pauseProducing()
        self.assertEqual(client.transport.producerState, "paused")
        client.session.spliced.resumeProducing()
        self.assertEqual(client.transport.producerState, "producing")
