"""Real servers for the interop tests: a referrald and a Dovecot, on free ports of 127.0.0.1.

A missing program skips a test and says so; with REFERRALD_REQUIRE_INTEROP=1, as in continuous
integration, it fails instead.
"""

from __future__ import annotations

import base64
import imaplib
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from unittest import SkipTest

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
SUBJECT = "Greetings from the home server"

MESSAGE = f"""\
From: Dodo <dodo@home.example>
To: alice@home.example
Subject: {SUBJECT}
Date: Wed, 25 Nov 2026 10:00:00 +0000
Message-ID: <1@home.example>

This message lies in Dovecot.
"""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
mail_max_userip_connections = 0
login_trusted_networks = 127.0.0.1
mail_location = maildir:{folder}/mail/%u:LAYOUT=fs
namespace inbox {{
  inbox = yes
  separator = /
}}
{plugins}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwd
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""

# Rights on mailboxes (RFC 4314): the owner has all of them, others what SETACL gives them.
ACL = """
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
}
"""


def need(program: str) -> str:
    """Find a program; skip the test without it, or fail where it is required."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        missing(f"{program} is not installed")
    assert found is not None
    return found


def missing(what: str) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("REFERRALD_REQUIRE_INTEROP"):
        raise AssertionError(what)
    raise SkipTest(what)


def free_port() -> int:
    """Find a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], greets: bool) -> None:
    """Wait until somebody listens on the port and, unless TLS comes first, greets."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                if not greets or probe.recv(10):
                    return
        except OSError:
            select.select([], [], [], 0.05)
    raise AssertionError(f"nobody listens on port {port}")


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Make a self-signed certificate; give the paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}-cert.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.mark.interop
class InteropCase(SynchronousTestCase):
    """A test that starts servers; they are stopped by their own process ids."""

    def folder(self) -> Path:
        """Make a folder of this test that every user may read."""
        # A short path: Dovecot's sockets in it have room for some hundred characters.
        path = Path(tempfile.mkdtemp(prefix="rfd"))
        path.chmod(0o755)
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def run_server(
        self, command: list[str], out: IO[bytes], port: int, greets: bool = True
    ) -> subprocess.Popen[bytes]:
        """Start a server and wait until it greets."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
        )
        self.addCleanup(self._stop, process)
        try:
            wait_for_port(port, process, greets)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{Path(out.name).read_text()}") from None
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(PATIENCE)

    def start_dovecot(self, users: Iterable[tuple[str, str]]) -> int:
        """Start a home server with Maildir users; give its port."""
        return self.start_home(users).port

    def start_home(
        self,
        users: Iterable[tuple[str, str]],
        *,
        folders: Iterable[str] = (),
        acl: bool = False,
        settings: str = "",
        passdb: str = "",
    ) -> Dovecot:
        """Start a Dovecot whose users have one message in the INBOX, and these other folders.

        acl: it has the commands of RFC 4314 as well. settings: lines for its configuration, which
        count before all others. passdb: lines of one that is asked first.
        """
        program = need("dovecot")
        if os.geteuid() != 0:
            missing("Dovecot is started as root only")
        folder, port = self.folder(), free_port()
        users, lines = list(users), []
        (folder / "mail").mkdir()
        for user, password in users:
            lines.append(f"{user}:{{PLAIN}}{password}::::::\n")
            for part in ("cur", "new", "tmp"):
                (folder / "mail" / user / part).mkdir(parents=True)
            (folder / "mail" / user / "new" / "1.message").write_text(MESSAGE, encoding="ascii")
        subprocess.run(["chown", "-R", "mail:mail", str(folder / "mail")], check=True)
        (folder / "passwd").write_text("".join(lines), encoding="utf-8")
        config = folder / "dovecot.conf"
        plugins = ACL if acl else ""
        if passdb:
            plugins += f"passdb {{\n{passdb}\n}}\n"
        config.write_text(
            DOVECOT.format(folder=folder, port=port, ssl="no", tls="", plugins=plugins) + settings,
            encoding="ascii",
        )
        with (folder / "out").open("wb") as out:
            process = self.run_server([program, "-F", "-c", str(config)], out, port)
        home = Dovecot(port, folder, process)
        for user, password in users:
            home.make(user, password, folders)
        return home

    def start_referrald(
        self,
        users: str,
        extra: str = "",
        listener: str = "",
        options: Iterable[str] = (),
        files: Mapping[str, str] | None = None,
        own: str = "",
    ) -> Referrald:
        """Start a front door whose passwd-file holds ``users``; ``files`` lie beside that.

        own: further lines of its ``[server]`` section.
        """
        folder, port = self.folder(), free_port()
        for name, content in (files or {}).items():
            (folder / name).write_text(content, encoding="utf-8")
        (folder / "users").write_text(users, encoding="utf-8")
        config = folder / "referrald.toml"
        default = 'tls = "none"\nallow_cleartext = true'
        config.write_text(
            f"""
[server]
name = "front.example"
{own}

[[listener]]
endpoint = "tcp:{port}:interface=127.0.0.1"
{listener or default}

[[backend]]
type = "passwd-file"
file = "users"
scheme = "PLAIN"
poll = 0.2

{extra}
""",
            encoding="utf-8",
        )
        log = folder / "log"
        twistd = "from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", twistd, "-n", "--pidfile", str(folder / "pid")]
        command += ["referrald", "-c", str(config), *options]
        with log.open("wb") as out:
            process = self.run_server(command, out, port, "implicit" not in listener)
        return Referrald(port, folder, log, process)

    def restarted(self, front: Referrald) -> Referrald:
        """Start a front door again that has ended."""
        command = [str(each) for each in front.process.args]  # type: ignore[union-attr]
        with front.log_path.open("ab") as out:
            process = self.run_server(command, out, front.port)
        return Referrald(front.port, front.folder, front.log_path, process)

    def start_shared(self, mailboxes: str, *, referral: str = "", more: str = "") -> Referrald:
        """Start a front door where alice's mailboxes are, but for those that ``mailboxes`` names.

        mailboxes: a file of the table backend. referral: lines of that section. more: others.
        """
        return self.start_referrald(
            "alice:{PLAIN}secret::::::\n",
            f"""
[[backend]]
type = "table"
file = "shared.toml"
poll = 0.2

[serve]
store = "memory"

[referral]
allow_clear = ["127.0.0.1"]
{referral}

{more}
""",
            files={"shared.toml": mailboxes},
        )


