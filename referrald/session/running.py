"""Run a handler: at once as far as it goes, then whenever what it waits for is there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_NOTHING: Final = object()


class Waiting:
    """A handler that waits for something.

    What `Deferred.fromCoroutine` does, for the one in whom nobody but the session is interested.
    """

    __slots__ = ("_arrived", "_asking", "_failed", "_for", "_succeeded", "_work")

    def __init__(
        self,
        work: Coroutine[Any, Any, Any],
        succeeded: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._work = work
        self._succeeded = succeeded
        self._failed = failed
        self._for: Deferred[Any] | None = None
        self._asking = False
        self._arrived: Any = _NOTHING

    def cancel(self) -> None:
        """Take back what is waited for; the handler sees a `CancelledError` there."""
        if self._for is not None:
            self._for.cancel()

    def wait(self, awaited: Any) -> None:
        """Wait, and go on; nothing is nested when it is there already, however often."""
        while True:
            self._asking, self._arrived = True, _NOTHING
            if isinstance(awaited, Deferred):
                self._for = awaited
                awaited.addBoth(self._take)
            else:
                self._arrived = awaited
            self._asking = False
            if self._arrived is _NOTHING:
                return
            awaited = self._step(self._arrived)
            if awaited is _NOTHING:
                return

    def _take(self, result: Any) -> None:
        if self._asking:
            self._arrived = result
            return
        awaited = self._step(result)
        if awaited is not _NOTHING:
            self.wait(awaited)

    def _step(self, result: Any) -> Any:
        """Let the handler go on; gives what it waits for next, `_NOTHING` at its end."""
        self._for = None
        try:
            if isinstance(result, Failure):
                return self._work.throw(_error_of(result))
            return self._work.send(result)
        except StopIteration as stop:
            tell, outcome = self._succeeded, stop.value
        except Exception as error:  # noqa: BLE001 - the one boundary, as in `start`
            tell, outcome = self._failed, error
        tell(outcome)
        return _NOTHING


def start(
    work: Coroutine[Any, Any, Any],
    succeeded: Callable[[Any], None],
    failed: Callable[[BaseException], None],
) -> Waiting | None:
    """Run ``work``; give None when it was done at once, else what can be cancelled.

    A handler that never waits costs next to nothing; that is how a cached login goes.
    """
    try:
        awaited = work.send(None)
    except StopIteration as stop:
        succeeded(stop.value)
        return None
    except Exception as error:  # noqa: BLE001 - the one boundary; `failed` turns it into a status
        failed(error)
        return None
    waiting = Waiting(work, succeeded, failed)
    waiting.wait(awaited)
    return waiting


def _error_of(failure: Failure) -> BaseException:
    return failure.value or RuntimeError("a failure without its error")
