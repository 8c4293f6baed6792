"""The service: listeners over an assembly, reload on SIGHUP, an end that says good-bye."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from referrald.assembly import Assembly, Lasting
from referrald.config.load import Loaded, load
from referrald.config.settings import Config, ListenerSettings
from referrald.errors import ConfigurationError, ReferraldError
from referrald.ops.listen import Listening, listen
from referrald.ops.tls import build
from referrald.session.factory import SessionFactory

GRACE = 5.0
"""Seconds that sessions have to go after BYE before they are cut off."""


class Entrance:
    """One listener: its settings, its port, the factory of its sessions."""

    def __init__(self, settings: ListenerSettings, factory: SessionFactory) -> None:
        self.settings = settings
        self.factory = factory
        self.port: Listening | None = None

    @property
    def same_port(self) -> tuple[str, str]:
        """What two listeners have in common when a reload can keep the port open."""
        return self.settings.endpoint, self.settings.tls


class FrontDoor(Service):
    """The running server.

    ``read`` gives the configuration anew when a reload is asked for; None when it never changes.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self,
        config: Config,
        reactor: Any,
        *,
        extra_checkers: Iterable[Any] = (),
        read: Callable[[], Loaded] | None = None,
        name: str = "referrald",
    ) -> None:
        self.name = name
        self.config = config
        self.reactor = reactor
        self.extra_checkers = tuple(extra_checkers)
        self.read = read
        self.lasting = Lasting(reactor, config)
        self.assembly = self._assemble(config)
        self.assembly.take_over()
        self.entrances: dict[tuple[str, str], Entrance] = {}
        self.ready: Deferred[None] = Deferred()
        self._closing: list[Entrance] = []
        self._retired: dict[Assembly, Any] = {}
        self._reloading = False
        self._failed = False
        self._old_hangup: Any = None

    @classmethod
    def from_file(
        cls, path: str, config: Config, reactor: Any, extra_checkers: Iterable[Any] = ()
    ) -> FrontDoor:
        """Make the service of a configuration that was read from ``path``."""
        return cls(config, reactor, extra_checkers=extra_checkers, read=lambda: load(path))

    def _assemble(self, config: Config) -> Assembly:
        return Assembly(config, self.reactor, self.lasting, self.extra_checkers)

    # -- start -------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind the ports while there is still the right to; connections wait until `startService`.

        A port that cannot be had ends the process with one line.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        for settings in self.config.listeners:
            Deferred.fromCoroutine(self._open(settings)).addErrback(self._cannot_start)
        if self._failed:
            # The reactor does not run yet, so this ends the process and its exit status tells.
            raise SystemExit(1)

    def startService(self) -> None:
        """Start backends, then let connections in."""
        super().startService()  # type: ignore[no-untyped-call]
        self._catch_hangup()
        Deferred.fromCoroutine(self._start()).addErrback(self._cannot_start)

    async def _start(self) -> None:
        for settings in self.config.listeners:
            if (settings.endpoint, settings.tls) not in self.entrances:
                await self._open(settings)
        await self.lasting.start()
        await self.assembly.start()
        self.assembly.follow(None)
        # What is there now stays: the garbage collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        for entrance in self.entrances.values():
            assert entrance.port is not None
            entrance.port.resume()
            self.log.info(
                "listening on {endpoint} as {name} (TLS: {tls})",
                endpoint=entrance.settings.endpoint,
                name=entrance.settings.name,
                tls=entrance.settings.tls,
            )
        self.ready.callback(None)

    async def _open(self, settings: ListenerSettings) -> Entrance:
        """Open a listener that does not take connections yet."""
        entrance = Entrance(settings, SessionFactory(self.assembly.door(settings)))
        implicit = settings.tls == "implicit"
        entrance.port = await listen(
            self.reactor,
            settings.endpoint,
            entrance.factory,
            tls=self.lasting.tls,
            implicit=implicit,
            report=self.lasting.handshake_failed,
        )
        entrance.port.pause()
        self.entrances[entrance.same_port] = entrance
        return entrance

    def _cannot_start(self, failure: Any) -> None:
        """Say why in one line and end the process with a failure."""
        if not failure.check(CannotListenError, ReferraldError):
            self.log.failure("cannot start", failure=failure)
        else:
            self.log.critical("cannot start: {reason}", reason=str(failure.value))
        if not self.ready.called:
            self.ready.errback(failure)
            self.ready.addErrback(lambda _: None)
        self._failed = True
        self.reactor.callWhenRunning(self._give_up)

    def _give_up(self) -> None:
        """Stop the reactor, and see to it that the exit status tells: twistd leaves with 0."""
        atexit.register(_leave_with_failure)
        self.reactor.stop()

    # -- reload ------------------------------------------------------------------------------

    def _catch_hangup(self) -> None:
        """Reload on SIGHUP, which would end the process otherwise."""
        if self.read is None:
            return

        def hangup(number: int, frame: Any) -> None:
            self.reactor.callFromThread(self.reload)

        self._old_hangup = signal.signal(signal.SIGHUP, hangup)

    def reload(self) -> Deferred[bool]:
        """Read the configuration anew; a bad one changes nothing. Gives whether it was good."""
        work = Deferred.fromCoroutine(self._reload())

        def failed(failure: Any) -> bool:
            self.log.failure("reload failed, the old configuration stays", failure=failure)
            return False

        return work.addErrback(failed)

    async def _reload(self) -> bool:
        assert self.read is not None
        if self._reloading:
            self.log.warn("a reload is under way already")
            return False
        self._reloading = True
        try:
            # In a thread: checking a big table takes seconds, and connections must not feel it.
            loaded = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), self.read)
            if loaded.config is None:
                raise ConfigurationError(loaded.problems)
            await self._change_to(loaded.config)
        except ReferraldError as error:
            self._stays(error)
            return False
        finally:
            self._reloading = False
        self.log.info("configuration reloaded")
        return True

    def _stays(self, error: ReferraldError) -> None:
        reasons = error.problems if isinstance(error, ConfigurationError) else (error,)
        for reason in reasons:
            self.log.error("not reloaded: {reason}", reason=str(reason))
        self.log.error("the old configuration stays in force")

    async def _change_to(self, config: Config) -> None:
        """Build everything of the new configuration first; then swap, which cannot fail."""
        certificate = None if config.tls is None else build(config.tls)
        assembly = self._assemble(config)
        await assembly.start()
        before, self.assembly = self.assembly, assembly
        opened: list[Entrance] = []
        try:
            opened = [
                await self._open(settings)
                for settings in config.listeners
                if (settings.endpoint, settings.tls) not in self.entrances
            ]
        except (CannotListenError, ReferraldError) as error:
            self.assembly = before
            for entrance in opened:
                await self._shut(entrance)
            await assembly.stop()
            raise ConfigurationError([error]) from error
        self.config = config
        self.lasting.adopt(config, certificate)
        await self._swap(assembly, config)
        assembly.follow(before)
        self._retire(before)

    def _retire(self, assembly: Assembly) -> None:
        """Stop what was replaced once the logins that it has begun are over."""

        def stop() -> None:
            del self._retired[assembly]
            Deferred.fromCoroutine(assembly.stop()).addErrback(
                lambda failure: self.log.failure("cannot stop what was replaced", failure=failure)
            )

        self._retired[assembly] = self.reactor.callLater(GRACE, stop)

    async def _swap(self, assembly: Assembly, config: Config) -> None:
        assembly.take_over()
        wanted: dict[tuple[str, str], ListenerSettings] = {
            (each.endpoint, each.tls): each for each in config.listeners
        }
        for key, entrance in list(self.entrances.items()):
            settings = wanted.get(key)
            if settings is None:
                self.log.info("closing {endpoint}", endpoint=entrance.settings.endpoint)
                assert entrance.port is not None
                await entrance.port.stop()
                del self.entrances[key]
                self._closing.append(entrance)
                continue
            entrance.settings = settings
            entrance.factory.use(assembly.door(settings))
            assert entrance.port is not None
            entrance.port.resume()

    # -- stop --------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Take no more connections, say BYE to those that are there, let go of the rest."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._old_hangup is not None:
            signal.signal(signal.SIGHUP, self._old_hangup)
            self._old_hangup = None
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        entrances = [*self.entrances.values(), *self._closing]
        self.entrances.clear()
        for entrance in entrances:
            await self._shut(entrance)
        for assembly, call in list(self._retired.items()):
            call.cancel()
            await assembly.stop()
        await self.assembly.stop()
        await self.lasting.stop()
        self.lasting.close()

    async def _shut(self, entrance: Entrance) -> None:
        if entrance.port is not None:
            await entrance.port.stop()
        cut = await entrance.factory.dismiss(self.reactor, GRACE)
        if cut:
            self.log.warn("{cut} sessions did not go and were cut off", cut=cut)


def _leave_with_failure() -> None:
    """End the process with status 1, whatever the runner thinks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
