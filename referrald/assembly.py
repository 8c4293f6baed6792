"""Put a configuration together: backends, checkers, routing and the doors of the listeners.

An `Assembly` belongs to one configuration and is thrown away with it; `Lasting` is what a reload
must not lose.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from twisted.cred.strcred import makeChecker

from referrald import __version__
from referrald.auth.asked import AskedChecker
from referrald.auth.authenticator import Authenticator
from referrald.auth.certificates import CertificateChecker
from referrald.auth.stored import StoredPasswordChecker
from referrald.choices import choosing_for
from referrald.config.endpoints import endpoint_port
from referrald.config.plugins import extension
from referrald.config.settings import Config, ListenerSettings
from referrald.errors import Unavailable
from referrald.interfaces import (
    ILifecycle,
    IPasswordCheck,
    IPasswordStore,
    IReferralAccount,
    IWatchableBackend,
)
from referrald.model import IMAP_PORT, Server
from referrald.networks import Networks
from referrald.ops.counts import ConnectionCounts
from referrald.ops.logs import EventLog, LoginLog
from referrald.ops.tls import TlsHolder
from referrald.ops.wheel import TimerWheel
from referrald.realm import MailRealm
from referrald.relay.connector import RelayConnector
from referrald.relay.outgoing import let_timers_rest
from referrald.relay.refusals import Refusals
from referrald.relay.settings import RelaySettings
from referrald.routing.directory import Directory, DirectorySettings
from referrald.routing.guard import StormBreaker
from referrald.routing.held import HeldLogins
from referrald.routing.locations import Locations
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.routing.moving import Mover
from referrald.routing.outages import BackendEvent
from referrald.routing.policy import PolicySettings
from referrald.routing.router import Router
from referrald.routing.settings import CacheSettings
from referrald.session.builtin import standard_table
from referrald.session.door import Door
from referrald.session.followers import Followers
from referrald.session.habits import Habits
from referrald.session.programs import Programs
from referrald.session.shortcut import Shortcut
from referrald.snapshot import Snapshot
from referrald.storing import store_for
from referrald.tallies import Tallies
from referrald.transcript import transcript
from referrald.workers import WorkerPool

LOOP_COUNT, LOOP_WINDOW = 20, 10.0
"""So many referrals to one mailbox within so many seconds mean that two servers disagree."""


class Lasting:
    """What outlives a reload: timers, counts, logs, the certificate holder, the store.

    routing: by which open accounts find mailboxes; it goes over to each new assembly.
    """

    def __init__(self, reactor: Any, config: Config) -> None:
        limits = config.limits
        self.reactor = reactor
        self.wheel = TimerWheel(reactor)
        self.counts = ConnectionCounts(limits.connections, limits.connections_per_address)
        self.notes = EventLog(reactor)
        self.logins = LoginLog(reactor, form=config.log.format, destination=config.log.logins)
        self.tls = None if config.tls is None else TlsHolder(config.tls)
        self.serve = config.serve
        self.store = store_for(config.serve, reactor)
        self.routing = MailboxRouting()
        self.followers = Followers(reactor.seconds)
        self.mover = Mover(reactor, self.moved)
        self.held = HeldLogins(reactor)
        self.habits = Habits(reactor.seconds)
        self.loops = StormBreaker(clock=reactor.seconds, count=LOOP_COUNT, window=LOOP_WINDOW)
        self.tallies = Tallies(config, reactor)

    def handshake_failed(self, address: str, reason: str) -> None:
        """Note a TLS handshake that came to nothing."""
        self.notes.note(f"handshake {address}", f"{address}: {reason}")

    def moved(self, line: str) -> None:
        """Note what becomes of sessions whose users have moved; these are summaries already."""
        self.notes.note(f"moved {line}", line)

    def backend_event(self, event: BackendEvent) -> None:
        """Note that a backend went down, came back or gave nonsense."""
        self.notes.note(f"backend {event.backend} {event.kind}", str(event))

    def adopt(self, config: Config, certificate: Any) -> None:
        """Go over to a new configuration, whose TLS context is ready."""
        limits = config.limits
        if config.serve != self.serve:
            self.notes.note("serve", "[serve] has changed; it counts from the next start")
        if config.shared != self.tallies.shared:
            self.notes.note("shared", "[shared] has changed; it counts from the next start")
        self.counts.limit(limits.connections, limits.connections_per_address)
        self.logins.close()
        self.logins = LoginLog(self.reactor, form=config.log.format, destination=config.log.logins)
        if config.tls is None:
            self.tls = None
        elif self.tls is None:
            self.tls = TlsHolder(config.tls)
        else:
            self.tls.adopt(certificate)

    async def start(self) -> None:
        """Get the store ready, and hear what others count."""
        self.tallies.start()
        lifecycle = ILifecycle(self.store, None)
        if lifecycle is not None:
            await lifecycle.start()

    async def stop(self) -> None:
        """Have the store finish what it does; no session is open any more."""
        await self.tallies.stop()
        lifecycle = ILifecycle(self.store, None)
        if lifecycle is not None:
            await lifecycle.stop()

    def close(self) -> None:
        """Let go of files and timers."""
        self.mover.stop()
        self.wheel.stop()
        let_timers_rest(self.reactor)
        self.notes.close()
        self.logins.close()


class Assembly:
    """The parts that one configuration asks for.

    extra_checkers: `twisted.cred` checkers from elsewhere (``--auth``), asked after those of the
    configuration.
    """

    def __init__(
        self, config: Config, reactor: Any, lasting: Lasting, extra_checkers: Iterable[Any] = ()
    ) -> None:
        self.config = config
        self.reactor = reactor
        self.lasting = lasting
        self.backends = [
            (settings.name, settings.factory.build(settings.options, reactor))
            for settings in config.backends
        ]
        self.pool = WorkerPool(reactor, workers=config.auth.workers)
        self.directory = Directory(
            self.backends,
            clock=reactor,
            settings=_directory_settings(config),
            on_event=lasting.backend_event,
        )
        self.authenticator = self._authenticator(extra_checkers)
        self.router = Router(
            self.directory, _policy(config), lasting.tallies.breaker(config), lasting.held
        )
        locations = Locations(
            self.backends,
            clock=reactor,
            settings=_directory_settings(config),
            on_event=lasting.backend_event,
        )
        self.mailboxes = MailboxRouter(
            locations, self.directory, _policy(config), public=lasting.serve.public
        )
        # Always there: whether a backend will ask for a relay cannot be known.
        self.relay = self._relay()
        asking = config.auth.home
        self.refusals = Refusals(reactor, most=config.relay.deadline) if asking else None
        # A password that is right here does not show that it is so at home, where that is asked.
        short = None if asking else Shortcut(self.authenticator, self.router, self.relay)
        self.shortcut = short
        self._elsewhere = locations.any
        path = config.directory.snapshot
        self.snapshot = Snapshot(path, self.directory, self.pool) if path else None
        self._unwatch: list[Any] = []

    def _relay(self) -> RelayConnector:
        section = self.config.relay
        settings = RelaySettings(
            ca=section.ca,
            certificate=section.certificate,
            key=section.key,
            timeout=section.timeout,
            deadline=section.deadline,
            allowed=self.config.referral.allowed,
            allow_clear=self.config.referral.allow_clear,
            own=self.config.own_addresses,
            told=section.told,
            proxy=section.proxy,
            master_user=section.master_user,
            master_password=section.master_password,
        )
        return RelayConnector(self.reactor, settings, tell=self.lasting.notes.note)

    def _authenticator(self, extra: Iterable[Any]) -> Authenticator:
        auth = self.config.auth
        return Authenticator(
            [*self._checkers(), *extra],
            clock=self.reactor,
            cache_seconds=auth.cache,
            cache_size=auth.cache_size,
            home=auth.home,
            home_seconds=auth.home_cache,
            masters=auth.masters,
            mechanisms=auth.mechanisms,
            lowercase=auth.lowercase,
            default_domain=auth.default_domain,
        )

    def _checkers(self) -> list[Any]:
        auth, tls = self.config.auth, self.config.tls
        found: list[Any] = []
        for name, backend in self.backends:
            if auth.backends is not None and name not in auth.backends:
                continue
            store: Any = IPasswordStore(backend, None)
            check: Any = IPasswordCheck(backend, None)
            if store is not None:
                found.append(StoredPasswordChecker(store, self.pool))
            elif check is not None:
                found.append(AskedChecker(check))
        found += [makeChecker(text) for text in auth.checkers]  # type: ignore[no-untyped-call]
        if auth.introspection is not None:
            # Brings in an HTTP client, a quarter of a second that others need not wait.
            from referrald.auth.introspection import IntrospectionChecker

            found.append(IntrospectionChecker.from_settings(auth.introspection, self.reactor))
        if tls is not None and tls.client_ca:
            found.append(CertificateChecker(tls.client_user))
        return found

    @classmethod
    def from_config(cls, config: Config, reactor: Any) -> Assembly:
        """Make an assembly that stands alone, as for a look from outside."""
        assembly = cls(config, reactor, Lasting(reactor, config))
        assembly.take_over()
        # Whoever looks from outside is told at once that a user is held.
        assembly.lasting.held.use(assembly.router.look, 0)
        return assembly

    async def transcript(self, lines: Sequence[bytes]) -> bytes:
        """Give all that a session over TLS answers to ``lines``, at a listener in use."""
        listeners = sorted(self.config.listeners, key=lambda listener: bool(listener.drain))
        return await transcript(self.door(listeners[0]), lines)

    def take_over(self) -> None:
        """Say from now on where the mailboxes of open accounts and the users of sessions are."""
        lasting, relay = self.lasting, self.config.relay
        lasting.routing.use(self.mailboxes)
        lasting.mover.use(self.directory, grace=relay.grace, spread=relay.spread)
        # Whoever waits is not to be put out for being slow to log in.
        hold = min(relay.hold, self.config.limits.auth_time / 2)
        lasting.held.use(self.router.look, hold)

    def follow(self, before: Assembly | None) -> None:
        """Be the one that is in use, after another or as the first."""
        if before is not None:
            self.directory.adopt(before.directory.known())
            if before.snapshot is not None:
                before.snapshot.leave()
        if self.snapshot is not None:
            self.snapshot.keep(self.reactor)

    async def account(self, user: str) -> Any:
        """Give the account of a user, as a session would get it; raises `Unavailable`."""
        realm = self._realm(self.config.listeners[0])
        if realm is None:
            raise Unavailable('this server keeps no mailboxes ([serve] store is "none")')
        _interface, account, _logout = await realm.requestAvatar(user, None, IReferralAccount)
        return account

    def _realm(self, listener: ListenerSettings) -> MailRealm | None:
        if self.config.serve.store == "none":
            return None
        port = endpoint_port(listener.endpoint) or IMAP_PORT
        own = Server(host=self.config.server.name, port=port)
        return MailRealm(self.lasting.store, self.lasting.routing, own)

    async def start(self) -> None:
        """Get backends and hashing ready; raises when a backend cannot start."""
        await self.pool.start()
        await self.directory.start()
        if self.snapshot is not None:
            await self.snapshot.load()
        for _name, backend in self.backends:
            watched = IWatchableBackend(backend, None)
            if watched is not None:
                self._unwatch.append(watched.watch(self._changed))

    def _changed(self, user: str | None) -> None:
        self.authenticator.forget(user)
        self.mailboxes.forget(user)
        self.lasting.routing.changed(user)
        self.lasting.mover.changed(user)
        self.lasting.held.changed(user)

    async def stop(self) -> None:
        """Let go of backends and threads."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch.clear()
        self.mailboxes.stop()
        if self.snapshot is not None:
            await self.snapshot.stop()
        await self.directory.stop()
        await self.pool.stop()

    def door(self, listener: ListenerSettings) -> Door:
        """Make the door of a listener."""
        config, lasting = self.config, self.lasting
        extensions = tuple(extension(name) for name in config.extensions)
        starttls = listener.tls == "starttls" and lasting.tls is not None
        return Door(
            authenticator=self.authenticator,
            router=self.router,
            realm=self._realm(listener),
            table=standard_table(spec for each in extensions for spec in each.commands),
            wheel=lasting.wheel,
            counts=lasting.counts,
            notes=lasting.notes,
            log_login=lasting.logins.write,
            clock=time.monotonic,
            limits=config.limits,
            name=config.server.name,
            listener=listener.name,
            greeting=config.server.greeting,
            referral_text=config.referral.text,
            unfollowed_text=config.referral.text_unfollowed,
            unasked=config.referral.mailboxes,
            refer_status=config.referral.status,
            one_url=Programs(config.referral.one_url),
            followers=lasting.followers,
            live=lasting.mover,
            errands=self.relay,
            elsewhere=self._elsewhere,
            habits=lasting.habits,
            relay=self.relay,
            shortcut=self.shortcut,
            refusals=self.refusals,
            choosing=choosing_for(config, listener),
            loops=lasting.loops if config.referral.storm_count else None,
            failures=lasting.tallies.failures(config),
            trusted=Networks(config.server.trusted),
            tls=lasting.tls if starttls else None,
            allow_cleartext=listener.allow_cleartext,
            drain=listener.drain,
            sasl=config.auth.sasl,
            ident=config.server.id or {"name": "referrald", "version": __version__},
            extensions=extensions,
        )


def _directory_settings(config: Config) -> DirectorySettings:
    section = config.directory
    return DirectorySettings(
        deadline=section.deadline,
        found=section.cache_found,
        missing=section.cache_missing,
        stale=section.stale,
        size=section.cache_size,
        own={
            each.name: CacheSettings(
                found=each.cache_found, missing=each.cache_missing, size=each.cache_size
            )
            for each in config.backends
            if (each.cache_found, each.cache_missing, each.cache_size) != (None, None, None)
        },
    )


def _policy(config: Config) -> PolicySettings:
    section = config.referral
    return PolicySettings(
        own_names=config.own_addresses,
        allowed=section.allowed,
        allow_clear=section.allow_clear,
    )
