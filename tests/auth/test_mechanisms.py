from __future__ import annotations

import json
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.task import Clock

from referrald.auth.authenticator import Authenticator
from referrald.auth.certificates import CertificateChecker
from referrald.auth.credentials import ClientCertificate
from referrald.auth.mechanisms import MECHANISMS
from referrald.auth.schemes import make
from referrald.auth.stored import StoredPasswordChecker
from referrald.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    NotPossible,
    Unavailable,
    WireError,
)
from referrald.interfaces import IBearerToken
from referrald.workers import Inline
from tests.auth.support import AuthTestCase, DictStore, ScriptedChannel, ScriptedChecker
from tests.auth.test_scram import answer
from tests.proves import proves

FIRST = b"n,,n=joe,r=clientnonce"


class MechanismTestCase(AuthTestCase):
    def use(self, *checkers: Any, **options: Any) -> None:
        self.auth = Authenticator(checkers, clock=Clock(), **options)

    def talk(
        self, mechanism: str, initial: bytes | None, *responses: Any, certificate: Any = None
    ) -> Any:
        self.channel = ScriptedChannel(initial, responses, certificate)
        return self.auth.exchange(mechanism, self.channel)


class PasswordMechanismTests(MechanismTestCase):
    def setUp(self) -> None:
        self.use(InMemoryUsernamePasswordDatabaseDontUse(joe=b"x", root=b"y"), masters=["root"])

    def test_plain_with_and_without_an_initial_response(self) -> None:
        self.assertEqual(self.result(self.talk("PLAIN", b"\0joe\0x")), "joe")
        self.assertEqual(self.channel.challenges, [])
        self.assertEqual(self.result(self.talk("plain", None, b"joe\0joe\0x")), "joe")
        self.assertEqual(self.channel.challenges, [b""])

    @proves("base:PLAIN authzid")
    def test_plain_acts_for_another_only_by_right(self) -> None:
        self.assertEqual(self.result(self.talk("PLAIN", b"joe\0root\0y")), "joe")
        self.failure(self.talk("PLAIN", b"root\0joe\0x"), AuthorizationFailed)
        self.failure(self.talk("PLAIN", b"root\0joe\0wrong"), AuthenticationFailed)

    def test_login_asks_for_what_did_not_come(self) -> None:
        self.assertEqual(self.result(self.talk("LOGIN", None, b"joe", b"x")), "joe")
        self.assertEqual(self.channel.challenges, [b"Username:", b"Password:"])
        self.assertEqual(self.result(self.talk("LOGIN", b"joe", b"x")), "joe")
        self.failure(self.talk("LOGIN", b"\xff", b"x"), AuthenticationFailed)

    def test_malformed_messages_are_so_for_everybody(self) -> None:
        for message in (b"", b"joe\0x", b"\0joe\0x\0"):
            self.failure(self.talk("PLAIN", message), WireError)

    def test_an_unknown_mechanism_is_not_possible(self) -> None:
        self.failure(self.talk("CRAM-MD5", None), NotPossible)


class ScramTests(MechanismTestCase):
    def setUp(self) -> None:
        fields = {
            "joe": make("SCRAM-SHA-256", b"pencil", 10),
            "root": "{PLAIN}pencil",
            "hashed": make("PBKDF2", b"pencil", 10),
        }
        self.use(StoredPasswordChecker(DictStore(fields), Inline()), masters=["root"])

    def scram(
        self, first: bytes = FIRST, password: bytes = b"pencil", last: bytes = b"", ir: bool = True
    ) -> Any:
        responses = (lambda challenge: answer(first, challenge, password), last)
        if ir:
            return self.talk("SCRAM-SHA-256", first, *responses)
        return self.talk("SCRAM-SHA-256", None, first, *responses)

    @proves("L5")
    def test_the_servers_signature_is_sent_before_the_end(self) -> None:
        self.assertEqual(self.result(self.scram()), "joe")
        challenge, signature = self.channel.challenges
        self.assertTrue(challenge.startswith(b"r=clientnonce"))
        self.assertTrue(signature.startswith(b"v="))
        self.assertEqual(self.result(self.scram(ir=False)), "joe")
        self.assertEqual(len(self.channel.challenges), 3)

    def test_the_last_response_is_empty(self) -> None:
        self.failure(self.scram(last=b"x"), WireError)

    def test_a_plain_stored_password_will_do(self) -> None:
        self.assertEqual(self.result(self.scram(FIRST.replace(b"joe", b"root"))), "root")

    @proves("L7")
    def test_wrong_unknown_and_otherwise_hashed_look_the_same(self) -> None:
        seen = set()
        for user, password in ((b"joe", b"pen"), (b"nobody", b"pencil"), (b"hashed", b"pencil")):
            first = FIRST.replace(b"joe", user)
            error = self.failure(self.scram(first, password), AuthenticationFailed)
            self.assertEqual(error.user, user.decode())
            (challenge,) = self.channel.challenges
            shape = [part[:2] for part in challenge.split(b",")]
            seen.add((str(error), error.public, error.code, *shape))
        self.assertEqual(len(seen), 1)

    @proves("base:PLAIN authzid")
    def test_acting_for_another_is_for_masters(self) -> None:
        master = b"n,a=joe,n=root,r=clientnonce"
        self.assertEqual(self.result(self.scram(master)), "joe")
        self.failure(self.scram(b"n,a=root,n=joe,r=abc"), AuthorizationFailed)
        self.failure(self.scram(b"n,a=root,n=joe,r=abc", b"pen"), AuthenticationFailed)


