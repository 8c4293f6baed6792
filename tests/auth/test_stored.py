from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer
from zope.interface.verify import verifyObject

from referrald.auth import stored
from referrald.auth.credentials import Password
from referrald.auth.schemes import make, parse_password_field
from referrald.auth.scram import derive_keys
from referrald.auth.stored import DUMMY, StoredPasswordChecker
from referrald.errors import Unavailable
from referrald.interfaces import IPasswordStore, IScramKeys
from tests.auth.support import AuthTestCase, CountingPool, DictStore, SamplingStore
from tests.proves import proves

SLOW = make("PBKDF2", b"right", 10)
SLOWER = make("SCRAM-SHA-256", b"right", 10)
CHEAP = make("SSHA512", b"right")
PLAIN = "{PLAIN}right"


class CheckerTestCase(AuthTestCase):
    def use(self, store: Any, **options: Any) -> StoredPasswordChecker:
        self.pool = CountingPool()
        self.checker = StoredPasswordChecker(store, self.pool, **options)
        return self.checker

    def ask(self, user: str | bytes, password: bytes) -> Deferred[Any]:
        return self.checker.requestAvatarId(Password(user, password))

    def hashed(self) -> list[Any]:
        """Tell which stored passwords were hashed against in the pool, and forget them."""
        work = [arguments[0] for arguments in self.pool.work]
        self.pool.work.clear()
        return work


class PasswordTests(CheckerTestCase):
    def test_it_is_a_checker_and_knows_scram_keys(self) -> None:
        verifyObject(ICredentialsChecker, self.use(DictStore({})))
        verifyObject(IScramKeys, self.checker)

    def test_a_right_password_gives_the_name(self) -> None:
        self.use(DictStore({"joe": SLOW, "ann": CHEAP, "jürgen": PLAIN}))
        for user in ("joe", "ann", "jürgen"):
            self.assertEqual(self.result(self.ask(user, b"right")), user.encode())
            self.assertEqual(self.result(self.ask(user.encode(), b"right")), user.encode())

    def test_anything_else_is_unauthorized(self) -> None:
        self.use(DictStore({"joe": SLOW, "ann": CHEAP, "locked": "{CRYPT}!"}))
        for user, password in (
            ("joe", b"wrong"),
            ("ann", b""),
            ("nobody", b"right"),
            ("locked", b"!"),
        ):
            self.failure(self.ask(user, password), UnauthorizedLogin)
        self.failure(self.ask(b"\xff", b"right"), UnauthorizedLogin)

    def test_slow_hashes_go_to_the_pool_and_quick_ones_do_not(self) -> None:
        self.use(DictStore({"joe": SLOW, "ann": CHEAP}))
        self.result(self.ask("joe", b"right"))
        self.assertEqual(self.hashed(), [parse_password_field(SLOW)])
        self.result(self.ask("ann", b"right"))
        self.assertEqual(self.hashed(), [])

    def test_a_store_may_answer_later(self) -> None:
        later: Deferred[Any] = Deferred()

        @implementer(IPasswordStore)
        class Slow:
            def password(self, user: str) -> Deferred[Any]:
                return later

        self.use(Slow())
        asking = self.ask("joe", b"right")
        self.assertNoResult(asking)
        later.callback(parse_password_field(PLAIN))
        self.assertEqual(self.successResultOf(asking), b"joe")

    @proves("S1")
    def test_a_store_that_answers_with_nonsense_is_unavailable(self) -> None:
        class Odd(DictStore):
            async def password(self, user: str) -> Any:
                return "S3cret"

        self.use(Odd({}))
        self.assert_hidden(b"S3cret", self.failure(self.ask("joe", b"x"), Unavailable))


@proves("L7")
class SameCostTests(CheckerTestCase):
    def test_an_unknown_user_costs_what_a_wrong_password_does(self) -> None:
        for field in (SLOW, SLOWER):
            self.use(DictStore({"joe": field}))
            self.result(self.ask("joe", b"right"))
            self.hashed()
            self.failure(self.ask("joe", b"wrong"), UnauthorizedLogin)
            wrong = self.hashed()
            self.failure(self.ask("nobody", b"wrong"), UnauthorizedLogin)
            self.assertEqual(self.hashed(), wrong)

    def test_a_right_password_for_an_unknown_user_is_no_login(self) -> None:
        self.use(DictStore({"joe": SLOW}))
        self.result(self.ask("joe", b"right"))
        self.failure(self.ask("nobody", b"right"), UnauthorizedLogin)

    def test_before_any_user_was_seen_a_dummy_serves(self) -> None:
        self.use(DictStore({}))
        self.failure(self.ask("nobody", b"x"), UnauthorizedLogin)
        self.assertEqual(self.hashed(), [DUMMY])

    def test_the_scheme_of_most_logins_is_taken(self) -> None:
        self.use(DictStore({"a": SLOWER, "b": SLOW}))
        self.result(self.ask("a", b"right"))
        for _ in range(2):
            self.result(self.ask("b", b"right"))
        for _ in range(9):
            self.failure(self.ask("a", b"wrong"), UnauthorizedLogin)
        self.hashed()
        self.failure(self.ask("nobody", b"x"), UnauthorizedLogin)
        self.assertEqual(self.hashed(), [parse_password_field(SLOW)])

    def test_a_store_that_knows_its_usual_scheme_is_believed(self) -> None:
        self.use(SamplingStore({"a": "{NOSUCH}x", "b": SLOWER, "c": SLOW}))
        self.failure(self.ask("nobody", b"x"), UnauthorizedLogin)
        self.assertEqual(self.hashed(), [parse_password_field(SLOWER)])

    def test_a_sample_that_is_broken_is_replaced_by_a_dummy(self) -> None:
        self.use(SamplingStore({"a": "{PBKDF2}nonsense"}))
        self.failure(self.ask("nobody", b"x"), UnauthorizedLogin)
        self.assertEqual(self.hashed()[-1], DUMMY)

    def test_a_user_whose_hash_is_broken_looks_like_an_unknown_one(self) -> None:
        self.use(DictStore({"joe": SLOW, "ann": "{SHA512-CRYPT}nonsense", "bob": "{NOSUCH}x"}))
        self.patch(self.checker, "_log", Logger(observer=lambda event: None))
        self.result(self.ask("joe", b"right"))
        self.hashed()
        for user in ("ann", "bob", "nobody"):
            self.failure(self.ask(user, b"x"), UnauthorizedLogin)
            self.assertIn(parse_password_field(SLOW), self.hashed())


