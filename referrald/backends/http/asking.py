"""Questions to a web service: bounded in time, size and number, over connections that are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, TimeoutError
from twisted.internet.error import ConnectingCancelledError, ConnectionAborted
from twisted.web.client import ResponseNeverReceived

from referrald.backends.http.body import collect
from referrald.errors import Unavailable

LONGEST: Final = 65_536
"""Bytes that an answer may have."""

WAITING: Final = 1000
"""Questions that may wait for a connection."""

Headers = Mapping[str, str]


@attrs.frozen(kw_only=True)
class Answer:
    """What a service has said; names of headers are in lower case."""

    code: int
    headers: Headers
    body: bytes = attrs.field(repr=False)


class TooLate(Unavailable):
    """An answer has not come, or not ended, in time."""


class Questions:
    """Asks at any URL; at most ``at_once`` at a time.

    client: an `HTTPClient` of treq. timeout: seconds for an answer. headers: sent with each.
    """

    def __init__(
        self, client: Any, reactor: Any, *, timeout: float, at_once: int,
        headers: Headers | None = None,
    ) -> None:  # fmt: skip
        self._client = client
        self._reactor = reactor
        self._timeout = timeout
        self._room = DeferredSemaphore(at_once)
        self._headers = dict(headers or {})

    async def ask(
        self,
        method: str,
        url: str,
        *,
        name: str = "",
        headers: Headers | None = None,
        longest: int = LONGEST,
        longer: float = 0.0,
        **more: Any,
    ) -> Answer:
        """Ask; raises `Unavailable`.

        name: of the service, for errors, in place of the URL. longest: bytes of the answer.
        longer: seconds that it may take beyond what most questions may. more: for treq.
        """
        body = bytearray()

        def take(data: bytes) -> None:
            body.extend(data)
            if len(body) > longest:
                raise Unavailable(f"{name or url}: the answer is too long")

        code, found = await self.stream(
            method, url, take, name=name, headers=headers, timeout=self._timeout + longer, **more
        )
        return Answer(code=code, headers=found, body=bytes(body))

    async def stream(
        self,
        method: str,
        url: str,
        take: Callable[[bytes], object],
        *,
        name: str = "",
        headers: Headers | None = None,
        timeout: float,
        **more: Any,
    ) -> tuple[int, Headers]:
        """Ask, and have the answer's body taken as it comes; raises `Unavailable`.

        timeout: seconds until its end. Gives the status and the headers then.
        """
        name = name or url
        if len(self._room.waiting) >= WAITING:
            raise Unavailable(f"{name}: too many questions wait for an answer")
        await self._room.acquire()
        try:
            asking = Deferred.fromCoroutine(
                self._request(method, url, take, {**self._headers, **(headers or {})}, more)
            )
            asking.addTimeout(timeout, self._reactor)
            return await asking
        except (Unavailable, CancelledError):
            raise
        except TimeoutError:
            raise TooLate(f"{name}: no answer within {timeout:g} s") from None
        except Exception as error:  # noqa: BLE001 - there are many ways to be down
            # Neither the request nor its context may come into a log: a password may be in it.
            reason = f"{name}: {type(error).__name__}"
        finally:
            self._room.release()
        raise Unavailable(reason)

    async def _request(
        self, method: str, url: str, take: Callable[[bytes], object], headers: Headers, more: Any
    ) -> tuple[int, Headers]:
        try:
            response = await self._send(method, url, headers, more)
        except ResponseNeverReceived:
            # The service had closed a connection that was kept: once more, on a new one.
            response = await self._send(method, url, headers, more)
        await collect(response, take)
        return response.code, {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in response.headers.getAllRawHeaders()
        }

    async def _send(self, method: str, url: str, headers: Headers, more: Any) -> Any:
        try:
            return await self._client.request(
                method, url, headers=headers, allow_redirects=False, unbuffered=True, **more
            )
        except Exception as error:
            # What was given up must not be taken for what was cut off, and tried once more.
            if _is_given_up(error):
                raise CancelledError from None
            raise


def _is_given_up(error: Exception) -> bool:
    reasons = getattr(error, "reasons", ())
    return isinstance(error, ConnectingCancelledError) or any(
        reason.check(CancelledError, ConnectionAborted) for reason in reasons
    )


class Service:
    """A web service at a URL.

    token: sent as a bearer token where it is not empty. extra: headers that are sent besides.
    """

    def __init__(
        self, client: Any, reactor: Any, *, url: str, token: str, timeout: float, at_once: int,
        extra: Headers | None = None,
    ) -> None:  # fmt: skip
        headers = dict(extra or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._url = url
        self._questions = Questions(
            client, reactor, timeout=timeout, at_once=at_once, headers=headers
        )

    async def get(
        self,
        *,
        params: Mapping[str, str] | None = None,
        headers: Headers | None = None,
        longest: int = LONGEST,
    ) -> Answer:
        """Ask by GET; raises `Unavailable`."""
        return await self._questions.ask(
            "GET", self._url, params=params, headers=headers, longest=longest
        )

    async def post(self, json: Mapping[str, str]) -> Answer:
        """Ask by POST; raises `Unavailable`."""
        return await self._questions.ask("POST", self._url, json=json)
