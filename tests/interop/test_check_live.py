"""``referralctl check --live`` against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.interop.support import ROOT, InteropCase, free_port, make_certificate
from tests.proves import proves

HOST = "127.0.0.1"


class CheckLive(InteropCase):
    def look(
        self, users: str, more: str, *words: str, piped: str = ""
    ) -> tuple[int, dict[tuple[str, int], str], Any]:
        """Run it on a passwd-file; gives the exit code, the verdicts by address, and the rest."""
        folder = self.folder()
        (folder / "users").write_text(users, encoding="utf-8")
        config = folder / "referrald.toml"
        config.write_text(
            '[server]\nname = "front.example"\n'
            '[[listener]]\nendpoint = "tcp:1143"\ntls = "none"\nallow_cleartext = true\n'
            f'[[backend]]\ntype = "passwd-file"\nfile = "users"\n{more}',
            encoding="utf-8",
        )
        code = "import sys; from referrald.ctl.main import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "-c", str(config), "--format", "json"]
        done = subprocess.run(
            [*command, "check", "--live", *words],
            cwd=ROOT,
            input=piped,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        value = json.loads(done.stdout)
        verdicts = {(each["host"], each["port"]): each["verdict"] for each in value["targets"]}
        return done.returncode, verdicts, value

    def tls_server(self, folder: Path) -> tuple[int, Path]:
        """Start a server whose certificate is for localhost; give its port and authority."""
        certificate, key = make_certificate(folder)
        tls = f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        server = self.start_referrald("alice:{PLAIN}secret\n", tls, 'tls = "starttls"')
        return server.port, certificate

    def test_a_dovecot_is_fine_and_a_dead_port_cannot_be_reached(self) -> None:
        home, dead = self.start_home([("alice", "secret")]), free_port()
        users = "".join(
            f"{name}:::::::host={HOST} port={port} nologin\n"
            for name, port in (("alice", home.port), ("bob", dead), ("carol", home.port))
        )
        more = f'[referral]\nlogin = "relay"\nallow_clear = ["{HOST}"]\n'
        code, verdicts, value = self.look(users, more)
        expected = {(HOST, home.port): "fine", (HOST, dead): "unreachable"}
        self.assertEqual((code, verdicts), (1, expected))
        reason = value["targets"][1]["reason"]
        self.assertTrue(reason.startswith("Connection was refused"), reason)
        words = ("--user", "alice")
        code, verdicts, value = self.look(users[: users.index("bob")], more, *words, piped="secret")
        self.assertEqual((code, value["logins"][0]["verdict"]), (0, "fine"))
        code, _, value = self.look(users[: users.index("bob")], more, *words, piped="wrong")
        self.assertEqual((code, value["logins"][0]["verdict"]), (1, "login refused"))

    @proves("L12")
    def test_certificates_are_checked_by_name_and_authority(self) -> None:
        port, authority = self.tls_server(self.folder())
        users = "".join(
            f"{host}:::::::host={host} port={port} nologin\n" for host in ("localhost", HOST)
        )
        code, verdicts, value = self.look(users, f'[relay]\nca = "{authority}"\n')
        self.assertEqual(code, 1)
        self.assertEqual(verdicts, {("localhost", port): "fine", (HOST, port): "certificate"})
        self.assertEqual(value["targets"][0]["tls"], "starttls")
        self.assertEqual(value["targets"][1]["reason"], "is for localhost")
        code, verdicts, value = self.look(users, "")
        self.assertEqual(set(verdicts.values()), {"certificate"})
        self.assertEqual(value["targets"][0]["reason"], "is self-signed")

    def test_tls_where_there_is_none(self) -> None:
        home = self.start_home([("alice", "secret")])
        users = f"alice:::::::host={HOST} port={home.port} ssl=yes nologin\n"
        users += f"bob:::::::host={HOST} port={home.port} starttls=yes nologin\n"
        code, _, value = self.look(users, "")
        self.assertEqual(code, 1)
        said = [(each["verdict"], each["reason"]) for each in value["targets"]]
        self.assertEqual(
            said, [("no TLS", "wrong version number"), ("no TLS", "the server offers none")]
        )
