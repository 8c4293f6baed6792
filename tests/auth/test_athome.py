"""What no checker knows, tried at the user's home server."""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.task import Clock

from referrald.auth.athome import AtHome, Shown
from referrald.auth.authenticator import Authenticator
from referrald.auth.names import Names
from referrald.errors import AuthenticationFailed, AuthorizationFailed, ReferraldError, Unavailable
from referrald.interfaces import IBearerToken
from tests.auth.support import AuthTestCase, ScriptedChannel, ScriptedChecker
from tests.proves import proves


class Home:
    """A home that knows joe's password and token, or fails as it is told."""

    def __init__(self) -> None:
        self.fault: ReferraldError | None = None
        self.asked: list[tuple[str, str]] = []
        self.pretended: list[str] = []

    async def log_in(
        self, user: str, *, password: bytes = b"", token: bytes = b"", login_as: str = ""
    ) -> None:
        self.asked.append((user, login_as))
        if self.fault is not None:
            raise self.fault
        if user != "joe" or password + token not in (b"right", b"t0ken"):
            raise AuthenticationFailed("home says no")

    async def nobody(self, user: str) -> None:
        self.pretended.append(user)


class AtHomeTests(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.home = Home()

    def authenticator(self, *checkers: Any, **settings: Any) -> Authenticator:
        return Authenticator(checkers, clock=self.clock, home=True, **settings)

    def test_home_is_asked_after_everybody_here(self) -> None:
        yes, no = ScriptedChecker(b"joe"), ScriptedChecker(UnauthorizedLogin())
        auth = self.authenticator(no, yes)
        self.assertEqual(self.result(auth.password("joe", b"other", home=self.home)), "joe")
        self.assertEqual(self.home.asked, [])
        auth = self.authenticator(no)
        self.assertEqual(self.result(auth.password("joe", b"right", home=self.home)), "joe")
        self.failure(auth.password("joe", b"wrong", home=self.home), AuthenticationFailed)
        self.failure(auth.password("joe", b"right"), AuthenticationFailed)
        self.assertEqual(self.home.asked, [("joe", "")] * 2)

    @proves("S1")
    def test_who_could_not_be_asked_leaves_the_question_open(self) -> None:
        auth = self.authenticator(ScriptedChecker(OSError("gone")))
        self.assertEqual(self.result(auth.password("joe", b"right", home=self.home)), "joe")
        error = self.failure(auth.password("joe", b"wrong", home=self.home), Unavailable)
        self.assertIn("ScriptedChecker", str(error))
        auth = self.authenticator(ScriptedChecker(UnauthorizedLogin()))
        self.home.fault = Unavailable("home is down")
        error = self.failure(auth.password("joe", b"right", home=self.home), Unavailable)
        self.assertEqual((str(error), error.user), ("home is down", "joe"))

    def test_names_are_normalised_before_home_is_asked(self) -> None:
        auth = self.authenticator(lowercase=True)
        self.assertEqual(self.result(auth.password("JOE", b"right", home=self.home)), "joe")

    @proves("L7")
    def test_what_cannot_be_asked_takes_its_time(self) -> None:
        auth = self.authenticator()
        for user, password in (("joe", b""), ("joe", b"a\0b"), ("", b"x"), ("\udcff", b"x")):
            self.failure(auth.password(user, password, home=self.home), AuthenticationFailed)
        self.assertEqual(self.home.asked, [])
        self.assertEqual(self.home.pretended, ["joe", "joe", "", ""])

    def test_tokens(self) -> None:
        no = ScriptedChecker(UnauthorizedLogin(), IBearerToken)
        auth = self.authenticator(no)
        self.assertEqual(self.result(auth.bearer("joe", b"t0ken", home=self.home)), "joe")
        self.failure(auth.bearer("joe", b"x", home=self.home), AuthenticationFailed)
        self.failure(auth.bearer("", b"t0ken", home=self.home), AuthenticationFailed)
        self.assertEqual(len(no.asked), 3)
        self.assertEqual(self.home.asked, [("joe", "")] * 2)

    def test_a_token_that_is_good_here_for_somebody_else_is_not_tried_at_home(self) -> None:
        auth = self.authenticator(ScriptedChecker("ann", IBearerToken))
        self.failure(auth.bearer("joe", b"t0ken", home=self.home), AuthorizationFailed)
        self.assertEqual(self.home.asked, [])

    def test_who_is_acted_as_is_asked_about_at_that_home(self) -> None:
        auth = self.authenticator(masters=("Root",))
        self.assertEqual(self.result(auth.password("Root", b"right", "joe", home=self.home)), "joe")
        self.failure(auth.password("Root", b"right", "ann", home=self.home), AuthenticationFailed)
        self.assertEqual(self.home.asked, [("joe", "Root"), ("ann", "Root")])

    def test_a_master_who_is_known_here_is_no_matter_of_homes(self) -> None:
        auth = self.authenticator(ScriptedChecker(b"root"), masters=("root",))
        self.assertEqual(self.result(auth.password("root", b"x", "joe", home=self.home)), "joe")
        auth = self.authenticator(ScriptedChecker(b"root"))
        self.failure(auth.password("root", b"x", "joe", home=self.home), AuthorizationFailed)
        self.assertEqual(self.home.asked, [])

    def test_the_channel_of_a_mechanism_has_the_way_home(self) -> None:
        auth = self.authenticator(mechanisms=("PLAIN", "LOGIN", "XOAUTH2"))
        for mechanism, *said in (
            ("PLAIN", b"\0joe\0right"), ("LOGIN", b"joe", b"right"),
            ("XOAUTH2", b"user=joe\x01auth=Bearer t0ken\x01\x01"),
        ):  # fmt: skip
            channel = ScriptedChannel(said[0], said[1:], home=self.home)
            self.assertEqual(self.result(auth.exchange(mechanism, channel)), "joe")
        self.assertEqual(len(self.home.asked), 3)

    @proves("S4")
    def test_nothing_shows_what_was_shown(self) -> None:
        self.assert_hidden(b"hunter2", Shown(user="joe", password=b"hunter2", token=b"hunter2"))
        error = self.failure(
            self.authenticator().password("joe", b"hunter2", home=self.home), AuthenticationFailed
        )
        self.assert_hidden(b"hunter2", error)


class Remembering(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.home = Home()
        self.at_home = AtHome(Names(), seconds=60.0, size=10, clock=self.clock)

    def learn(self, **shown: Any) -> Shown:
        made = Shown(user="joe", **shown)
        self.assertEqual(self.result(self.at_home.check(self.home, made)), "joe")
        return made

    def test_a_password_and_a_token_are_not_the_same(self) -> None:
        self.learn(password=b"right")
        self.assertEqual(self.at_home.known(Shown(user="joe", password=b"right")), "joe")
        self.assertIsNone(self.at_home.known(Shown(user="joe", token=b"right")))
        self.assertIsNone(self.at_home.known(Shown(user="joe", password=b"\0right")))
        self.learn(token=b"t0ken")
        self.assertEqual(self.at_home.known(Shown(user="joe", token=b"t0ken")), "joe")
        self.assertIsNone(self.at_home.known(Shown(user="joe", password=b"\0t0ken")))

    def test_acting_as_oneself_is_the_same_and_as_another_is_not(self) -> None:
        self.learn(password=b"right")
        self.assertEqual(
            self.at_home.known(Shown(user="joe", authzid="joe", password=b"right")), "joe"
        )
        for authzid in ("ann", "\udcff"):
            shown = Shown(user="joe", authzid=authzid, password=b"right")
            self.assertIsNone(self.at_home.known(shown))

    def test_it_is_forgotten_in_time_and_on_demand(self) -> None:
        shown = self.learn(password=b"right")
        self.at_home.forget("ann")
        self.assertEqual(self.at_home.known(shown), "joe")
        self.at_home.forget("joe")
        self.assertIsNone(self.at_home.known(shown))
        self.learn(password=b"right")
        self.clock.advance(60)
        self.assertIsNone(self.at_home.known(shown))
