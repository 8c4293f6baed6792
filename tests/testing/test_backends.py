"""The contract suite, on the backends that come with the package; and that it can fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from referrald.backends import passwdfile, table
from referrald.model import Home, Login, Server
from referrald.testing import RICH_HOMES, BackendContract, MemoryBackend


class Memory(BackendContract, TestCase):
    more_homes = RICH_HOMES

    def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
        return MemoryBackend(homes)

    def change(self, backend: MemoryBackend, user: str, home: Home) -> None:
        backend.set(user, home)


def filled(factory: Any, **given: Any) -> dict[str, Any]:
    """Fill the defaults of a factory's options in, as the loader does."""
    return {option.name: option.default for option in factory.options} | given


class OfFile(BackendContract):
    """A backend that reads a file."""

    factory: Any

    def text(self, homes: Mapping[str, Home]) -> str:
        """Write the homes as the backend reads them."""
        raise NotImplementedError

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        self.path = Path(self.mktemp())  # type: ignore[attr-defined]
        self.path.write_text(self.text(homes), encoding="utf-8")
        self.clock = Clock()
        return self.factory.build(filled(self.factory, file=str(self.path)), self.clock)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(self.text({**self.homes, user: home}), encoding="utf-8")
        new.rename(self.path)
        await backend.reload()


class PasswdFile(OfFile, TestCase):
    factory = passwdfile.factory

    def text(self, homes: Mapping[str, Home]) -> str:
        lines = []
        for user, home in homes.items():
            fields = "".join(
                f"host={s.host} port={s.port} {KEYS[s.security.value]}" for s in home.servers
            )
            lines.append(f"{user}:{{PLAIN}}secret::::::{fields}\n")
        return "".join(lines)


KEYS = {"starttls": "starttls=yes", "tls": "ssl=yes", "none": ""}


class Table(OfFile, TestCase):
    factory = table.factory

    def text(self, homes: Mapping[str, Home]) -> str:
        lines, users = [], ["[users]\n"]
        for number, (user, home) in enumerate(homes.items()):
            name = "here"
            for server in home.servers:
                name = f"s{number}"
                lines.append(
                    f'[servers.{name}]\nhost = "{server.host}"\nport = {server.port}\n'
                    f'security = "{server.security.value}"\n'
                )
            users.append(f'"{user}" = "{name}"\n')
        return "".join(lines + users)


class Wrong(MemoryBackend):
    """Takes one user for another."""

    async def home(self, login: Login) -> Home | None:
        return await super().home(Login(user=login.user.strip()))


class TheSuiteItself(TestCase):
    def test_it_fails_for_a_backend_that_takes_one_user_for_another(self) -> None:
        class Broken(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> Wrong:
                return Wrong(homes)

            def runTest(self) -> Any:
                return self.test_odd_names_are_nobody_and_break_nothing()

        self.failureResultOf(Broken().runTest(), self.failureException)

    def test_it_fails_for_a_backend_that_loses_the_port(self) -> None:
        class Broken(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
                lost = {
                    user: Home(servers=tuple(Server(host=s.host) for s in home.servers))
                    for user, home in homes.items()
                }
                return MemoryBackend(lost)

            def runTest(self) -> Any:
                return self.test_known_users_have_exactly_the_homes_they_were_given()

        self.failureResultOf(Broken().runTest(), self.failureException)
