"""The consul backend against a double that speaks Consul's documented protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from referrald.backends.keyvalue import consul as module
from referrald.backends.keyvalue.factory import consul as factory
from referrald.errors import NotPossible, Unavailable
from referrald.mailmodel import MailboxLocation
from referrald.model import Home
from referrald.testing import RICH_HOMES, BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes
from tests.backends.keyvalue.consulserver import Consul
from tests.backends.keyvalue.support import (
    ME,
    ON_A,
    ON_B,
    PATIENT,
    SOON,
    StoreTestCase,
    clock,
    hang,
    until,
    value,
)
from tests.backends.mailboxjson import mailboxes_json
from tests.backends.support import filled

TOKEN = "b1gs33d-0000"

server: Any = None
sites = 0


def setUpModule() -> None:
    global server
    server = Consul(TOKEN)


def tearDownModule() -> None:
    if server is not None:
        server.remove()


def new_site() -> dict[str, str]:
    """Give the prefixes of a site that has nothing yet."""
    global sites
    sites += 1
    return {"prefix": f"site{sites}/homes/", "history": f"site{sites}/history/"}


class Contract(BackendContract, TestCase):
    more_homes = RICH_HOMES
    more_mailboxes = RICH_MAILBOXES

    async def make_backend(self, homes: Mapping[str, Home]) -> Any:
        options = filled(factory, servers=[server.url], timeout=PATIENT, token=TOKEN, **new_site())
        backend = factory.build(options, clock)
        await backend.start()
        await backend.set_home(homes, ME)
        await backend.stop()
        return factory.build(options, clock)

    async def change(self, backend: Any, user: str, home: Home) -> None:
        await backend.set_home({user: home}, ME)

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        self.site = new_site()
        self.mailboxes_now = {user: dict(given) for user, given in mailboxes.items()}
        for user in mailboxes:
            self.put_mailboxes(user)
        options = filled(
            factory, servers=[server.url], timeout=PATIENT, token=TOKEN, mailboxes=True
        )
        return factory.build(options | self.site, clock)

    def put_mailboxes(self, user: str) -> None:
        server.put(self.site["prefix"] + user, json.dumps(mailboxes_json(self.mailboxes_now[user])))

    def change_mailbox(self, backend: Any, user: str, name: str, location: MailboxLocation) -> None:
        self.mailboxes_now[user][name] = location
        self.put_mailboxes(user)


class ConsulTestCase(StoreTestCase):
    factory = factory

    def setUp(self) -> None:
        super().setUp()
        self.site = new_site()

    def given(self) -> dict[str, Any]:
        return {"servers": [server.url], "token": TOKEN, **self.site}

    def put(self, user: str, home: Home) -> None:
        server.put(self.site["prefix"] + user, value(home))


class Following(ConsulTestCase):
    def test_a_move_by_curl_is_told_by_name_within_a_second(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.put("ann@example.org", ON_B)
            self.assertLess(await until(lambda: "ann@example.org" in heard), SOON)
            self.assertEqual(await self.home(backend, "ann@example.org"), ON_B)
            self.put("bob", ON_A)
            await until(lambda: "bob" in heard)
            server.delete(self.site["prefix"] + "bob")
            self.assertLess(await until(lambda: heard.count("bob") == 2), SOON)
            self.assertIsNone(await self.home(backend, "bob"))
            self.assertNotIn(None, heard)

        return self.run_with(work)

    def test_what_is_the_same_as_before_tells_nothing(self) -> Deferred[None]:
        self.patch(module, "WAIT", 1)

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            await deferLater(clock, 1.6, lambda: None)
            server.put("elsewhere", "thing")
            server.put(self.site["prefix"][:-1] + "2/ann", value(ON_B))
            await deferLater(clock, 0.5, lambda: None)
            self.put("ann", ON_A)
            await until(lambda: heard)
            self.assertEqual(heard, ["ann"])

        return self.run_with(work)

    def test_an_index_that_goes_back_makes_everybody_looked_up_anew(self) -> Deferred[None]:
        self.patch(module, "WAIT", 1)

        async def work(backend: Any) -> None:
            for user in ("ann", "bob", "carol"):
                self.put(user, ON_A)
            heard: list[str | None] = []
            await until(lambda: "carol" in heard or (backend.watch(heard.append) and True))
            self.put("dave", ON_A)
            await until(lambda: "dave" in heard)
            server.restore({}, 3)
            await until(lambda: None in heard)
            self.assertIsNone(await self.home(backend, "ann"))
            self.put("erin", ON_B)
            self.assertLess(await until(lambda: "erin" in heard), SOON)

        return self.run_with(work)

    def test_a_restart_is_caught_up_with(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("ann", ON_A)
            heard: list[str | None] = []
            backend.watch(heard.append)
            server.stop()
            await until(lambda: "cannot be reached" in self.logged())
            self.assertIn(server.url, await self.failure(self.home(backend, "ann")))
            server.start()
            self.put("bob", ON_B)
            await until(lambda: "bob" in heard)
            self.assertEqual(await self.home(backend, "ann"), ON_A)
            await until(lambda: "can be reached again" in self.logged())
            self.assertNotIn(TOKEN, self.logged() + str(self.events))

        return self.run_with(work)

    def test_one_that_is_down_at_the_start_is_waited_for(self) -> Deferred[None]:
        server.stop()

        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            try:
                await self.failure(self.home(backend, "ann"))
            finally:
                server.start()
            await until(lambda: heard)
            self.assertEqual(heard, [None])
            self.put("ann", ON_B)
            await until(lambda: "ann" in heard)

        return self.run_with(work)

    def test_an_agent_that_is_down_or_silent_is_passed_over(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            heard: list[str | None] = []
            backend.watch(heard.append)
            self.put("ann", ON_A)
            await until(lambda: "ann" in heard or None in heard)
            self.assertEqual(await self.home(backend, "ann"), ON_A)

        servers = ["http://127.0.0.1:1", hang(self), server.url]
        return self.run_with(work, servers=servers, timeout=1.0)


class Asking(ConsulTestCase):
    def test_a_name_stays_in_its_key_whatever_stands_in_it(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for key in ("a", "*", "x/y"):
                server.put(self.site["prefix"] + key, value(ON_A))
            server.put(self.site["history"] + "x", value(ON_A))
            for user in (
                "", "*", ")", "\\", "'", "%", "/", "../history/x", ".", "..", "a\n", "a\0", "\0",
                "a\r\nX-Consul-Token: y", "a?recurse", "a#", "x/y", "a/../a", "//a", "a b",
                "\u00e4", "\u202ea", "x" * 10_000, "\ud800", "%61", "a%00", "a/", "a&dc=x",
            ):  # fmt: skip
                self.assertIsNone(await self.home(backend, user), user[:40])
            self.assertEqual(await self.home(backend, "a"), ON_A)

        return self.run_with(work)

    def test_odd_names_of_users_who_are_there_are_found(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            names = ["..", ".", "a/../b", "o'x", "100%", "a b", "\u00e4", "\u202ea", "a?b#c&d+e"]
            await backend.set_home(dict.fromkeys(names, ON_A), ME)
            for name in names:
                self.assertEqual(await self.home(backend, name), ON_A, name)
            self.assertEqual({user for user, _ in await backend.export()}, {*names})

        return self.run_with(work)

    def test_a_value_that_is_no_home_is_no_answer(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            for said, wrong in (
                ("", "no JSON object"),
                ("imap-a.example.org", "no JSON object"),
                ('{"home": {}}', "server"),
                ('{"home": {"server": ""}}', "server"),
                ('{"home": "imap-a.example.org:0"}', "port"),
                ('{"home": "2001:db8::7"}', "IPv6"),
            ):
                server.put(self.site["prefix"] + "ann", said)
                self.assertIn(wrong, await self.failure(self.home(backend, "ann")))
                self.assertIn("'ann'", await self.failure(backend.export()))

        return self.run_with(work)

    def test_without_a_good_token_there_is_no_answer(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.assertIn("403", await self.failure(self.home(backend, "ann")))
            self.assertIn("403", await self.failure(backend.set_home({"ann": ON_A}, ME)))
            self.assertNotIn("wr0ng", self.logged() + str(self.events))

        return self.run_with(work, token="wr0ng")

    def test_another_datacenter_may_be_asked(self) -> Deferred[None]:
        async def here(backend: Any) -> None:
            await backend.set_home({"ann": ON_A}, ME)
            self.assertEqual(await self.home(backend, "ann"), ON_A)

        async def there(backend: Any) -> None:
            self.assertIn("500", await self.failure(self.home(backend, "ann")))

        first = self.run_with(here, datacenter="dc1")
        return first.addCallback(lambda _: self.run_with(there, datacenter="dc2"))


class Writing(ConsulTestCase):
    def test_more_users_than_a_transaction_has_room_for_need_leave(self) -> Deferred[None]:
        homes = {f"user{number:04}": ON_A for number in range(1_000)}

        async def refused(backend: Any) -> None:
            said = await self.failure(backend.set_home(homes, ME), NotPossible)
            self.assertIn("room for 63", said)
            self.assertEqual(await backend.export(), [])

        async def made(backend: Any) -> None:
            await backend.import_(homes, ME)
            self.assertEqual(dict(await backend.export()), homes)
            self.assertEqual(len(await backend.history(limit=5_000)), 1_000)
            await backend.hold([*homes], ME)
            self.assertTrue(all(home.held for _, home in await backend.export()))

        async def too_many(backend: Any) -> None:
            backend._store._most = 200
            some = dict(list(homes.items())[:150])
            said = await self.failure(backend.set_home(some, ME), NotPossible)
            self.assertIn("too many operations", said)

        first = self.run_with(refused)
        first.addCallback(lambda _: self.run_with(made, in_parts=True))
        first.addCallback(lambda _: self.run_with(too_many, prefix="new/", transaction=200))
        return first

    def test_parts_are_undone_when_one_of_them_fails(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            await backend.set_home({"user2": ON_B, "zoe": ON_B}, ME)
            before = dict(await backend.export())
            commit, count = backend._store.commit, iter(range(100))

            async def failing(writes: Any) -> int | None:
                if next(count) == 2:
                    raise Unavailable("no leader")
                return await commit(writes)  # type: ignore[no-any-return]

            backend._store.commit = failing
            homes = {f"user{number}": ON_A for number in range(8)}
            self.assertIn("no leader", await self.failure(backend.import_(homes, ME)))
            self.assertEqual(dict(await backend.export()), before)

        return self.run_with(work, in_parts=True, transaction=4)

    def test_what_others_have_changed_meanwhile_is_looked_at_anew(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("ann", ON_A)
            commit = backend._store.commit

            async def disturbed(writes: Any) -> int | None:
                backend._store.commit = commit
                self.put("ann", ON_B)
                return await commit(writes)  # type: ignore[no-any-return]

            backend._store.commit = disturbed
            (change,) = await backend.hold(["ann"], ME)
            self.assertEqual(change.before, ON_B)

        return self.run_with(work)

    def test_a_change_whose_answer_was_lost_is_known_to_be_made(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            commit = backend._store.commit

            async def lose(writes: Any) -> int | None:
                await commit(writes)
                raise Unavailable("the connection was lost")

            backend._store.commit = lose
            (change,) = await backend.set_home({"ann": ON_A}, ME)
            self.assertEqual(change.after, ON_A)
            self.assertEqual(await self.home(backend, "ann"), ON_A)

        return self.run_with(work)
