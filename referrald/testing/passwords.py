"""The part of the suite for backends that know passwords: stored ones, or whether one is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from referrald.auth.schemes import verify
from referrald.interfaces import (
    ILifecycle,
    IPasswordCheck,
    IPasswordSamples,
    IPasswordStore,
    IReferralBackend,
)
from referrald.model import Login, StoredPassword
from referrald.testing.mailboxes import deferred, done

Passwords = Mapping[str, str]
"""Users and their passwords in plain text."""

PASSWORDS: Passwords = {
    "alice": "wonderland",
    "bob@example.com": 'p\u00e4ss "w\u00f6rd" \\ %u *',
    "dave": "it's (one) & <other>; -- ${x} #",
}
"""Passwords that every such backend can keep, one way or another."""

ODD_PASSWORDS: Sequence[bytes] = (
    b"", b"\0", b" ", b"*", b"%", b"\xff\xfe", b"\xc3", b"wonderland\0", b"wonderland\r\n",
    b"wonderland ", b" wonderland", b"Wonderland", b"wonderlan", b"\r\nAuth-Status: OK",
    b"' OR 1=1", b"*)(uid=*", b"\\2a", b"{PLAIN}wonderland", b"x" * 10_000,
)  # fmt: skip
"""Passwords that are nobody's, though some look like one of `PASSWORDS`."""


