"""Change and list where users live, in a backend that can be written to.

Changes are made by "set", "hold", "release", "rm" and "import", each for all of its users or for
none, and the server has them in effect within a second. With --dry-run they only say what would
change. Who makes a change (--who, by default the user who runs the command, also behind sudo) and
why (--why) go into the history of the backend, which "history" shows.

Files have a user in each row: CSV, whose first line names the columns (user, servers, name, auth,
public_here, login, spread, closed, held, ttl), or JSON, a list of objects with these keys. What has
its default may be left out.

"set" and "import" refuse homes that users could not be sent to: no server of which is allowed by
"[referral]" of the configuration, or which are this server itself. With --anyway they are taken.

Servers are written as host:port/security*weight, of which only the host has to be there, with
commas between them in order of preference; "here" is this server itself.

Users are named on the command line, or one in each line of a file (--users, "-" is standard input).
"""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from referrald.backends.homerows import read_row
from referrald.backends.servers import Wrong
from referrald.config.settings import Config
from referrald.ctl import assembly as assemblies
from referrald.ctl.assembly import Assembled
from referrald.ctl.homeallowed import refuse_unusable
from referrald.ctl.homefiles import Form, HomeWriter, form_of, read_homes
from referrald.ctl.homeshown import show_changes, show_difference, show_history, show_homes
from referrald.ctl.loading import load_config
from referrald.ctl.lookup import known_name
from referrald.ctl.terminal import Refused, Terminal
from referrald.interfaces import ILifecycle, IWritableBackend
from referrald.model import Home, HomeChange, Login, Occasion

