"""The contract suite, on the backends that come with the package; and that it can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface import implementer_only

from referrald.backends import passwdfile, table
from referrald.interfaces import IReferralBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Home, Login, Server
from referrald.testing import RICH_HOMES, BackendContract, MemoryBackend
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes


class Memory(BackendContract, TestCase):
    more_homes = RICH_HOMES
    more_mailboxes = RICH_MAILBOXES

    def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
        return MemoryBackend(homes)

    def change(self, backend: MemoryBackend, user: str, home: Home) -> None:
        backend.set(user, home)

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> MemoryBackend:
        return knowing(MemoryBackend(), mailboxes)

    def change_mailbox(
        self, backend: MemoryBackend, user: str, name: str, location: MailboxLocation
    ) -> None:
        backend.set_mailbox(user, name, location)


def knowing(backend: MemoryBackend, mailboxes: Mailboxes, **more: Any) -> MemoryBackend:
    """Tell a backend of mailboxes."""
    for user, given in mailboxes.items():
        for name, location in given.items():
            backend.set_mailbox(user, name, location, **more)
    return backend


class MemoryOfSubtrees(SynchronousTestCase):
    """The backend in memory, by itself."""

    def setUp(self) -> None:
        self.backend = MemoryBackend()
        self.put("#shared", "one", "Public", subtree=True)

    def put(self, name: str, host: str, there: str, **more: Any) -> None:
        replica = Replica(server=Server(host=host), name=there, user="reader")
        location = MailboxLocation(replicas=(replica,), ttl=5.0)
        self.backend.set_mailbox("alice", name, location, **more)

    def found(self, name: str) -> tuple[str, str, str | None] | None:
        work = Deferred.fromCoroutine(self.backend.mailbox("alice", name))
        location = self.successResultOf(work)
        if location is None:
            return None
        (replica,) = location.replicas
        return replica.server.host, replica.name, replica.user

    def test_what_is_below_a_subtree_is_below_its_name_there(self) -> None:
        self.assertEqual(self.found("#shared"), ("one", "Public", "reader"))
        self.assertEqual(self.found("#shared/a/b"), ("one", "Public/a/b", "reader"))
        self.assertIsNone(self.found("#sharedness"))

    def test_the_nearest_entry_counts_and_a_single_mailbox_has_nothing_below(self) -> None:
        self.put("#shared/a", "two", "a")
        self.put("#shared/b", "three", "b", subtree=True)
        self.assertEqual(self.found("#shared/a"), ("two", "a", "reader"))
        self.assertEqual(self.found("#shared/a/b"), ("one", "Public/a/b", "reader"))
        self.assertEqual(self.found("#shared/b/c"), ("three", "b/c", "reader"))

    def test_watchers_hear_of_mailboxes_that_come_and_go(self) -> None:
        heard: list[str | None] = []
        self.backend.watch(heard.append)
        self.put("x", "one", "x", attributes=["\\Sent"], subscribed=True)
        work = Deferred.fromCoroutine(self.backend.remote_mailboxes("alice"))
        _, listed = self.successResultOf(work)
        self.assertEqual((listed.attributes, listed.subscribed), (("\\Sent",), True))
        self.backend.remove_mailbox("alice", "x")
        self.backend.remove_mailbox("bob", "x")
        self.assertEqual(heard, ["alice", "alice", "bob"])
        self.assertIsNone(self.found("x"))


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

    def make_password_backend(self, passwords: Mapping[str, str]) -> Any:
        path = Path(self.mktemp())
        text = "".join(f"{user}:{{PLAIN}}{word}\n" for user, word in passwords.items())
        path.write_text(text, encoding="utf-8")
        return self.factory.build(filled(self.factory, file=str(path)), Clock())


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

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        self.path = Path(self.mktemp())
        entries = [
            f'[[mailboxes]]\nmatch = "{name}"\nfor = "{user}"\n'
            f'server = "{replica.server}"\nname = "{replica.name}"\n'
            for user, given in mailboxes.items()
            for name, location in given.items()
            for replica in location.replicas
        ]
        self.path.write_text("".join(entries), encoding="utf-8")
        return self.factory.build(filled(self.factory, file=str(self.path)), Clock())


class Wrong(MemoryBackend):
    """Takes one user for another."""

    async def home(self, login: Login) -> Home | None:
        return await super().home(Login(user=login.user.strip()))


class TellsOthers(MemoryBackend):
    """Says where a mailbox is to whoever asks."""

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        found = [await super(TellsOthers, self).mailbox(each, name) for each in self._mailboxes]
        return next((each for each in found if each is not None), None)


class ForgetsNames(MemoryBackend):
    """Gives the mailbox the same name everywhere."""

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        found = await super().mailbox(user, name)
        if found is None:
            return None
        same = tuple(attrs.evolve(each, name=name) for each in found.replicas)
        return attrs.evolve(found, replicas=same)


class ListsTwice(MemoryBackend):
    """Has a line for each replica, as it were."""

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        return (*await super().remote_mailboxes(user),) * 2


class ListsLess(MemoryBackend):
    """Leaves one out."""

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        return (await super().remote_mailboxes(user))[1:]


class ClaimsSubtrees(MemoryBackend):
    """Lists as subtrees what a lookup takes for single mailboxes."""

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        entries = await super().remote_mailboxes(user)
        return [attrs.evolve(entry, subtree=True) for entry in entries]


class ListsOtherPlaces(MemoryBackend):
    """Lists where mailboxes were."""

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        entries = await super().remote_mailboxes(user)
        old = MailboxLocation(replicas=(Replica(server=Server(host="old.example"), name="x"),))
        return [attrs.evolve(entry, location=old) for entry in entries]


class Blocks(MemoryBackend):
    """Answers at once, with nothing to await."""

    def remote_mailboxes(self, user: str) -> Any:
        return list(self._mailboxes.get(user, {}).values())


class ChokesOnOddNames(MemoryBackend):
    """Cannot cope with what is no text."""

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        return await super().mailbox(user, name.encode().decode())


class KeepsQuiet(MemoryBackend):
    """Knows what it has told before, whatever has changed."""

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        return await super().mailbox(user, name) if not self._watchers else None


class TheSuiteForMailboxes(TestCase):
    def fails(self, kind: type[MemoryBackend], test: str) -> None:
        """Check that a test passes for the backend in memory, and not for one of another kind."""
        self.successResultOf(self.run_one(MemoryBackend, test))
        failure = self.failureResultOf(self.run_one(kind, test))
        self.assertTrue(failure.check(self.failureException, UnicodeError), failure)

    def run_one(self, kind: type[MemoryBackend], test: str) -> Deferred[None]:
        class Suite(Memory):
            def make_mailbox_backend(self, mailboxes: Mailboxes) -> MemoryBackend:
                return knowing(kind(), mailboxes)

        found: Deferred[None] = getattr(Suite(test), test)()
        return found

    def test_it_fails_for_a_backend_that_tells_users_of_the_mailboxes_of_others(self) -> None:
        self.fails(TellsOthers, "test_nothing_is_said_of_unknown_mailboxes_and_those_of_others")

    def test_it_fails_for_a_backend_that_loses_the_name_there(self) -> None:
        self.fails(ForgetsNames, "test_known_mailboxes_are_where_they_were_put")
        self.fails(ForgetsNames, "test_every_location_that_it_can_express_comes_back_as_it_was")

    def test_it_fails_for_a_backend_that_lists_a_name_twice_or_not_at_all(self) -> None:
        for kind in (ListsTwice, ListsLess):
            self.fails(kind, "test_the_list_names_all_that_is_elsewhere_each_once")

    def test_it_fails_for_a_backend_whose_list_and_lookups_differ(self) -> None:
        for kind in (ClaimsSubtrees, ListsOtherPlaces):
            self.fails(kind, "test_list_and_lookup_agree")

    def test_it_fails_for_a_backend_that_gives_nothing_to_await(self) -> None:
        self.fails(Blocks, "test_both_questions_give_something_to_await")

    def test_it_fails_for_a_backend_that_chokes_on_odd_names(self) -> None:
        self.fails(ChokesOnOddNames, "test_odd_names_of_users_and_mailboxes_break_nothing")

    def test_it_fails_for_a_backend_that_does_not_see_a_change(self) -> None:
        with self.assertRaises(AttributeError):
            # Nothing is found any more, where a location is expected.
            raise self.failureResultOf(
                self.run_one(KeepsQuiet, "test_a_mailbox_that_changes_is_told_and_seen")
            ).value

    def test_who_provides_the_interface_has_to_say_how_to_make_one(self) -> None:
        class Suite(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
                return MemoryBackend(homes)

        name = "test_list_and_lookup_agree"
        self.failureResultOf(getattr(Suite(name), name)(), self.failureException)

    def test_a_backend_without_remote_mailboxes_skips_all_that(self) -> None:
        @implementer_only(IReferralBackend)
        class Plain(MemoryBackend):
            pass

        class Suite(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
                return Plain(homes)

        name = "test_list_and_lookup_agree"
        self.failureResultOf(getattr(Suite(name), name)(), SkipTest)


class NamesLess(MemoryBackend):
    """Leaves a server out."""

    async def targets(self) -> Sequence[Server]:
        return (await super().targets())[1:]


class NamesTwice(MemoryBackend):
    """Names servers as often as they come."""

    async def targets(self) -> Sequence[Server]:
        return (await super().targets()) * 2


class TheSuiteItself(TestCase):
    def test_it_fails_for_a_backend_that_does_not_name_each_server_once(self) -> None:
        class Broken(BackendContract, TestCase):
            kind: type[MemoryBackend] = MemoryBackend

            def make_backend(self, homes: Mapping[str, Home]) -> MemoryBackend:
                return self.kind(homes)

            def runTest(self) -> Any:
                return self.test_the_servers_of_all_homes_are_among_its_targets()

        self.successResultOf(Broken().runTest())
        for kind in (NamesLess, NamesTwice):
            Broken.kind = kind
            self.failureResultOf(Broken().runTest(), self.failureException)

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
