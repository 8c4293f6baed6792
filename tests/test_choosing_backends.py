"""The page on choosing a backend says what the backends can do, and of each type that there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.config.plugins import BUILT_IN, backend_factory
from referrald.interfaces import (
    IMailboxReferralBackend,
    IPasswordCheck,
    IPasswordStore,
    IReferralBackend,
    IWatchableBackend,
    IWritableBackend,
)
from tests.backends.support import filled

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = (DOCS / "howto" / "choose-a-backend.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[`(?P<type>[a-z-]+)`\]\((?P<page>[^)#]+)\)")
QUERIES = {"home_query": "SELECT 1", "password_query": "SELECT 1", "mailboxes_query": "SELECT 1"}

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "a file that is edited by hand": {"file": "/x"},
    "Dovecot's passwd-file": {"file": "/x"},
    "nowhere yet, one front door": {"database": "/x", "mailboxes": True},
    "tables of another program in SQLite": {"database": "/x", **QUERIES},
    "nowhere yet, several front doors": {"dsn": "host=a", "mailboxes": True},
    "tables of another program in PostgreSQL": {"dsn": "host=a", **QUERIES},
    "Redis or Valkey": {"servers": ("redis://a",), "mailboxes": True},
    "Dovecot's dict in Redis": {"servers": ("redis://a",), "layout": "dovecot"},
    "etcd": {"servers": ("https://a:2379",), "mailboxes": True},
    "Consul": {"servers": ("https://a:8500",), "mailboxes": True},
    "a directory (LDAP)": {"servers": ("ldaps://a",), "base": "dc=a"},
    "a web service of your own": {
        "url": "https://a/",
        "password_url": "https://a/",
        "mailboxes_url": "https://a/",
    },
    "a service for nginx's `auth_http`": {"url": "https://a/", "dialect": "nginx"},
    "DNS": {"domains": ("a.example",)},
    "no directory at all: users are spread over servers": {"servers": ("a.example",)},
}
"""What each row is about, with all that can be switched on."""

MORE: Mapping[str, Any] = {"channel": "changes", "keyspace_events": True}
"""Values of the options that the last column names."""


def rows() -> list[list[str]]:
    """Give the cells of the table."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


class Choosing(SynchronousTestCase):
    def test_every_type_has_a_row_and_a_page(self) -> None:
        links = {match["type"]: match["page"] for match in LINK.finditer(PAGE)}
        self.assertEqual(set(links), set(BUILT_IN))
        for page in links.values():
            self.assertTrue((DOCS / "howto" / page).is_file(), page)
        pages = {path.name for path in (DOCS / "reference").glob("*-backend.md")}
        self.assertEqual(pages - {Path(page).name for page in links.values()}, set())
        self.assertEqual([row[0] for row in rows()], [*OPTIONS])

    def test_every_cell_is_true(self) -> None:
        for where, link, _, mailboxes, passwords, written, live in rows():
            backend = self.backend(where, link)
            self.assertTrue(IReferralBackend.providedBy(backend), where)
            found = [
                "yes" if IMailboxReferralBackend.providedBy(backend) else "",
                "hashes" if IPasswordStore.providedBy(backend) else "",
                "yes" if IWritableBackend.providedBy(backend) else "",
                "yes" if IWatchableBackend.providedBy(backend) else "",
            ]
            if IPasswordCheck.providedBy(backend):
                found[1] = "asked"
            said = [mailboxes, passwords, written, live if live == "yes" else ""]
            self.assertEqual(said, found, where)
            if live not in ("yes", ""):
                option = live.strip("`")
                watched = self.backend(where, link, **{option: MORE[option]})
                self.assertTrue(IWatchableBackend.providedBy(watched), where)

    def backend(self, where: str, link: str, **more: Any) -> Any:
        match = LINK.fullmatch(link)
        assert match is not None, link
        factory = backend_factory(match["type"])
        options = filled(factory) | OPTIONS[where] | more
        unknown = set(options) - {option.name for option in factory.options}
        self.assertEqual(unknown, set(), where)
        return factory.build(options, Clock())

    def test_what_has_to_be_installed_is_an_extra_that_the_page_of_the_type_names(self) -> None:
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        named = set()
        for where, link, needs, *_ in rows():
            match = LINK.fullmatch(link)
            assert match is not None, link
            text = (DOCS / "howto" / match["page"]).read_text(encoding="utf-8")
            self.assertEqual("referrald[" in text, bool(needs), where)
            if needs:
                self.assertIn(needs.strip("`"), text, where)
                named.add(needs.strip("`").removeprefix("referrald[").removesuffix("]"))
        extras = set(parser["options.extras_require"]) - {"bcrypt", "docs", "test"}
        self.assertEqual(named, extras)

    def test_readme_and_index_lead_to_it(self) -> None:
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn("(docs/howto/choose-a-backend.md)", readme)
        self.assertIn("(docs/howto/migrate-from-another-proxy.md)", readme)
        self.assertIn("\nhowto/choose-a-backend\n", (DOCS / "index.md").read_text("utf-8"))
