"""Run a handler: at once as far as it goes, as a Deferred from where it has to wait."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


@types.coroutine
def _rest(waiting: Any, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Go on with ``work``, which has already been started and waits for ``waiting``."""
    while True:
        try:
            value = yield waiting
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - handed on to the handler, whole
            step = partial(work.throw, error)
        else:
            step = partial(work.send, value)
        try:
            waiting = step()
        except StopIteration as stop:
            return stop.value


def start(
    work: Coroutine[Any, Any, Any],
    succeeded: Callable[[Any], None],
    failed: Callable[[BaseException], None],
) -> Deferred[Any] | None:
    """Run ``work``; give None when it was done at once, else the Deferred of the rest.

    A handler that never waits costs no Deferred; that is how a cached login goes.
    """
    try:
        waiting = work.send(None)
    except StopIteration as stop:
        succeeded(stop.value)
        return None
    except Exception as error:  # noqa: BLE001 - the one boundary; `failed` turns it into a status
        failed(error)
        return None

    def errback(failure: Failure) -> None:
        failed(failure.value or RuntimeError("a failure without its error"))

    rest: Deferred[Any] = Deferred.fromCoroutine(_rest(waiting, work))
    rest.addCallbacks(succeeded, errback)
    return rest
