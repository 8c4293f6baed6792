"""The servers whose stores are measured, each on a copy of the same Maildir."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from benchmarks import peers
from benchmarks.peers import Peer

SECTION = """
[server]
name = "store.example"

[[listener]]
endpoint = "tcp:{port}:interface=127.0.0.1"
tls = "none"
allow_cleartext = true

[[backend]]
type = "passwd-file"
file = "{folder}/users"

[serve]
store = "maildir"
root = "{mail}/%u"

[limits]
connections_per_address = 0

[log]
logins = "{folder}/logins.log"
"""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
mail_max_userip_connections = 0
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
login_trusted_networks = 127.0.0.0/8
mail_location = maildir:{mail}/%u
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={mail}/%u
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


Make = Callable[[Path, Path, list[str]], Peer | None]


@attrs.define(kw_only=True)
class Contender:
    """A server with its copy of the mail. indexes: names of the files that it makes there itself.

    patience: seconds that it is given for one command.
    """

    name: str
    make: Make
    indexes: tuple[str, ...]
    folder: Path
    mail: Path
    users: list[str]
    patience: float
    peer: Peer | None = None

    @property
    def running(self) -> Peer:
        """The server, which must have been started."""
        assert self.peer is not None
        return self.peer

    def start(self) -> bool:
        """Start it; False where that is not possible."""
        self.peer = self.make(self.folder, self.mail, self.users)
        return self.peer is not None

    def stop(self) -> None:
        """Stop it, at once where it does not want to."""
        peer, self.peer = self.peer, None
        if peer is not None:
            try:
                peer.__exit__(None, None, None)
            except subprocess.TimeoutExpired:
                peer.process.kill()
                peer.process.wait()

    def restart(self) -> None:
        """Have a new process."""
        self.stop()
        self.start()

    def forget(self) -> None:
        """Remove what it has in its index of the large mailbox; it must not be running."""
        for pattern in self.indexes:
            for path in (self.mail / "big").rglob(pattern):
                path.unlink()


def referrald(folder: Path, mail: Path, users: list[str]) -> Peer:
    """Start referrald with its store on disk."""
    from referrald import __version__

    folder.mkdir(exist_ok=True)
    port = peers.free_port()
    lines = [f"{user}:{{PLAIN}}pass::::::\n" for user in users]
    (folder / "users").write_text("".join(lines), encoding="ascii")
    config = folder / "referrald.toml"
    config.write_text(SECTION.format(folder=folder, mail=mail, port=port), encoding="ascii")
    command = [sys.executable, "-m", "twisted", "--log-file", str(folder / "log"), "referrald"]
    return Peer("referrald", __version__, [*command, "-c", str(config)], port, port)


def dovecot(folder: Path, mail: Path, users: list[str]) -> Peer | None:
    """Start Dovecot, if it is there."""
    program = shutil.which("dovecot")
    if program is None:
        return None
    if not folder.exists():
        folder.mkdir(mode=0o755)
        subprocess.run(["chown", "-R", "mail:mail", str(mail)], check=True)
    port = peers.free_port()
    config = folder / "dovecot.conf"
    config.write_text(DOVECOT.format(folder=folder, mail=mail, port=port), encoding="ascii")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    command = [program, "-F", "-c", str(config)]
    return Peer("Dovecot", version.stdout.split()[0], command, port, port)


def pymap(folder: Path, mail: Path, users: list[str]) -> Peer | None:
    """Start pymap with its maildir backend, in an environment of its own, if it installs."""
    if not folder.exists() and not _install_pymap(folder, mail, users):
        return None
    version = _output(folder, "from importlib.metadata import version; print(version('pymap'))")
    port = peers.free_port()
    command = [str(folder / "bin" / "pymap"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--no-tls", "maildir", str(mail)]
    return Peer("pymap", version, command, port, port)


def _install_pymap(folder: Path, mail: Path, users: list[str]) -> bool:
    venv.create(folder, with_pip=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "pymap"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        return False
    make_hash = "from pysasl.hashing import BuiltinHash as H; print(H(rounds=1000).hash('pass'))"
    hashed = _output(folder, make_hash)
    for name, line in (("passwd", "{0}:::::{0}:\n"), ("shadow", "{0}:{1}:::::::\n")):
        text = "".join(line.format(user, hashed) for user in users)
        (mail / f"pymap-etc-{name}").write_text(text, encoding="ascii")
    return True


def _output(folder: Path, program: str) -> str:
    command = [str(folder / "bin" / "python"), "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


MAKERS: Final[dict[str, tuple[Make, tuple[str, ...]]]] = {
    "referrald": (referrald, ("referrald-index*",)),
    "Dovecot": (dovecot, ("dovecot*",)),
    "pymap": (pymap, ("dovecot*", "pymap*")),
}
"""How each server is started, and what the files of its index are called."""
