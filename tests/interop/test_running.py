"""The server as a process: TLS, reload, a clean end, what is wrong with a configuration."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from tests.interop.support import (
    PATIENCE,
    ROOT,
    InteropCase,
    Referrald,
    free_port,
    make_certificate,
)
from tests.proves import proves

USERS = "alice:{PLAIN}secret::::::host=home.example nologin\nbob:{PLAIN}secret::::::\n"
MEMORY = '[serve]\nstore = "memory"'
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n"]


def ask(client: socket.socket, line: bytes) -> bytes:
    """Send a line and read up to its tagged answer."""
    client.sendall(line + b"\r\n")
    tag, answer = line.split(b" ")[0], b""
    while not any(part.startswith(tag + b" ") for part in answer.split(b"\r\n")):
        data = client.recv(4096)
        if not data:
            break
        answer += data
    return answer


def ended(client: socket.socket) -> bool:
    """Read until the server ends the connection, whichever way."""
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def tls_context(certificate: Path) -> ssl.SSLContext:
    """Trust one certificate, under the name that it has."""
    return ssl.create_default_context(cafile=str(certificate))


class Tls(InteropCase):
    def setUp(self) -> None:
        self.certificates = self.folder()
        self.certificate, self.key = make_certificate(self.certificates)

    def start(self, tls: str, more: str = "") -> Referrald:
        """Start a front door with TLS."""
        section = f'[tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n{more}'
        return self.start_referrald(USERS, f"{section}\n{MEMORY}", f'tls = "{tls}"')

    def over_tls(self, front: Referrald, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Connect with TLS from the first byte."""
        raw = socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE)
        context = context or tls_context(self.certificate)
        return context.wrap_socket(raw, server_hostname="localhost")

    @proves("L11", "L12", "base:STARTTLS", "base:AUTH vs LOGINDISABLED")
    def test_starttls_forgets_what_came_in_the_clear_and_then_takes_logins(self) -> None:
        front = self.start("starttls")
        client = front.connect()
        self.addCleanup(client.close)
        self.assertIn(b"a NO [PRIVACYREQUIRED]", ask(client, b"a LOGIN alice secret"))
        client.sendall(b"b STARTTLS\r\nc LOGIN bob secret\r\n")
        self.assertEqual(client.recv(4096), b"b OK Begin TLS now.\r\n")
        secure = tls_context(self.certificate).wrap_socket(client, server_hostname="localhost")
        self.addCleanup(secure.close)
        answer = ask(secure, b"d LOGIN alice secret")
        self.assertTrue(answer.startswith(b"d NO [REFERRAL imap://alice;AUTH=*@home.example/]"))
        self.assertIn(b"e OK", ask(secure, b"e LOGIN bob secret"))

    def test_implicit_tls_greets_after_the_handshake_and_garbage_is_let_go(self) -> None:
        front = self.start("implicit")
        client = self.over_tls(front)
        self.addCleanup(client.close)
        self.assertIn(b"AUTH=PLAIN", client.recv(4096))
        self.assertIn(b"a NO [REFERRAL", ask(client, b"a LOGIN alice secret"))
        with socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE) as garbage:
            garbage.sendall(b"a LOGIN alice secret\r\n")
            self.assertTrue(ended(garbage))
        self.assertIn(b"b OK", ask(client, b"b NOOP"))
        self.assertNotIn("Traceback", front.log)

    @proves("L5")
    def test_a_client_certificate_logs_in_by_external(self) -> None:
        authority, key = make_certificate(self.certificates, "alice")
        front = self.start("implicit", f'client_ca = "{authority}"')
        context = tls_context(self.certificate)
        context.load_cert_chain(authority, key)
        client = self.over_tls(front, context)
        self.addCleanup(client.close)
        self.assertIn(b"AUTH=EXTERNAL", client.recv(4096))
        answer = ask(client, b"a AUTHENTICATE EXTERNAL =")
        self.assertIn(b"a NO [REFERRAL imap://alice;AUTH=*@home.example/]", answer)
        client = self.over_tls(front)
        self.addCleanup(client.close)
        self.assertNotIn(b"AUTH=EXTERNAL", client.recv(4096))

    def test_a_new_certificate_is_used_after_sighup_and_connections_stay(self) -> None:
        front = self.start("implicit")
        old = self.over_tls(front)
        self.addCleanup(old.close)
        old.recv(4096)
        new, key = make_certificate(self.folder())
        self.certificate.write_bytes(new.read_bytes())
        self.key.write_bytes(key.read_bytes())
        front.process.send_signal(signal.SIGHUP)
        front.wait_for_log("configuration reloaded")
        self.assertIn(b"a OK", ask(old, b"a NOOP"))
        client = self.over_tls(front, tls_context(new))
        self.addCleanup(client.close)
        self.assertIn(b"* OK", client.recv(4096))


