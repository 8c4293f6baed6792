"""A file that says where users live: loaded, looked at again and again, loaded anew.

What was good stays in force as long as the file is broken, which is logged once for each broken
version.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from referrald.backends import recent
from referrald.backends.build import BuildFailed, Built, Job
from referrald.backends.builder import Builder
from referrald.backends.draft import Outcome, Stamps, look_at
from referrald.backends.image import Image
from referrald.errors import ConfigurationError, Unavailable
from referrald.model import Problem

LEFT_ALONE = 1.0
"""Seconds that a file must not have changed for before it is taken to be complete."""

START_TRIES = 5
REST = 15
"""Looks to skip after an image could not be made."""

PROBLEMS_TOLD = 10

Changed = Callable[[str | None], None]


class Source:
    """One file, and those that it names, as an image that is always whole.

    poll: seconds between two looks. adopt: called with every new image before it is in force.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self,
        job: Job,
        reactor: Any,
        poll: float,
        *,
        adopt: Callable[[Image], object] = id,
        builder: Builder | None = None,
    ) -> None:
        self.file: str = job.options["file"]
        self._job = job
        self._adopt = adopt
        self._builder = builder or Builder(reactor)
        self._poll = poll
        self._image: Image | None = None
        self._loaded: Stamps = {}
        self._pending: Stamps = {}
        self._broken = False
        self._rest = 0
        self._lock = DeferredLock()
        self._watchers: dict[object, Changed] = {}
        self._looking = LoopingCall(self._look_soon)
        self._looking.clock = reactor

    @property
    def image(self) -> Image:
        """What is in force; raises `Unavailable` before the start and after the stop."""
        if self._image is None:
            raise Unavailable(f"{self.file} is not loaded")
        return self._image

    async def start(self) -> None:
        """Load the file for the first time; raises `ConfigurationError` when it is broken."""
        built = recent.take(self._job)
        for _ in range(START_TRIES):
            if built is not None and built.outcome.steady:
                break
            built = await self._first_build()
        assert built is not None
        problems = built.outcome.problems
        if not problems and built.image is None:
            problems = (self._problem("changes all the time while it is read"),)
        if problems:
            raise ConfigurationError(problems)
        self._take(built)
        self._looking.start(self._poll, now=False)

    async def _first_build(self) -> Built:
        try:
            return await self._builder.build(self._job, None)
        except BuildFailed as error:
            raise ConfigurationError([self._problem(str(error))]) from error

    async def stop(self) -> None:
        """Look no more, end what is under way, let go of the image."""
        if self._looking.running:
            self._looking.stop()
        self._builder.stop()
        self._watchers.clear()
        image, self._image = self._image, None
        if image is not None and not self._lock.locked:
            self._discard(image)

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Have ``changed`` called after every load that changes anything."""
        mark = object()
        self._watchers[mark] = changed

        def unwatch() -> None:
            self._watchers.pop(mark, None)

        return unwatch

    async def reload(self) -> None:
        """Load the file anew, changed or not; returns when that is done."""
        if self._image is not None:
            await self._lock.run(self._deferred_load)

    # -- looking -----------------------------------------------------------------------------

    def _look_soon(self) -> Deferred[None] | None:
        """Look at the files; load them when they have changed and are left alone."""
        if self._lock.locked:
            return None
        if self._rest:
            self._rest -= 1
            return None
        now = {path: look_at(path) for path in self._loaded}
        if now == self._loaded:
            return None
        before, self._pending = self._pending, now
        if now != before and not _left_alone(now):
            return None
        return self._lock.run(self._deferred_load)

    def _deferred_load(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._load())

    async def _load(self) -> None:
        """Load the files and make them count, unless they are broken."""
        old = self._image
        if old is None:
            return
        built, failure = None, None
        try:
            built = await self._builder.build(self._job, old)
        except BuildFailed as error:
            failure = error
        if self._image is None:
            # Stopped meanwhile.
            self._discard(old, built.image if built else None)
        elif built is None:
            self._rest = REST
            self._tell_broken((self._problem(str(failure)),))
        elif built.outcome.problems and built.outcome.steady:
            self._loaded = built.outcome.files
            self._tell_broken(built.outcome.problems)
        elif built.image is not None:
            self._take(built)
            self._discard(old)
            self._tell_loaded(built.outcome)

    def _take(self, built: Built) -> None:
        assert built.image is not None
        self._adopt(built.image)
        self._image = built.image
        self._loaded = built.outcome.files

    def _discard(self, *images: Image | None) -> None:
        for image in images:
            if image is not None:
                self._builder.discard(image)

    # -- telling -----------------------------------------------------------------------------

    def _problem(self, wrong: str) -> Problem:
        return Problem(where=self.file, key="file", wrong=wrong)

    def _tell_broken(self, problems: tuple[Problem, ...]) -> None:
        self._broken = True
        more = len(problems) - PROBLEMS_TOLD
        self.log.error(
            "{file} is broken, what it said before stays in force: {problems}{more}",
            file=self.file,
            problems="; ".join(map(str, problems[:PROBLEMS_TOLD])),
            more=f"; and {more} more" if more > 0 else "",
        )

    def _tell_loaded(self, outcome: Outcome) -> None:
        if self._broken:
            self.log.info("{file} is good again", file=self.file)
        self._broken = False
        changed = outcome.changed
        if changed == ():
            return
        self.log.info(
            "{file} loaded anew: {entries} entries, {changed} changed",
            file=self.file,
            entries=self.image.count,
            changed="many" if changed is None else len(changed),
        )
        for user in (None,) if changed is None else changed:
            for watcher in list(self._watchers.values()):
                self._call(watcher, user)

    def _call(self, watcher: Changed, user: str | None) -> None:
        try:
            watcher(user)
        except Exception:  # noqa: BLE001 - others' code; the rest must be told all the same
            self.log.failure("a watcher of {file} failed", file=self.file)


def _left_alone(stamps: Stamps) -> bool:
    """Tell whether nobody has written to any of the files just now."""
    now = time.time()
    ages = [now - max(stamp[0], stamp[1]) / 1e9 for stamp in stamps.values() if stamp is not None]
    return all(age >= LEFT_ALONE for age in ages)
