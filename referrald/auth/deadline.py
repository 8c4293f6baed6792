"""Waiting for a plugin, but not for ever."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from referrald.errors import Unavailable

Result = TypeVar("Result")


def within(work: Deferred[Result], seconds: float, clock: IReactorTime) -> Deferred[Result]:
    """Give the result of ``work``, or `Unavailable` when it takes longer than ``seconds``.

    Work that ignores being cancelled is left behind and its result dropped. Work that is cancelled
    from elsewhere counts as `Unavailable`: `CancelledError` comes out only when the Deferred that
    was given back is cancelled.
    """
    given_up = False

    def give_up(_: object) -> None:
        nonlocal given_up
        given_up = True
        work.cancel()

    outcome: Deferred[Result] = Deferred(give_up)

    def succeeded(result: Result) -> None:
        if not outcome.called:
            outcome.callback(result)

    def failed(failure: Failure) -> None:
        if outcome.called:
            return
        if isinstance(failure.value, CancelledError) and not given_up:
            outcome.errback(Unavailable("cancelled"))
        else:
            outcome.errback(failure)

    def late() -> None:
        outcome.errback(Unavailable(f"no answer within {seconds:g} s"))
        work.cancel()

    def stop(result: Result | Failure) -> Result | Failure:
        if timer.active():
            timer.cancel()
        return result

    work.addCallbacks(succeeded, failed)
    if not outcome.called:
        timer = clock.callLater(seconds, late)
        outcome.addBoth(stop)
    return outcome
