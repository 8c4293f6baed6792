"""The part of the suite for backends that can be written to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from referrald.errors import NoSuchUser, ReferraldError
from referrald.interfaces import ILifecycle, IWatchableBackend, IWritableBackend
from referrald.model import Home, HomeChange, Login, Occasion, Server
from referrald.testing.mailboxes import deferred, done

ANN = Occasion(who="ann", why="the first disk is full")
TRIAL = Occasion(who="ann", dry_run=True)
OLD = Home(servers=(Server(host="imap-old.example.com"),))
NEW = Home(servers=(Server(host="imap-new.example.com", port=1143),))


class WritableContract:
    """What `BackendContract` tests of an `IWritableBackend`; `make_backend` is all that it needs.

    homes: what is in the backend at first; ``alice`` and ``dave`` are among them.
    """

    homes: Mapping[str, Home] = {}
    assertEqual: Any
    assertIsNone: Any
    assertIn: Any
    assertTrue: Any
    fail: Any
    skipTest: Any

    def make_backend(self, homes: Any) -> Any:
        """As in `BackendContract`."""
        raise NotImplementedError

    def run_writing_contract(self, check: Callable[[Any], Any]) -> Deferred[None]:
        """Run a check on a started backend that knows ``self.homes``."""

        async def work() -> None:
            backend = await done(self.make_backend(self.homes))
            if not IWritableBackend.providedBy(backend):
                self.skipTest("does not provide IWritableBackend")
            lifecycle = ILifecycle(backend, None)
            if lifecycle is not None:
                await lifecycle.start()
            try:
                await check(backend)
            finally:
                if lifecycle is not None:
                    await lifecycle.stop()

        return Deferred.fromCoroutine(work())

    async def _all(self, backend: Any, page: int = 10_000) -> dict[str, Home]:
        """Give everything by pages; no name may come twice."""
        found: dict[str, Home] = {}
        after = ""
        while entries := await backend.export(after, page):
            self.assertTrue(len(entries) <= page, "more than was asked for")
            for user, home in entries:
                self.assertTrue(user not in found, f"{user} comes twice")
                found[user] = home
            after = entries[-1][0]
        return found

    async def _home(self, backend: Any, user: str) -> Home | None:
        found: Home | None = await backend.home(Login(user=user))
        return found and attrs.evolve(found, source="")

    async def _refused(self, kind: type[Exception], work: Any) -> None:
        try:
            await work
        except kind:
            return
        self.fail(f"{kind.__name__} was not raised")

    def test_writing_it_provides_the_interface(self) -> Deferred[None]:
        """All methods are there."""

        async def check(backend: Any) -> None:
            verifyObject(IWritableBackend, backend)

        return self.run_writing_contract(check)

    def test_what_was_set_is_there_and_the_changes_are_told(self) -> Deferred[None]:
        """In the order in which users were named, those left out who had that home already."""

        async def check(backend: Any) -> None:
            before = await self._home(backend, "dave")
            changes = await backend.set_home({"zoe": NEW, "dave": NEW}, ANN)
            expected = [
                HomeChange(user="zoe", before=None, after=NEW),
                HomeChange(user="dave", before=before, after=NEW),
            ]
            self.assertEqual([*changes], expected)
            for user in ("zoe", "dave"):
                self.assertEqual(await self._home(backend, user), NEW)
            changes = await backend.set_home({"zoe": NEW, "alice": NEW}, ANN)
            self.assertEqual([each.user for each in changes], ["alice"])

        return self.run_writing_contract(check)

    def test_a_trial_says_the_same_and_changes_nothing(self) -> Deferred[None]:
        """It leaves nothing in the history either."""

        async def check(backend: Any) -> None:
            before = await self._all(backend)
            logged = await backend.history()
            only = {"zoe": NEW}
            for tried, meant in (
                (backend.set_home(only, TRIAL), [("zoe", NEW)]),
                (backend.remove(["alice"], TRIAL), [("alice", None)]),
                (
                    backend.hold(["dave"], TRIAL),
                    [("dave", attrs.evolve(before["dave"], held=True))],
                ),
            ):
                self.assertEqual([(each.user, each.after) for each in await tried], meant)
            gone = {each.user for each in await backend.import_(only, TRIAL)}
            self.assertEqual(gone, {"zoe", *before})
            self.assertEqual(await self._all(backend), before)
            self.assertEqual(await backend.history(), logged)

        return self.run_writing_contract(check)

    def test_who_is_held_keeps_the_home_and_is_released_again(self) -> Deferred[None]:
        """Twice is no change."""

        async def check(backend: Any) -> None:
            before = await self._home(backend, "alice")
            assert before is not None
            await backend.hold(["alice"], ANN)
            held = attrs.evolve(before, held=True)
            self.assertEqual(await self._home(backend, "alice"), held)
            self.assertEqual([*await backend.hold(["alice"], ANN)], [])
            (change,) = await backend.release(["alice"], ANN)
            self.assertEqual(change, HomeChange(user="alice", before=held, after=before))
            self.assertEqual([*await backend.release(["alice"], ANN)], [])
            self.assertEqual(await self._home(backend, "alice"), before)

        return self.run_writing_contract(check)

    def test_who_is_removed_is_nobody(self) -> Deferred[None]:
        """And all others stay."""

        async def check(backend: Any) -> None:
            before = await self._all(backend)
            (change,) = await backend.remove(["alice"], ANN)
            gone = HomeChange(user="alice", before=before.pop("alice"), after=None)
            self.assertEqual(change, gone)
            self.assertIsNone(await self._home(backend, "alice"))
            self.assertEqual(await self._all(backend), before)

        return self.run_writing_contract(check)

    def test_one_unknown_user_keeps_a_change_from_all(self) -> Deferred[None]:
        """Every change is for all of its users or for none."""

        async def check(backend: Any) -> None:
            before = await self._all(backend)
            for method in (backend.hold, backend.release, backend.remove):
                for occasion in (ANN, TRIAL):
                    users = ["alice", "nobody"]
                    await self._refused(NoSuchUser, method(users, occasion))
            self.assertEqual(await self._all(backend), before)

        return self.run_writing_contract(check)

    def test_a_name_that_nobody_can_have_keeps_a_change_from_all(self) -> Deferred[None]:
        """Whatever is put into a source has to be found there again."""

        async def check(backend: Any) -> None:
            before = await self._all(backend)
            for odd in ("", "a\0b", "a\nb", "\ud800", "x" * 10_000):
                homes = {"alice": NEW, odd: NEW}
                await self._refused(ReferraldError, backend.set_home(homes, ANN))
                await self._refused(ReferraldError, backend.import_(homes, ANN))
            self.assertEqual(await self._all(backend), before)

        return self.run_writing_contract(check)

    def test_an_import_leaves_these_users_and_no_others(self) -> Deferred[None]:
        """And what was exported before comes back as it was."""

        async def check(backend: Any) -> None:
            before = await self._all(backend)
            self.assertEqual(before, {**self.homes})
            given = {"alice": NEW, "zoe": OLD}
            changes = await backend.import_(given, ANN)
            self.assertEqual({each.user for each in changes}, {*before, "zoe"})
            self.assertEqual(await self._all(backend), given)
            self.assertIsNone(await self._home(backend, "dave"))
            await backend.import_(before, ANN)
            self.assertEqual(await self._all(backend), before)

        return self.run_writing_contract(check)

    def test_an_export_by_small_pages_has_everybody_once(self) -> Deferred[None]:
        """The order need only be one of names that always stays the same."""

        async def check(backend: Any) -> None:
            names = ("a", "A b", "o'x", "\u00e4", "\U0001f600", "a*", "a%", "~", "z@example.com")
            given = {name.lower(): NEW for name in names}
            await backend.set_home(given, ANN)
            for page in (1, 2, 5):
                self.assertEqual(await self._all(backend, page), {**self.homes, **given})

        return self.run_writing_contract(check)

    def test_the_history_says_who_and_why_the_latest_first(self) -> Deferred[None]:
        """Of one user or of all, and no more than is asked for."""

        async def check(backend: Any) -> None:
            await backend.set_home({"zoe": OLD}, ANN)
            await backend.set_home({"zoe": NEW, "yves": NEW}, Occasion(who="ben", why="moved"))
            await backend.remove(["yves"], ANN)
            logged = await backend.history("zoe")
            self.assertEqual((logged[0].who, logged[0].why), ("ben", "moved"))
            expected = [
                HomeChange(user="zoe", before=OLD, after=NEW),
                HomeChange(user="zoe", before=None, after=OLD),
            ]
            self.assertEqual([each.change for each in logged], expected)
            (last,) = await backend.history(limit=1)
            self.assertEqual((last.change.user, last.change.after, last.who), ("yves", None, "ann"))
            self.assertTrue(last.when >= logged[-1].when)
            self.assertEqual([*await backend.history("nobody")], [])

        return self.run_writing_contract(check)

    def test_changes_at_the_same_time_are_all_made(self) -> Deferred[None]:
        """None undoes another."""

        async def check(backend: Any) -> None:
            names = [f"user{number}" for number in range(20)]
            work = [deferred(backend.set_home({name: NEW}, ANN)) for name in names]
            for name, changes in zip(names, await gatherResults(work), strict=True):
                self.assertEqual([each.user for each in changes], [name])
            self.assertEqual(await self._all(backend), {**self.homes, **dict.fromkeys(names, NEW)})

        return self.run_writing_contract(check)

    def test_who_watches_is_told_of_what_is_written(self) -> Deferred[None]:
        """By name, or that it may be anybody."""

        async def check(backend: Any) -> None:
            watchable: Any = IWatchableBackend(backend, None)
            if watchable is None:
                self.skipTest("does not provide IWatchableBackend")
            told: Deferred[str | None] = Deferred()
            end = watchable.watch(lambda user: None if told.called else told.callback(user))
            await backend.set_home({"zoe": NEW}, ANN)
            self.assertIn(await told, (None, "zoe"))
            self.assertEqual(await self._home(backend, "zoe"), NEW)
            end()

        return self.run_writing_contract(check)
