"""A backend in memory, and the suite that says when a backend is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer
from zope.interface.verify import verifyObject

from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
    IReferralBackend,
    IReloadable,
    ITargets,
    IWatchableBackend,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Home, Login, Security, Server
from referrald.testing.mailboxes import MailboxContract, deferred, done
from referrald.testing.passwords import PasswordContract
from referrald.testing.writing import WritableContract

SERVER = Server(host="imap-a.example.com")
HOMES: Mapping[str, Home] = {
    "alice": Home(servers=(SERVER,)),
    "bob@example.com": Home(servers=(Server(host="imap-b.example.com", port=1143),)),
    "carol": Home(servers=(Server(host="imap-c.example.com", port=993, security=Security.TLS),)),
    "dave": Home(),
}
"""Homes that every backend can keep: servers with their ports and security, and *here*."""

ODD_NAMES = (
    "", " ", "alice ", " alice", "ALICE\0", "alice\n", "a*", "*", "%", "a)(uid=*", "a\\", "a'",
    'a"', "a;b", "a,b", "a+b", "@", "@example.com", "../alice", "{alice}", "a:b", "\u00e4lice",
    "\U0001f600", "x" * 255, "x" * 10_000, "\ud800",
    "alice\0", "alice\r\n", "alice\t", "alic?", "alice*", "alic%", "alice%", "alic_", "%u",
    "%(user)s", "{0}", "alice@", "@alice", "alice@@", "a@b@example.com", "alice/../dave",
    "alice,dave", "alice:dave", "alice+dave", "alice;--", "alice' OR '1'='1", 'alice" OR "1"="1',
    "alice)(uid=*", "alice\\2a", "#", "/", "..", "[", "]", "\0", "\n", "\x7f",
    "\x1b[0m", "\u202ealice", "e\u0301",
    "\u00e9" * 127, "x" * 256,
)  # fmt: skip
"""Names that belong to nobody and break what is put together carelessly."""


RICH_HOMES: Mapping[str, Home] = {
    "erin": Home(servers=(SERVER, Server(host="192.0.2.1", port=1143, security=Security.CLEAR))),
    "frank@example.com": Home(servers=(SERVER,), user="fr ank@ex%mple", auth="PLAIN"),
    "grace": Home(servers=(SERVER,), public_here=True, ttl=12.5),
    "heidi": Home(closed="Moved away. Please ask the help desk, room 101!"),
    "lena": Home(servers=(SERVER,), held=True),
    "ivan": Home(servers=(SERVER,), ttl=0.0),
    "judy": Home(servers=(SERVER,), how="relay"),
    "karl": Home(servers=(SERVER,), user="carl", how="refer"),
    "j\u00fcrgen": Home(servers=(SERVER,)),
    "o'brien": Home(servers=(SERVER,)),
    "with space": Home(servers=(SERVER,)),
}
"""Homes and names with everything there is; a backend need not be able to keep it all."""


@implementer(IReferralBackend, IMailboxReferralBackend, IWatchableBackend, ITargets)
class MemoryBackend:
    """Homes and remote mailboxes in dictionaries, for tests and examples."""

    def __init__(self, homes: Mapping[str, Home] | None = None) -> None:
        self._homes = dict(homes or {})
        self._mailboxes: dict[str, dict[str, RemoteMailbox]] = {}
        self._watchers: list[Callable[[str | None], None]] = []

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        return self._homes.get(login.user)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is: its own place, or that of the nearest subtree it is in."""
        given = self._mailboxes.get(user, {})
        if name in given:
            return given[name].location
        above, slash, _ = name.rpartition("/")
        while slash:
            entry = given.get(above)
            if entry is not None and entry.subtree:
                return _moved_down(entry.location, name[len(above) :])
            above, slash, _ = above.rpartition("/")
        return None

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what `set_mailbox` was told of."""
        return tuple(self._mailboxes.get(user, {}).values())

    async def targets(self) -> Sequence[Server]:
        """Name every server that a home or a mailbox is on."""
        found = [server for home in self._homes.values() for server in home.servers]
        for given in self._mailboxes.values():
            found += [each.server for box in given.values() for each in box.location.replicas]
        return tuple(dict.fromkeys(found))

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Tell of changes made by the methods that follow."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def set(self, user: str, home: Home) -> None:
        """Give a user a home."""
        self._homes[user] = home
        self._tell(user)

    def remove(self, user: str) -> None:
        """Forget a user."""
        self._homes.pop(user, None)
        self._tell(user)

    def set_mailbox(
        self,
        user: str,
        name: str,
        location: MailboxLocation,
        *,
        attributes: Sequence[str] = (),
        subscribed: bool = False,
        subtree: bool = False,
    ) -> None:
        """Say where a mailbox of a user is; the rest is as in `RemoteMailbox`.

        What is below a subtree is below the names that its replicas have.
        """
        self._mailboxes.setdefault(user, {})[name] = RemoteMailbox(
            name=name,
            location=location,
            attributes=tuple(attributes),
            subscribed=subscribed,
            subtree=subtree,
        )
        self._tell(user)

    def remove_mailbox(self, user: str, name: str) -> None:
        """Forget a mailbox; there need not be one."""
        self._mailboxes.get(user, {}).pop(name, None)
        self._tell(user)

    def _tell(self, user: str) -> None:
        for changed in list(self._watchers):
            changed(user)


def _moved_down(location: MailboxLocation, below: str) -> MailboxLocation:
    """Give the place of what is below a subtree; ``below`` begins with a slash."""
    replicas = tuple(
        Replica(server=each.server, name=each.name + below, user=each.user, auth=each.auth)
        for each in location.replicas
    )
    return attrs.evolve(location, replicas=replicas)


class BackendContract(MailboxContract, PasswordContract, WritableContract):
    """Mix into a `twisted.trial.unittest.TestCase` and say how the backend is made.

    Implement `make_backend`. If the backend can be changed and tells of it, implement `change` too.
    What is tested follows from the interfaces that the backend provides. For one that knows of
    remote mailboxes implement `make_mailbox_backend` as well, see `MailboxContract`, and for one
    that knows passwords `make_password_backend`, see `PasswordContract`.

    homes: what most tests put into the backend; ``alice`` and ``dave`` are among them.
    more_homes: users and homes with everything that this backend can express, see `RICH_HOMES`.
    """

    homes: Mapping[str, Home] = HOMES
    more_homes: Mapping[str, Home] = {}
    odd_names = ODD_NAMES
    assertEqual: Any
    assertIsNone: Any
    assertIn: Any
    assertIsInstance: Any
    assertNotIn: Any
    assertTrue: Any
    addCleanup: Any
    skipTest: Any

    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        """Make a backend that knows exactly these users; may give a Deferred or coroutine."""
        raise NotImplementedError

    def change(self, backend: Any, user: str, home: Home) -> Any:
        """Give a user another home at the backend's source; may give a Deferred or coroutine."""
        self.skipTest("change() is not implemented")

    def run_contract(
        self, check: Callable[[Any], Any], homes: Mapping[str, Home] | None = None
    ) -> Deferred[None]:
        """Run a check on a started backend, which knows ``homes`` or else ``self.homes``."""

        async def work() -> None:
            backend = await done(self.make_backend(self.homes if homes is None else homes))
            lifecycle = ILifecycle(backend, None)
            if lifecycle is not None:
                await lifecycle.start()
            try:
                await check(backend)
            finally:
                if lifecycle is not None:
                    await lifecycle.stop()

        return Deferred.fromCoroutine(work())

    def test_it_provides_the_interface(self) -> Deferred[None]:
        """The one required method is there, under the interface."""

        async def check(backend: Any) -> None:
            verifyObject(IReferralBackend, backend)

        return self.run_contract(check)

    def test_known_users_have_exactly_the_homes_they_were_given(self) -> Deferred[None]:
        """Servers, ports and security come through as they are."""

        async def check(backend: Any) -> None:
            for user, home in self.homes.items():
                found = await backend.home(Login(user=user))
                self.assertIsInstance(found, Home)
                self.assertEqual(found.servers, home.servers)
                self.assertEqual(found.user in (None, user), True)
                self.assertEqual(found.public_here, home.public_here)

        return self.run_contract(check)

    def test_everything_that_it_can_express_comes_back_as_it_was(self) -> Deferred[None]:
        """Nothing of a home is lost, and no name either."""
        if not self.more_homes:
            self.skipTest("more_homes is empty")

        async def check(backend: Any) -> None:
            for user, home in self.more_homes.items():
                self.assertEqual(await backend.home(Login(user=user)), home)

        return self.run_contract(check, self.more_homes)

    def test_without_users_it_knows_nobody(self) -> Deferred[None]:
        """An empty source is no error."""

        async def check(backend: Any) -> None:
            self.assertIsNone(await backend.home(Login(user="alice")))

        return self.run_contract(check, {})

    def test_a_lookup_gives_something_to_await(self) -> Deferred[None]:
        """A coroutine or a Deferred, whether the user is known or not."""

        async def check(backend: Any) -> None:
            for user in ("alice", "nobody"):
                work = backend.home(Login(user=user))
                self.assertTrue(isawaitable(work), f"{work!r} cannot be awaited")
                await work

        return self.run_contract(check)

    def test_the_answer_depends_on_the_user_alone_or_is_not_to_be_kept(self) -> Deferred[None]:
        """Answers are cached by user name."""

        async def check(backend: Any) -> None:
            for user in self.homes:
                one = await backend.home(Login(user=user, peer="192.0.2.7", mechanism="PLAIN"))
                other = await backend.home(Login(user=user, peer="2001:db8::1", secure=True))
                self.assertTrue(one == other or one.ttl == other.ttl == 0, user)

        return self.run_contract(check)

    def test_unknown_users_have_no_home(self) -> Deferred[None]:
        """None is the answer, not an error."""

        async def check(backend: Any) -> None:
            for user in ("nobody", "alice@example.com", "bob", "alic", "alicee"):
                self.assertIsNone(await backend.home(Login(user=user)))

        return self.run_contract(check)

    def test_odd_names_are_nobody_and_break_nothing(self) -> Deferred[None]:
        """No name is taken for another, and none raises."""

        async def check(backend: Any) -> None:
            for user in ODD_NAMES:
                self.assertIsNone(await backend.home(Login(user=user)), repr(user)[:40])
            self.assertIsInstance(await backend.home(Login(user="alice")), Home)

        return self.run_contract(check)

    def test_lookups_at_the_same_time_do_not_mix(self) -> Deferred[None]:
        """Each gets the answer to its own question."""

        async def check(backend: Any) -> None:
            users = [*self.homes, "nobody"] * 20
            asked = [deferred(backend.home(Login(user=user))) for user in users]
            answers = await gatherResults(asked)
            for user, found in zip(users, answers, strict=True):
                if user not in self.homes:
                    self.assertIsNone(found)
                else:
                    self.assertEqual(found.servers, self.homes[user].servers)

        return self.run_contract(check)

    def test_the_servers_of_all_homes_are_among_its_targets(self) -> Deferred[None]:
        """Each is named, as it stands in the homes, and only once."""

        async def check(backend: Any) -> None:
            targets: Any = ITargets(backend, None)
            if targets is None:
                self.skipTest("does not provide ITargets")
            named = list(await targets.targets())
            self.assertEqual(len(named), len(set(named)), "a server is named twice")
            for home in self.homes.values():
                for server in home.servers:
                    self.assertIn(server, named)

        return self.run_contract(check)

    def test_a_change_is_told_and_seen(self) -> Deferred[None]:
        """A watcher hears of the user, or of everyone, and the new home is there by then."""

        async def check(backend: Any) -> None:
            watchable: Any = IWatchableBackend(backend, None)
            if watchable is None:
                self.skipTest("does not provide IWatchableBackend")
            told: Deferred[str | None] = Deferred()
            end = watchable.watch(lambda user: None if told.called else told.callback(user))
            new = Home(servers=(Server(host="imap-new.example.com"),))
            await done(self.change(backend, "alice", new))
            self.assertIn(await told, (None, "alice"))
            self.assertEqual((await backend.home(Login(user="alice"))).servers, new.servers)
            end()

        return self.run_contract(check)

    def test_who_has_ended_the_watch_is_told_no_more(self) -> Deferred[None]:
        """Others still are."""

        async def check(backend: Any) -> None:
            watchable: Any = IWatchableBackend(backend, None)
            if watchable is None:
                self.skipTest("does not provide IWatchableBackend")
            ended: list[str | None] = []
            told: Deferred[str | None] = Deferred()
            end = watchable.watch(ended.append)
            stay = watchable.watch(lambda user: None if told.called else told.callback(user))
            end()
            await done(self.change(backend, "alice", Home()))
            await told
            self.assertEqual(ended, [])
            stay()

        return self.run_contract(check)

    def test_looking_again_at_a_source_that_has_not_changed_changes_no_answer(
        self,
    ) -> Deferred[None]:
        """Everybody keeps the home that they had."""

        async def check(backend: Any) -> None:
            reloadable: Any = IReloadable(backend, None)
            if reloadable is None:
                self.skipTest("does not provide IReloadable")
            verifyObject(IReloadable, backend)
            for _ in range(2):
                await reloadable.reload()
                for user, home in self.homes.items():
                    found = await backend.home(Login(user=user))
                    self.assertEqual(found.servers, home.servers)
                self.assertIsNone(await backend.home(Login(user="nobody")))

        return self.run_contract(check)
