"""The servers that are measured, each set up to refer every login, as a site would run it.

Dovecot answers from a static passdb (no file is read at all) with long-lived login processes; nginx
asks an auth_http location of its own. Both are the cheapest form of the same work, so that the
comparison favours them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SERVER_CORE = 0

REFERS = """
passdb {
  driver = static
  args = password=pass nologin=y host=home.example
}
"""
"""What Dovecot does about every login."""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
auth_mechanisms = plain
login_trusted_networks = 127.0.0.0/8
mail_max_userip_connections = 0
first_valid_uid = 1
default_client_limit = 20000
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/home
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = 12000
  vsz_limit = 2G
  inet_listener imap {{
    port = {clear}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{passdb}"""

REFUSES = (
    'add_header Auth-Status "[REFERRAL imap://$http_auth_user;AUTH=*@home.example/] There." always;'
)
"""What nginx is told about every login."""

NGINX = """
{module}
user root;
worker_processes 1;
worker_rlimit_nofile 30000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
daemon off;
events {{ worker_connections 25000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{http};
    location / {{
      {answer}
      return 200;
    }}
  }}
}}
mail {{
  server_name localhost;
  auth_http 127.0.0.1:{http}/;
  imap_auth plain login;
  ssl_certificate {cert};
  ssl_certificate_key {key};
  server {{ listen 127.0.0.1:{clear} backlog=4096; protocol imap; }}
  server {{ listen 127.0.0.1:{tls} ssl backlog=4096; protocol imap; }}
}}
"""

LISTENERS = """
[server]
name = "door.example"

[[listener]]
name = "clear"
endpoint = "tcp:{clear}:interface=127.0.0.1:backlog=4096"
tls = "none"
allow_cleartext = true

[[listener]]
name = "tls"
endpoint = "tcp:{tls}:interface=127.0.0.1:backlog=4096"
tls = "implicit"

[tls]
certificate = "{cert}"
key = "{key}"
"""

REFERRALD = (
    LISTENERS
    + """
[[backend]]
name = "users"
type = "passwd-file"
file = "{users}"

[serve]
store = "memory"

[referral]
# The load is one address that logs in for ever: what the storm breaker is there to stop.
storm_count = 1000000
storm_window = 1

[limits]
connections = 20000
connections_per_address = 0
auth_time = "10m"

[log]
logins = "{folder}/logins.log"
"""
)


def free_port() -> int:
    """Find a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a P-256 certificate for localhost; give the paths of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now().astimezone()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


def write_users(path: Path, count: int) -> None:
    """Write a passwd-file of ``count`` users who live elsewhere, and one who lives here."""
    with path.open("w", encoding="ascii") as file:
        file.write("local:{PLAIN}pass::::::\n")
        for number in range(count):
            host = f"home{number % 50}.example"
            file.write(f"user{number}:{{PLAIN}}pass::::::host={host} nologin\n")


class Peer:
    """A running server: its name, version, process and two ports."""

    def __init__(
        self,
        name: str,
        version: str,
        command: list[str],
        clear: int,
        tls: int,
        core: int = SERVER_CORE,
    ) -> None:
        self.name = name
        self.version = version
        self.clear = clear
        self.tls = tls
        pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
        self.process = subprocess.Popen(
            [*pinned, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    @property
    def pid(self) -> int:
        """The root of the process tree."""
        return self.process.pid

    def _wait(self) -> None:
        end = time.monotonic() + 120
        for port in (self.clear, self.tls):
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                        if port == self.tls or probe.recv(100):
                            break
                except OSError:
                    pass
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} did not start")
                time.sleep(0.1)

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def dovecot(
    folder: Path, cert: Path, key: Path, passdb: str = REFERS, core: int = SERVER_CORE
) -> Peer | None:
    """Start Dovecot, if it is there."""
    program = shutil.which("dovecot")
    if program is None or os.geteuid() != 0:
        return None
    clear, tls = free_port(), free_port()
    config = folder / "dovecot.conf"
    filled = DOVECOT.format(folder=folder, cert=cert, key=key, clear=clear, tls=tls, passdb=passdb)
    config.write_text(filled, encoding="ascii")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return Peer(
        "Dovecot",
        version.stdout.split()[0],
        [program, "-F", "-c", str(config)],
        clear,
        tls,
        core,
    )


def nginx(folder: Path, cert: Path, key: Path, answer: str = REFUSES) -> Peer | None:
    """Start nginx, if it is there with its mail module."""
    program = shutil.which("nginx")
    if program is None or os.geteuid() != 0:
        return None
    module = Path("/usr/lib/nginx/modules/ngx_mail_module.so")
    load = f"load_module {module};" if module.exists() else ""
    clear, tls = free_port(), free_port()
    config = folder / "nginx.conf"
    filled = NGINX.format(
        module=load, folder=folder, cert=cert, key=key, clear=clear, tls=tls, http=free_port(),
        answer=answer,
    )  # fmt: skip
    config.write_text(filled, encoding="ascii")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    name = version.stderr.strip().rpartition("/")[2]
    return Peer("nginx", name, [program, "-c", str(config)], clear, tls)


def referrald(folder: Path, cert: Path, key: Path, users: int, name: str = "referrald") -> Peer:
    """Start referrald with that many users in its passwd-file."""
    from referrald import __version__

    folder.mkdir(exist_ok=True)
    clear, tls = free_port(), free_port()
    table = folder / "users"
    write_users(table, users)
    config = folder / "referrald.toml"
    filled = REFERRALD.format(folder=folder, cert=cert, key=key, clear=clear, tls=tls, users=table)
    config.write_text(filled, encoding="ascii")
    command = [sys.executable, "-m", "twisted", "--log-file", str(folder / "log"), "referrald"]
    return Peer(name, __version__, [*command, "-c", str(config)], clear, tls)
