"""The table backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from referrald.backends.table import TableBackend, factory
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IReferralBackend,
    IReferralBackendFactory,
    IReloadable,
    IWatchableBackend,
)
from referrald.model import Home, Security, Server
from referrald.testing import RICH_HOMES
from tests.backends.mailboxtables import MailboxesInTable
from tests.backends.support import BackendTestCase, filled, replace, told, write
from tests.proves import proves

A, B, X = (Server(host=f"imap-{name}.example.com") for name in "abx")
TABLE = """\
[servers.a]
host = "imap-a.example.com"
[servers.b]
host = "imap-b.example.com"

[users]
alice = "a"
"bob@example.org" = "a"
carol = "here"
"dave@example.net" = { server = "b", user = "robert" }
"x.student" = "b"

[domains]
"example.org" = "b"
"example.net" = { server = "b", user = "%n" }

[[patterns]]
match = "*.student"
home = "a"
[[patterns]]
match = ["*.student", "a*@*"]
home = { closed = "%u may not" }
"""


class Tables(BackendTestCase):
    def make(self, text: str = TABLE, **options: Any) -> TableBackend:
        return self.start(factory, self.file(text), **options)

    def servers(self, backend: TableBackend, user: str) -> tuple[Server, ...] | None:
        home = self.home(backend, user)
        return None if home is None else home.servers

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        backend = self.make()
        for interface in (IReferralBackend, ILifecycle, IWatchableBackend, IReloadable):
            verifyObject(interface, backend)
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)
        self.assertEqual(repr(backend), f"<TableBackend {self.folder / 'source'}>")

    def test_a_user_counts_before_the_domain_and_the_domain_before_patterns(self) -> None:
        backend = self.make()
        for user, servers in (
            ("alice", (A,)),
            ("bob@example.org", (A,)),
            ("eve@example.org", (B,)),
            ("a@example.org", (B,)),
            ("carol", ()),
            ("x.student", (B,)),
            ("y.student", (A,)),
            ("@example.org", (B,)),
            ("a@b@example.org", (B,)),
            ("nobody", None),
            ("example.org", None),
        ):
            self.assertEqual(self.servers(backend, user), servers, user)

    def test_the_first_pattern_that_matches_counts(self) -> None:
        backend = self.make()
        self.assertEqual(self.home(backend, "z.student"), Home(servers=(A,)))
        self.assertEqual(self.home(backend, "a@b"), Home(closed="%u may not"))

    def test_the_default_is_for_everybody_else(self) -> None:
        backend = self.make(TABLE + '[default]\nhome = { server = "x.example", user = "%u@old" }\n')
        self.assertEqual(
            self.home(backend, "nobody"),
            Home(servers=(Server(host="x.example"),), user="nobody@old"),
        )
        self.assertEqual(self.servers(backend, "alice"), (A,))

    def test_every_kind_of_entry_can_say_how(self) -> None:
        backend = self.make(
            '[users]\nalice = { server = "a.example", login = "refer" }\n'
            '[domains]\n"d.example" = { server = "a.example", user = "%n", login = "relay" }\n'
            '[[patterns]]\nmatch = "p*"\nhome = { server = "a.example", login = "auto" }\n'
            '[default]\nhome = "a.example"\n'
        )
        for user, how in (
            ("alice", "refer"),
            ("Alice", "refer"),
            ("x@d.example", "relay"),
            ("pat", "auto"),
            ("bob", None),
        ):
            self.assertEqual(self.home(backend, user).how, how, user)

    @proves("L8")
    def test_the_name_to_use_there_is_filled_in(self) -> None:
        backend = self.make()
        self.assertEqual(self.home(backend, "dave@example.net").user, "robert")
        self.assertEqual(self.home(backend, "erin@example.net").user, "erin")
        self.assertIsNone(self.home(backend, "eve@example.org").user)

    def test_names_in_any_case_are_the_same_user_but_only_one_form_is_kept(self) -> None:
        backend = self.make(TABLE + '[default]\nhome = { server = "b", user = "%n" }\n')
        self.assertEqual(self.home(backend, "ALICE"), Home(servers=(A,), ttl=0))
        self.assertEqual(self.home(backend, "Bob@Example.ORG"), Home(servers=(A,), ttl=0))
        self.assertEqual(self.home(backend, "Zoe@x"), Home(servers=(B,), user="Zoe", ttl=0))
        self.assertIsNone(self.home(backend, "alice").ttl)

    def test_case_counts_where_the_operator_wants_it_but_never_in_domains(self) -> None:
        text = TABLE + 'Alice = "b"\n'.join(["[users2]\n", ""])
        text = TABLE.replace('alice = "a"', 'alice = "a"\nAlice = "b"')
        backend = self.make(text, lowercase=False)
        self.assertEqual(self.servers(backend, "Alice"), (B,))
        self.assertEqual(self.servers(backend, "alice"), (A,))
        self.assertIsNone(self.servers(backend, "ALICE"))
        self.assertEqual(self.home(backend, "Eve@Example.ORG"), Home(servers=(B,)))
        self.assertIsNone(self.servers(backend, "y.Student"))

    def test_patterns_ignore_case_as_names_do(self) -> None:
        self.assertEqual(self.servers(self.make(), "Y.STUDENT"), (A,))

    def test_rules_that_change_are_told_to_everybody(self) -> None:
        backend = self.make()
        heard: list[str | None] = []
        backend.watch(heard.append)
        write(self.folder / "source", TABLE.replace('match = "*.student"', 'match = "*.pupil"'))
        self.result(backend.reload())
        self.assertEqual(heard, [None])
        self.assertEqual(self.home(backend, "y.student"), Home(closed="%u may not"))
        self.assertEqual(self.servers(backend, "y.pupil"), (A,))

    def test_equal_homes_are_one_object(self) -> None:
        backend = self.make()
        self.assertIs(self.home(backend, "eve@example.org"), self.home(backend, "a@example.org"))

    def test_a_check_lists_what_is_wrong_without_a_reactor(self) -> None:
        path = self.file('[users]\nalice = "nowhere"\nbob = "::1"\n')
        problems = factory.check(filled(factory, file=str(path)))
        self.assertEqual(
            told(tuple(problems), path),
            [
                '2 users.alice: there is no server "nowhere"',
                '3 users.bob: "::1" is an IPv6 address, which no referral can carry',
            ],
        )
        self.assertEqual(factory.targets(filled(factory, file=str(path))), ())
        replace(path, TABLE)
        self.assertEqual(list(factory.check(filled(factory, file=str(path)))), [])

    @proves("L9")
    def test_every_home_server_is_named_so_that_a_loop_is_found_at_load(self) -> None:
        text = (
            TABLE + '[servers.unused]\nhost = "unused.example"\n[default]\nhome = "x.example:993"\n'
        )
        targets = factory.targets(filled(factory, file=str(self.file(text))))
        tls = Server(host="x.example", port=993, security=Security.TLS)
        self.assertEqual(set(targets), {A, B, tls})


class TableContractTests(MailboxesInTable, TestCase):
    more_homes = RICH_HOMES

    def make_backend(self, homes: Mapping[str, Home]) -> TableBackend:
        self.path = Path(self.mktemp())
        self.homes_now = dict(homes)
        write(self.path, _toml(homes))
        return factory.build(filled(factory, file=str(self.path)), Clock())

    async def change(self, backend: TableBackend, user: str, home: Home) -> None:
        self.homes_now[user] = home
        replace(self.path, _toml(self.homes_now))
        await backend.reload()


class UsersFileContractTests(MailboxesInTable, TestCase):
    """The same with the plain list of users, whose words cannot have spaces in them."""

    more_homes = RICH_HOMES | {
        "frank@example.com": Home(servers=(A,), user="frank@ex%mple", auth="PLAIN")
    }

    def make_backend(self, homes: Mapping[str, Home]) -> TableBackend:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.list, self.homes_now = folder / "list", dict(homes)
        write(folder / "table", "\n".join(['users_file = "list"', *_servers(homes)]))
        write(self.list, _lines(homes))
        return factory.build(filled(factory, file=str(folder / "table")), Clock())

    async def change(self, backend: TableBackend, user: str, home: Home) -> None:
        self.homes_now[user] = home
        replace(self.list, _lines(self.homes_now))
        await backend.reload()


def _name(server: Server) -> str:
    """Name a server that may be reached in an unusual way."""
    plain = {143: Security.STARTTLS, 993: Security.TLS}.get(server.port, Security.STARTTLS)
    if server.security is plain:
        return f"{server.host}:{server.port}"
    return f"s-{server.host}-{server.port}"


def _servers(homes: Mapping[str, Home]) -> list[str]:
    return [
        f'[servers."{_name(server)}"]\nhost = "{server.host}"\nport = {server.port}\n'
        f'security = "{server.security.value}"'
        for server in {server for home in homes.values() for server in home.servers}
        if ":" not in _name(server)
    ]


def _toml(homes: Mapping[str, Home]) -> str:
    lines = [*_servers(homes), "[users]"]
    for user, home in homes.items():
        fields = [f"server = {[_name(server) for server in home.servers] or ['here']}"]
        if not home.servers:
            fields = ['server = "here"']
        if home.user is not None:
            fields.append(f'user = "{home.user.replace("%", "%%")}"')
        if home.auth != "*":
            fields.append(f'auth = "{home.auth}"')
        if home.public_here:
            fields.append("public_here = true")
        if home.held:
            fields.append("held = true")
        if home.closed is not None:
            fields.append(f'closed = "{home.closed}"')
        if home.ttl is not None:
            fields.append(f"ttl = {home.ttl}")
        if home.how is not None:
            fields.append(f'login = "{home.how}"')
        lines.append(f'"{user}" = {{ {", ".join(fields)} }}')
    return "\n".join(lines)


def _lines(homes: Mapping[str, Home]) -> str:
    lines = []
    for user, home in homes.items():
        words = [",".join(map(_name, home.servers)) or "here"]
        if home.closed is not None:
            words = [f"closed {home.closed}"]
        elif home.user is not None:
            words.append("user=" + home.user.replace("%", "%%"))
        if home.public_here:
            words.append("public_here")
        if home.held:
            words.append("held")
        if home.auth != "*":
            words.append(f"auth={home.auth}")
        if home.ttl is not None:
            words.append(f"ttl={home.ttl}")
        if home.how is not None:
            words.append(f"login={home.how}")
        lines.append(f"{user}\t{' '.join(words)}")
    return "\n".join(lines)
