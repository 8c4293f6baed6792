"""Start, watch and stop the backends that want it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from referrald.interfaces import ILifecycle, IWatchableBackend


class Lifecycle:
    """What was started, in order."""

    def __init__(
        self, backends: Sequence[tuple[str, Any]], changed: Callable[[str | None], None]
    ) -> None:
        self._backends = tuple(backends)
        self._changed = changed
        self._started: list[Any] = []
        self._unwatch: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Start all, then watch; what a backend raises comes out, after the others are stopped."""
        try:
            for _, backend in self._backends:
                part = ILifecycle(backend, None)
                if part is not None:
                    await part.start()
                    self._started.append(part)
            for _, backend in self._backends:
                watched = IWatchableBackend(backend, None)
                if watched is not None:
                    self._unwatch.append(watched.watch(self._changed))
        except Exception:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all, the last started first; what one raises comes out after all were told."""
        faults: list[Exception] = []
        while self._unwatch:
            _try(self._unwatch.pop(), faults)
        while self._started:
            try:
                await self._started.pop().stop()
            except Exception as fault:  # noqa: BLE001 - a plugin may raise anything
                faults.append(fault)
        if faults:
            raise faults[0]


def _try(call: Callable[[], None], faults: list[Exception]) -> None:
    try:
        call()
    except Exception as fault:  # noqa: BLE001 - a plugin may raise anything
        faults.append(fault)
