"""Dovecot's passdb and director, and what was made of what they print: the homes are the same."""

from __future__ import annotations

import sqlite3
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from referrald.backends.sql.sqlite import factory as sqlite_factory
from referrald.ctl.origins.writing import write
from referrald.model import Home, Login, Security
from tests.backends.support import filled
from tests.ctl.origins.support import FILES
from tests.interop.landings import Homes, convert
from tests.interop.support import InteropCase, free_port, missing, need

DIRECTOR = """
base_dir = {folder}/run
state_dir = {folder}
log_path = {folder}/log
protocols = imap
ssl = no
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
login_trusted_networks = 127.0.0.0/8
director_servers = 127.0.0.1:{ring}
director_mail_servers = 127.0.0.11 127.0.0.12
service director {{
  unix_listener login/director {{
    mode = 0666
  }}
  fifo_listener login/proxy-notify {{
    mode = 0666
  }}
  inet_listener {{
    address = 127.0.0.1
    port = {ring}
  }}
}}
service imap-login {{
  executable = imap-login director
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = proxy=y nopassword=y port={homes}
}}
"""


@pytest.mark.interop
class Director(InteropCase):
    def doveadm(self, *words: str) -> bytes:
        command = [need("doveadm"), "-c", str(self.config), "director", *words]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def test_map_and_dump_say_what_the_director_does(self) -> None:
        program, folder = need("dovecot"), self.folder()
        if not Path("/usr/lib/dovecot/director").exists():
            missing("Dovecot's director is not installed")
        port, at = free_port(), free_port()
        homes = Homes(self, [(host, at) for host in ("127.0.0.11", "127.0.0.12", "127.0.0.13")])
        self.config = folder / "dovecot.conf"
        text = DIRECTOR.format(folder=folder, port=port, ring=free_port(), homes=at)
        self.config.write_text(text, encoding="ascii")
        with (folder / "out").open("wb") as out:
            self.run_server([program, "-F", "-c", str(self.config)], out, port)
        users = ["alice", "bob@example.org", "carol", "dora", "emil", "fritz@example.org"]
        self.doveadm("add", "127.0.0.13", "50")
        self.doveadm("move", "dora", "127.0.0.13")
        landed = {user: homes.where(port, user) for user in users}
        (folder / "users").write_text("\n".join(users) + "\n", encoding="ascii")
        found = convert("director-map", self.doveadm("map", "-f", str(folder / "users")))
        self.assertEqual(found.left_out, [])
        self.assertEqual(found.homes.keys(), landed.keys())
        for user, landing in landed.items():
            assert landing is not None, user
            self.assertEqual((found.homes[user].servers[0].host, user), (landing[0], landing[2]))
        self.assertEqual(found.homes["dora"].servers[0].host, "127.0.0.13")
        ring = convert("director-dump", self.doveadm("dump"))
        assert ring.section is not None
        servers = ring.section.keys["servers"]
        self.assertEqual(servers, ["127.0.0.11*2", "127.0.0.12*2", "127.0.0.13"])
        self.assertEqual(ring.left_out, [])


PASSDB = """
base_dir = {folder}/run
state_dir = {folder}
log_path = {folder}/log
protocols = imap
ssl = no
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = {driver}
  args = {args}
}}
"""
ROWS = [
    ("alice@example.org", "127.0.0.11", None, None, None, None, None, 1),
    ("bob@example.org", "127.0.0.12", 1143, "robert", "yes", None, None, 1),
    ("carol@example.org", None, None, None, None, "y", "Moved.", 1),
    ("dave@example.org", None, None, None, None, None, None, 1),
    ("erin@example.org", "127.0.0.13", None, "x%y", None, None, None, 1),
    ("frank@example.org", "127.0.0.11", None, None, None, None, None, 0),
]


