"""The part of the suite for passwords can fail, and does for each mistake that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from referrald.interfaces import IPasswordCheck, IPasswordSamples, IPasswordStore
from referrald.model import Home, StoredPassword
from referrald.testing import BackendContract, MemoryBackend


@implementer(IPasswordCheck, IPasswordStore, IPasswordSamples)
class Knowing(MemoryBackend):
    """Knows passwords in plain text."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        super().__init__(dict.fromkeys(passwords, Home()))
        self.passwords = passwords

    async def check_password(self, user: str, password: bytes) -> bool:
        return password == self.passwords.get(user, "").encode() != b""

    async def password(self, user: str) -> StoredPassword | None:
        word = self.passwords.get(user)
        return None if word is None else StoredPassword(scheme="PLAIN", encoded=word.encode())

    def password_samples(self) -> Sequence[StoredPassword]:
        return [StoredPassword(scheme="PLAIN", encoded=b"x")] if self.passwords else []


class EmptyIsRight(Knowing):
    """A bind without a password is no proof of anything."""

    async def check_password(self, user: str, password: bytes) -> bool:
        return user in self.passwords and (
            not password or await super().check_password(user, password)
        )


class AnyOfThem(Knowing):
    """Takes the password of another."""

    async def check_password(self, user: str, password: bytes) -> bool:
        known = user in self.passwords
        return known and password.decode("latin-1").encode("latin-1") in {
            word.encode() for word in self.passwords.values()
        }


class Strips(Knowing):
    """Takes what looks like the password."""

    async def check_password(self, user: str, password: bytes) -> bool:
        return await super().check_password(user, password.strip())


class Decodes(Knowing):
    """Expects that every password is UTF-8."""

    async def check_password(self, user: str, password: bytes) -> bool:
        return bool(password) and password.decode() == self.passwords.get(user)


class SaysOne(Knowing):
    """Gives what is as good as true."""

    async def check_password(self, user: str, password: bytes) -> Any:
        return 1 if await super().check_password(user, password) else 0


class StripsNames(Knowing):
    """Takes one user for another."""

    async def check_password(self, user: str, password: bytes) -> bool:
        return await super().check_password(user.strip("\r\n\t\0 "), password)

    async def password(self, user: str) -> StoredPassword | None:
        return await super().password(user.strip("\r\n\t\0 "))


class Shows(Knowing):
    """Shows what it knows."""

    def __repr__(self) -> str:
        return f"<Shows {self.passwords}>"


class NoSamples(Knowing):
    """Has nothing to show."""

    def password_samples(self) -> Sequence[StoredPassword]:
        return []


class GivesAnother(Knowing):
    """Stores something else."""

    async def password(self, user: str) -> StoredPassword | None:
        found = await super().password(user)
        return found and StoredPassword(scheme="PLAIN", encoded=found.encoded + b" ")


class TheSuite(TestCase):
    def run_one(self, kind: type[Knowing], name: str) -> Deferred[None]:
        class Suite(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
                return MemoryBackend(homes)

            def make_password_backend(self, passwords: Mapping[str, str]) -> Knowing:
                return kind(passwords)

        work: Deferred[None] = getattr(Suite(name), name)()
        return work

    def assert_fails(self, kind: type[Knowing], name: str, *errors: type[Exception]) -> None:
        self.successResultOf(self.run_one(Knowing, name))
        self.failureResultOf(self.run_one(kind, name), *(errors or (self.failureException,)))

    def test_it_fails_for_every_wrong_check(self) -> None:
        odd = "test_odd_passwords_are_wrong_and_break_nothing"
        unknown = "test_no_password_lets_an_unknown_user_in"
        only = "test_only_the_right_password_is_right"
        for kind, name in (
            (EmptyIsRight, odd), (Strips, odd), (StripsNames, unknown), (AnyOfThem, only),
            (SaysOne, only), (AnyOfThem, "test_checks_at_the_same_time_do_not_mix"),
            (Shows, "test_a_check_leaves_no_password_where_it_can_be_read"),
        ):  # fmt: skip
            self.assert_fails(kind, name)
        self.assert_fails(Decodes, odd, UnicodeDecodeError)

    def test_it_fails_for_every_wrong_store(self) -> None:
        odd = "test_a_password_store_knows_nobody_by_an_odd_name"
        self.assert_fails(StripsNames, odd)
        self.assert_fails(Shows, odd)
        self.assert_fails(GivesAnother, "test_a_password_store_gives_what_the_right_password_fits")
        self.assert_fails(NoSamples, "test_samples_are_of_the_schemes_that_are_in_use")

    def test_who_provides_an_interface_has_to_say_how_to_make_one(self) -> None:
        class Silent(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> Any:
                return Knowing({})

        for name in (
            "test_only_the_right_password_is_right",
            "test_a_password_store_gives_what_the_right_password_fits",
        ):
            self.failureResultOf(getattr(Silent(name), name)(), self.failureException)

    def test_a_backend_without_passwords_skips_all_that(self) -> None:
        class Plain(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> Any:
                return MemoryBackend(homes)

        name = "test_only_the_right_password_is_right"
        self.failureResultOf(getattr(Plain(name), name)(), SkipTest)
