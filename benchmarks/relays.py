"""The relays that are measured, each set up to take every user to the same home server.

Users whose names begin with ``tls`` are at its TLS port, all others at the one in the clear; nginx
knows no TLS to the home and does not have them. As in `benchmarks.peers`, Dovecot and nginx are
asked for the least work that gives the same answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import attrs

from benchmarks import peers
from benchmarks.peers import LISTENERS, Peer, free_port

USERS = 100


@attrs.frozen(kw_only=True)
class Site:
    """What all of them are told: a folder of their own, the certificate, the home's two ports."""

    folder: Path
    cert: Path
    key: Path
    clear: int
    tls: int


PROXIES = """
ssl_client_ca_file = {cert}
passdb {{
  driver = static
  username_filter = tls*
  args = password=pass proxy=y host=127.0.0.1 port={home_tls} ssl=any-cert
}}
passdb {{
  driver = static
  args = password=pass proxy=y host=127.0.0.1 port={home_clear}
}}
"""

SENDS_ON = """add_header Auth-Status OK always;
      add_header Auth-Server 127.0.0.1 always;
      add_header Auth-Port {home_clear} always;"""

REFERRALD = (
    LISTENERS
    + """
[[backend]]
name = "users"
type = "passwd-file"
file = "{folder}/users"

[serve]
store = "none"

[referral]
login = "relay"
allow_clear = ["127.0.0.1"]

[relay]
ca = "{cert}"

[limits]
connections = 20000
connections_per_address = 0
auth_time = "10m"

[log]
logins = "{folder}/logins.log"
"""
)


MAILBOXES = """
[server]
name = "door.example"

[[listener]]
endpoint = "tcp:{clear}:interface=127.0.0.1:backlog=4096"
tls = "none"
allow_cleartext = true

[[backend]]
type = "passwd-file"
file = "{folder}/local-users"

[[backend]]
type = "table"
file = "{folder}/mailboxes.toml"

[serve]
store = "memory"

[referral]
allow_clear = ["127.0.0.1"]
"""

TABLE = """
[servers.home]
host = "127.0.0.1"
port = {port}
security = "none"

[[mailboxes]]
match = "Big"
server = "home"
"""


def write_users(path: Path, site: Site) -> None:
    """Write a passwd-file of users at the home's port in the clear, and of as many with TLS."""
    homes = {
        "user": f"host=127.0.0.1 port={site.clear}",
        "tls": f"host=localhost port={site.tls} ssl=yes",
    }
    with path.open("w", encoding="ascii") as file:
        for name, home in homes.items():
            for number in range(USERS):
                file.write(f"{name}{number}:{{PLAIN}}pass::::::{home} nologin\n")


def _configure(site: Site, name: str, template: str) -> tuple[Path, int, int]:
    """Write a configuration; give its path and the two ports that it listens on."""
    clear, tls = free_port(), free_port()
    path = site.folder / name
    given = {
        "folder": site.folder, "cert": site.cert, "key": site.key, "clear": clear, "tls": tls,
    }  # fmt: skip
    path.write_text(template.format(**given), encoding="ascii")
    return path, clear, tls


def dovecot(site: Site) -> Peer | None:
    """Start Dovecot as a proxy, if it is there."""
    passdb = PROXIES.format(cert=site.cert, home_clear=site.clear, home_tls=site.tls)
    return peers.dovecot(site.folder, site.cert, site.key, passdb)


def nginx(site: Site) -> Peer | None:
    """Start nginx as a mail proxy, if it is there with its mail module."""
    answer = SENDS_ON.format(home_clear=site.clear)
    return peers.nginx(site.folder, site.cert, site.key, answer)


def with_mailboxes(site: Site, home: int) -> Peer:
    """Start a referrald that serves the users, but for the mailbox ``Big``: its server is home."""
    from referrald import __version__

    lines = [f"user{number}:{{PLAIN}}pass::::::\n" for number in range(USERS)]
    (site.folder / "local-users").write_text("".join(lines), encoding="ascii")
    (site.folder / "mailboxes.toml").write_text(TABLE.format(port=home), encoding="ascii")
    path, clear, _ = _configure(site, "mailboxes-door.toml", MAILBOXES)
    log = str(site.folder / "mailboxes.log")
    command = [sys.executable, "-m", "twisted", "--log-file", log, "referrald", "-c", str(path)]
    return Peer("referrald", __version__, command, clear, clear)


def referrald(site: Site) -> Peer:
    """Start referrald as a relay."""
    from referrald import __version__

    write_users(site.folder / "users", site)
    path, clear, tls = _configure(site, "referrald.toml", REFERRALD)
    command = [sys.executable, "-m", "twisted", "--log-file", str(site.folder / "log"), "referrald"]
    return Peer("referrald", __version__, [*command, "-c", str(path)], clear, tls)
