"""Passwords that a backend checks by itself."""

from __future__ import annotations

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin

from referrald.auth.asked import AskedChecker
from tests.auth.support import AuthTestCase


class Knows:
    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    async def check_password(self, user: str, password: bytes) -> bool:
        self.asked.append((user, password))
        return (user, password) == ("\u00e4nn", b"secret")


class Checker(AuthTestCase):
    def test_the_user_is_who_the_backend_says_yes_to(self) -> None:
        knows = Knows()
        checker = AskedChecker(knows)  # type: ignore[arg-type]
        name = "\u00e4nn".encode()
        found = self.result(checker.requestAvatarId(UsernamePassword(name, b"secret")))
        self.assertEqual(found, name)
        self.failure(checker.requestAvatarId(UsernamePassword(name, b"no")), UnauthorizedLogin)

    def test_an_empty_password_is_never_asked_about(self) -> None:
        knows = Knows()
        checker = AskedChecker(knows)  # type: ignore[arg-type]
        self.failure(checker.requestAvatarId(UsernamePassword(b"x", b"")), UnauthorizedLogin)
        self.assertEqual(knows.asked, [])
