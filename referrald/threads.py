"""Threads that take their work from one queue, at half the cost of Twisted's `ThreadPool`.

What is short, such as a look into an index, costs hardly more than the way to a thread and back.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from twisted.python.failure import Failure

Work = Callable[[], Any]
Done = Callable[[bool, Any], object]
"""Told, in the thread: whether all went well, and the result, or the `Failure`."""


class Threads:
    """At most ``most`` threads; each is started when there is work and no other is free."""

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self.name = name
        self.threads: list[Thread] = []
        self._queue: SimpleQueue[tuple[Done, Work] | None] = SimpleQueue()
        self._lock = Lock()
        self._open = 0

    def start(self) -> None:
        """Be ready for work."""

    def callInThreadWithCallback(self, done: Done, work: Work) -> None:
        """Do ``work()`` in a thread, after all that was given before, and tell ``done``."""
        with self._lock:
            self._open += 1
            lacks = self._open > len(self.threads) < self.most
        if lacks:
            name = f"{self.name}-{len(self.threads)}"
            thread = Thread(target=self._work, name=name, daemon=True)
            self.threads.append(thread)
            thread.start()
        self._queue.put((done, work))

    def _work(self) -> None:
        while (given := self._queue.get()) is not None:
            done, work = given
            try:
                outcome: tuple[bool, Any] = True, work()
            except BaseException:  # noqa: BLE001 - whatever it is goes to who waits for it
                outcome = False, Failure()  # type: ignore[no-untyped-call]
            with self._lock:
                self._open -= 1
            done(*outcome)
            # What was done is not kept until there is more to do.
            del given, done, work, outcome

    def stop(self) -> None:
        """Wait until all is done that was given, and end the threads."""
        threads, self.threads = self.threads, []
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join()
