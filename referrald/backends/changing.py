"""What all backends do that homes can be changed through, wherever they keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from referrald.backends.draft import checked_name
from referrald.backends.servers import Wrong, show
from referrald.errors import NoSuchUser, NotPossible
from referrald.model import Home, HomeChange

NAMES_TOLD = 5

Homes = Mapping[str, Home]
Homeless = Mapping[str, Home | None]


def checked_homes(
    homes: Homes, *, fold: Callable[[str], str], kept: Callable[[Home], Home]
) -> dict[str, Home]:
    """Give homes by the names that the backend has; raises `NotPossible`.

    fold: makes of a user's name the one that the backend has. kept: gives what comes back of a home
    that has been written, or raises `Wrong`.
    """
    found: dict[str, Home] = {}
    good: set[Home] = set()
    for user, home in homes.items():
        name = fold(user)
        try:
            checked_name(name)
            # What would not come back as it is now must not be written.
            if home not in good and kept(home) != home:
                raise Wrong("has something in it that this backend has no place for")
            good.add(home)
        except Wrong as error:
            raise NotPossible(f'"{show(user)}" {error.wrong}') from None
        if name in found:
            raise NotPossible(f'"{show(name)}" is there twice')
        found[name] = home
    return found


def check_all_known(names: Sequence[str], known: Homes) -> None:
    """Raise `NoSuchUser` when not all of those are known."""
    missing = [name for name in names if name not in known]
    if not missing:
        return
    told = ", ".join(show(name) for name in missing[:NAMES_TOLD])
    more = len(missing) - NAMES_TOLD
    raise NoSuchUser(f"there is nobody called {told}" + (f", and {more} more" if more > 0 else ""))


def changes_between(before: Homes, after: Homeless) -> list[HomeChange]:
    """Name those of ``after`` who have another home there, or none any more, in its order."""
    return [
        HomeChange(user=user, before=before.get(user), after=home)
        for user, home in after.items()
        if before.get(user) != home
    ]
