"""Failed logins of users and from addresses, of which there may be too many."""

from __future__ import annotations

import gc
import warnings
from base64 import b64encode
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import AuthenticationFailed, AuthorizationFailed
from referrald.model import Limits
from referrald.ops.guesses import FailedLogins
from tests.proves import proves
from tests.session.support import Client, House
from tests.session.test_shortcut import LOGIN, ShortcutCase

LIMIT = b"a NO [LIMIT] Too many failed logins, please try again later."
WRONG = b"a NO [AUTHENTICATIONFAILED]"


class Guarded(SynchronousTestCase):
    limits: Any = {"per_user": 2}

    def setUp(self) -> None:
        self.house = House(limits=Limits(failure_delay=0.0, login_failures=99))
        self.failures = FailedLogins(clock=self.house.clock.seconds, window=60, **self.limits)
        self.house = House(
            limits=Limits(failure_delay=0.0, login_failures=99), failures=self.failures
        )
        self.house.clock.advance(1_000)

    def connect(self) -> Client:
        client = self.house.connect()
        client.read()
        return client

    def log_in(self, user: bytes = b"bob", password: bytes = b"secret") -> bytes:
        (answer,) = self.connect().ask(b"a LOGIN " + user + b" " + password)
        return answer

    def plain(self, user: bytes, password: bytes, acting_as: bytes = b"") -> bytes:
        initial = b64encode(acting_as + b"\0" + user + b"\0" + password)
        (answer,) = self.connect().ask(b"a AUTHENTICATE PLAIN " + initial)
        return answer


class Users(Guarded):
    def fail(self, user: bytes = b"bob") -> None:
        for _ in range(2):
            self.assertTrue(self.log_in(user, b"wrong").startswith(WRONG))

    @proves("base:DoS limits")
    def test_a_right_password_gets_the_answer_of_a_wrong_one(self) -> None:
        self.fail()
        seen = len(self.house.authenticator.seen)
        for password in (b"secret", b"wrong"):
            self.assertEqual(self.log_in(b"bob", password), LIMIT)
            self.assertEqual(self.log_in(b"BOB", password), LIMIT)
        # Nobody has looked at it even.
        self.assertEqual(len(self.house.authenticator.seen), seen)
        self.assertEqual({event.result for event in self.house.logins}, {"failed"})
        self.assertEqual(self.house.logins[-1].cause, "too many failed logins of this user")

    def test_so_it_does_by_a_mechanism_that_names_the_user_in_the_end(self) -> None:
        self.fail()
        for password in (b"secret", b"wrong"):
            self.assertEqual(self.plain(b"bob", password), LIMIT)

    def test_who_acts_as_another_is_over_the_limit_of_either(self) -> None:
        self.fail(b"bob")
        self.assertEqual(self.plain(b"bob", b"secret", b"alice"), LIMIT)
        self.assertEqual(self.plain(b"alice", b"secret", b"bob"), LIMIT)
        self.assertTrue(self.plain(b"alice", b"secret", b"carol").startswith(b"a OK"))

    def test_nor_is_it_told_that_a_right_password_does_not_let_act_as_another(self) -> None:
        async def password(user: str, password: bytes, authzid: str = "", home: Any = None) -> str:
            if password != b"secret":
                raise AuthenticationFailed("no")
            raise AuthorizationFailed("not as another")

        self.house.authenticator.password = password
        self.assertIn(b"AUTHORIZATIONFAILED", self.plain(b"bob", b"secret", b"alice"))
        for _ in range(2):
            self.assertTrue(self.plain(b"bob", b"wrong", b"alice").startswith(WRONG))
        for word in (b"secret", b"wrong"):
            self.assertEqual(self.plain(b"bob", word, b"alice"), LIMIT)

    def test_others_log_in_and_so_does_the_user_after_a_while(self) -> None:
        self.fail()
        self.assertTrue(self.log_in(b"carol").startswith(b"a OK"))
        self.house.clock.advance(61)
        self.failures_are_counted_by_the_clock_of_the_house()
        self.assertTrue(self.log_in(b"bob").startswith(b"a OK"))

    def failures_are_counted_by_the_clock_of_the_house(self) -> None:
        # The house was made twice; its counts go by the clock of the first.
        self.failures._seconds = lambda: 10_000.0

    def test_attempts_that_are_not_tried_do_not_count(self) -> None:
        self.fail()
        for _ in range(10):
            self.log_in(b"bob", b"wrong")
        self.failures_are_counted_by_the_clock_of_the_house()
        self.assertTrue(self.log_in(b"bob").startswith(b"a OK"))

    def test_users_whom_nobody_knows_are_no_different(self) -> None:
        self.fail(b"nobody")
        self.assertEqual(self.log_in(b"nobody", b"wrong"), LIMIT)

    def test_a_proof_that_nobody_waits_for_is_put_away(self) -> None:
        self.fail()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.log_in()
            gc.collect()
        self.assertEqual([str(each.message) for each in caught], [])

    def test_the_answer_is_held_back_like_any_other_and_the_connection_closed(self) -> None:
        self.fail()
        limits = Limits(failure_delay=5.0, login_failures=1)
        house = House(limits=limits, failures=self.failures)
        client = house.connect()
        client.read()
        self.assertEqual(client.ask(b"a LOGIN bob secret"), [])
        house.clock.advance(5)
        self.assertTrue(client.read().startswith(LIMIT))
        self.assertTrue(client.closed)


class Addresses(Guarded):
    limits: Any = {"per_address": 2}

    def test_an_address_over_the_limit_is_nobody(self) -> None:
        for user in (b"bob", b"nobody"):
            self.assertTrue(self.log_in(user, b"wrong").startswith(WRONG))
        seen = len(self.house.authenticator.seen)
        self.assertEqual(self.log_in(b"carol"), LIMIT)
        self.assertEqual(self.plain(b"carol", b"secret"), LIMIT)
        self.assertEqual(len(self.house.authenticator.seen), seen)
        self.assertEqual(self.house.logins[-1].cause, "too many failed logins from 192.0.2.7")


class Known(ShortcutCase):
    def test_the_shortcut_is_closed_to_who_is_over_the_limit(self) -> None:
        failures = FailedLogins(clock=lambda: 0.0, per_user=1)
        failures.note("alice", "")
        wire = self.connect(failures=failures, limits=Limits(failure_delay=0.0))
        self.assertIn(b"[LIMIT]", wire.say(b"a " + LOGIN))
        self.assertEqual(self.router.counted, 0)


class Later(Guarded):
    def test_a_limit_that_is_reached_while_a_password_is_looked_at_counts(self) -> None:
        client = self.connect()
        held = self.house.authenticator.held = Deferred[None]()
        client.ask(b"a LOGIN bob secret")
        for _ in range(2):
            self.failures.note("bob", "192.0.2.9")
        held.callback(None)
        self.assertTrue(client.read().startswith(LIMIT))
