"""Those who are told of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

Changed = Callable[[str | None], None]

CHANGES_TOLD = 100


class Watchers:
    """Tells everybody who wants to know, whatever one of them does.

    name: of the source, for the log.
    """

    log = Logger(namespace="referrald")

    def __init__(self, name: str) -> None:
        self._name = name
        self._all: dict[object, Changed] = {}

    def add(self, changed: Changed) -> Callable[[], None]:
        """Tell one more from now on; gives what ends that."""
        mark = object()
        self._all[mark] = changed

        def end() -> None:
            self._all.pop(mark, None)

        return end

    def clear(self) -> None:
        """Tell nobody any more."""
        self._all.clear()

    def tell(self, users: Iterable[str] | None) -> None:
        """Tell of users who have changed; None, or too many of them, is everybody."""
        names = None if users is None else list(dict.fromkeys(users))
        if names is None or len(names) > CHANGES_TOLD:
            self._tell_each(None)
            return
        for name in names:
            self._tell_each(name)

    def _tell_each(self, user: str | None) -> None:
        for changed in list(self._all.values()):
            try:
                changed(user)
            except Exception:  # noqa: BLE001 - others' code; the rest must be told all the same
                self.log.failure("a watcher of {source} failed", source=self._name)
