"""A real LDAP server for tests."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.interop.support import InteropCase, free_port, make_certificate, need, wait_for_port

BASE = "dc=example,dc=org"
ADMIN = f"cn=admin,{BASE}"
HOST = "localhost"
MODULES = Path("/usr/lib/ldap")
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
modulepath {modules}
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
sizelimit unlimited
database mdb
maxsize 104857600
suffix "{base}"
rootdn "{admin}"
rootpw admin-secret
directory {folder}/data
index uid,mail eq
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""
ROOT = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example
"""

Person = Mapping[str, str | list[str]]


class Slapd:
    """A running server. ``set`` and ``remove`` change what it knows."""

    def __init__(self, case: InteropCase) -> None:
        self.case = case
        self.program = need("slapd")
        self.folder = case.folder()
        (self.folder / "data").mkdir()
        self.certificate, key = make_certificate(self.folder, HOST)
        self.config = self.folder / "slapd.conf"
        self.config.write_text(
            CONFIG.format(
                modules=MODULES, folder=self.folder, certificate=self.certificate, key=key,
                base=BASE, admin=ADMIN,
            )
        )  # fmt: skip
        self.port, self.tls_port = free_port(), free_port()
        self._add(ROOT, offline=True)
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        urls = f"ldap://{HOST}:{self.port}/ ldaps://{HOST}:{self.tls_port}/"
        command = [self.program, "-d", "0", "-h", urls, "-f", str(self.config)]
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.case.addCleanup(self.stop)
        wait_for_port(self.port, self.process, greets=False)

    def stop(self) -> None:
        """Stop it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def fill(self, people: Mapping[str, Person]) -> None:
        """Add people, by user name, with more attributes."""
        self._add("\n".join(_ldif(number, *each) for number, each in enumerate(people.items())))

    def change(self, number: int, attribute: str, value: str) -> None:
        """Give a person another value of an attribute."""
        self._modify(
            f"dn: cn=p{number},{BASE}\nchangetype: modify\nreplace: {attribute}\n"
            f"{_line(attribute, value)}\n"
        )

    def _modify(self, text: str) -> None:
        self._run(["ldapmodify", *self._way()], text)

    def _way(self) -> list[str]:
        return ["-x", "-H", f"ldap://{HOST}:{self.port}/", "-D", ADMIN, "-w", "admin-secret"]

    def _add(self, text: str, offline: bool = False) -> None:
        if offline:
            self._run([need("slapadd"), "-f", str(self.config)], text)
        elif text:
            self._run(["ldapadd", *self._way()], text)

    def _run(self, command: list[str], text: str) -> None:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
        if done.returncode:
            raise AssertionError(f"{command[0]}: {done.stderr.decode()}")


def _ldif(number: int, user: str, more: Person) -> str:
    lines = [f"dn: cn=p{number},{BASE}", "objectClass: inetOrgPerson"]
    lines += ["objectClass: inetLocalMailRecipient", f"cn: p{number}", "sn: person"]
    lines.append(_line("uid", user))
    for name, given in more.items():
        values: Iterable[str] = [given] if isinstance(given, str) else given
        lines += [_line(name, value) for value in values]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode('ascii')}"
