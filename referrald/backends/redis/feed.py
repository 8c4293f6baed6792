"""A stream in Redis by which processes tell each other of what has just happened.

Nobody waits for it: what is told goes into a queue, and what others tell is handed on when it has
come. Whoever starts hears what was told within the window before. What cannot be told within the
moment, because Redis is down, is not told at all.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from referrald.backends.redis.clients import Client, Down, failing
from referrald.backends.redis.servers import Servers

LOOK = 0.2
"""Seconds after which a thread that waits looks whether it is to end."""

AGAIN = 1.0
"""Seconds until a server that has failed is tried again."""

TOGETHER = 500
MOST_WAITING = 10_000
MOST_KEPT = 100_000
BY = "by"
TELLING, HEARING = "telling", "hearing"


@attrs.frozen(kw_only=True)
class Event:
    """What another process has told; ``when`` in seconds of our reactor's clock."""

    fields: Mapping[str, str]
    when: float


class Feed:
    """Tells and hears, in two threads.

    key: the stream. window: how many seconds back is of interest. heard: is called in the reactor
    with what others have told.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self,
        servers: Servers,
        key: str,
        reactor: Any,
        heard: Callable[[Sequence[Event]], object],
        window: float,
    ) -> None:
        self._name = servers.name.removeprefix("redis ")
        self._servers = servers
        self._key = key
        self._reactor = reactor
        self._heard = heard
        self._window = window
        self._own = secrets.token_hex(8)
        self._waiting: queue.SimpleQueue[Mapping[str, str] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._failing: set[str] = set()
        # Those for which it was enough to connect again, whereas others have to have worked.
        self._cut_off: set[str] = set()
        self._ended: list[Deferred[None]] = []
        self._latest = ""

    def start(self) -> None:
        """Begin."""
        for part, work in ((TELLING, self._tell_all), (HEARING, self._hear_all)):
            ended: Deferred[None] = Deferred()
            self._ended.append(ended)
            thread = threading.Thread(target=self._run, args=(part, work, ended), daemon=True)
            thread.name = f"referrald-{part}"
            thread.start()

    def stop(self) -> Deferred[Any]:
        """End both threads; fires when they have ended, in a fraction of a second."""
        self._stopped.set()
        self._waiting.put(None)
        return DeferredList(self._ended).addCallback(lambda _: self._servers.close())

    def tell(self, fields: Mapping[str, str]) -> None:
        """Tell others soon; takes no time."""
        if self._waiting.qsize() < MOST_WAITING and not self._stopped.is_set():
            self._waiting.put(fields)

    # -- in threads --------------------------------------------------------------------------

    def _run(self, part: str, work: Callable[[Client], None], ended: Deferred[None]) -> None:
        """Do ``work`` again and again, with another connection whenever one has failed."""
        try:
            while not self._stopped.is_set():
                self._try(part, work)
        finally:
            self._reactor.callFromThread(ended.callback, None)

    def _try(self, part: str, work: Callable[[Client], None]) -> None:
        client: Client = None
        try:
            client = self._servers.listening(at_least=5 * LOOK)
            with failing(self._name):
                work(client)
        except Exception as error:  # noqa: BLE001 - a thread must not end unseen
            (self._cut_off.add if isinstance(error, Down) else self._cut_off.discard)(part)
            self._reactor.callFromThread(self._note, part, str(error) or type(error).__name__)
            self._stopped.wait(AGAIN)
        finally:
            if client is not None:
                client.close()

    def _tell_all(self, client: Client) -> None:
        while self._waiting.qsize() and not self._stopped.is_set():
            self._waiting.get()  # it has waited for a connection, so that it is too late
        client.ping()
        if TELLING in self._cut_off:
            self._reactor.callFromThread(self._note, TELLING, "")
        while not self._stopped.is_set():
            events: list[Mapping[str, str]] = []
            while not events or (len(events) < TOGETHER and self._waiting.qsize()):
                event = self._waiting.get()
                if event is None:
                    return
                events.append(event)
            self._send(client, events)
            if TELLING in self._failing:
                self._reactor.callFromThread(self._note, TELLING, "")

    def _send(self, client: Client, events: Sequence[Mapping[str, str]]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for fields in events:
                pipe.xadd(self._key, _written({**fields, BY: self._own}), maxlen=MOST_KEPT)
            pipe.pexpire(self._key, int(self._window * 1000))
            pipe.execute()

    def _hear_all(self, client: Client) -> None:
        seconds, micros = client.time()
        now = seconds + micros / 1e6
        offset = self._reactor.seconds() - now
        earliest = f"{max(0, int((now - self._window) * 1000))}-0"
        # Nothing is heard twice; what was heard last may be later than the clock of another server.
        latest = min(max(earliest, self._latest, key=_order), f"{int(now * 1000)}-0", key=_order)
        self._reactor.callFromThread(self._note, HEARING, "")
        while not self._stopped.is_set():
            found = client.xread({self._key: latest}, count=TOGETHER, block=int(LOOK * 1000))
            entries = found[0][1] if found else []
            if not entries:
                continue
            latest = self._latest = entries[-1][0].decode()
            events = [_read(number, fields, offset) for number, fields in entries]
            others = [event for event in events if event.fields.get(BY) != self._own]
            if others:
                self._reactor.callFromThread(self._hand_on, others)

    # -- in the reactor ----------------------------------------------------------------------

    def _hand_on(self, events: Sequence[Event]) -> None:
        if not self._stopped.is_set():
            self._heard(events)

    def _note(self, part: str, error: str) -> None:
        """Log that something begins to fail, and that all is well again."""
        if self._stopped.is_set():
            return
        before = bool(self._failing)
        (self._failing.add if error else self._failing.discard)(part)
        if self._failing and not before:
            self.log.error(
                "counts are not shared, each front door has its own: {error}", error=error
            )
        elif before and not self._failing:
            self.log.info("counts are shared again, by {source}", source=f"redis {self._name}")


def _order(number: str) -> tuple[int, int]:
    """Give that by which numbers of entries are in order; nothing is before all."""
    milliseconds, _, turn = number.partition("-")
    return (int(milliseconds), int(turn)) if number else (-1, 0)


def _written(fields: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode("utf-8", "surrogatepass") for name, text in fields.items()}


def _read(number: bytes, fields: Mapping[bytes, bytes], offset: float) -> Event:
    texts = {
        name.decode("utf-8", "replace"): text.decode("utf-8", "surrogatepass")
        for name, text in fields.items()
    }
    return Event(fields=texts, when=int(number.partition(b"-")[0]) / 1000 + offset)
