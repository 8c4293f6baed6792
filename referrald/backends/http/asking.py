"""Questions to a web service: bounded in time, size and number, over connections that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import treq
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError
from twisted.web.client import ResponseNeverReceived

from referrald.errors import Unavailable

LONGEST: Final = 65_536
"""Bytes that an answer may have."""

WAITING: Final = 1000
"""Questions that may wait for a connection."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a service has said; names of headers are in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


class Service:
    """A web service at a URL.

    client: an `HTTPClient` of treq. token: sent as a bearer token where it is not empty.
    """

    def __init__(
        self, client: Any, reactor: Any, *, url: str, token: str, timeout: float, at_once: int
    ) -> None:
        self._client = client
        self._reactor = reactor
        self._url = url
        self._timeout = timeout
        self._room = DeferredSemaphore(at_once)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(
        self, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask by GET; raises `Unavailable`."""
        return await self._ask("GET", params=params, headers=headers)

    async def post(self, json: Mapping[str, str]) -> Answer:
        """Ask by POST; raises `Unavailable`."""
        return await self._ask("POST", json=json)

    async def _ask(
        self, method: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        if len(self._room.waiting) >= WAITING:
            raise Unavailable(f"{self._url}: too many questions wait for an answer")
        await self._room.acquire()
        try:
            asking = Deferred.fromCoroutine(
                self._request(method, {**self._headers, **(headers or {})}, more)
            )
            asking.addTimeout(self._timeout, self._reactor)
            return await asking
        except Unavailable:
            raise
        except TimeoutError:
            raise Unavailable(f"{self._url}: no answer within {self._timeout:g} s") from None
        except Exception as error:  # noqa: BLE001 - there are many ways to be down
            # Neither the request nor its context may come into a log: a password may be in it.
            reason = f"{self._url}: {type(error).__name__}"
        finally:
            self._room.release()
        raise Unavailable(reason)

    async def _request(self, method: str, headers: Mapping[str, str], more: Any) -> Answer:
        try:
            response = await self._send(method, headers, more)
        except ResponseNeverReceived:
            # The service had closed a connection that was kept: once more, on a new one.
            response = await self._send(method, headers, more)
        body = bytearray()

        def take(data: bytes) -> None:
            body.extend(data)
            if len(body) > LONGEST:
                raise Unavailable(f"{self._url}: the answer is too long")

        await treq.collect(response, take)
        found = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in response.headers.getAllRawHeaders()
        }
        return Answer(code=response.code, headers=found, body=bytes(body))

    def _send(self, method: str, headers: Mapping[str, str], more: Any) -> Any:
        return self._client.request(
            method, self._url, headers=headers, allow_redirects=False, unbuffered=True, **more
        )
