"""The part of the suite for writable backends can fail, and does for each mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from referrald.errors import NoSuchUser, NotPossible
from referrald.interfaces import IWritableBackend
from referrald.model import Home, HomeChange, LoggedChange, Occasion
from referrald.testing import BackendContract, MemoryBackend

After = Mapping[str, Home | None]


@implementer(IWritableBackend)
class Writable(MemoryBackend):
    """Can be written to, and forgets everything at the end."""

    def __init__(self, homes: Mapping[str, Home]) -> None:
        super().__init__(homes)
        self.log: list[LoggedChange] = []

    async def set_home(self, homes: Mapping[str, Home], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(homes, occasion)

    async def hold(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(self.each(users, lambda home: attrs.evolve(home, held=True)), occasion)

    async def release(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(self.each(users, lambda home: attrs.evolve(home, held=False)), occasion)

    async def remove(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(self.each(users, lambda home: None), occasion)

    async def import_(self, homes: Mapping[str, Home], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do({**dict.fromkeys(self._homes), **homes}, occasion)

    async def export(self, after: str = "", limit: int = 10_000) -> Sequence[tuple[str, Home]]:
        return [
            entry for entry in sorted(self._homes.items(), key=lambda it: it[0]) if entry[0] > after
        ][:limit]

    async def history(self, user: str | None = None, limit: int = 100) -> Sequence[LoggedChange]:
        return [each for each in self.log[::-1] if user in (None, each.change.user)][:limit]

    def each(self, users: Sequence[str], change: Callable[[Home], Home | None]) -> After:
        missing = [user for user in users if user not in self._homes]
        if missing:
            raise NoSuchUser(", ".join(missing))
        return {user: change(self._homes[user]) for user in users}

    def do(self, after: After, occasion: Occasion) -> Sequence[HomeChange]:
        for user in after:
            if not user or not user.isprintable() or len(user) > 255:
                raise NotPossible("nobody can be called that")
        changes = [
            HomeChange(user=user, before=self._homes.get(user), after=home)
            for user, home in after.items()
            if self._homes.get(user) != home
        ]
        if not occasion.dry_run:
            for each in changes:
                self.write(each, occasion)
        return changes

    def write(self, change: HomeChange, occasion: Occasion) -> None:
        self.log.append(LoggedChange(when=1.0, who=occasion.who, why=occasion.why, change=change))
        if change.after is None:
            self.remove_one(change.user)
        else:
            self.set(change.user, change.after)

    def remove_one(self, user: str) -> None:
        MemoryBackend.remove(self, user)


class ForgetsTrials(Writable):
    """Does what it should only try."""

    def do(self, after: After, occasion: Occasion) -> Sequence[HomeChange]:
        return super().do(after, attrs.evolve(occasion, dry_run=False))


class TellsAll(Writable):
    """Tells of users who have that home already."""

    async def set_home(self, homes: Mapping[str, Home], occasion: Occasion) -> Sequence[HomeChange]:
        before = dict(self._homes)
        self.do(homes, occasion)
        return [HomeChange(user=u, before=before.get(u), after=h) for u, h in homes.items()]


class OneByOne(Writable):
    """Has done something when it finds that it cannot do all."""

    def each(self, users: Sequence[str], change: Callable[[Home], Home | None]) -> After:
        for user in users:
            self.do(super().each([user], change), Occasion(who="nobody"))
        return {}


class Merges(Writable):
    """Leaves others alone in an import."""

    async def import_(self, homes: Mapping[str, Home], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(homes, occasion)


class Repeats(Writable):
    """Begins a page with the last name of the one before."""

    async def export(self, after: str = "", limit: int = 10_000) -> Sequence[tuple[str, Home]]:
        page = [
            entry
            for entry in sorted(self._homes.items(), key=lambda it: it[0])
            if entry[0] >= after
        ]
        return page[:limit] if len(page) > 1 else []


class OldestFirst(Writable):
    """Has the history the wrong way round."""

    async def history(self, user: str | None = None, limit: int = 100) -> Sequence[LoggedChange]:
        return (await super().history(user, limit))[::-1]


class TakesAnyName(Writable):
    """Looks at no name."""

    def do(self, after: After, occasion: Occasion) -> Sequence[HomeChange]:
        return super().do(
            {name.strip()[:255] or "x": home for name, home in after.items()}, occasion
        )


class LosesHomes(Writable):
    """Forgets where somebody lives who is held."""

    async def hold(self, users: Sequence[str], occasion: Occasion) -> Sequence[HomeChange]:
        return self.do(self.each(users, lambda home: Home(held=True)), occasion)


class KeepsQuiet(Writable):
    """Removes nobody."""

    def remove_one(self, user: str) -> None:
        pass


class TheSuite(TestCase):
    def run_one(self, kind: type[MemoryBackend], name: str) -> Deferred[None]:
        class Suite(BackendContract, TestCase):
            def make_backend(self, homes: Mapping[str, Home]) -> Any:
                return kind(homes)

        work: Deferred[None] = getattr(Suite(name), name)()
        return work

    def test_it_fails_for_every_mistake_and_not_without_one(self) -> None:
        for kind, name in (
            (ForgetsTrials, "test_a_trial_says_the_same_and_changes_nothing"),
            (TellsAll, "test_what_was_set_is_there_and_the_changes_are_told"),
            (OneByOne, "test_one_unknown_user_keeps_a_change_from_all"),
            (Merges, "test_an_import_leaves_these_users_and_no_others"),
            (Repeats, "test_an_export_by_small_pages_has_everybody_once"),
            (OldestFirst, "test_the_history_says_who_and_why_the_latest_first"),
            (TakesAnyName, "test_a_name_that_nobody_can_have_keeps_a_change_from_all"),
            (LosesHomes, "test_who_is_held_keeps_the_home_and_is_released_again"),
            (KeepsQuiet, "test_who_is_removed_is_nobody"),
        ):
            self.successResultOf(self.run_one(Writable, name))
            self.failureResultOf(self.run_one(kind, name), self.failureException)

    def test_the_rest_is_right_for_a_backend_without_a_mistake(self) -> None:
        for name in (
            "test_writing_it_provides_the_interface",
            "test_changes_at_the_same_time_are_all_made",
            "test_who_watches_is_told_of_what_is_written",
        ):
            self.successResultOf(self.run_one(Writable, name))

    def test_a_backend_that_cannot_be_written_to_skips_all_that(self) -> None:
        name = "test_who_is_removed_is_nobody"
        self.failureResultOf(self.run_one(MemoryBackend, name), SkipTest)
