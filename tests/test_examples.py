"""The examples of the docs do what the pages say."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from docs.examples.my_extension import extension
from docs.examples.own_backend.my_backend import SqliteBackend, factory
from referrald.model import Home, Server
from referrald.session.builtin import standard_table
from referrald.testing import BackendContract
from tests.session.support import Client, House

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"


def referralctl(folder: Path, *arguments: str, password: str = "") -> str:
    """Run referralctl in a folder whose modules and plugins count; give what it prints."""
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "referrald.ctl.main", *arguments],
        cwd=folder, env=environment, input=password, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def make_database(path: Path, homes: Mapping[str, Home]) -> None:
    """Make the database that the example reads."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE homes (user, host, port, security, rank)")
    for user, home in homes.items():
        rows = [
            (user, server.host, server.port, server.security.value, rank)
            for rank, server in enumerate(home.servers)
        ]
        connection.executemany(
            "INSERT INTO homes VALUES (?, ?, ?, ?, ?)", rows or [(user, None, None, None, 0)]
        )
    connection.commit()
    connection.close()


class Backend(BackendContract, TestCase):
    more_homes: ClassVar[Mapping[str, Home]] = {
        "erin": Home(servers=(Server(host="b.example"), Server(host="a.example", port=1143))),
        "4711": Home(),
    }

    def make_backend(self, homes: Mapping[str, Home]) -> SqliteBackend:
        self.path = Path(self.mktemp()).absolute()
        make_database(self.path, homes)
        return factory.build({"database": str(self.path)}, reactor)

    def test_a_database_that_will_not_do_is_a_problem(self) -> None:
        path = Path(self.mktemp()).absolute()
        options = {"database": str(path)}
        (problem,) = factory.check(options)
        self.assertIn("unable to open", str(problem))
        sqlite3.connect(path).execute("CREATE TABLE other (user)").connection.close()
        (problem,) = factory.check(options)
        self.assertIn("no such table", str(problem))
        path.unlink()
        make_database(path, {})
        self.assertEqual(factory.check(options), [])


class Extension(SynchronousTestCase):
    def connect(self) -> Client:
        table = standard_table(extension.commands)
        return House(extensions=(extension,), table=table).connect()

    def test_its_capabilities_follow_the_state(self) -> None:
        client = self.connect()
        self.assertIn(b" XECHO]", client.read())
        self.assertIn(b" XECHO XHOME]", client.say(b"a LOGIN bob secret\r\n"))

    def test_a_command_takes_its_argument_in_every_form(self) -> None:
        client = self.connect()
        client.read()
        for form in (b"hello", b'"hello"', b"{5+}\r\nhello"):
            answer = client.ask(b"a XECHO " + form)
            self.assertEqual(answer, [b"* XECHO hello", b"a OK Echoed."])
        self.assertIn(b"a BAD ", client.say(b"a XECHO\r\n"))

    def test_where_somebody_lives_is_told_after_login_only(self) -> None:
        client = self.connect()
        client.read()
        self.assertIn(b"a BAD ", client.say(b"a XHOME\r\n"))
        client.ask(b"b LOGIN bob secret")
        self.assertEqual(client.ask(b"c XHOME"), [b"* XHOME NIL", b"c OK That is it."])

    def test_a_home_elsewhere_is_a_url(self) -> None:
        client = self.connect()
        client.read()
        client.ask(b"a LOGIN carol secret")
        expected = b'* XHOME "imap://carol;AUTH=*@home.example/"'
        self.assertEqual(client.ask(b"b XHOME")[0], expected)


class Plugins(TestCase):
    """Installed as the pages say: modules on Python's path, and a plugin file for each."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        plugins = self.folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        for module, name in (("my_backend", "factory"), ("my_extension", "extension")):
            shutil.copy(next(EXAMPLES.rglob(f"{module}.py")), self.folder)
            text = f"from {module} import {name} as {name}\n"
            (plugins / f"{module}_plugin.py").write_text(text, encoding="utf-8")

    def test_a_configuration_finds_them_by_name(self) -> None:
        config = (EXAMPLES / "first-referral" / "referrald.toml").read_text(encoding="utf-8")
        config += '\n[[backend]]\ntype = "my-sqlite"\ndatabase = "homes.db"\n'
        config += '\n[extensions]\nuse = ["home"]\n'
        shutil.copy(EXAMPLES / "first-referral" / "users", self.folder)
        home = Home(servers=(Server(host="imap2.example.org"),))
        make_database(self.folder / "homes.db", {"nina": home})
        (self.folder / "referrald.toml").write_text(config, encoding="utf-8")
        said = referralctl(self.folder, "-c", "referrald.toml", "check")
        self.assertIn("no problems", said)
        said = referralctl(self.folder, "-c", "referrald.toml", "lookup", "nina")
        self.assertIn("my-sqlite", said)
        self.assertIn("imap://nina;AUTH=*@imap2.example.org/", said)


class FirstReferral(TestCase):
    """The tutorial's files, and what it says that comes of them."""

    def test_the_answers_are_those_of_the_page(self) -> None:
        page = (ROOT / "docs" / "tutorial" / "first-referral.md").read_text(encoding="utf-8")
        config = str(EXAMPLES / "first-referral" / "referrald.toml")
        for arguments in (("lookup", "alice"), ("auth", "alice")):
            said = referralctl(ROOT, "-c", config, *arguments, password="wonderland")
            lines = [line for line in said.splitlines() if not line.startswith("age ")]
            self.assertEqual([line for line in lines if line not in page.splitlines()], [])