class ExternalTests(MechanismTestCase):
    def test_the_certificate_of_the_connection_counts(self) -> None:
        self.use(CertificateChecker("CN"))
        joe = ClientCertificate(subject={"CN": "joe"})
        for initial, responses in ((b"", ()), (b"joe", ()), (None, (b"",))):
            talk = self.talk("EXTERNAL", initial, *responses, certificate=joe)
            self.assertEqual(self.result(talk), "joe")
        self.failure(self.talk("EXTERNAL", b"ann", certificate=joe), AuthorizationFailed)
        self.failure(self.talk("EXTERNAL", b""), AuthenticationFailed)
        self.failure(self.talk("EXTERNAL", b"a\0b", certificate=joe), WireError)


class BearerTests(MechanismTestCase):
    def setUp(self) -> None:
        self.checker = ScriptedChecker(b"joe", IBearerToken)
        self.use(self.checker)

    def test_a_good_token_ends_at_once(self) -> None:
        for mechanism, message in (
            ("OAUTHBEARER", b"n,a=joe,\x01auth=Bearer t\x01\x01"),
            ("OAUTHBEARER", b"n,,\x01auth=Bearer t\x01\x01"),
            ("XOAUTH2", b"user=joe\x01auth=Bearer t\x01\x01"),
        ):
            self.assertEqual(self.result(self.talk(mechanism, message)), "joe")
            self.assertEqual(self.channel.challenges, [])
            self.assertEqual(self.result(self.talk(mechanism, None, message)), "joe")

    def test_a_bad_token_is_told_as_json_before_the_no(self) -> None:
        self.checker.answer = UnauthorizedLogin()
        for mechanism, message, ack, status in (
            ("OAUTHBEARER", b"n,a=joe,\x01auth=Bearer t\x01\x01", b"\x01", "invalid_token"),
            ("XOAUTH2", b"user=joe\x01auth=Bearer t\x01\x01", b"", "401"),
        ):
            error = self.failure(self.talk(mechanism, message, ack), AuthenticationFailed)
            self.assertEqual(error.user, "joe")
            self.assertEqual(json.loads(self.channel.challenges[0])["status"], status)

    def test_no_token_is_told_the_same_way_and_not_checked(self) -> None:
        self.failure(self.talk("OAUTHBEARER", b"n,,\x01\x01", b"\x01"), AuthenticationFailed)
        self.assertEqual((len(self.channel.challenges), self.checker.asked), (1, []))

    @proves("S1")
    def test_a_checker_that_is_down_says_nothing_about_the_token(self) -> None:
        self.checker.answer = ValueError()
        self.failure(self.talk("OAUTHBEARER", b"n,,\x01auth=Bearer t\x01\x01"), Unavailable)
        self.assertEqual(self.channel.challenges, [])

    def test_a_token_of_another_user_is_no_right_to_act(self) -> None:
        message = b"n,a=ann,\x01auth=Bearer t\x01\x01"
        self.failure(self.talk("OAUTHBEARER", message), AuthorizationFailed)


@proves("S4")
class SecrecyTests(MechanismTestCase):
    def test_no_mechanism_shows_what_the_client_sent(self) -> None:
        self.use(ScriptedChecker(UnauthorizedLogin()), ScriptedChecker(ValueError("S3cret")))
        messages = (
            b"S3cret",
            b"\0joe\0S3cret",
            b"\0joe\0S3cret\0S3cret",
            b"n,,n=joe,r=S3cret",
            b"n,,\x01auth=Bearer S3cret\x01\x01",
            b"user=joe\x01auth=Bearer S3cret\x01\x01",
        )
        errors = []
        for mechanism in MECHANISMS:
            # What LOGIN sends first is a user name, which the log may show.
            for message in messages if mechanism != "LOGIN" else (b"joe", b"joe\0S3cret"):
                talk = self.begin(self.talk(mechanism, message, b"S3cret", b"S3cret"))
                errors.append(self.failureResultOf(talk).value)
        self.assert_hidden(b"S3cret", *errors)
        self.assertGreater(len(errors), 30)
