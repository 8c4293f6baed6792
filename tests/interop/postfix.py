"""A Postfix of a test's own, which delivers into Maildirs: its queue and files are in a folder."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from pathlib import Path

from tests.interop.support import InteropCase, free_port, missing, need

MASTER = "/usr/lib/postfix/sbin/master"
QUEUE = (
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
    "saved", "trace",
)  # fmt: skip
GROUPS = ("public", "maildrop")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_recipient_restrictions = reject_unauth_destination
virtual_mailbox_domains = example.org
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ alice@example.org=example.org/alice/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""

SERVICES = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def start_postfix(servers: InteropCase, mail: Path) -> int:
    """Start one that delivers for alice@example.org below ``mail``, as the user mail; its port."""
    need("postfix")
    if os.geteuid() != 0 or not Path(MASTER).exists():
        missing("Postfix is started as root only")
    folder, port = servers.folder(), free_port()
    owner, drop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
    for name in (*QUEUE, *GROUPS, "pid"):
        (folder / "queue" / name).mkdir(parents=True, mode=0o710)
        if name != "pid":
            os.chown(folder / "queue" / name, owner, drop if name in GROUPS else -1)
    for path, user in ((folder / "data", "postfix"), (mail, "mail")):
        path.mkdir(exist_ok=True)
        shutil.chown(path, user)
    who = pwd.getpwnam("mail")
    config = folder / "conf"
    config.mkdir()
    main = MAIN.format(folder=folder, mail=mail, uid=who.pw_uid, gid=who.pw_gid)
    (config / "main.cf").write_text(main, encoding="ascii")
    (config / "master.cf").write_text(SERVICES.format(port=port), encoding="ascii")
    with (folder / "out").open("wb") as out:
        servers.run_server([MASTER, "-c", str(config), "-d"], out, port)
    return port
