"""Other programs and what was made of their files: the same user comes to the same home."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from referrald.backends.http.factory import factory as http_factory
from referrald.ctl.origins.writing import write
from referrald.model import Home, Login, Security
from tests.backends.support import filled
from tests.ctl.origins.support import FILES, Table
from tests.interop.landings import HOST, Homes, Landing, convert, landing
from tests.interop.support import InteropCase, free_port, missing, need

CTL_MBOXLIST = "/usr/lib/cyrus/bin/ctl_mboxlist"


@pytest.mark.interop
class Perdition(InteropCase, TestCase):
    def start(self, library: str, *options: str) -> int:
        program, folder = need("perdition"), self.folder()
        libraries = sorted(Path("/usr/lib").glob(f"*/libperditiondb_{library}.so.0"))
        if not libraries:
            missing(f"perdition's library {library} is not installed")
        port = free_port()
        command = [
            program, "-P", "IMAP4", "-l", str(port), "-b", HOST, "-M", str(libraries[0]),
            "--ssl_mode", "none", "--no_daemon", "-F", "-", "--pid_file", "", *options,
        ]  # fmt: skip
        with (folder / "out").open("wb") as out:
            self.run_server(command, out, port)
        return port

    def test_a_popmap_in_a_database_leads_to_the_same_homes(self) -> None:
        homes = Homes(self, [(HOST, 0)] * 2)
        one, two = (f"{HOST}:{port}" for port in homes.ports)
        lines = [
            f"alice:{one}", f"bob:robert@{two}", f"carol@example.org:{two}", f"o'brien:{one}",
            f"erin:{one} # moved", f"frank:f:r@{HOST}", f"grace:gr:ace@{one}",
            f"heidi:hh@example.org@{two}",
        ]  # fmt: skip
        folder = self.folder()
        database = folder / "popmap.gdbm.db"
        text = ("\n".join(lines) + "\n").encode()
        subprocess.run([need("makegdbm"), str(database)], input=text, check=True)
        undo = [need("makegdbm"), "-u", str(database)]
        printed = subprocess.run(undo, capture_output=True, check=True).stdout
        found = convert("popmap", text, names_there=True)
        self.assertEqual(convert("popmap", printed, names_there=True).homes, found.homes)
        self.assertEqual([each.key for each in found.left_out], ["erin", "frank"])
        port = self.start("gdbm", "-m", str(database), "-U")
        for user in ("alice", "bob", "carol@example.org", "o'brien", "grace", "heidi"):
            self.assertEqual(homes.where(port, user), landing(found.homes[user], user), user)
        for user in ("erin", "frank", "nobody"):
            self.assertIsNone(homes.where(port, user), user)

    def test_names_before_hosts_count_for_neither_without_the_option(self) -> None:
        homes = Homes(self, [(HOST, 0)])
        text = f"bob:robert@{HOST}:{homes.ports[0]}\n".encode()
        database = self.folder() / "popmap.gdbm.db"
        subprocess.run([need("makegdbm"), str(database)], input=text, check=True)
        port = self.start("gdbm", "-m", str(database))
        home = convert("popmap", text).homes["bob"]
        self.assertEqual(homes.where(port, "bob"), landing(home, "bob"))

    def test_a_popmap_of_expressions_leads_to_the_same_homes(self) -> Deferred[None]:
        homes = Homes(self, [(HOST, 0)] * 3)
        names = {
            f"imap-{name}": f"{HOST}:{port}" for name, port in zip("abc", homes.ports, strict=True)
        }
        text = (FILES / "popmap.re").read_text(encoding="utf-8")
        # What has an expression that cannot be used keeps perdition from starting at all.
        for name, place in names.items():
            for port in (":1143", ":imaps", ""):
                text = text.replace(f"{name}.example.net{port}", place)
        found = convert("popmap-regex", text.encode(), names_there=True)
        self.assertEqual(len(found.rules), 8)
        path = self.folder() / "popmap.re"
        path.write_text(text, encoding="utf-8")
        users = [
            "anna", "bob", "cy@example.org", "Anna", "Donald", "donald", "ops", "root", "roots",
            "x@example.org", "x@exampleXorg", "x@example.com", "with space", "long", "longer",
            "longest", "flim", "flimstix", "nobody",
        ]  # fmt: skip
        port = self.start("posix_regex", "-m", str(path), "-U")
        landed = {user: homes.where(port, user) for user in users}
        self.assertIsNone(homes.where(port, "totallyflimless"))

        def check(answers: list[Home | None]) -> None:
            ours = {u: landing(home, u) for u, home in zip(users, answers, strict=True)}
            self.assertEqual(ours, landed)

        return Table(found, self.folder(), lowercase=False).look(users).addCallback(check)


NGINX = """
load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log info;
events {{ worker_connections 64; }}
mail {{
    auth_http 127.0.0.1:{service}/auth;   # who lives where
    auth_http_timeout 20s;
    auth_http_header X-Auth-Key "hush hush";
    server {{ listen 127.0.0.1:{port}; protocol imap; }}
}}
"""


class AuthHttp(http.server.BaseHTTPRequestHandler):
    """A service as sites have them: knows users by a dictionary."""

    users: Mapping[str, Landing] = {}

    def do_GET(self) -> None:
        """Say whether the password is right, and where the home is."""
        user = unquote(self.headers["Auth-User"])
        allowed = self.headers.get("X-Auth-Key") == "hush hush"
        known = self.users.get(user) if allowed else None
        self.send_response(200)
        if known is None or unquote(self.headers.get("Auth-Pass", "")) != "secret":
            self.send_header("Auth-Status", "Invalid login or password")
        else:
            host, port, name = known
            for key, value in (("Status", "OK"), ("Server", host), ("Port", str(port))):
                self.send_header(f"Auth-{key}", value)
            if name != user:
                self.send_header("Auth-User", name)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.mark.interop
class Nginx(InteropCase, TestCase):
    def test_the_same_service_leads_to_the_same_homes(self) -> Deferred[None]:
        program, folder = need("nginx"), self.folder()
        if not Path("/usr/lib/nginx/modules/ngx_mail_module.so").exists():
            missing("nginx's mail module is not installed")
        homes = Homes(self, [(HOST, 0)] * 2)
        one, two = homes.ports
        users = {
            "alice": (HOST, one, "alice"), "bob": (HOST, two, "robert"),
            "carol@example.org": (HOST, two, "carol@example.org"), "a b%": (HOST, one, "a b%"),
        }  # fmt: skip
        service = http.server.ThreadingHTTPServer(
            (HOST, 0), type("Service", (AuthHttp,), {"users": users})
        )
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(service.server_close)
        self.addCleanup(service.shutdown)
        port, config = free_port(), folder / "nginx.conf"
        text = NGINX.format(folder=folder, port=port, service=service.server_address[1])
        config.write_text(text, encoding="ascii")
        with (folder / "out").open("wb") as out:
            self.run_server([program, "-c", str(config), "-e", str(folder / "log")], out, port)
        shown = [program, "-T", "-c", str(config), "-e", str(folder / "log")]
        printed = subprocess.run(shown, capture_output=True, check=True).stdout
        found = convert("nginx", printed, security=Security.CLEAR)
        self.assertEqual(found.left_out, [])
        (section,) = tomllib.loads(write(found, "section"))["backend"]
        self.assertEqual(section.pop("type"), "http")
        backend: Any = http_factory.build(filled(http_factory, **section), reactor)

        async def check() -> None:
            for user in (*users, "nobody"):
                there = homes.where(port, user)
                right = await backend.check_password(user, b"secret")
                self.assertEqual(right, there is not None, user)
                self.assertFalse(await backend.check_password(user, b"wrong"))
                if right:
                    await backend.check_password(user, b"secret")
                    home = await backend.home(Login(user=user))
                    self.assertEqual(landing(home, user), there)

        return Deferred.fromCoroutine(check())


IMAPD = """
configdirectory: {folder}/conf
proc_path: {folder}/proc
mboxname_lockpath: {folder}/lock
defaultpartition: default
partition-default: {folder}/spool
virtdomains: userid
"""


@pytest.mark.interop
class Cyrus(InteropCase):
    def test_its_list_is_the_one_that_the_other_tests_read(self) -> None:
        if not Path(CTL_MBOXLIST).exists():
            missing("Cyrus is not installed")
        folder = self.folder()
        for name in ("conf", "proc", "lock", "spool"):
            (folder / name).mkdir()
        config = folder / "imapd.conf"
        config.write_text(IMAPD.format(folder=folder), encoding="ascii")
        shutil.chown(folder, "cyrus", "mail")
        for path in folder.iterdir():
            shutil.chown(path, "cyrus", "mail")
        old = (FILES / "mboxlist.old").read_bytes()
        command = [CTL_MBOXLIST, "-C", str(config)]
        subprocess.run([*command, "-u", "-L"], input=old, check=True, user="cyrus", group="mail")
        done = subprocess.run(
            [*command, "-d"], capture_output=True, check=True, user="cyrus", group="mail"
        )
        found = convert("cyrus", done.stdout)
        kept = convert("cyrus", (FILES / "mboxlist.json").read_bytes())
        self.assertEqual(found, kept)
        self.assertEqual(found.homes, convert("cyrus", old).homes)
