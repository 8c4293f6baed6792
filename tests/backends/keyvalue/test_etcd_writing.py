"""Changes to homes in etcd: one transaction or several, conflicts, answers that get lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from referrald.backends.keyvalue.factory import etcd as factory
from referrald.errors import NotPossible, Unavailable
from referrald.model import Home
from tests.backends.keyvalue.etcdserver import Etcd
from tests.backends.keyvalue.support import ME, ON_A, ON_B, StoreTestCase, value

MANY = {f"user{number:05}": ON_A for number in range(10_000)}

server: Any = None
sites = 0


def setUpModule() -> None:
    global server
    server = Etcd(["--max-txn-ops", "12000", "--max-request-bytes", "10000000"])


def tearDownModule() -> None:
    if server is not None:
        server.remove()


@pytest.mark.interop
class Writing(StoreTestCase):
    factory = factory

    def setUp(self) -> None:
        super().setUp()
        global sites
        sites += 1
        self.site = f"writing{sites}/"

    def given(self) -> dict[str, Any]:
        prefixes = {"prefix": f"{self.site}homes/", "history": f"{self.site}history/"}
        return {"servers": [server.url], "timeout": 30.0, **prefixes}

    def put(self, user: str, said: str) -> None:
        server.put(f"{self.site}homes/{user}", said)

    def get(self, user: str) -> Any:
        return json.loads(server.ctl("get", "--print-value-only", f"{self.site}homes/{user}"))

    def disturb(self, backend: Any, **disturbances: Any) -> None:
        """Do something at the next commits: number of the commit, and a function."""
        store = backend._store
        commit, count = store.commit, iter(range(1, 1000))

        async def committing(writes: Any) -> int | None:
            disturbance = disturbances.get(f"at_{next(count)}")
            if disturbance is not None:
                return await disturbance(commit, writes)  # type: ignore[no-any-return]
            return await commit(writes)  # type: ignore[no-any-return]

        store.commit = committing

    async def all(self, backend: Any) -> dict[str, Home]:
        found: dict[str, Home] = {}
        while page := await backend.export([*found][-1] if found else ""):
            found.update(page)
        return found

    def test_what_is_the_sites_own_in_a_value_stays(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("ann", '{"quota": 7, "home": "imap-a.example.org"}')
            await backend.set_home({"ann": ON_B}, ME)
            self.assertEqual(self.get("ann")["quota"], 7)
            self.assertEqual(self.get("ann")["home"], {"server": ["imap-b.example.org"]})

        return self.run_with(work)

    def test_ten_thousand_users_are_one_transaction_where_etcd_lets_them(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            before = server.revision()
            self.assertEqual(len(await backend.import_(MANY, ME)), len(MANY))
            self.assertEqual(server.revision(), before + 1)
            self.assertEqual(await self.all(backend), MANY)
            self.assertEqual(len(await backend.hold([*MANY], ME)), len(MANY))
            self.assertEqual(len(await backend.history("user00007")), 2)
            self.assertEqual(len(await backend.import_({}, ME)), len(MANY))
            self.assertEqual(await self.all(backend), {})

        return self.run_with(work, transaction=12_000)

    def test_without_leave_more_than_a_transaction_is_refused(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            homes = dict(list(MANY.items())[:128])
            said = await self.failure(backend.set_home(homes, ME), NotPossible)
            self.assertIn("128 users would change, and one transaction has room for 127", said)
            self.assertIn("in_parts", said)
            self.assertEqual(await self.all(backend), {})
            homes.popitem()
            await backend.set_home(homes, ME)
            self.assertEqual(await self.all(backend), homes)

        return self.run_with(work)

    def test_more_than_etcd_takes_is_told_with_its_own_words(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            homes = {f"user{number}": ON_A for number in range(12_500)}
            said = await self.failure(backend.set_home(homes, ME), NotPossible)
            self.assertIn("too many operations", said)
            self.assertEqual(await self.all(backend), {})

        return self.run_with(work, transaction=20_000)

    def test_with_leave_they_are_made_in_parts(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.assertEqual(len(await backend.import_(MANY, ME)), len(MANY))
            self.assertEqual(await self.all(backend), MANY)
            logged = await backend.history(limit=20_000)
            self.assertEqual(sorted(each.change.user for each in logged), [*MANY])

        return self.run_with(work, in_parts=True)

    def test_parts_are_undone_when_one_of_them_fails(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            self.put("user1", '{"quota": 7, "home": "imap-b.example.org"}')
            await backend.set_home({"user2": ON_B, "zoe": ON_B}, ME)
            before = await self.all(backend)

            async def fail(commit: Any, writes: Any) -> int | None:
                raise Unavailable("the disk is full")

            self.disturb(backend, at_3=fail)
            homes = {f"user{number}": ON_A for number in range(8)}
            said = await self.failure(backend.import_(homes, ME))
            self.assertIn("the disk is full", said)
            self.assertEqual(await self.all(backend), before)
            self.assertEqual(self.get("user1")["quota"], 7)
            self.assertIn("undone", (await backend.history(limit=1))[0].why)

        return self.run_with(work, in_parts=True, transaction=4)

    def test_what_cannot_be_undone_is_told(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def others(commit: Any, writes: Any) -> int | None:
                self.put("user0", value(ON_B))
                raise Unavailable("the disk is full")

            self.disturb(backend, at_2=others)
            homes = {f"user{number}": ON_A for number in range(8)}
            said = await self.failure(backend.set_home(homes, ME))
            self.assertIn("3 users (user0, user1 …) have been changed, the others not", said)

        return self.run_with(work, in_parts=True, transaction=4)

    def test_what_others_have_changed_meanwhile_is_looked_at_anew(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def others(commit: Any, writes: Any) -> int | None:
                self.put("ann", value(ON_B))
                return await commit(writes)  # type: ignore[no-any-return]

            self.put("ann", value(ON_A))
            self.disturb(backend, at_1=others)
            (change,) = await backend.hold(["ann"], ME)
            self.assertEqual(change.before, ON_B)
            (logged,) = await backend.history()
            self.assertEqual(logged.change, change)

        return self.run_with(work)

    def test_who_is_always_disturbed_gives_up_and_has_changed_nothing(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def others(commit: Any, writes: Any) -> int | None:
                self.put("ann", value(ON_B))
                return await commit(writes)  # type: ignore[no-any-return]

            self.disturb(backend, **{f"at_{number}": others for number in range(1, 20)})
            said = await self.failure(backend.set_home({"ann": ON_A, "bob": ON_A}, ME))
            self.assertIn("others change the same users", said)
            self.assertEqual(await self.all(backend), {"ann": ON_B})
            self.assertEqual(await backend.history(), [])

        return self.run_with(work)

    def test_a_change_whose_answer_was_lost_is_known_to_be_made(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def lose(commit: Any, writes: Any) -> int | None:
                await commit(writes)
                raise Unavailable("the connection was lost")

            async def again(commit: Any, writes: Any) -> int | None:
                await commit(writes)
                return await commit(writes)  # type: ignore[no-any-return]

            self.disturb(backend, at_1=lose, at_2=again)
            for home in (ON_A, ON_B):
                (change,) = await backend.set_home({"ann": home}, ME)
                self.assertEqual(change.after, home)
                self.assertEqual(await self.all(backend), {"ann": home})
            self.assertEqual(len(await backend.history()), 2)

        return self.run_with(work)

    def test_a_change_of_which_nobody_knows_is_told_so(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            async def fail(commit: Any, writes: Any) -> int | None:
                raise Unavailable("the connection was lost")

            async def no_answer(key: str) -> None:
                raise Unavailable("still down")

            self.disturb(backend, at_1=fail)
            backend._store.get = no_answer
            said = await self.failure(backend.set_home({"ann": ON_A}, ME))
            self.assertIn("nobody knows whether the change was made", said)

        return self.run_with(work)

    def test_history_that_is_not_ours_is_told_and_hides_nothing_silently(self) -> Deferred[None]:
        async def work(backend: Any) -> None:
            server.put(f"{self.site}history/2026-01-01", "{}")
            said = await self.failure(backend.history())
            self.assertIn("history/2026-01-01", said)

        return self.run_with(work)
