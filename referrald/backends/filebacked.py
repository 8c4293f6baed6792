"""What backends that read a file have in common, and their factories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from referrald.backends import recent
from referrald.backends.build import BuildFailed, Job
from referrald.backends.homes import decode_server
from referrald.backends.image import Image
from referrald.backends.source import Source
from referrald.backends.variables import expand
from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle, IReloadable, ITargets, IWatchableBackend
from referrald.model import Home, Option, Options, Problem, Server

FILE = Option(
    name="file",
    kind="path",
    required=True,
    help="The file. It is read anew when it has changed; a broken one changes nothing.",
)
POLL = Option(
    name="poll",
    kind="duration",
    default=2.0,
    minimum=0.1,
    help="How often to look whether the file has changed.",
)


@implementer(ILifecycle, IWatchableBackend, IReloadable, ITargets)
class FileBackend:
    """A backend over a `Source`; a subclass says what a record means."""

    def __init__(self, job: Job, reactor: Any, poll: float) -> None:
        self._source = Source(job, reactor, poll, adopt=self._adopt)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._source.file}>"

    async def start(self) -> None:
        """Load the file; raises `ConfigurationError` when it is broken."""
        await self._source.start()

    async def stop(self) -> None:
        """Look at the file no more."""
        await self._source.stop()

    async def reload(self) -> None:
        """Load the file anew."""
        await self._source.reload()

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Have changes told, user by user when they are few."""
        return self._source.watch(changed)

    async def targets(self) -> Sequence[Server]:
        """Name every server in the file; the image knows them apart from its records."""
        return _targets(self._source.image)

    def _adopt(self, image: Image) -> None:
        """Prepare for another image, which is not in force yet."""

    def _home_at(self, image: Image, place: int, user: str) -> Home:
        """Give the home that a record means for ``user``."""
        reference, name, is_template = image.entry(place)
        home = image.home(reference)
        return home if name is None else home_for(user, home, name.decode(), is_template)


def home_for(user: str, home: Home, name: str | None, is_template: bool) -> Home:
    """Give a home with the name to use there; raises `Unavailable` when that is none."""
    if name is None:
        return home
    if is_template:
        name = expand(name, user)
        if not name:
            raise Unavailable(f"no name is left for {user!r} at its home server")
    # What evolve does, in a third of the time.
    return Home(
        servers=home.servers,
        user=name,
        auth=home.auth,
        public_here=home.public_here,
        closed=home.closed,
        held=home.held,
        ttl=home.ttl,
        how=home.how,
        spread=home.spread,
    )


def _targets(image: Image) -> tuple[Server, ...]:
    return tuple(map(decode_server, image.notes["targets"]))


class FileFactory:
    """Looks at the file of a backend before there is one."""

    def _job(self, options: Options) -> Job:
        raise NotImplementedError

    def check(self, options: Options) -> Sequence[Problem]:
        """List everything that is wrong with the file; a large one is read in another process."""
        try:
            return recent.checked(self._job(options)).outcome.problems
        except BuildFailed as error:
            return (Problem(where=options["file"], key="file", wrong=str(error)),)

    def targets(self, options: Options) -> Sequence[Server]:
        """Name every home server that the file names; none when it is broken."""
        try:
            image = recent.checked(self._job(options)).image
        except BuildFailed:
            return ()
        return () if image is None else _targets(image)
