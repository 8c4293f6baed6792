"""A real Dovecot that takes the client's address from a header of the PROXY protocol."""

from __future__ import annotations

import socket

from tests.interop.shared import open_client
from tests.interop.support import Dovecot, InteropCase, free_port, make_certificate

HOST = "localhost"
FAR = "198.51.100.9"
LISTENERS = """
haproxy_trusted_networks = 127.0.0.0/8 ::1
haproxy_timeout = 3s
service imap-login {{
  inet_listener proxied {{
    port = {clear}
    haproxy = yes
  }}
  inet_listener proxieds {{
    port = {tls}
    ssl = yes
    haproxy = yes
  }}
}}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
"""


class Proxied(InteropCase):
    def start(self) -> tuple[Dovecot, int, int, str]:
        certificate, key = make_certificate(self.folder(), HOST)
        clear, tls = free_port(), free_port()
        settings = LISTENERS.format(clear=clear, tls=tls, certificate=certificate, key=key)
        home = self.start_home([("alice", "secret")], settings=settings)
        return home, clear, tls, str(certificate)

    def test_dovecot_logs_the_clients_address_with_and_without_tls(self) -> None:
        home, clear, tls, ca = self.start()
        lines: set[str] = set()
        for port, how in ((clear, ""), (tls, "ssl=yes")):
            front = self.start_referrald(
                f"alice:{{PLAIN}}secret::::::host={HOST} port={port} {how} nologin\n",
                f'[referral]\nlogin = "relay"\n[relay]\nca = "{ca}"\nproxy = ["{HOST}"]\n',
            )
            with open_client(front.port) as client:
                self.assertEqual(client.select("INBOX")[1], [b"1"])
            front.wait_for_log("relayed to")
            line = [each for each in home.log.splitlines() if "Login: user=<alice>" in each][-1]
            self.assertRegex(line, r"rip=127\.0\.0\.1, lip=127\.0\.0\.1,.* TLS")
            lines.add(line)
        self.assertEqual(len(lines), 2)

    def test_an_address_that_a_trusted_front_gives_goes_all_the_way(self) -> None:
        home, clear, _, ca = self.start()
        front = self.start_referrald(
            f"alice:{{PLAIN}}secret::::::host={HOST} port={clear} nologin\n",
            f'[referral]\nlogin = "relay"\n[relay]\nca = "{ca}"\nproxy = ["{HOST}"]\n',
            own='trusted = ["127.0.0.0/8"]',
        )
        raw = front.connect()
        self.addCleanup(raw.close)
        raw.sendall(f'i ID ("x-originating-ip" "{FAR}" "x-originating-port" "77")\r\n'.encode())
        raw.sendall(b"a LOGIN alice secret\r\n")
        self.wait_for(raw, b"a OK ")
        self.assertIn(f"rip={FAR}, lip=127.0.0.1,", home.log)
        front.wait_for_log(rf"peer={FAR}:77 .*result=relayed")

    def wait_for(self, raw: socket.socket, what: bytes) -> None:
        seen = b""
        while what not in seen:
            piece = raw.recv(4096)
            self.assertTrue(piece, seen)
            seen += piece
