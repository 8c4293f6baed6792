"""The passwd-file backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from referrald.backends.passwdfile import PasswdFileBackend, factory
from referrald.errors import Unavailable
from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IPasswordSamples,
    IPasswordStore,
    IReferralBackend,
    IReferralBackendFactory,
    IReloadable,
    IWatchableBackend,
)
from referrald.model import Home, Login, Security, Server, StoredPassword
from referrald.testing import ODD_NAMES, BackendContract
from tests.backends.support import BackendTestCase, filled, replace, told, write
from tests.proves import proves

USERS = """\
alice:{PLAIN}wonderland::::::host=a.example starttls=yes nologin
bob@dom.example:{PLAIN}builder::::::host=b.example ssl=yes destuser=%n+old
carol:$6$salt$hash::::::
dave:{PLAIN}x::::::nologin reason=Moved
erin
frank:{PLAIN}y::::::fail
"""


class PasswdFiles(BackendTestCase):
    def make(self, text: str = USERS, **options: Any) -> PasswdFileBackend:
        return self.start(factory, self.file(text), **options)

    def password(self, backend: PasswdFileBackend, user: str) -> StoredPassword | None:
        return self.result(backend.password(user))

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        backend = self.make()
        for interface in (
            IReferralBackend, ILifecycle, IWatchableBackend, IReloadable, IPasswordStore,
            IPasswordSamples,
        ):  # fmt: skip
            verifyObject(interface, backend)
        for interface in (IReferralBackendFactory, ICheckingFactory):
            verifyObject(interface, factory)

    def test_homes_are_those_of_the_lines(self) -> None:
        backend = self.make()
        tls = Server(host="b.example", port=993, security=Security.TLS)
        for user, home in (
            ("alice", Home(servers=(Server(host="a.example"),))),
            ("bob@dom.example", Home(servers=(tls,), user="bob+old")),
            ("carol", Home()),
            ("dave", Home(closed="Moved")),
            ("erin", Home()),
            ("frank", None),
            ("Alice", None),
            ("bob", None),
        ):
            self.assertEqual(self.home(backend, user), home, user)

    def test_what_fields_say_of_a_user_goes_with_the_home(self) -> None:
        text = "a:::::::host=h.x nologin\nb:::::::host=h.x proxy destuser=%u\nc:::::::host=h.x\n"
        for obey, words in ((True, ["refer", "relay", None]), (False, [None, None, None])):
            backend = self.make(text, obey=obey)
            self.assertEqual([self.home(backend, user).how for user in "abc"], words)

    def test_passwords_are_those_of_the_lines(self) -> None:
        backend = self.make()
        for user, scheme, encoded in (
            ("alice", "PLAIN", b"wonderland"),
            ("carol", "CRYPT", b"$6$salt$hash"),
        ):
            stored = StoredPassword(scheme=scheme, encoded=encoded)
            self.assertEqual(self.password(backend, user), stored)
        for user in ("erin", "frank", "nobody", *ODD_NAMES):
            self.assertIsNone(self.password(backend, user))

    def test_samples_are_one_of_each_scheme(self) -> None:
        backend = self.make()
        self.assertEqual([one.scheme for one in backend.password_samples()], ["PLAIN", "CRYPT"])
        write(self.folder / "source", "zoe:{SHA}abc\n")
        self.result(backend.reload())
        self.assertEqual(
            list(backend.password_samples()), [StoredPassword(scheme="SHA", encoded=b"abc")]
        )

    @proves("S4")
    def test_no_repr_shows_a_hash(self) -> None:
        backend = self.make()
        stored = self.password(backend, "alice")
        shown = (
            repr(backend) + repr(stored) + repr(backend.password_samples()) + repr(vars(backend))
        )
        self.assertNotIn("wonderland", shown)

    def test_names_without_the_domain(self) -> None:
        text = "bob:{PLAIN}pw::::::host=h.example destuser=%u\n"
        backend = self.make(text, username_format="%Ln")
        for user in ("bob", "Bob@one.example", "bob@two.example"):
            self.assertEqual(self.home(backend, user).user, user)
            self.assertEqual(self.password(backend, user).encoded, b"pw")
        self.assertIsNone(self.home(backend, "bo@b"))

    def test_changes_of_users_without_domain_may_concern_anybody(self) -> None:
        for format_, told_of in (("%u", "bob"), ("%n", None)):
            backend = self.make("bob:{PLAIN}pw\n", username_format=format_)
            heard: list[str | None] = []
            end = backend.watch(heard.append)
            write(self.folder / "source", "bob:{PLAIN}other\n")
            self.result(backend.reload())
            end()
            write(self.folder / "source", "bob:{PLAIN}pw\n")
            self.result(backend.reload())
            self.assertEqual(heard, [told_of])

    @proves("S1")
    def test_a_user_for_whom_no_name_is_left_gets_no_home(self) -> None:
        backend = self.make("bob:pw::::::host=h.example destuser=%d\n")
        self.assertIn(
            "no name is left", str(self.failure(backend.home(Login(user="bob")), Unavailable))
        )

    def test_a_check_looks_at_the_options_first(self) -> None:
        path = self.file("bob:pw::::::host=::1\n")
        for options, wrong in (
            ({}, ['1 bob: "::1" is an IPv6 address, which no referral can carry']),
            ({"username_format": "bob"}, [" username_format: cannot be used"]),
            ({"username_format": "%q"}, [" username_format: cannot be used"]),
            ({"scheme": ""}, [" scheme: cannot be used"]),
            ({"scheme": "\u00e9", "username_format": ""}, [
                " username_format: cannot be used", " scheme: cannot be used",
            ]),
        ):  # fmt: skip
            problems = factory.check(filled(factory, file=str(path)) | options)
            self.assertEqual(told(tuple(problems), path), wrong)

    @proves("L9")
    def test_every_home_server_is_named_so_that_a_loop_is_found_at_load(self) -> None:
        targets = factory.targets(filled(factory, file=str(self.file(USERS))))
        self.assertEqual([server.host for server in targets], ["a.example", "b.example"])

    def test_before_the_start_and_after_the_stop_it_does_not_answer(self) -> None:
        backend = factory.build(filled(factory, file=str(self.file(USERS))), self.clock)
        self.failure(backend.home(Login(user="alice")), Unavailable)
        self.result(backend.start())
        self.result(backend.stop())
        self.failure(backend.password("alice"), Unavailable)


class PasswdFileContractTests(BackendContract, TestCase):
    more_homes = {
        "erin": Home(servers=(Server(host="192.0.2.1", port=1143, security=Security.CLEAR),)),
        "frank@example.com": Home(servers=(Server(host="a.example"),), user="frank@ex%mple"),
        "heidi": Home(closed="Moved"),
        "j\u00fcrgen": Home(),
        "o'brien": Home(),
        "with space": Home(),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> PasswdFileBackend:
        self.path, self.homes_now = Path(self.mktemp()), dict(homes)
        write(self.path, _lines(homes))
        return factory.build(filled(factory, file=str(self.path)) | {"security": "none"}, Clock())

    async def change(self, backend: PasswdFileBackend, user: str, home: Home) -> None:
        self.homes_now[user] = home
        replace(self.path, _lines(self.homes_now))
        await backend.reload()

    def make_password_backend(self, passwords: Mapping[str, str]) -> PasswdFileBackend:
        path = Path(self.mktemp())
        write(path, "\n".join(f"{user}:{{PLAIN}}{word}" for user, word in passwords.items()))
        return factory.build(filled(factory, file=str(path)), Clock())


def _lines(homes: Mapping[str, Home]) -> str:
    keys = {Security.TLS: "ssl=yes", Security.STARTTLS: "starttls=yes", Security.CLEAR: ""}
    lines = []
    for user, home in homes.items():
        words = [
            f"host={server.host} port={server.port} {keys[server.security]}"
            for server in home.servers
        ]
        if home.closed is not None:
            words = ["nologin", f"reason={home.closed}"]
        if home.user is not None:
            words.append("destuser=" + home.user.replace("%", "%%"))
        lines.append(f"{user}:{{PLAIN}}pw::::::{' '.join(words)}")
    return "\n".join(lines)