class Dovecot:
    """A running home server."""

    def __init__(self, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.folder = folder
        self.process = process

    def stop(self) -> None:
        """End it, with all its sessions."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def login(self, user: str, password: str) -> imaplib.IMAP4:
        """Open a session of a user."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=PATIENCE)
        client.login(user, password)
        return client

    def make(self, user: str, password: str, folders: Iterable[str]) -> None:
        """Make folders, by IMAP, so that their names on disk are Dovecot's business."""
        names = list(folders)
        if not names:
            return
        with self.login(user, password) as client:
            for name in names:
                answer = client.create(quoted(name))
                assert answer[0] == "OK", (name, answer)

    def messages(self, user: str, name: str) -> list[str]:
        """Read the files of a folder with a plain name; ``""`` is the INBOX. None gives none."""
        box = self.folder / "mail" / user / name
        files = sorted(file for part in ("new", "cur") for file in (box / part).glob("*"))
        return [file.read_text(encoding="utf-8") for file in files]

    @property
    def log(self) -> str:
        """What it has logged: a line for each login and logout, among others."""
        return (self.folder / "dovecot.log").read_text(encoding="utf-8")


def quoted(name: str) -> str:
    """Write a mailbox name as a client does: in quotes and modified UTF-7 (RFC 3501 5.1.3)."""
    text = re.sub("&|[^ -~]+", _shifted, name)
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _shifted(match: re.Match[str]) -> str:
    code = base64.b64encode(match.group().encode("utf-16-be"), b"+,").decode("ascii")
    return "&-" if match.group() == "&" else f"&{code.rstrip('=')}-"


class Referrald:
    """A running front door."""

    def __init__(
        self, port: int, folder: Path, log: Path, process: subprocess.Popen[bytes]
    ) -> None:
        self.port = port
        self.folder = folder
        self.log_path = log
        self.process = process

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_path.read_text(encoding="utf-8")

    def wait_for_log(self, pattern: str) -> str:
        """Wait until a line of the log matches; give it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.log.splitlines():
                if re.search(pattern, line):
                    return line
            select.select([], [], [], 0.05)
        raise AssertionError(f"no line of the log matches {pattern!r}:\n{self.log}")

    def connect(self) -> socket.socket:
        """Open a connection and read the greeting."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.recv(4096)
        return client