@proves("S4")
class LogTests(CheckerTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []

    def watch(self) -> None:
        self.patch(self.checker, "_log", Logger(observer=self.events.append))

    def test_a_broken_hash_is_logged_once_for_each_user_without_it(self) -> None:
        self.use(DictStore({"joe": "{PBKDF2}S3cret", "ann": "{S3}S3cret"}))
        self.watch()
        for user in ("joe", "joe", "ann", "joe"):
            self.failure(self.ask(user, b"Passw0rt"), UnauthorizedLogin)
            self.assertIsNone(self.result(self.checker.scram_keys(user)))
        self.assertEqual([event["user"] for event in self.events], ["joe", "ann"])
        for secret in (b"S3cret", b"Passw0rt"):
            self.assert_hidden(secret, self.events)

    def test_what_is_remembered_about_logging_is_bounded(self) -> None:
        self.patch(stored, "TOLD_KEPT", 2)
        self.use(DictStore({str(number): "{NOSUCH}x" for number in range(5)}))
        self.watch()
        for number in range(5):
            self.failure(self.ask(str(number), b"x"), UnauthorizedLogin)
        self.assertEqual(len(self.events), 5)
        self.assertLessEqual(len(self.checker._told), 2)

    def test_neither_checker_nor_failure_shows_a_password(self) -> None:
        self.use(DictStore({"joe": "{PLAIN}S3cret"}))
        error = self.failure(self.ask("joe", b"Passw0rt"), UnauthorizedLogin)
        for secret in (b"S3cret", b"Passw0rt"):
            self.assert_hidden(secret, error, self.checker, self.checker._usual)


class ScramKeyTests(CheckerTestCase):
    def test_stored_keys_are_given_as_they_are(self) -> None:
        self.use(DictStore({"joe": SLOWER}))
        keys = self.result(self.checker.scram_keys("joe"))
        assert keys is not None
        self.assertEqual(keys, derive_keys(b"right", salt=keys.salt, iterations=10))
        self.assertEqual(self.hashed(), [])

    def test_keys_of_a_plain_password_are_derived_once(self) -> None:
        self.use(DictStore({"joe": PLAIN}))
        keys = self.result(self.checker.scram_keys("joe"))
        assert keys is not None
        self.assertEqual(keys, derive_keys(b"right", salt=keys.salt))
        self.assertEqual(self.result(self.checker.scram_keys("joe")), keys)
        self.assertEqual(len(self.hashed()), 1)

    def test_a_changed_plain_password_gives_other_keys(self) -> None:
        store = DictStore({"joe": PLAIN})
        self.use(store)
        before = self.result(self.checker.scram_keys("joe"))
        store.fields["joe"] = "{PLAIN}other"
        self.assertNotEqual(self.result(self.checker.scram_keys("joe")), before)

    def test_a_hash_of_another_kind_gives_none(self) -> None:
        self.use(DictStore({"joe": SLOW}))
        self.assertIsNone(self.result(self.checker.scram_keys("joe")))
        self.assertIsNone(self.result(self.checker.scram_keys("nobody")))

    @proves("L7")
    def test_an_unknown_user_costs_as_much_as_one_with_a_plain_password(self) -> None:
        self.use(DictStore({"joe": PLAIN}))
        self.result(self.checker.scram_keys("joe"))
        self.assertEqual(len(self.hashed()), 1)
        for expected in (1, 0):
            self.assertIsNone(self.result(self.checker.scram_keys("nobody")))
            self.assertEqual(len(self.hashed()), expected)

    def test_kept_keys_are_bounded(self) -> None:
        self.patch(stored, "DERIVED_KEPT", 2)
        self.use(DictStore({str(number): PLAIN for number in range(5)}))
        for number in range(5):
            self.result(self.checker.scram_keys(str(number)))
        self.assertEqual(len(self.checker._derived), 2)

    def test_scram_is_offered_when_every_user_can_do_it(self) -> None:
        both = {"joe": PLAIN, "ann": SLOWER}
        self.assertTrue(self.use(SamplingStore(both)).offers_scram)
        self.assertFalse(self.use(SamplingStore({**both, "bob": SLOW})).offers_scram)
        self.assertFalse(self.use(SamplingStore({})).offers_scram)
        self.assertFalse(self.use(DictStore(both)).offers_scram)

    def test_the_operator_may_say_whether_it_is_offered(self) -> None:
        self.assertTrue(self.use(DictStore({}), scram=True).offers_scram)
        self.assertFalse(self.use(SamplingStore({"joe": PLAIN}), scram=False).offers_scram)
