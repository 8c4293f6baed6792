"""May a session go on?"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home, Security, Server
from referrald.routing.moving import Mover
from referrald.routing.staying import HELD, MOVED, UNKNOWN, Ground, ground
from tests.routing.sessions import A, B, Session


class Staying(SynchronousTestCase):
    def why(self, home: Home | None, relayed_to: Server | None = A, there: str = "") -> object:
        session = Session(Mover(Clock(), lambda line: None), "alice", relayed_to, there)
        return ground(session, home)

    def test_a_relayed_session_goes_on_at_any_of_the_homes_servers(self) -> None:
        for servers in ((A,), (A, B), (B, A)):
            self.assertIsNone(self.why(Home(servers=servers)))
        for home in (Home(servers=(B,)), Home(), Home(servers=(B,), public_here=True)):
            self.assertIs(self.why(home), MOVED)

    def test_another_port_or_another_name_there_is_another_home(self) -> None:
        by_tls = Server(host="a.example", port=993, security=Security.TLS)
        self.assertIs(self.why(Home(servers=(by_tls,))), MOVED)
        self.assertIs(self.why(Home(servers=(A,), user="al")), MOVED)
        self.assertIsNone(self.why(Home(servers=(A,), user="al"), there="al"))
        self.assertIs(self.why(Home(servers=(A,)), there="al"), MOVED)

    def test_one_that_is_served_goes_on_while_the_home_is_here(self) -> None:
        self.assertIsNone(self.why(Home(), None))
        self.assertIs(self.why(Home(servers=(A,)), None), MOVED)

    def test_who_reads_public_mailboxes_here_goes_on(self) -> None:
        self.assertIsNone(self.why(Home(servers=(A,), public_here=True), None))

    def test_nobody_goes_on_who_is_held_closed_or_unknown(self) -> None:
        for server in (A, None):
            self.assertIs(self.why(Home(servers=(A,), held=True), server), HELD)
            self.assertIs(self.why(Home(held=True, public_here=True), server), HELD)
            self.assertIs(self.why(None, server), UNKNOWN)
            closed = self.why(Home(closed="Ask room 101."), server)
            assert isinstance(closed, Ground)
            self.assertEqual((closed.why.value, closed.text), ("closed", "Ask room 101."))
