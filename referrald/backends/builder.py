"""Builds without keeping the reactor: small sources at once, large ones in another process."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from referrald.backends.build import SMALL, Built, Job, build_apart, build_here
from referrald.backends.draft import Large
from referrald.backends.image import Image
from referrald.workers import apart

LARGE = 10_000


class Builder:
    """Builds images for one backend, one at a time.

    A reactor that takes no calls from threads (as `Clock`) has everything built at once.
    """

    def __init__(self, reactor: Any, small: int = SMALL) -> None:
        self._reactor = reactor
        self._limit = small if IReactorFromThreads.providedBy(reactor) else None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    async def build(self, job: Job, old: Image | None) -> Built:
        """Do a job; raises `BuildFailed`."""
        try:
            return build_here(job, old, self._limit)
        except Large:
            return await self._in_thread(job, old)

    def stop(self) -> None:
        """End what is under way; its `build` raises `BuildFailed`."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def discard(self, image: Image) -> None:
        """Close an image; giving a large file back to the system takes its time."""
        if self._limit is not None and image.count > LARGE:
            threading.Thread(target=image.close, name="referrald-discard", daemon=True).start()
        else:
            image.close()

    def _in_thread(self, job: Job, old: Image | None) -> Deferred[Built]:
        """Wait in a thread for the process: its end is then nothing that the reactor has to see."""

        def work() -> Built:
            try:
                return build_apart(job, old, self._started)
            finally:
                self._process = None

        return apart(self._reactor, work)

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._stopped:
            process.kill()