class Reload(InteropCase):
    def test_a_bad_configuration_changes_nothing_and_a_good_one_keeps_connections(self) -> None:
        front = self.start_referrald(USERS, MEMORY)
        client = front.connect()
        self.addCleanup(client.close)
        config = front.folder / "referrald.toml"
        good = config.read_text()
        config.write_text(good.replace("[serve]", "[sreve]"))
        front.process.send_signal(signal.SIGHUP)
        front.wait_for_log("not reloaded: .*sreve")
        front.wait_for_log("the old configuration stays in force")
        self.assertIn(b"a OK", ask(client, b"a NOOP"))
        with front.connect() as other:
            self.assertIn(b"b OK", ask(other, b"b LOGIN bob secret"))
        config.write_text(good + '\n[referral]\ntext = "Gone fishing."\n')
        front.process.send_signal(signal.SIGHUP)
        front.wait_for_log("configuration reloaded")
        self.assertIn(b"] Gone fishing.", ask(client, b"c LOGIN alice secret"))
        with front.connect() as other:
            self.assertIn(b"] Gone fishing.", ask(other, b"d LOGIN alice secret"))

    def test_a_changed_users_file_is_noticed_and_a_broken_one_is_not_taken(self) -> None:
        front = self.start_referrald(USERS)
        users = front.folder / "users"
        (front.folder / "new").write_text("alice:{PLAIN}secret::::::host= nologin=\n:::\n")
        (front.folder / "new").rename(users)
        front.wait_for_log(r"users:\d")
        with front.connect() as client:
            self.assertIn(b"@home.example/]", ask(client, b"a LOGIN alice secret"))
        (front.folder / "new").write_text(USERS.replace("home.example", "new.example"))
        (front.folder / "new").rename(users)
        front.wait_for_log("(?i)users.*(changed|reread|loaded|again)")
        with front.connect() as client:
            self.assertIn(b"@new.example/]", ask(client, b"a LOGIN alice secret"))

    def test_listeners_come_and_go(self) -> None:
        front = self.start_referrald(USERS)
        config = front.folder / "referrald.toml"
        port = free_port()
        more = (
            f'[[listener]]\nendpoint = "tcp:{port}:interface=127.0.0.1"\ntls = "none"\n'
            'drain = "other.example"\n'
        )
        good = config.read_text()
        config.write_text(good + more)
        front.process.send_signal(signal.SIGHUP)
        front.wait_for_log("configuration reloaded")
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            greeting = client.recv(4096)
        self.assertIn(b"* BYE [REFERRAL imap://;AUTH=*@other.example/]", greeting)
        config.write_text(good)
        front.process.send_signal(signal.SIGHUP)
        front.wait_for_log("closing tcp")
        self.assertRaises(OSError, socket.create_connection, ("127.0.0.1", port), 5)


class TheEnd(InteropCase):
    def test_sigterm_says_bye_to_everyone_and_leaves_cleanly(self) -> None:
        front = self.start_referrald(USERS)
        client = front.connect()
        self.addCleanup(client.close)
        front.process.terminate()
        self.assertTrue(client.recv(4096).startswith(b"* BYE "))
        client.close()
        # Twisted ends as its signal says, which supervisors take for a clean end.
        self.assertIn(front.process.wait(PATIENCE), (0, -signal.SIGTERM))
        self.assertNotIn("Traceback", front.log)

    def test_a_port_that_is_taken_is_one_line_and_status_one(self) -> None:
        front = self.start_referrald(USERS)
        command = [*TWISTD, "--pidfile=", "referrald", "-c", str(front.folder / "referrald.toml")]
        done = self.run_twistd(command)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("cannot start: Couldn't listen on", done.stdout)
        self.assertNotIn("Traceback", done.stdout)

    @proves("L9")
    def test_a_bad_configuration_is_told_whole_without_a_traceback(self) -> None:
        folder = self.folder()
        config = folder / "bad.toml"
        config.write_text('[server]\nnme = "x"\n[[listener]]\nendpoint = "tcp:99999"\n')
        done = self.run_twistd([*TWISTD, "referrald", "-c", str(config)])
        self.assertEqual(done.returncode, 1)
        self.assertGreaterEqual(len(done.stdout.splitlines()), 3, done.stdout)
        for line in done.stdout.splitlines():
            self.assertTrue(line.startswith(str(config)), line)

    def run_twistd(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a twistd that ends by itself."""
        return subprocess.run(
            command,
            cwd=self.folder(),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


class Credentials(InteropCase):
    def test_a_checker_of_twisteds_auth_option_is_asked_too(self) -> None:
        checker = self.folder() / "passwords"
        checker.write_text("carol:hunter2\n")
        front = self.start_referrald(
            USERS + "carol:::::::host=carol.example nologin\n",
            options=["--auth", f"file:{checker}"],
        )
        with front.connect() as client:
            self.assertIn(b"@carol.example/]", ask(client, b"a LOGIN carol hunter2"))
            self.assertIn(b"b NO [AUTHENTICATIONFAILED]", ask(client, b"b LOGIN carol secret"))
            self.assertIn(b"@home.example/]", ask(client, b"c LOGIN alice secret"))

    @proves("S4")
    def test_no_password_is_in_the_log_whatever_the_outcome(self) -> None:
        front = self.start_referrald(USERS.replace("secret", "hunter2"), MEMORY)
        with front.connect() as client:
            ask(client, b"a LOGIN alice hunter2")
            ask(client, b"b LOGIN alice hunter22")
            ask(client, b"c AUTHENTICATE PLAIN " + b64encode(b"\0alice\0hunter2"))
            ask(client, b"d LOGIN bob hunter2")
        front.wait_for_log("result=served")
        self.assertNotIn("hunter2", front.log)
