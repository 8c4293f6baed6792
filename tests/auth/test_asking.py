from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ANONYMOUS, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from referrald.auth.asking import ask, password_for, those_that_check, user_of
from referrald.auth.certificates import CertificateChecker
from referrald.errors import AuthenticationFailed, LoginReferral, Unavailable
from referrald.interfaces import IBearerToken, IClientCertificate
from tests.auth.support import AuthTestCase, ScriptedChecker
from tests.proves import proves


class AskTests(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def ask(self, answer: Any, secret: bytes = b"") -> Deferred[Any]:
        method = ScriptedChecker(answer).requestAvatarId
        return self.begin(ask(method, None, seconds=5, clock=self.clock, secret=secret))

    def test_a_value_a_deferred_and_a_coroutine_are_answers(self) -> None:
        async def later(_: object) -> bytes:
            return b"joe"

        for answer in (b"joe", succeed(b"joe"), later):
            self.assertEqual(self.result(self.ask(answer)), b"joe")

    def test_every_kind_of_no_is_a_failed_login(self) -> None:
        for error in (
            UnauthorizedLogin("S3cret"),
            LoginDenied(),
            LoginReferral(["imap://x/"]),
            AuthenticationFailed(),
        ):
            failed = self.failure(self.ask(error), AuthenticationFailed)
            self.assertEqual(str(failed), "ScriptedChecker said no")

    @proves("S1", "S4")
    def test_every_other_error_is_unavailable_and_is_not_quoted(self) -> None:
        for error in (ValueError("S3cret"), KeyError("S3cret"), Unavailable("S3cret")):
            failed = self.failure(self.ask(error, b"S3cret"), Unavailable)
            self.assertTrue(str(failed).startswith("ScriptedChecker: "))
            self.assert_hidden(b"S3cret", failed)

    def test_a_password_that_a_checker_cannot_read_is_a_wrong_one(self) -> None:
        self.failure(self.ask(lambda _: b"\xff".decode(), b"\xff"), AuthenticationFailed)
        self.failure(self.ask(lambda _: b"\xfe".decode(), b"\xff"), Unavailable)

    @proves("S1")
    def test_no_answer_is_unavailable_after_the_deadline(self) -> None:
        asking = self.ask(Deferred())
        self.clock.advance(4.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        error = self.failureResultOf(asking, Unavailable).value
        self.assertEqual(str(error), "ScriptedChecker: no answer within 5 s")

    def test_who_goes_away_cancels_the_question(self) -> None:
        cancelled: list[object] = []
        asking = self.ask(Deferred(cancelled.append))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual((len(cancelled), self.clock.getDelayedCalls()), (1, []))


class CheckerChoiceTests(AuthTestCase):
    def test_those_that_take_the_credentials_are_picked(self) -> None:
        memory = InMemoryUsernamePasswordDatabaseDontUse()
        certificate = CertificateChecker()
        token = ScriptedChecker(b"joe", IBearerToken)
        everything = (memory, object(), certificate, token)
        for interface, expected in (
            (IUsernamePassword, memory),
            (IClientCertificate, certificate),
            (IBearerToken, token),
        ):
            self.assertEqual(those_that_check(everything, interface), (expected,))

    def test_names_are_shown_as_the_checker_keeps_them(self) -> None:
        text = makeChecker("memory:joe:x")
        for checker, name in (
            (text, "joe"),
            (InMemoryUsernamePasswordDatabaseDontUse(joe=b"x"), b"joe"),
            (InMemoryUsernamePasswordDatabaseDontUse(), b"joe"),
            (ScriptedChecker(b""), b"joe"),
        ):
            self.assertEqual(password_for(checker, "joe", b"x").username, name)


class AnswerTests(AuthTestCase):
    def test_a_name_is_bytes_or_text(self) -> None:
        self.assertEqual(user_of("jürgen".encode()), "jürgen")
        self.assertEqual(user_of("jürgen"), "jürgen")

    def test_nobody_is_not_a_proof(self) -> None:
        self.assertRaises(AuthenticationFailed, user_of, ANONYMOUS)

    @proves("S1")
    def test_anything_else_is_a_fault_of_the_checker(self) -> None:
        for answer in (None, "", b"", 5, True, ["joe"]):
            self.assertRaises(Unavailable, user_of, answer)