class PasswordContract:
    """What `BackendContract` tests of an `IPasswordCheck` or `IPasswordStore`.

    passwords: what the tests put into the backend, see `PASSWORDS`; ``alice`` is among them.
    """

    passwords: Passwords = PASSWORDS
    odd_names: Sequence[str] = ()
    assertEqual: Any
    assertIs: Any
    assertIn: Any
    assertIsNone: Any
    assertIsInstance: Any
    assertNotIn: Any
    assertTrue: Any
    fail: Any
    skipTest: Any

    def make_backend(self, homes: Any) -> Any:
        """As in `BackendContract`."""
        raise NotImplementedError

    def make_password_backend(self, passwords: Passwords) -> Any:
        """Make a backend that knows exactly these; may give a Deferred or coroutine."""
        return None

    def run_password_contract(self, interface: Any, check: Callable[[Any], Any]) -> Deferred[None]:
        """Run a check on a started backend that knows ``self.passwords``."""

        async def work() -> None:
            backend = await self._password_backend(interface)
            lifecycle = ILifecycle(backend, None)
            if lifecycle is not None:
                await lifecycle.start()
            try:
                await check(interface(backend))
            finally:
                if lifecycle is not None:
                    await lifecycle.stop()

        return Deferred.fromCoroutine(work())

    async def _password_backend(self, interface: Any) -> Any:
        backend = await done(self.make_password_backend(self.passwords))
        if backend is None and interface.providedBy(await done(self.make_backend({}))):
            self.fail(f"it provides {interface.__name__}: implement make_password_backend()")
        if backend is None or not interface.providedBy(backend):
            self.skipTest(f"does not provide {interface.__name__}")
        return backend

    def test_a_password_check_provides_the_interface(self) -> Deferred[None]:
        """The method is there, and gives something to await: a coroutine or a Deferred."""

        async def check(backend: Any) -> None:
            verifyObject(IPasswordCheck, backend)
            for user in ("alice", "nobody"):
                work = backend.check_password(user, b"wrong")
                self.assertTrue(isawaitable(work), f"{work!r} cannot be awaited")
                await work

        return self.run_password_contract(IPasswordCheck, check)

    def test_only_the_right_password_is_right(self) -> Deferred[None]:
        """The answer is a truth value, and no user gets in with the password of another."""

        async def check(backend: Any) -> None:
            for user in self.passwords:
                for owner, password in self.passwords.items():
                    found = await backend.check_password(user, password.encode())
                    self.assertIs(found, user == owner, (user, owner))

        return self.run_password_contract(IPasswordCheck, check)

    def test_odd_passwords_are_wrong_and_break_nothing(self) -> Deferred[None]:
        """An empty one above all: some directories take that for a question of another kind."""

        async def check(backend: Any) -> None:
            for password in ODD_PASSWORDS:
                found = await backend.check_password("alice", password)
                self.assertIs(found, False, repr(password)[:40])
            right = self.passwords["alice"].encode()
            self.assertIs(await backend.check_password("alice", right), True)

        return self.run_password_contract(IPasswordCheck, check)

    def test_no_password_lets_an_unknown_user_in(self) -> Deferred[None]:
        """Names that nobody has are no error either."""

        async def check(backend: Any) -> None:
            right = self.passwords["alice"].encode()
            for user in ("nobody", "alice@example.com", "alic", "alicee", *self.odd_names):
                for password in (right, b""):
                    found = await backend.check_password(user, password)
                    self.assertIs(found, False, repr(user)[:40])
            self.assertIs(await backend.check_password("alice", right), True)

        return self.run_password_contract(IPasswordCheck, check)

    def test_checks_at_the_same_time_do_not_mix(self) -> Deferred[None]:
        """Each gets the answer to its own question."""

        async def check(backend: Any) -> None:
            asked = [
                (user, password)
                for user in (*self.passwords, "nobody")
                for password in (*self.passwords.values(), "wrong")
            ] * 5
            work = [deferred(backend.check_password(user, pw.encode())) for user, pw in asked]
            for (user, password), found in zip(asked, await gatherResults(work), strict=True):
                self.assertIs(found, self.passwords.get(user) == password, user)

        return self.run_password_contract(IPasswordCheck, check)

    def test_a_check_leaves_no_password_where_it_can_be_read(self) -> Deferred[None]:
        """A repr goes into logs."""

        async def check(backend: Any) -> None:
            password = self.passwords["alice"]
            await backend.check_password("alice", password.encode())
            self.assertNotIn(password, repr(backend))

        return self.run_password_contract(IPasswordCheck, check)

    def test_a_wrong_password_does_not_change_where_somebody_lives(self) -> Deferred[None]:
        """Nor does a right one."""

        async def check(backend: Any) -> None:
            homes = IReferralBackend(backend)
            before = await homes.home(Login(user="alice"))
            for password in (b"wrong", self.passwords["alice"].encode()):
                await backend.check_password("alice", password)
                self.assertEqual(await homes.home(Login(user="alice")), before)

        return self.run_password_contract(IPasswordCheck, check)

    def test_a_password_store_gives_what_the_right_password_fits(self) -> Deferred[None]:
        """And no other; for unknown users there is nothing."""

        async def check(backend: Any) -> None:
            verifyObject(IPasswordStore, backend)
            for user, password in self.passwords.items():
                found = await backend.password(user)
                self.assertIsInstance(found, StoredPassword, user)
                self.assertTrue(verify(found, password.encode()), user)
                self.assertEqual(verify(found, b"wrong"), False, user)
            for user in ("nobody", "alice@example.com", "alic", "alicee"):
                self.assertIsNone(await backend.password(user), user)

        return self.run_password_contract(IPasswordStore, check)

    def test_a_password_store_knows_nobody_by_an_odd_name(self) -> Deferred[None]:
        """No name is taken for another, none raises, and no repr shows a hash."""

        async def check(backend: Any) -> None:
            for user in self.odd_names:
                self.assertIsNone(await backend.password(user), repr(user)[:40])
            for user in self.passwords:
                found = await backend.password(user)
                self.assertNotIn(found.encoded.decode("latin-1"), repr(found) + repr(backend))

        return self.run_password_contract(IPasswordStore, check)

    def test_samples_are_of_the_schemes_that_are_in_use(self) -> Deferred[None]:
        """One of each, so that it is known what an unknown user has to cost."""

        async def check(backend: Any) -> None:
            verifyObject(IPasswordSamples, backend)
            store: Any = IPasswordStore(backend)
            used = {(await store.password(user)).scheme.upper() for user in self.passwords}
            shown = [sample.scheme.upper() for sample in backend.password_samples()]
            self.assertEqual(sorted(shown), sorted(used))

        return self.run_password_contract(IPasswordSamples, check)
