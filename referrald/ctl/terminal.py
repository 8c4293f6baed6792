"""What the verbs have of the world: output, a way to ask for a password, a reactor to run."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TextIO, TypeVar

import attrs
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from referrald.ctl.output import Output

Result = TypeVar("Result")


class Refused(Exception):
    """A verb cannot go on; the message is the line to print."""


def run_in_reactor(work: Callable[[Any], Awaitable[Result]]) -> Result:
    """Run the reactor until ``work(reactor)`` is done; gives its result or raises its error."""
    outcome: list[Any] = []

    async def doing(reactor: Any) -> Result:
        return await work(reactor)

    def main(reactor: Any) -> Deferred[Any]:
        return ensureDeferred(doing(reactor)).addBoth(outcome.append)

    with suppress(SystemExit):  # how ``react`` ends; the outcome is ours
        react(main, ())
    if not outcome:
        raise KeyboardInterrupt
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    result: Result = outcome[0]
    return result


@attrs.frozen(kw_only=True)
class Terminal:
    """The surroundings of a verb; tests bring their own."""

    output: Output
    input: TextIO = attrs.field(factory=lambda: sys.stdin)
    ask: Callable[[str], str] = getpass.getpass
    run: Callable[[Callable[[Any], Awaitable[Any]]], Any] = run_in_reactor

    def password(self, prompt: str, *, again: str = "") -> bytes:
        """Ask for a password, or read one line when there is nobody to ask; raises `Refused`.

        With ``again`` a person has to type it twice.
        """
        if not self.input.isatty():
            text = self.input.readline().rstrip("\r\n")
        else:
            text = self._asked(prompt)
            if again and self._asked(again) != text:
                raise Refused("the two passwords differ")
        if not text:
            raise Refused("no password was given")
        return text.encode("utf-8", "surrogateescape")

    def _asked(self, prompt: str) -> str:
        try:
            return self.ask(prompt)
        except EOFError:
            return ""
