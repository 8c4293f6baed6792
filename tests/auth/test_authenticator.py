from __future__ import annotations

import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from referrald.auth.authenticator import NO_PASSWORD, NOBODY, Authenticator
from referrald.auth.certificates import CertificateChecker
from referrald.auth.credentials import ClientCertificate
from referrald.auth.schemes import make
from referrald.auth.scram import derive_keys
from referrald.auth.stored import StoredPasswordChecker
from referrald.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    ConfigurationError,
    Unavailable,
)
from referrald.interfaces import IBearerToken, IClientCertificate, IScramKeys
from referrald.model import ScramKeys
from referrald.workers import Inline
from tests.auth.support import AuthTestCase, CountingPool, DictStore, ScriptedChecker
from tests.proves import proves

CERTIFICATE = ClientCertificate(subject={"CN": "joe"})
FAST = make("PBKDF2", b"right", 10)


def memory(**users: bytes) -> InMemoryUsernamePasswordDatabaseDontUse:
    return InMemoryUsernamePasswordDatabaseDontUse(**users)


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Give the result of a coroutine that never waits; no Deferred, no event loop."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it had to wait")


@implementer(IScramKeys)
class Keys:
    """Gives SCRAM keys, or raises."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    async def scram_keys(self, user: str) -> ScramKeys | None:
        answer = self.answers.get(user)
        if isinstance(answer, Exception):
            raise answer
        return answer


class AuthenticatorTestCase(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def use(self, *checkers: Any, **options: Any) -> Authenticator:
        self.auth = Authenticator(checkers, clock=self.clock, **options)
        return self.auth

    def refused(self, user: str, password: bytes, authzid: str = "") -> AuthenticationFailed:
        error: AuthenticationFailed = self.failure(
            self.auth.password(user, password, authzid), AuthenticationFailed
        )
        return error


class PasswordTests(AuthenticatorTestCase):
    def test_twisteds_own_checkers_work_with_text_and_bytes(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes("joe:pä\njürgen:x\n".encode())
        for checker in (
            makeChecker(f"file:{path}"),
            FilePasswordDB(str(path), hash=lambda user, password, stored: password),
            makeChecker("memory:joe:pä:jürgen:x"),
            InMemoryUsernamePasswordDatabaseDontUse(joe="pä".encode()),
        ):
            self.use(checker)
            self.assertEqual(self.result(self.auth.password("joe", "pä".encode())), "joe")
            self.refused("joe", b"pa")
            self.refused("joe", b"p\xe4")
            self.refused("ann", "pä".encode())
        self.use(makeChecker(f"file:{path}"))
        self.assertEqual(self.result(self.auth.password("jürgen", b"x")), "jürgen")

    def test_the_first_checker_that_says_yes_wins(self) -> None:
        last = ScriptedChecker(b"never")
        self.use(memory(joe=b"1"), memory(joe=b"2", ann=b"3"), last)
        self.assertEqual(self.result(self.auth.password("joe", b"2")), "joe")
        self.assertEqual(self.result(self.auth.password("ann", b"3")), "ann")
        self.assertEqual(last.asked, [])

    def test_a_checker_that_fails_does_not_keep_another_from_saying_yes(self) -> None:
        self.use(ScriptedChecker(ValueError("broken")), memory(joe=b"x"))
        self.assertEqual(self.result(self.auth.password("joe", b"x")), "joe")

    @proves("S1")
    def test_nobody_said_yes_and_one_failed_is_unavailable(self) -> None:
        self.use(ScriptedChecker(ValueError("broken")), memory(joe=b"x"))
        error = self.failure(self.auth.password("joe", b"y"), Unavailable)
        self.assertTrue(error.temporary)
        self.assertEqual(error.user, "joe")

    @proves("S1")
    def test_a_checker_that_never_answers_is_given_up(self) -> None:
        self.use(ScriptedChecker(Deferred()), memory(joe=b"x"), seconds=3)
        asking = self.begin(self.auth.password("joe", b"x"))
        self.clock.advance(2.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(asking), "joe")

    def test_the_name_that_a_checker_answers_with_counts(self) -> None:
        for answer in (b"Joe.User", "Joe.User"):
            self.use(ScriptedChecker(answer))
            self.assertEqual(self.result(self.auth.password("j", b"x")), "Joe.User")

    def test_an_anonymous_or_impossible_name_is_no_success(self) -> None:
        for answer in ((), b"a\0b", "\x07", b"\xff"):
            self.use(ScriptedChecker(answer))
            self.refused("joe", b"x")
        self.use(ScriptedChecker(lambda _: None))
        self.failure(self.auth.password("joe", b"x"), Unavailable)

    def test_names_are_normalised_before_and_after(self) -> None:
        checker = ScriptedChecker(lambda credentials: credentials.username.upper())
        self.use(checker, lowercase=True, default_domain="example.com")
        self.assertEqual(self.result(self.auth.password("JOE", b"x")), "joe@example.com")
        self.assertEqual(checker.asked[0].username, b"joe@example.com")
        self.assertEqual(self.auth.normalise("Ann"), "ann@example.com")

    def test_passwords_are_any_bytes(self) -> None:
        self.use(memory(joe=b"\xff\x80 \x01"))
        self.assertEqual(self.result(self.auth.password("joe", b"\xff\x80 \x01")), "joe")

    def test_without_a_checker_nobody_gets_in(self) -> None:
        self.use()
        self.refused("joe", b"x")


@proves("L7")
class SameRefusalTests(AuthenticatorTestCase):
    def test_all_failures_look_the_same_to_the_client(self) -> None:
        self.use(StoredPasswordChecker(DictStore({"joe": FAST, "no": "{CRYPT}*"}), Inline()))
        errors = [
            self.refused(user, password)
            for user, password in (
                ("joe", b"wrong"),
                ("nobody", b"right"),
                ("no", b"x"),
                ("", b"x"),
                ("a\0b", b"x"),
                ("x" * 300, b"x"),
                ("\udcff", b"x"),
                ("joe", b""),
                ("joe", b"right\0"),
            )
        ]
        self.assertEqual({(e.code, e.public) for e in errors}, {(errors[0].code, errors[0].public)})

    def test_a_name_or_password_that_cannot_be_costs_what_any_other_does(self) -> None:
        pool = CountingPool()
        self.use(StoredPasswordChecker(DictStore({"joe": FAST}), pool))
        self.refused("joe", b"wrong")
        expected = [arguments[0] for arguments in pool.work]
        for user, password in (("a\0b", b"x"), ("x" * 300, b"x"), ("joe", b""), ("joe", b"a\0b")):
            pool.work.clear()
            self.refused(user, password)
            self.assertEqual([arguments[0] for arguments in pool.work], expected)

    def test_what_cannot_be_is_not_shown_to_a_checker_and_never_gets_in(self) -> None:
        checker = ScriptedChecker(b"joe")
        self.use(checker, cache_seconds=60)
        for user, password in (("a\0b", b"x"), ("joe", b"a\0b"), ("joe", b"")):
            self.assertEqual(self.refused(user, password).user, "")
        shown = [(each.username, each.password) for each in checker.asked]
        usual = (b"joe", NO_PASSWORD)
        self.assertEqual(shown, [(NOBODY.encode(), NO_PASSWORD), usual, usual])

    def test_who_may_not_act_for_another_learns_so_after_a_right_password_only(self) -> None:
        self.use(memory(joe=b"x"))
        self.failure(self.auth.password("joe", b"x", "ann"), AuthorizationFailed)
        self.refused("joe", b"y", "ann")
        self.refused("nobody", b"x", "ann")


class CacheTests(AuthenticatorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.checker = ScriptedChecker(self.check)
        self.accepted = {b"right"}
        self.use(self.checker, cache_seconds=60, cache_size=10)

    def check(self, credentials: Any) -> Any:
        if credentials.password in self.accepted:
            return credentials.username
        raise UnauthorizedLogin

    def test_who_was_right_is_known_for_a_while(self) -> None:
        self.assertIsNone(self.auth.known("joe", b"right"))
        self.result(self.auth.password("joe", b"right"))
        self.assertEqual(self.auth.known("joe", b"right"), "joe")
        self.assertIsNone(self.auth.known("joe", b"wrong"))
        self.assertIsNone(self.auth.known("ann", b"right"))
        self.clock.advance(60)
        self.assertIsNone(self.auth.known("joe", b"right"))

    def test_a_right_password_is_not_asked_about_again_for_a_while(self) -> None:
        for _ in range(3):
            self.assertEqual(self.result(self.auth.password("joe", b"right")), "joe")
        self.assertEqual(len(self.checker.asked), 1)
        self.clock.advance(60)
        self.result(self.auth.password("joe", b"right"))
        self.assertEqual(len(self.checker.asked), 2)

    def test_a_remembered_password_makes_no_deferred_and_does_not_wait(self) -> None:
        self.result(self.auth.password("joe", b"right"))
        self.patch(Deferred, "__init__", lambda *arguments: self.fail("made a Deferred"))
        work = self.auth.password("joe", b"right")
        self.assertTrue(inspect.iscoroutine(work))
        self.assertEqual(at_once(work), "joe")

    def test_a_wrong_password_is_asked_about_each_time(self) -> None:
        for _ in range(3):
            self.refused("joe", b"wrong")
        self.assertEqual(len(self.checker.asked), 3)

    def test_a_changed_password_counts_at_once_when_it_is_forgotten(self) -> None:
        for changed in ("joe", None):
            self.accepted = {b"right"}
            self.result(self.auth.password("joe", b"right"))
            self.accepted = {b"new"}
            self.auth.forget(changed)
            self.refused("joe", b"right")
        self.auth.forget("\0")

    def test_forgetting_knows_a_name_in_any_form(self) -> None:
        self.use(self.checker, cache_seconds=60, lowercase=True, default_domain="example.com")
        self.result(self.auth.password("Joe", b"right"))
        self.accepted = set()
        self.auth.forget("JOE")
        self.refused("Joe", b"right")

    def test_a_check_under_way_while_the_password_changes_is_not_remembered(self) -> None:
        later: Deferred[bytes] = Deferred()
        self.checker.answer = later
        asking = self.begin(self.auth.password("joe", b"right"))
        self.auth.forget("joe")
        later.callback(b"joe")
        self.assertEqual(self.successResultOf(asking), "joe")
        self.checker.answer = self.check
        self.accepted = set()
        self.refused("joe", b"right")

    @proves("base:PLAIN authzid")
    def test_a_remembered_password_gives_no_right_to_act_for_another(self) -> None:
        self.result(self.auth.password("joe", b"right"))
        self.failure(self.auth.password("joe", b"right", "ann"), AuthorizationFailed)


class AuthorizeTests(AuthenticatorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.use(memory(joe=b"x", root=b"x"), masters=["Root"], lowercase=True)

    @proves("base:PLAIN authzid")
    def test_a_master_acts_for_anybody_and_others_for_themselves(self) -> None:
        for user, authzid, acts_as in (
            ("joe", "", "joe"),
            ("joe", "Joe", "joe"),
            ("root", "", "root"),
            ("ROOT", "Ann", "ann"),
        ):
            self.assertEqual(self.result(self.auth.password(user, b"x", authzid)), acts_as)

    @proves("base:PLAIN authzid")
    def test_nobody_acts_for_one_who_cannot_be(self) -> None:
        for user, authzid in (("joe", "root"), ("joe", "a\0b"), ("root", "a\0b"), ("root", "\x07")):
            error = self.failure(self.auth.password(user, b"x", authzid), AuthorizationFailed)
            self.assertEqual((error.code, error.user), ("AUTHORIZATIONFAILED", user))

    def test_a_name_that_cannot_be_is_nobody(self) -> None:
        self.assertRaises(AuthenticationFailed, self.auth.authorize, "a\0b", "")

    def test_masters_have_possible_names(self) -> None:
        error = self.assertRaises(ConfigurationError, self.use, masters=["a\0b"])
        self.assertIn("masters", str(error))


class OtherProofTests(AuthenticatorTestCase):
    def test_a_token_speaks_for_its_user(self) -> None:
        checker = ScriptedChecker(b"joe", IBearerToken)
        self.use(checker, masters=["root"])
        for named in ("", "joe"):
            self.assertEqual(self.result(self.auth.bearer(named, b"t")), "joe")
        self.failure(self.auth.bearer("ann", b"t"), AuthorizationFailed)
        self.failure(self.auth.bearer("", b"t", "ann"), AuthorizationFailed)
        self.assertEqual((checker.asked[1].username, checker.asked[1].token), ("joe", b"t"))
        checker.answer = b"root"
        self.assertEqual(self.result(self.auth.bearer("ann", b"t")), "ann")
        checker.answer = UnauthorizedLogin()
        self.assertEqual(
            self.failure(self.auth.bearer("ann", b"t"), AuthenticationFailed).user, "ann"
        )

    def test_a_certificate_names_its_user(self) -> None:
        self.use(CertificateChecker("CN"))
        for authzid in ("", "joe"):
            self.assertEqual(self.result(self.auth.certificate(CERTIFICATE, authzid)), "joe")
        self.failure(self.auth.certificate(CERTIFICATE, "ann"), AuthorizationFailed)
        self.failure(self.auth.certificate(ClientCertificate()), AuthenticationFailed)


class ScramKeyTests(AuthenticatorTestCase):
    def test_the_first_provider_that_knows_the_user_counts(self) -> None:
        real = derive_keys(b"x", iterations=10)
        self.use(Keys(), Keys(joe=real), Keys(joe=derive_keys(b"y", iterations=10)))
        self.assertEqual(self.result(self.auth.scram_keys("joe")), real)

    @proves("L7")
    def test_unknown_and_impossible_users_have_keys_that_stay_the_same(self) -> None:
        real = derive_keys(b"x", salt=b"12345678", iterations=10)
        self.use(Keys(joe=real, gone=UnauthorizedLogin()), lowercase=True)
        self.result(self.auth.scram_keys("joe"))
        for user in ("nobody", "a\0b", "x" * 300, "gone"):
            fake = self.result(self.auth.scram_keys(user))
            self.assertEqual((fake.iterations, len(fake.salt)), (10, 8))
            self.assertEqual(self.result(self.auth.scram_keys(user)), fake)
        self.assertEqual(
            self.result(self.auth.scram_keys("NOBODY")), self.result(self.auth.scram_keys("nobody"))
        )

    @proves("L7")
    def test_processes_that_share_a_secret_have_the_same_fakes(self) -> None:
        fakes = [
            self.result(self.use(Keys(), secret=secret).scram_keys("nobody"))
            for secret in (b"s" * 16, b"s" * 16, None)
        ]
        self.assertEqual(fakes[0], fakes[1])
        self.assertNotEqual(fakes[0], fakes[2])

    @proves("S1")
    def test_a_provider_that_fails_is_unavailable_unless_another_knows_the_user(self) -> None:
        real = derive_keys(b"x", iterations=10)
        broken = Keys(joe=ValueError(), ann=ValueError())
        self.use(broken, Keys(joe=real))
        self.assertEqual(self.result(self.auth.scram_keys("joe")), real)
        self.assertEqual(self.failure(self.auth.scram_keys("ann"), Unavailable).user, "ann")


class MechanismTests(AuthenticatorTestCase):
    def test_what_can_work_follows_from_the_checkers(self) -> None:
        certificate = ScriptedChecker(b"", IClientCertificate)
        for checkers, expected in (
            ((), ()),
            ((memory(),), ("PLAIN", "LOGIN")),
            ((Keys(),), ("SCRAM-SHA-256",)),
            ((ScriptedChecker(b"", IBearerToken),), ("OAUTHBEARER", "XOAUTH2")),
            ((certificate,), ("EXTERNAL",)),
        ):
            self.assertEqual(self.use(*checkers).mechanisms(True, True), expected)

    def test_external_needs_a_certificate_on_a_secure_connection(self) -> None:
        self.use(CertificateChecker())
        self.assertEqual(self.auth.mechanisms(True, False), ())
        self.assertEqual(self.auth.mechanisms(False, True), ())

    def test_the_operator_may_choose_some_in_an_order(self) -> None:
        self.use(memory(), mechanisms=["LOGIN", "EXTERNAL", "PLAIN"])
        self.assertEqual(self.auth.mechanisms(True, False), ("LOGIN", "PLAIN"))

    def test_scram_is_offered_when_the_store_can_do_it_or_the_operator_says_so(self) -> None:
        hashed = StoredPasswordChecker(DictStore({"joe": FAST}), Inline())
        self.assertNotIn("SCRAM-SHA-256", self.use(hashed).mechanisms(True, False))
        self.use(hashed, mechanisms=["SCRAM-SHA-256"])
        self.assertEqual(self.auth.mechanisms(True, False), ("SCRAM-SHA-256",))


@proves("S4")
class SecrecyTests(AuthenticatorTestCase):
    def test_no_error_shows_a_password_or_token(self) -> None:
        def leak(credentials: Any) -> Any:
            secret = getattr(credentials, "password", None) or credentials.token
            raise ValueError(f"cannot check {secret!r}")

        def leak_through_ours(credentials: Any) -> Any:
            raise Unavailable(f"cannot check {credentials.password.decode()}")

        errors = []
        for answer in (leak, leak_through_ours, UnauthorizedLogin("S3cret"), lambda _: b"\0"):
            self.use(ScriptedChecker(answer), cache_seconds=60)
            kind = Unavailable if answer in (leak, leak_through_ours) else AuthenticationFailed
            errors.append(self.failure(self.auth.password("joe", b"S3cret"), kind))
        self.use(ScriptedChecker(leak, IBearerToken))
        errors.append(self.failure(self.auth.bearer("joe", b"S3cret"), Unavailable))
        self.use(memory(joe=b"S3cret"), cache_seconds=60)
        self.result(self.auth.password("joe", b"S3cret"))
        self.assert_hidden(b"S3cret", *errors, self.auth, vars(self.auth), vars(self.auth._cache))
        self.assertEqual(self.flushLoggedErrors(), [])
