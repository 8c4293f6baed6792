"""Other people's proxies in front of referrald, Dovecot's and nginx's: they do not follow."""

from __future__ import annotations

import http.server
import imaplib
import threading
from pathlib import Path

from tests.interop.shared import message, subjects
from tests.interop.support import (
    PATIENCE,
    SUBJECT,
    Dovecot,
    InteropCase,
    Referrald,
    free_port,
    missing,
    need,
)
from tests.interop.together import HOST, MANY, TogetherCase, lives, relaying

MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"
NGINX = """
load_module {module};
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{
    worker_connections 256;
}}
mail {{
    auth_http {host}:{auth}/;
    imap_capabilities IMAP4rev1 IDLE UIDPLUS;
    imap_auth plain login;
    server {{
        listen {host}:{port};
        protocol imap;
        proxy_pass_error_message on;
    }}
    server {{
        listen {host}:{silent};
        protocol imap;
    }}
}}
"""


class WhereTo(http.server.BaseHTTPRequestHandler):
    """Answers nginx's `auth_http`: the front door of a user, who has to prove it there."""

    ports: dict[str, int] = {}

    def do_GET(self) -> None:
        """Name a server."""
        self.send_response(200)
        self.send_header("Auth-Status", "OK")
        self.send_header("Auth-Server", HOST)
        self.send_header("Auth-Port", str(self.ports[self.headers["Auth-User"]]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def start_dovecot_proxy(servers: InteropCase, ports: dict[str, int]) -> int:
    """Start a Dovecot that passes each user's sessions on to a port; give its own."""
    table = servers.folder() / "proxied"
    lines = [
        f"{user}:::::::nopassword=y proxy=y host={HOST} port={port}\n"
        for user, port in ports.items()
    ]
    table.write_text("".join(lines), encoding="ascii")
    passdb = f"driver = passwd-file\nargs = {table}"
    return servers.start_home([], passdb=passdb).port


def start_nginx(servers: InteropCase, ports: dict[str, int]) -> tuple[int, int]:
    """Start an nginx that passes each user's sessions on to a port; give two of its own.

    At the first it hands on what the server says to a login that fails, at the other it does not.
    """
    program = need("nginx")
    if not Path(MODULE).exists():
        missing("nginx's mail module is not installed")
    handler = type("ToPorts", (WhereTo,), {"ports": ports})
    asked = http.server.ThreadingHTTPServer((HOST, 0), handler)
    thread = threading.Thread(target=asked.serve_forever, daemon=True)
    thread.start()
    for step in (asked.server_close, thread.join, asked.shutdown):
        servers.addCleanup(step)
    folder, port, silent = servers.folder(), free_port(), free_port()
    values = {"folder": folder, "module": MODULE, "host": HOST, "port": port, "silent": silent}
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(auth=asked.server_port, **values), encoding="ascii")
    with (folder / "out").open("wb") as out:
        servers.run_server([program, "-c", str(config), "-e", str(folder / "nginx.log")], out, port)
    return port, silent


class InFront(TogetherCase):
    """Two front doors: the one of alice goes by `auto`, the one of bob refers whatever comes."""

    home: Dovecot
    front: Referrald
    refers: Referrald
    dovecot: int
    nginx: int
    silent: int

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start a home, two front doors, and what stands in front of them."""
        cls.home = servers.start_home([("alice", "secret")], folders=["Sent"])
        choosing = relaying(login="auto") + 'follow = ["alpine"]\n'
        cls.front = servers.start_referrald(
            lives("alice", cls.home.port), choosing + MANY + "failure_delay = 0\n"
        )
        cls.refers = servers.start_referrald(lives("bob", cls.home.port), relaying(login="refer"))
        ports = {"alice": cls.front.port, "bob": cls.refers.port}
        cls.dovecot = start_dovecot_proxy(servers, ports)
        cls.nginx, cls.silent = start_nginx(servers, ports)

    def client(self, port: int) -> imaplib.IMAP4:
        """Connect to a port."""
        client = imaplib.IMAP4(HOST, port, timeout=PATIENCE)
        self.addCleanup(client.shutdown)
        return client

    def works(self, port: int, name: str) -> None:
        """Log in through a proxy; list, read and append."""
        before = self.front.log.count(f"result=relayed target={HOST}:{self.home.port}")
        client = self.client(port)
        client.login("alice", "secret")
        self.assertIn(b"Sent", b"".join(client.list()[1]))
        self.assertIn(f"Subject: {SUBJECT}", subjects(client, "INBOX"))
        client.append("Sent", "", "", message(f"By {name}"))
        self.assertIn(f"Subject: By {name}", subjects(client, "Sent"))
        after = self.front.log.count(f"result=relayed target={HOST}:{self.home.port}")
        self.assertEqual(after - before, 1)
        error = self.assertRaises(imaplib.IMAP4.error, self.client(port).login, "alice", "wrong")
        self.assertIn("AUTHENTICATIONFAILED", str(error))

    def test_a_dovecot_proxy_in_front_is_relayed(self) -> None:
        self.works(self.dovecot, "Dovecot")

    def test_nginx_in_front_is_relayed(self) -> None:
        self.works(self.nginx, "nginx")

    def test_a_referral_goes_through_both_of_them_to_the_client(self) -> None:
        for port in (self.dovecot, self.nginx):
            error = self.assertRaises(imaplib.IMAP4.error, self.client(port).login, "bob", "secret")
            self.assertIn(f"[REFERRAL imap://bob;AUTH=*@{HOST}:{self.home.port}/] ", str(error))

    def test_of_an_nginx_that_hands_nothing_on_the_client_learns_nothing(self) -> None:
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            self.client(self.silent).login("bob", "secret")
        self.assertNotIn("REFERRAL", str(caught.exception))
        self.refers.wait_for_log('user="bob" .*result=referred')
