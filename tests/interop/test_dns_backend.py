"""The dns backend with a real name server, two real homes and imaplib."""

from __future__ import annotations

import imaplib
import subprocess
import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from referrald.backends.dns.signed import record_name, sign
from referrald.model import Server
from tests.backends.zone import srv, txt
from tests.interop.support import PATIENCE, InteropCase, free_port, make_certificate

HOST = "127.0.0.1"
HOME = "localhost"
PEOPLE = ("ann@one.example", "bob@two.example", "sue@one.example", "tim@none.example")


class Dns(InteropCase):
    def setUp(self) -> None:
        certificate, key = make_certificate(self.folder(), HOME)
        tls = f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n"
        users = [(user, "secret") for user in PEOPLE]
        self.homes = [self.start_home(users, settings=tls) for _ in range(2)]
        self.zone = self.folder() / "zone"
        self.key = Ed25519PrivateKey.generate()
        self.write()
        self.port = free_port()
        self.names = self.start_names()
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.front = self.start_referrald(
            "",
            f"""
[[backend]]
type = "dns"
domains = ["*.example"]
nameservers = ["{HOST}:{self.port}"]
timeout = 0.5
signed_key = "dns.pem"

[auth]
home = true

[directory]
snapshot = "known"

[referral]
login = "relay"

[relay]
ca = "{certificate}"
""",
            files={"dns.pem": pem.decode("ascii")},
        )

    def write(self, swapped: bool = False) -> None:
        one, two = self.homes[::-1] if swapped else self.homes
        signed = sign(self.key, PEOPLE[2], [Server(host=HOME, port=two.port)], 4_000_000_000)
        self.zone.write_text(
            f"_imap._tcp.one.example {srv(HOME, one.port, ttl=1)}\n"
            f"_imap._tcp.two.example {srv(HOME, two.port, ttl=1)}\n"
            f"{record_name(PEOPLE[2])} {txt(signed, ttl=1)}\n"
        )

    def start_names(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.interop.nameserver", str(self.port)]
        with (self.zone.parent / "log").open("wb") as out:
            return self.run_server([*command, str(self.zone)], out, self.port, greets=False)

    def home_of(self, user: str) -> int:
        """Log in at the front door, append a message, and see at which home it is."""
        before = [len(home.messages(user, "")) for home in self.homes]
        with imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE) as client:
            client.login(user, "secret")
            answer = client.append("INBOX", "", "", b"Subject: hello\r\n\r\nhello\r\n")
            self.assertEqual(answer[0], "OK", answer)
        after = [len(home.messages(user, "")) for home in self.homes]
        grown = [new - old for new, old in zip(after, before, strict=True)]
        self.assertEqual(sorted(grown), [0, 1])
        return grown.index(1)

    def refusal(self, user: str) -> str:
        with imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE) as client:
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login(user, "secret")
            return str(caught.exception)

    def test_each_user_comes_to_the_home_of_the_domain_or_to_an_own_one(self) -> None:
        self.assertEqual([self.home_of(user) for user in PEOPLE[:3]], [0, 1, 1])
        self.assertIn("AUTHENTICATIONFAILED", self.refusal(PEOPLE[3]))

    def test_a_change_of_the_zone_counts_when_the_time_of_a_record_is_over(self) -> None:
        self.assertEqual(self.home_of(PEOPLE[0]), 0)
        self.write(swapped=True)
        end = time.monotonic() + PATIENCE
        while self.home_of(PEOPLE[0]) == 0:
            self.assertLess(time.monotonic(), end)
        self.assertEqual([self.home_of(user) for user in PEOPLE[:3]], [1, 0, 0])

    def test_without_a_name_server_known_users_get_in_and_others_learn_that_it_is_not_them(
        self,
    ) -> None:
        self.assertEqual(self.home_of(PEOPLE[0]), 0)
        self.names.terminate()
        self.names.wait(PATIENCE)
        self.assertEqual(self.home_of(PEOPLE[0]), 0)
        self.assertIn("UNAVAILABLE", self.refusal(PEOPLE[1]))
        self.front.wait_for_log(r"backend dns does not answer: .*two\.example: nobody answers")
        self.names = self.start_names()
        self.assertEqual(self.home_of(PEOPLE[1]), 1)

    def test_a_front_door_that_starts_without_a_name_server_knows_whom_it_knew(self) -> None:
        self.assertEqual(self.home_of(PEOPLE[0]), 0)
        self.front.process.terminate()
        self.front.process.wait(PATIENCE)
        self.names.terminate()
        self.names.wait(PATIENCE)
        self.front = self.restarted(self.front)
        self.front.wait_for_log("1 homes are known")
        self.assertEqual(self.home_of(PEOPLE[0]), 0)
        self.assertIn("UNAVAILABLE", self.refusal(PEOPLE[1]))