@pytest.mark.interop
class Passdb(InteropCase, TestCase):
    def start(self, driver: str, args: Path) -> None:
        folder, port = self.folder(), free_port()
        self.config = folder / "dovecot.conf"
        text = PASSDB.format(folder=folder, port=port, driver=driver, args=args)
        self.config.write_text(text, encoding="ascii")
        with (folder / "out").open("wb") as out:
            self.run_server([need("dovecot"), "-F", "-c", str(self.config)], out, port)

    def fields(self, user: str) -> dict[str, str] | None:
        """Ask Dovecot what its passdb says of a user."""
        command = [need("doveadm"), "-c", str(self.config), "auth", "lookup", user]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.assertIn("doesn't exist", done.stdout + done.stderr, user)
            return None
        pairs = (line.partition(":") for line in done.stdout.splitlines()[1:])
        return {key.strip(): value.strip() for key, _, value in pairs}

    def assert_same(self, user: str, home: Home | None) -> None:
        """Compare a home with Dovecot's fields."""
        fields = self.fields(user)
        if fields is None:
            self.assertIsNone(home, user)
            return
        assert home is not None, user
        if "host" not in fields:
            self.assertEqual(home.servers, (), user)
            self.assertEqual(home.closed, fields.get("reason") if "nologin" in fields else None)
            return
        (server,) = home.servers
        usual = "993" if "ssl" in fields else "143"
        self.assertEqual(
            (server.host, str(server.port)), (fields["host"], fields.get("port", usual))
        )
        self.assertEqual(home.user or user, fields.get("destuser", fields["user"]))
        self.assertEqual(server.security is Security.TLS, "ssl" in fields)

    def test_a_passwd_file_says_the_same(self) -> None:
        text = (FILES / "passwd").read_text(encoding="utf-8")
        for number, name in enumerate("abc"):
            text = text.replace(f"imap-{name}.example.net", f"127.0.0.1{number}")
        path = self.folder() / "passwd"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        self.start("passwd-file", path)
        found = convert("dovecot-passwd", text.encode(), security=Security.CLEAR)
        left_out = {each.key for each in found.left_out}
        users = [line.partition(":")[0] for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(left_out, {"grace", "ivan", "judy"})
        for user in (*users, "nobody"):
            if user not in left_out:
                self.assert_same(user, found.homes.get(user))

    def test_a_query_says_the_same(self) -> Deferred[None]:
        folder = self.folder()
        folder.chmod(0o777)
        database, config = folder / "users.db", folder / "sql.conf"
        connection = sqlite3.connect(database)
        connection.execute(
            "CREATE TABLE users (name, host, port, destuser, starttls, nologin, reason, active, "
            "local, domain, password)"
        )
        for row in ROWS:
            local, _, domain = row[0].partition("@")
            marks = ", ".join("?" * 11)
            values = (*row, local, domain, "{PLAIN}secret")
            connection.execute(f"INSERT INTO users VALUES ({marks})", values)
        connection.commit()
        connection.close()
        database.chmod(0o666)
        text = (FILES / "dovecot-sql.conf.ext").read_text(encoding="utf-8")
        text = text.replace("/var/lib/mail/users.db", str(database))
        config.write_text(text, encoding="utf-8")
        config.chmod(0o644)
        if not list(Path("/usr/lib/dovecot/modules").glob("**/*driver_sqlite.so")):
            missing("dovecot-sqlite is not installed")
        self.start("sql", config)
        found = convert("dovecot-sql", text.encode())
        (section,) = tomllib.loads(write(found, "section"))["backend"]
        self.assertEqual(section.pop("type"), "sqlite")
        options = filled(sqlite_factory) | section
        self.assertEqual(list(sqlite_factory.check(options)), [])
        backend: Any = sqlite_factory.build(options, reactor)

        async def check() -> None:
            await backend.start()
            try:
                for user in (
                    *(row[0] for row in ROWS),
                    "nobody@example.org",
                    "o'x@example.org",
                    "bob",
                    "alice",
                ):
                    self.assert_same(user, await backend.home(Login(user=user)))
                stored = await backend.password("alice@example.org")
                self.assertEqual((stored.scheme, stored.encoded), ("PLAIN", b"secret"))
            finally:
                await backend.stop()

        return Deferred.fromCoroutine(check())
