"""Reads a plain list of users: on each line a name, a tab (or a space), and a home."""

from __future__ import annotations

from collections.abc import Iterator

from referrald.backends.draft import Draft
from referrald.backends.homespec import Faults, HomeReader, Spec, words_of
from referrald.backends.servers import Wrong

SPECS_KEPT = 10_000


class UsersFile:
    """One such file, each line by itself."""

    def __init__(self, draft: Draft, path: str, homes: HomeReader) -> None:
        self._draft = draft
        self._path = path
        self._homes = homes
        self._known: dict[str, Spec] = {}

    def read(self, named_in: str) -> Iterator[tuple[int, str, Spec]]:
        """Give line number, name and home of every line that is right; note the others.

        named_in: the file to blame when this one cannot be read.
        """
        for number, data in self._draft.lines(self._path, named_in, "users_file"):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.wrong(number, "line", Wrong("not UTF-8", "save the file as UTF-8"))
                continue
            # A name may have spaces in it where a tab ends it.
            user, mark, words = text.partition("\t" if "\t" in text else " ")
            words = words.strip()
            if not mark or not words:
                self.wrong(number, user, Wrong("has no home", "NAME, a tab, then a home"))
                continue
            spec = self._spec(number, user, words)
            if spec is not None:
                yield number, user, spec

    def wrong(self, number: int, user: str, error: Wrong) -> None:
        """Note a problem with a line."""
        self._draft.wrong(f"{self._path}:{number}", user or "line", error.wrong, error.right)

    def _spec(self, number: int, user: str, words: str) -> Spec | None:
        """Read a home; most lines have one that has been read before."""
        spec = self._known.get(words)
        if spec is not None:
            return spec
        try:
            spec = self._homes.read(words_of(words))
        except Faults as error:
            for below, fault in error.faults:
                wrong = f"{below}: {fault.wrong}" if below else fault.wrong
                self.wrong(number, user, Wrong(wrong, fault.right))
            return None
        if len(self._known) >= SPECS_KEPT:
            self._known.clear()
        self._known[words] = spec
        return spec
