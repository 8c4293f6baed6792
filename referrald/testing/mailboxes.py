"""The part of the suite for backends that know of remote mailboxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from referrald.interfaces import ILifecycle, IMailboxReferralBackend, IWatchableBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Security, Server

Mailboxes = Mapping[str, Mapping[str, MailboxLocation]]
"""Users, the mailboxes that each may see, and where these are."""


def _at(host: str, name: str, **more: Any) -> Replica:
    return Replica(server=Server(host=host), name=name, **more)


MAILBOXES: Mailboxes = {
    "alice": {
        "Team/Minutes": MailboxLocation(replicas=(_at("imap-a.example.com", "Team/Minutes"),)),
        "Team/Pl\u00e4ne": MailboxLocation(replicas=(_at("imap-b.example.com", "Plans"),)),
        "Archive": MailboxLocation(replicas=(_at("imap-b.example.com", "old/Archive"),)),
    },
    "bob@example.com": {
        "Archive": MailboxLocation(replicas=(_at("imap-c.example.com", "Archive"),)),
    },
}
"""Mailboxes that every such backend can keep: a server each, and the name there."""

RICH_MAILBOXES: Mailboxes = {
    "alice": {
        "Replicas": MailboxLocation(
            replicas=(
                _at("imap-b.example.com", "Public/Replicas", user="reader", auth="PLAIN"),
                Replica(
                    server=Server(host="192.0.2.1", port=1143, security=Security.CLEAR),
                    name="Copy of replicas & more",
                ),
            ),
            ttl=12.5,
        ),
        "Moving": MailboxLocation(moving=True),
        "Moving/Already": MailboxLocation(
            replicas=(_at("imap-a.example.com", "Moving/Already"),), moving=True, ttl=0.0
        ),
        "Sp\u00e4te 'Post' \U0001f600": MailboxLocation(
            replicas=(_at("imap-a.example.com", "100% \u00fcber"),)
        ),
    },
    "carol": {"Here": MailboxLocation()},
}
"""Mailboxes with everything there is; a backend need not be able to keep it all."""

NOBODYS = ("Archiv", "Archives", "archive", "Team", "Team/Minute", "INBOX", "Trash", "/Archive")
"""Names that are none of `MAILBOXES`, though some look like them."""

UNLIKELY = "no such level 7f3a"


class MailboxContract:
    """What `BackendContract` tests of an `IMailboxReferralBackend`; its author implements hooks.

    mailboxes: what most tests put into the backend, see `MAILBOXES`.
    more_mailboxes: all that this backend can express, see `RICH_MAILBOXES`.
    delimiter: what stands between the levels of names.
    """

    mailboxes: Mailboxes = MAILBOXES
    more_mailboxes: Mailboxes = {}
    delimiter: str = "/"
    assertEqual: Any
    assertIsNone: Any
    assertIn: Any
    assertIsInstance: Any
    assertTrue: Any
    fail: Any
    skipTest: Any

    odd_names: Sequence[str] = ()

    def make_backend(self, homes: Any) -> Any:
        """As in `BackendContract`."""
        raise NotImplementedError

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        """Make a backend that knows exactly these; may give a Deferred or coroutine."""
        return None

    def change_mailbox(self, backend: Any, user: str, name: str, location: MailboxLocation) -> Any:
        """Put a mailbox elsewhere at the backend's source; may give a Deferred or coroutine."""
        self.skipTest("change_mailbox() is not implemented")

    def run_mailbox_contract(
        self, check: Callable[[Any], Any], mailboxes: Mailboxes | None = None
    ) -> Deferred[None]:
        """Run a check on a started backend that knows ``mailboxes`` or else ``self.mailboxes``."""

        async def work() -> None:
            backend = await self._mailbox_backend(
                self.mailboxes if mailboxes is None else mailboxes
            )
            lifecycle = ILifecycle(backend, None)
            if lifecycle is not None:
                await lifecycle.start()
            try:
                await check(backend)
            finally:
                if lifecycle is not None:
                    await lifecycle.stop()

        return Deferred.fromCoroutine(work())

    async def _mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        backend = await done(self.make_mailbox_backend(mailboxes))
        if backend is None:
            if IMailboxReferralBackend.providedBy(await done(self.make_backend({}))):
                self.fail("it provides IMailboxReferralBackend: implement make_mailbox_backend()")
            self.skipTest("does not provide IMailboxReferralBackend")
        return backend

    def test_mailboxes_it_provides_the_interface(self) -> Deferred[None]:
        """Both methods are there, under the interface."""

        async def check(backend: Any) -> None:
            verifyObject(IMailboxReferralBackend, backend)

        return self.run_mailbox_contract(check)

    def test_known_mailboxes_are_where_they_were_put(self) -> Deferred[None]:
        """Servers, the names there and their order come through as they are."""

        async def check(backend: Any) -> None:
            for user, name, location in each_of(self.mailboxes):
                found = await backend.mailbox(user, name)
                self.assertIsInstance(found, MailboxLocation, (user, name))
                self.assertEqual(_places(found, user), _places(location, user), (user, name))
                self.assertEqual(found.moving, location.moving)

        return self.run_mailbox_contract(check)

    def test_every_location_that_it_can_express_comes_back_as_it_was(self) -> Deferred[None]:
        """Nothing of it is lost, and no name either."""
        if not self.more_mailboxes:
            self.skipTest("more_mailboxes is empty")

        async def check(backend: Any) -> None:
            for user, name, location in each_of(self.more_mailboxes):
                self.assertEqual(_bare(await backend.mailbox(user, name)), location, name)

        return self.run_mailbox_contract(check, self.more_mailboxes)

    def test_nothing_is_said_of_unknown_mailboxes_and_those_of_others(self) -> Deferred[None]:
        """None is the answer, the same for what there is not and what the user may not see."""

        async def check(backend: Any) -> None:
            names = {name for _, name, _ in each_of(self.mailboxes)} | set(NOBODYS)
            for user in (*self.mailboxes, "nobody", "alice@example.com", "bob", "alic"):
                for name in names - set(self.mailboxes.get(user, ())):
                    self.assertIsNone(await backend.mailbox(user, name), (user, name))

        return self.run_mailbox_contract(check)

    def test_odd_names_of_users_and_mailboxes_break_nothing(self) -> Deferred[None]:
        """No name is taken for another, and none raises."""

        async def check(backend: Any) -> None:
            user, name, _ = next(each_of(self.mailboxes))
            for odd in self.odd_names:
                self.assertIsNone(await backend.mailbox(user, odd), repr(odd)[:40])
                self.assertIsNone(await backend.mailbox(odd, name), repr(odd)[:40])
                self.assertEqual([*await backend.remote_mailboxes(odd)], [], repr(odd)[:40])
            self.assertIsInstance(await backend.mailbox(user, name), MailboxLocation)

        return self.run_mailbox_contract(check)

    def test_who_has_no_remote_mailboxes_has_an_empty_list(self) -> Deferred[None]:
        """And so has everybody when there are none."""

        async def check(backend: Any) -> None:
            self.assertEqual([*await backend.remote_mailboxes("nobody")], [])

        async def check_empty(backend: Any) -> None:
            self.assertEqual([*await backend.remote_mailboxes("alice")], [])
            self.assertIsNone(await backend.mailbox("alice", "Archive"))

        async def both() -> None:
            await self.run_mailbox_contract(check)
            await self.run_mailbox_contract(check_empty, {})

        return Deferred.fromCoroutine(both())

    def test_the_list_names_all_that_is_elsewhere_each_once(self) -> Deferred[None]:
        """A mailbox may be in the list by itself or below a subtree that is."""

        async def check(backend: Any) -> None:
            for user, given in self.mailboxes.items():
                entries = await backend.remote_mailboxes(user)
                names = [entry.name for entry in entries]
                self.assertEqual(sorted(names), sorted(set(names)), user)
                listed = {entry.name: entry for entry in entries}
                for name, location in given.items():
                    if not location.here:
                        self.assertTrue(self._is_listed(name, listed), (user, name))

        return self.run_mailbox_contract(check)

    def _is_listed(self, name: str, listed: Mapping[str, RemoteMailbox]) -> bool:
        above = self._above(name)
        return name in listed or any(each in listed and listed[each].subtree for each in above)

    def _above(self, name: str) -> list[str]:
        """Name the levels above, the nearest first."""
        levels = name.split(self.delimiter)
        return [self.delimiter.join(levels[:end]) for end in range(len(levels) - 1, 0, -1)]

    def test_list_and_lookup_agree(self) -> Deferred[None]:
        """What is listed is where the list says, and what is below a subtree is there as well."""

        async def check(backend: Any) -> None:
            for user in {**self.mailboxes, **self.more_mailboxes}:
                for entry in await backend.remote_mailboxes(user):
                    self.assertIsInstance(entry, RemoteMailbox)
                    await self._check_entry(backend, user, entry)

        async def both() -> None:
            await self.run_mailbox_contract(check)
            if self.more_mailboxes:
                await self.run_mailbox_contract(check, self.more_mailboxes)

        return Deferred.fromCoroutine(both())

    async def _check_entry(self, backend: Any, user: str, entry: RemoteMailbox) -> None:
        found = await backend.mailbox(user, entry.name)
        if entry.location.here:
            self.assertTrue(found is None or found.here, entry.name)
        else:
            self.assertEqual(_bare(found), _bare(entry.location), entry.name)
        if not entry.subtree:
            return
        below = await backend.mailbox(user, entry.name + self.delimiter + UNLIKELY)
        if entry.location.here:
            self.assertTrue(below is None or below.here, entry.name)
            return
        self.assertIsInstance(below, MailboxLocation, f"below {entry.name}")
        servers = [replica.server for replica in entry.location.replicas]
        self.assertEqual([replica.server for replica in below.replicas], servers, entry.name)
        self.assertEqual(below.moving, entry.location.moving, entry.name)

    def test_both_questions_give_something_to_await(self) -> Deferred[None]:
        """A coroutine or a Deferred, whether the mailbox is known or not."""

        async def check(backend: Any) -> None:
            user, name, _ = next(each_of(self.mailboxes))
            for asked in (
                backend.mailbox(user, name),
                backend.mailbox("nobody", "nothing"),
                backend.remote_mailboxes(user),
                backend.remote_mailboxes("nobody"),
            ):
                self.assertTrue(isawaitable(asked), f"{asked!r} cannot be awaited")
                await asked

        return self.run_mailbox_contract(check)

    def test_questions_about_mailboxes_at_the_same_time_do_not_mix(self) -> Deferred[None]:
        """Each gets the answer to its own question."""

        async def check(backend: Any) -> None:
            asked = [*each_of(self.mailboxes), ("nobody", "Archive", None)] * 20
            work = [deferred(backend.mailbox(user, name)) for user, name, _ in asked]
            answers = await gatherResults(work)
            for (user, name, location), found in zip(asked, answers, strict=True):
                if location is None:
                    self.assertIsNone(found)
                else:
                    self.assertEqual(_places(found, user), _places(location, user), (user, name))

        return self.run_mailbox_contract(check)

    def test_a_mailbox_that_changes_is_told_and_seen(self) -> Deferred[None]:
        """A watcher hears of the user, or of everyone, and the new place is known by then."""

        async def check(backend: Any) -> None:
            watchable: Any = IWatchableBackend(backend, None)
            if watchable is None:
                self.skipTest("does not provide IWatchableBackend")
            user, name, _ = next(each_of(self.mailboxes))
            new = MailboxLocation(replicas=(_at("imap-new.example.com", name),))
            told: Deferred[str | None] = Deferred()
            end = watchable.watch(lambda user: None if told.called else told.callback(user))
            await done(self.change_mailbox(backend, user, name, new))
            self.assertIn(await told, (None, user))
            found = await backend.mailbox(user, name)
            self.assertEqual(_places(found, user), _places(new, user))
            listed = {entry.name: entry for entry in await backend.remote_mailboxes(user)}
            self.assertTrue(self._is_listed(name, listed))
            end()

        return self.run_mailbox_contract(check)


def each_of(mailboxes: Mailboxes) -> Any:
    """Give user, name and location of every mailbox."""
    for user, given in mailboxes.items():
        for name, location in given.items():
            yield user, name, location


def _places(location: MailboxLocation, user: str) -> list[tuple[Server, str, str]]:
    return [(each.server, each.name, each.user or user) for each in location.replicas]


def _bare(location: MailboxLocation | None) -> MailboxLocation | None:
    """Give a location without its source, which the directory fills in."""
    return location if location is None else attrs.evolve(location, source="")


async def done(result: Any) -> Any:
    """Wait for a result that may have to be waited for."""
    return await result if hasattr(result, "__await__") else result


def deferred(result: Any) -> Deferred[Any]:
    """Give what can be awaited as a Deferred."""
    return Deferred.fromCoroutine(done(result))
