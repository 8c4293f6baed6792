"""A connection to Redis that waits, in a thread of its own, for what is told of changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from referrald.backends.redis.clients import Client, failing
from referrald.errors import Unavailable

LOOK = 0.2
"""Seconds after which a thread that waits looks whether it is to end."""

SILENCE = 2.0
"""After so many seconds in which nothing has come the server is asked for a sign of life."""

LONGEST_SILENCE = 6.0

TOGETHER = 1_000
"""So many messages that came together are told at once."""


@attrs.frozen(kw_only=True)
class Subscription:
    """Where to listen. user: makes of a channel and a message who has changed; empty: anybody."""

    channels: Sequence[str] = ()
    patterns: Sequence[str] = ()
    user: Callable[[bytes, bytes], str]

    def __bool__(self) -> bool:
        return bool(self.channels or self.patterns)


class Listener:
    """Listens until it is told to end, or until nothing can come any more.

    told: called in the reactor with the users of messages that came together. lost: called there
    once with the error that has ended it; not after `stop`.
    """

    def __init__(
        self,
        client: Client,
        subscription: Subscription,
        reactor: Any,
        told: Callable[[list[str]], object],
        lost: Callable[[Unavailable], object],
    ) -> None:
        self._client = client
        self._subscription = subscription
        self._reactor = reactor
        self._told = told
        self._lost = lost
        self._open = True
        self._ended: Deferred[None] = Deferred()
        self._pubsub: Any = client.pubsub()

    def subscribe(self) -> None:
        """Return when everything from now on will be heard; blocks, and raises `Unavailable`."""
        wanted = self._subscription
        try:
            with failing("the listening connection"):
                if wanted.channels:
                    self._pubsub.subscribe(*wanted.channels)
                if wanted.patterns:
                    self._pubsub.psubscribe(*wanted.patterns)
                for _ in (*wanted.channels, *wanted.patterns):
                    if self._pubsub.get_message(timeout=LONGEST_SILENCE) is None:
                        raise Unavailable("the listening connection: no answer")
        except BaseException:
            self._close()
            raise

    def start(self) -> None:
        """Begin to listen, after `subscribe`."""
        threading.Thread(target=self._run, name="referrald-redis-listener", daemon=True).start()

    def stop(self) -> Deferred[None]:
        """Listen no more; fires when the thread has ended, in a fraction of a second."""
        self._open = False
        return self._ended

    def _run(self) -> None:
        try:
            with failing("the listening connection"):
                self._listen()
        except Unavailable as error:
            self._reactor.callFromThread(self._end, error)
        except Exception as error:  # noqa: BLE001 - a thread must not end unseen
            lost = Unavailable(f"the listening connection: {type(error).__name__}: {error}")
            self._reactor.callFromThread(self._end, lost)
        else:
            self._reactor.callFromThread(self._end, None)
        finally:
            self._close()

    def _listen(self) -> None:
        heard = asked = time.monotonic()
        while self._open:
            users = self._next()
            now = time.monotonic()
            if users is not None:
                heard = now
                if users:
                    self._reactor.callFromThread(self._tell, users)
            elif now - heard > LONGEST_SILENCE:
                raise Unavailable("the listening connection: no sign of life")
            elif now - max(heard, asked) > SILENCE:
                self._pubsub.ping()
                asked = now

    def _next(self) -> list[str] | None:
        """Give the users of the messages that are there by now; None when none comes."""
        message = self._pubsub.get_message(timeout=LOOK)
        if message is None:
            return None
        users: dict[str, None] = {}
        while message is not None and len(users) < TOGETHER:
            if message["type"] in ("message", "pmessage"):
                users[self._subscription.user(message["channel"], message["data"])] = None
            message = self._pubsub.get_message(timeout=0)
        return list(users)

    def _tell(self, users: list[str]) -> None:
        if self._open:
            self._told(users)

    def _end(self, error: Unavailable | None) -> None:
        if self._open and error is not None:
            self._open = False
            self._lost(error)
        self._ended.callback(None)

    def _close(self) -> None:
        self._pubsub.close()
        self._client.close()
