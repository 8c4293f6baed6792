"""From the name of a mailbox to a decision: locations, directory and policy together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

from referrald.errors import ReferraldError, Unavailable
from referrald.mailmodel import MailboxDecision, MailboxLocation, RemoteMailbox
from referrald.model import Home, Login, Refuse, Serve
from referrald.routing.cache import Entry
from referrald.routing.directory import Directory
from referrald.routing.lists import MailboxList
from referrald.routing.locations import Locations
from referrald.routing.mailboxpolicy import at_home, decide_mailbox, serves_unlisted
from referrald.routing.policy import PolicySettings

INBOX = "INBOX"
_log = Logger()


class MailboxRouter:
    """Decides about mailboxes.

    public: the first level of mailboxes that are here for every user, whatever their home is; empty
    for none.
    """

    def __init__(
        self,
        locations: Locations,
        directory: Directory,
        policy: PolicySettings | None = None,
        *,
        public: str = "",
    ) -> None:
        self.locations = locations
        self.directory = directory
        self._policy = policy or PolicySettings()
        self._public = public
        self._delimiter = locations.delimiter
        self._cached = locations.cached

    @property
    def policy(self) -> PolicySettings:
        """The policy in force."""
        return self._policy

    def replace(self, policy: PolicySettings) -> None:
        """Decide by another policy from now on."""
        self._policy = policy

    async def locate(self, user: str, name: str) -> MailboxDecision:
        """Decide about a mailbox; for one in the cache without suspending.

        Never raises a `ReferraldError`: what is unavailable is refused.
        """
        entry: Entry[MailboxLocation] | None = None
        home: Home | None = None
        try:
            if self.locations.any:
                entry = self._cached((user, name)) or await self.locations.find(user, name)
            if entry is None or entry.answer is None:
                home = await self._home(user)
        except ReferraldError as error:
            return Refuse(code=Unavailable.code, text=Unavailable.public, cause=str(error))
        return self._decide(user, name, entry, home)

    def _decide(
        self, user: str, name: str, entry: Entry[MailboxLocation] | None, home: Home | None
    ) -> MailboxDecision:
        """Decide, and keep that with the entry: it holds for the same home and policy."""
        if entry is not None and entry.memo is not None:
            router, policy, known, decision = entry.memo
            if router is self and policy is self._policy and known is home:
                kept: MailboxDecision = decision
                return kept
        location = None if entry is None else entry.answer
        made = decide_mailbox(
            user, name, location, home, self._policy, self._public, delimiter=self._delimiter
        )
        if entry is not None:
            entry.memo = (self, self._policy, home, made)
        return made

    async def remote(self, user: str) -> tuple[RemoteMailbox, ...]:
        """Name all that backends list for ``user``, by name; raises `Unavailable`.

        With what they say to be here, and with INBOX for a user whose home is elsewhere.
        """
        listed, home = await self._listed(user)
        if home is None or home.here or home.closed is not None or listed.nearest(INBOX):
            return listed.entries
        inbox = RemoteMailbox(name=INBOX, location=at_home(INBOX, home))
        return tuple(sorted((*listed.entries, inbox), key=lambda entry: entry.name))

    async def here(self, user: str, names: Iterable[str]) -> list[str]:
        """Give those of the local ``names`` that are here, in their order; raises `Unavailable`.

        One that is on its way is here until it has a new place: it must not vanish from lists.
        """
        listed, home = await self._listed(user)
        here = []
        for name in names:
            entry = listed.nearest(name)
            if entry is not None:
                is_here = entry.location.here or entry.location.waits
            else:
                is_here = serves_unlisted(name, home, self._public, self._delimiter)
            if is_here:
                here.append(name)
        return here

    async def _listed(self, user: str) -> tuple[MailboxList, Home | None]:
        return await self.locations.listed(user), await self._home(user)

    async def _home(self, user: str) -> Home | None:
        entry = self.directory.cached(user)
        if entry is None:
            entry = await self.directory.find(Login(user=user))
        return entry.answer

    def forget(self, user: str | None) -> None:
        """Ask anew about a user's mailboxes, or about everything; see `Locations.forget`."""
        self.locations.forget(user)

    def stop(self) -> None:
        """Fail what is under way."""
        self.locations.stop()


class MailboxRouting:
    """Outlives configurations: asks the router in use; before there is one, everything is here."""

    def __init__(self) -> None:
        self._router: MailboxRouter | None = None
        # A watcher may be there twice, so that each has a key of its own.
        self._watchers: dict[str, dict[object, Callable[[], None]]] = {}

    def use(self, router: MailboxRouter) -> None:
        """Decide by another router from now on, and tell everybody who watches."""
        self._router = router
        self.changed(None)

    async def locate(self, user: str, name: str) -> MailboxDecision:
        """Decide about a mailbox, see `MailboxRouter.locate`."""
        if self._router is None:
            return Serve()
        return await self._router.locate(user, name)

    async def remote(self, user: str) -> tuple[RemoteMailbox, ...]:
        """Name the mailboxes that are listed, see `MailboxRouter.remote`."""
        return () if self._router is None else await self._router.remote(user)

    async def here(self, user: str, names: Iterable[str]) -> list[str]:
        """Give those names that are here, see `MailboxRouter.here`."""
        return [*names] if self._router is None else await self._router.here(user, names)

    def watch(self, user: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when answers about ``user`` may be others; gives what ends that."""
        key = object()
        self._watchers.setdefault(user, {})[key] = changed

        def unwatch() -> None:
            watchers = self._watchers.get(user, {})
            watchers.pop(key, None)
            if not watchers:
                self._watchers.pop(user, None)

        return unwatch

    def changed(self, user: str | None) -> None:
        """Tell those who watch ``user``, or everybody; call it when caches have been dropped."""
        for name in [*self._watchers] if user is None else [user]:
            for key in [*self._watchers.get(name, ())]:
                # One that was told before may have ended this watch.
                watcher = self._watchers.get(name, {}).get(key)
                if watcher is not None:
                    _tell(name, watcher)


def _tell(user: str, watcher: Callable[[], None]) -> None:
    try:
        watcher()
    except Exception:  # noqa: BLE001 - one that fails must not keep the others from knowing
        _log.failure("a watcher of the mailboxes of {user} failed", user=user)
