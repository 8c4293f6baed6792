"""The servers of a cluster, of which any may be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError

from referrald.backends.http.asking import Answer, Questions, TooLate
from referrald.errors import Unavailable

Result = TypeVar("Result")

BUSY: Final = 429


class Servers:
    """Asks the server that has answered last, and the others when it fails.

    urls: what stands in front of paths.
    """

    def __init__(self, questions: Questions, urls: Sequence[str]) -> None:
        self._questions = questions
        self._urls = [url.rstrip("/") for url in urls]
        self._first = 0

    @property
    def name(self) -> str:
        """The servers, for logs."""
        return ", ".join(self._urls)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Ask by `Questions.ask`; raises `Unavailable` when none of them has an answer."""

        async def asking(url: str) -> Answer:
            answer = await self._questions.ask(method, url + path, name=url, **more)
            check_up(url, answer.code)
            return answer

        return await self._each(asking)

    async def stream(
        self, method: str, path: str, take: Callable[[bytes], object], **more: Any
    ) -> None:
        """Have an answer taken as it comes, by `Questions.stream`, from one server only."""
        now = self._first
        url = self._urls[now]
        try:
            code, _ = await self._questions.stream(method, url + path, take, name=url, **more)
            check_up(url, code)
        except TooLate:
            raise
        except Unavailable:
            self._pass_over(now)
            raise

    async def _each(self, asking: Callable[[str], Awaitable[Result]]) -> Result:
        failed: list[str] = []
        first = self._first
        for turn in range(len(self._urls)):
            now = (first + turn) % len(self._urls)
            try:
                with self._trying(now):
                    return await asking(self._urls[now])
            except Unavailable as error:
                failed.append(str(error))
        raise Unavailable("; ".join(failed))

    @contextmanager
    def _trying(self, now: int) -> Iterator[None]:
        """Begin with another server next time when this one has no answer, or none in time."""
        try:
            yield
        except (Unavailable, CancelledError):
            self._pass_over(now)
            raise

    def _pass_over(self, now: int) -> None:
        if self._first == now:
            self._first = (now + 1) % len(self._urls)


def check_up(url: str, code: int) -> None:
    """Raise `Unavailable` for an answer by which a server says that it cannot answer."""
    if code >= 500 or code == BUSY:
        raise Unavailable(f"{url}: HTTP status {code}")
