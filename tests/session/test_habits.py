"""Programs that say what they are only after the login, and are known at the next one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.routing.guard import StormBreaker
from referrald.session.habits import PROGRAMS_KEPT, Habits
from referrald.session.overhearing import Overhearing
from referrald.session.programs import Ident, Programs
from tests.session.relaycase import AWAY, LOGIN, Decided, RelayCase, Wire

FOLLOW = Programs(("alpine/2*",))
ALPINE = {"name": "Alpine", "version": "2.26"}
BIRD = {"name": "Thunderbird", "version": "128"}
DAY = 86_400.0


class TheHabits(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.habits = Habits(self.clock.seconds, seconds=7 * DAY, size=3)

    def known(self, user: str = "alice", host: str = "h") -> bool:
        return self.habits.all_in(FOLLOW, user, host)

    def test_a_program_is_known_to_its_user_at_its_address_only(self) -> None:
        self.habits.note("alice", "h", ALPINE)
        self.assertEqual(
            [self.known(), self.known("bob"), self.known(host="g")], [True, False, False]
        )

    def test_one_other_program_is_enough_not_to_be_sure(self) -> None:
        for other in (BIRD, None, {}, {"name": "Alpine", "version": "1.0"}):
            self.habits = Habits(self.clock.seconds)
            self.habits.note("alice", "h", ALPINE)
            self.habits.note("alice", "h", other)
            self.habits.note("alice", "h", ALPINE)
            self.assertFalse(self.known(), other)

    def test_a_program_that_is_used_no_more_is_forgotten(self) -> None:
        self.habits.note("alice", "h", BIRD)
        self.clock.advance(3 * DAY)
        self.habits.note("alice", "h", ALPINE)
        self.assertFalse(self.known())
        self.clock.advance(4 * DAY)
        self.assertTrue(self.known())
        self.clock.advance(3 * DAY)
        self.assertFalse(self.known())

    def test_no_more_is_kept_than_was_said(self) -> None:
        for number in range(9):
            self.habits.note(f"u{number}", "h", ALPINE)
        self.assertEqual((len(self.habits), self.known("u5"), self.known("u6")), (3, False, True))
        for number in range(PROGRAMS_KEPT + 1):
            self.clock.advance(1)
            self.habits.note("u6", "h", {"name": f"p{number}"})
        self.habits.note("u6", "h", ALPINE)
        self.assertFalse(self.known("u6"))


class Listening(SynchronousTestCase):
    def heard(self, *pieces: bytes) -> list[Ident]:
        """Say something; gives what was made of it, after a look at what was passed on."""
        passed: list[bytes] = []

        class Home:
            write = staticmethod(passed.append)
            target = "home:143"

        told: list[Ident] = []
        home: Any = Home()
        listener = Overhearing(home, lambda _, ident: told.append(ident))
        for piece in pieces:
            listener.write(piece)
        self.assertEqual((passed, listener.target), (list(pieces), "home:143"))
        return told

    def test_the_first_command_counts_but_for_a_look_at_the_capabilities(self) -> None:
        line = b'a ID ("name" "Alpine" "version" "2.26")\r\n'
        for pieces, told in (
            ((line,), [ALPINE]),
            ((line[:9], line[9:]), [ALPINE]),
            ((b"a capability\r\n" + line,), [ALPINE]),
            ((b"a CAPABILITY\r\n", line, line), [ALPINE]),
            ((b"a SELECT x\r\n", line), [None]),
            ((b"a ID NIL\r\n",), [None]),
            ((b"a ID (\r\n",), [None]),
            ((b"\r\n",), [None]),
            ((b"a ID",), []),
            ((b"x" * 9_000, line), [None]),
            ((b'a ID ("name" {6}\r\n',), [None]),
        ):
            self.assertEqual(self.heard(*pieces), told, pieces)

    @given(st.lists(st.binary(max_size=40), max_size=6))
    def test_whatever_is_said_is_passed_on_and_told_once_at_most(self, pieces: list[bytes]) -> None:
        self.assertLessEqual(len(self.heard(*pieces)), 1)


class Learning(RelayCase):
    how = "auto"
    follow = ("alpine/2*",)

    def setUp(self) -> None:
        super().setUp()
        self.serve("home.example")
        self.first = self.connect()
        self.breaker = StormBreaker(clock=self.net.clock.seconds)
        router: Any = Decided(AWAY)
        router.note_referred = self.breaker.note_referred
        router.came_back = self.breaker.was_referred
        object.__setattr__(self.house.door, "router", router)

    def log_in(self, *lines: bytes) -> str:
        """Log in and say lines; gives what became of it."""
        client, self.first = self.first or Wire(self.net, self.house), None  # type: ignore[assignment]
        client.say(b"a " + LOGIN)
        client.say(*lines)
        client.ours.loseConnection()
        client.say()
        return self.house.logins[-1].result

    def test_a_program_that_follows_is_relayed_once_and_referred_from_then_on(self) -> None:
        ident = b'b ID ("name" "alpine" "version" "2.26")'
        self.assertEqual(self.log_in(ident, b"c XHOME"), "relayed")
        self.assertEqual(self.made[0].seen[1:], [ident[2:], b"XHOME"])
        self.assertEqual(self.log_in(), "referred")
        self.net.clock.advance(61)
        self.assertEqual(self.log_in(), "referred")

    def test_any_other_is_relayed_again_and_again(self) -> None:
        for _ in range(2):
            for line in (b'b ID ("name" "Thunderbird")', b"b XHOME"):
                self.assertEqual(self.log_in(line), "relayed")

    def test_one_that_was_mistaken_for_another_is_relayed_when_it_comes_back(self) -> None:
        self.log_in(b'b ID ("name" "alpine" "version" "2.26")')
        self.assertEqual(self.log_in(), "referred")
        self.assertEqual(self.log_in(b'b ID ("name" "Thunderbird")'), "relayed")
        self.net.clock.advance(3_600)
        self.assertEqual(self.log_in(), "relayed")

    def test_what_it_says_before_the_login_counts_more(self) -> None:
        self.log_in(b'b ID ("name" "alpine" "version" "2.26")')
        client = Wire(self.net, self.house)
        client.say(b'i ID ("name" "Thunderbird")')
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))

    def test_nobody_is_listened_to_where_no_program_would_be_referred(self) -> None:
        self.follow = ()
        client = self.connect()
        client.say(b"a " + LOGIN)
        self.assertNotIsInstance(client.session.spliced, Overhearing)
        client.say(b'b ID ("name" "alpine")')
        self.assertEqual(len(self.house.door.habits), 0)

    def test_it_is_listened_to_no_longer_than_it_takes(self) -> None:
        client, self.first = self.first, None  # type: ignore[assignment]
        client.say(b"a " + LOGIN)
        self.assertIsInstance(client.session.spliced, Overhearing)
        client.say(b'b ID ("name" "alpine")')
        self.assertNotIsInstance(client.session.spliced, Overhearing)
        self.assertEqual(len(self.house.door.habits), 1)