PAGE = 10_000
STANDARD = "-"
HOME_KEYS = ("name", "auth", "login", "closed", "ttl")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what can be done."""
    group = parser.add_subparsers(metavar="WHAT", required=True, dest="what")
    add = partial(group.add_parser, formatter_class=parser.formatter_class)
    where = ArgumentParser(add_help=False)
    where.add_argument(
        "-b", "--backend", metavar="NAME", help="the backend (default: the one that is writable)"
    )
    change = ArgumentParser(add_help=False, parents=[where])
    change.add_argument("-n", "--dry-run", action="store_true", help="only say what would change")
    change.add_argument("--why", default="", help="the reason, for the history")
    change.add_argument("--who", default="", help="who wants it, for the history")
    place = ArgumentParser(add_help=False)
    place.add_argument(
        "--anyway", action="store_true", help="also where [referral] allows no server of a home"
    )
    users = ArgumentParser(add_help=False)
    users.add_argument("user", metavar="USER", nargs="*")
    users.add_argument("--users", metavar="FILE", help="more users, one in a line")
    form = ArgumentParser(add_help=False)
    form.add_argument(
        "--as", dest="form", choices=("csv", "json"), help="what the file is (default: by its name)"
    )
    _add_set(add("set", parents=[change, place, users], help="give users a home"))
    add("hold", parents=[change, users], help="hold users while mail is copied")
    add("release", parents=[change, users], help="let users go who were held")
    add("rm", parents=[change, users], help="forget users")
    _add_list(add("list", parents=[where, users], help="show users with their homes"))
    _add_import(add("import", parents=[change, place, form], help="take homes from a file"))
    export = add("export", parents=[where, form], help="write all homes into a file")
    export.add_argument("path", metavar="FILE", help='"-" for standard output')
    diff = add("diff", parents=[form], help="show who would move between two files")
    diff.add_argument("old", metavar="OLD")
    diff.add_argument("new", metavar="NEW")
    history = add("history", parents=[where], help="show changes, the latest first")
    history.add_argument("user", metavar="USER", nargs="?", help="of this user only")
    history.add_argument("--limit", type=int, default=100, help="how many (default: 100)")


def _add_set(parser: ArgumentParser) -> None:
    parser.add_argument("--to", metavar="SERVERS", help='the servers, or "here"')
    parser.add_argument("--name", help="the name to use there")
    parser.add_argument("--auth", help="the SASL mechanism that a referral prescribes")
    parser.add_argument("--login", help="refer, relay or auto")
    parser.add_argument("--closed", metavar="TEXT", help="refuse logins with this text")
    parser.add_argument("--ttl", help="how many seconds the answer may be kept")
    parser.add_argument("--held", action="store_true", help="hold the users as well")
    parser.add_argument("--spread", action="store_true", help="spread users over the servers")
    parser.add_argument("--public-here", action="store_true", help="public mailboxes are here")


def _add_list(parser: ArgumentParser) -> None:
    parser.add_argument("--server", metavar="HOST", help="only those who live on this host")
    parser.add_argument("--held", action="store_true", help="only those who are held")


def _add_import(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE", help='"-" for standard input')
    parser.add_argument("--all", action="store_true", help="forget users who are not in the file")


def run(arguments: Namespace, terminal: Terminal) -> int:
    """Do it."""
    doing: dict[str, Callable[[Namespace, Terminal], object]] = {
        "set": _set,
        "hold": lambda given, term: _each("hold", given, term),
        "release": lambda given, term: _each("release", given, term),
        "rm": lambda given, term: _each("remove", given, term),
        "list": _list,
        "import": _import,
        "export": _export,
        "diff": _diff,
        "history": _history,
    }
    doing[arguments.what](arguments, terminal)
    return 0


def _set(arguments: Namespace, terminal: Terminal) -> None:
    home = _home(arguments)
    users = _users(arguments, terminal)

    async def work(backend: Any, assembly: Assembled) -> Sequence[HomeChange]:
        homes = {known_name(assembly, user): home for user in users}
        _refuse_unusable(arguments, assembly, homes)
        found: Sequence[HomeChange] = await backend.set_home(homes, _occasion(arguments))
        return found

    _change(arguments, terminal, work)


def _home(arguments: Namespace) -> Home:
    if (arguments.to is None) == (arguments.closed is None):
        raise Refused("give either --to or --closed")
    row = {key: getattr(arguments, key) for key in HOME_KEYS}
    for key in ("held", "spread", "public_here"):
        row[key] = getattr(arguments, key)
    try:
        return read_row(row | {"servers": arguments.to})
    except Wrong as error:
        raise Refused(f"{error.wrong}; {error.right}" if error.right else error.wrong) from None


def _each(method: str, arguments: Namespace, terminal: Terminal) -> None:
    users = _users(arguments, terminal)

    async def work(backend: Any, assembly: Assembled) -> Sequence[HomeChange]:
        names = [known_name(assembly, user) for user in users]
        found: Sequence[HomeChange] = await getattr(backend, method)(names, _occasion(arguments))
        return found

    _change(arguments, terminal, work)


def _import(arguments: Namespace, terminal: Terminal) -> None:
    given = _read_file(arguments.path, form_of(arguments.path, arguments.form), terminal)

    async def work(backend: Any, assembly: Assembled) -> Sequence[HomeChange]:
        homes = {known_name(assembly, user): home for user, home in given.items()}
        if len(homes) < len(given):
            raise Refused("two of the names in the file are the same user")
        _refuse_unusable(arguments, assembly, homes)
        method = backend.import_ if arguments.all else backend.set_home
        found: Sequence[HomeChange] = await method(homes, _occasion(arguments))
        return found

    _change(arguments, terminal, work)


def _refuse_unusable(arguments: Namespace, assembly: Assembled, homes: Mapping[str, Home]) -> None:
    if not arguments.anyway:
        refuse_unusable(homes, assembly.mailboxes.policy)


def _change(arguments: Namespace, terminal: Terminal, work: Any) -> None:
    changes = _with_backend(arguments, terminal, work)
    show_changes(terminal.output, changes, dry_run=arguments.dry_run)


def _list(arguments: Namespace, terminal: Terminal) -> None:
    wanted = None
    if arguments.user or arguments.users:
        wanted = _users(arguments, terminal)

    async def work(backend: Any, assembly: Assembled) -> list[tuple[str, Home]]:
        if wanted is not None:
            return await _named(backend, [known_name(assembly, user) for user in wanted])
        found: list[tuple[str, Home]] = []
        async for page in _pages(backend):
            found += [each for each in page if _is_wanted(arguments, each[1])]
        return found

    show_homes(terminal.output, _with_backend(arguments, terminal, work))


async def _named(backend: Any, names: Sequence[str]) -> list[tuple[str, Home]]:
    found = []
    for name in names:
        home = await backend.home(Login(user=name))
        if home is None:
            raise Refused(f"there is nobody called {name}")
        found.append((name, home))
    return found


def _is_wanted(arguments: Namespace, home: Home) -> bool:
    if arguments.held and not home.held:
        return False
    host = arguments.server
    return host is None or any(server.host == host.lower() for server in home.servers)


def _export(arguments: Namespace, terminal: Terminal) -> None:
    form = form_of(arguments.path, arguments.form)

    async def work(backend: Any, assembly: Assembled) -> None:
        if arguments.path == STANDARD:
            await _write(HomeWriter(terminal.output.out, form), backend)
            return
        beside = f"{arguments.path}.new"
        with open(beside, "w", encoding="utf-8", newline="") as file:
            await _write(HomeWriter(file, form), backend)
        os.replace(beside, arguments.path)

    _with_backend(arguments, terminal, work)


async def _write(writer: HomeWriter, backend: Any) -> None:
    async for page in _pages(backend):
        writer.write(page)
    writer.finish()


async def _pages(backend: Any) -> Any:
    page = await backend.export("", PAGE)
    while page:
        yield page
        page = await backend.export(page[-1][0], PAGE)


def _diff(arguments: Namespace, terminal: Terminal) -> None:
    old, new = (
        _read_file(path, form_of(path, arguments.form), terminal)
        for path in (arguments.old, arguments.new)
    )
    changes = [
        HomeChange(user=user, before=old.get(user), after=new.get(user))
        for user in sorted(old.keys() | new.keys())
        if old.get(user) != new.get(user)
    ]
    show_difference(terminal.output, changes)


def _history(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.limit < 1:
        raise Refused("--limit is at least 1")

    async def work(backend: Any, assembly: Assembled) -> Any:
        user = None if arguments.user is None else known_name(assembly, arguments.user)
        return await backend.history(user, arguments.limit)

    show_history(terminal.output, _with_backend(arguments, terminal, work))


def _users(arguments: Namespace, terminal: Terminal) -> list[str]:
    users = list(arguments.user)
    if arguments.users:
        lines = _read_text(arguments.users, terminal).splitlines()
        users += [line.strip() for line in lines if line.strip()]
    if not users:
        raise Refused("no user is named")
    return users


def _read_text(path: str, terminal: Terminal) -> str:
    if path == STANDARD:
        return terminal.input.read()
    with open(path, encoding="utf-8-sig", newline="") as file:
        return file.read()


def _read_file(path: str, form: Form, terminal: Terminal) -> dict[str, Home]:
    return read_homes(_read_text(path, terminal), form, path)


def _occasion(arguments: Namespace) -> Occasion:
    who = arguments.who
    if not who:
        # What it says when nobody is known by that number, as in a container.
        who = f"uid {os.getuid()}"
        with suppress(KeyError, OSError):
            who = os.environ.get("SUDO_USER") or getpass.getuser()
    return Occasion(who=who, why=arguments.why, dry_run=arguments.dry_run)


def _with_backend(
    arguments: Namespace,
    terminal: Terminal,
    work: Callable[[Any, Assembled], Awaitable[Any]],
) -> Any:
    """Start the backend alone, do ``work`` with it, stop it."""
    config: Config = load_config(arguments, terminal)

    async def doing(reactor: Any) -> Any:
        assembly = assemblies.assemble(config, reactor)
        backend = _writable(assembly, arguments.backend)
        lifecycle: Any = ILifecycle(backend, None)
        if lifecycle is not None:
            await lifecycle.start()
        try:
            return await work(backend, assembly)
        finally:
            if lifecycle is not None:
                await lifecycle.stop()

    return terminal.run(doing)


def _writable(assembly: Assembled, wanted: str | None) -> Any:
    """Find the backend to change; raises `Refused`."""
    found = {
        name: backend
        for name, backend in assembly.backends
        if IWritableBackend(backend, None) is not None
    }
    names = ", ".join(found) or "none is"
    if wanted is not None:
        if wanted not in found:
            raise Refused(f"there is no writable backend {wanted}; writable: {names}")
        return found[wanted]
    if len(found) != 1:
        raise Refused(f"say which backend with --backend; writable: {names}")
    return next(iter(found.values()))
