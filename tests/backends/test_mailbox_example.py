"""The example of a backend for remote mailboxes, and the table file of the docs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from docs.examples.my_mailbox_backend import Project, ProjectBackend
from referrald.backends.homespec import KEYS as HOME_KEYS
from referrald.backends.mailboxspec import KEYS
from referrald.backends.table import factory
from referrald.backends.tableformat import SECTIONS, SERVER_KEYS
from referrald.mailmodel import MailboxLocation, Replica
from referrald.model import Home, Server
from referrald.testing import BackendContract
from referrald.testing.mailboxes import Mailboxes
from tests.backends.support import BackendTestCase, filled

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "shared-folders.toml"
A, B = Server(host="imap-a.example.com"), Server(host="imap-b.example.com")


def at(server: Server, name: str) -> MailboxLocation:
    return MailboxLocation(replicas=(Replica(server=server, name=name),))


class Example(BackendContract, TestCase):
    """It knows of no users, so that those parts of the suite have nothing to find."""

    homes: Mapping[str, Home] = {}
    mailboxes: Mailboxes = {
        "alice": {"Projects/moon": at(A, "Projects/moon"), "Projects/sun": at(B, "Projects/sun")},
        "bob": {"Projects/sun": at(B, "Projects/sun")},
    }

    def make_backend(self, homes: Mapping[str, Home]) -> ProjectBackend:
        if homes:
            self.skipTest("knows no users")
        return ProjectBackend({})

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> ProjectBackend:
        members: dict[str, set[str]] = {}
        servers: dict[str, Server] = {}
        for user, given in mailboxes.items():
            for name, location in given.items():
                project = name.removeprefix("Projects/")
                members.setdefault(project, set()).add(user)
                servers[project] = location.replicas[0].server
        return ProjectBackend(
            {name: Project(servers[name], frozenset(members[name])) for name in members}
        )

    def change_mailbox(
        self, backend: ProjectBackend, user: str, name: str, location: MailboxLocation
    ) -> None:
        project = name.removeprefix("Projects/")
        members = backend.projects[project].members
        backend.projects[project] = Project(location.replicas[0].server, members)

    def test_odd_names_are_nobody_and_break_nothing(self) -> None:
        """There is no user to be mistaken for; the test of mailboxes has the odd names too."""
        self.skipTest("knows no users")


class SharedFolders(BackendTestCase):
    """The file of the docs says what its comments say."""

    def replicas(self, user: str, name: str) -> list[tuple[str, str, str | None]] | None:
        found = self.result(self.backend.mailbox(user, name))
        if found is None:
            return None
        return [(each.server.host, each.name, each.user) for each in found.replicas]

    def setUp(self) -> None:
        super().setUp()
        self.backend = self.start(factory, EXAMPLE)

    def test_there_is_nothing_wrong_with_it(self) -> None:
        self.assertEqual([*factory.check(filled(factory, file=str(EXAMPLE)))], [])

    def test_mailboxes_are_where_the_comments_say(self) -> None:
        imap1, imap2 = "imap1.example.net", "imap2.example.net"
        for user, name, wanted in (
            ("dave", "#shared/Minutes/2026", [(imap1, "Public/Minutes/2026", None)]),
            ("dave", "#shared/Local/x", []),
            ("dave", "Handbook", [(imap2, "Handbook", None), (imap1, "Copies/Handbook", "reader")]),
            ("dave", "#shared/Board", [(imap1, "Public/Board", None)]),
            ("erin", "#shared/Board/May", [(imap2, "Board/May", None)]),
            ("erin@board.example.org", "#shared/Board", [(imap2, "Board", None)]),
            ("dave", "Support", [(imap2, "INBOX", "support")]),
            ("erin@example.org", "Archive/2019", [(imap2, "old/Archive/2019", "erin")]),
            ("erin@example.org", "Archive/2019/May", None),
            ("dave", "Lists/dev", []),
            ("dave", "Notes", None),
        ):  # fmt: skip
            self.assertEqual(self.replicas(user, name), wanted, (user, name))
        self.assertTrue(self.result(self.backend.mailbox("dave", "Lists/dev")).moving)

    def test_the_list_shows_what_the_comments_say(self) -> None:
        listed = {each.name: each for each in self.result(self.backend.remote_mailboxes("dave"))}
        shown = {name for name, entry in listed.items() if not entry.location.here}
        self.assertEqual(
            shown,
            {
                "#shared", "#shared/Minutes", "#shared/Minutes/2026", "#shared/Plans", "Handbook",
                "Support", "Lists",
            },
        )  # fmt: skip
        self.assertEqual(listed["#shared"].attributes, ("\\Noselect",))
        self.assertTrue(listed["#shared/Plans"].subscribed)


class Pages(SynchronousTestCase):
    def test_the_page_about_backends_shows_the_example(self) -> None:
        page = (DOCS / "howto" / "write-a-backend.md").read_text(encoding="utf-8")
        self.assertIn("../examples/my_mailbox_backend.py", page)

    def test_the_reference_has_every_section_and_key_of_the_file(self) -> None:
        page = (DOCS / "reference" / "table-backend.md").read_text(encoding="utf-8")
        _, _, mailboxes = page.partition("## `[[mailboxes]]`")
        for section in SECTIONS:
            self.assertRegex(page, rf"\n#+ `\[*{section}[].`]")
        for key in (*SERVER_KEYS, *HOME_KEYS):
            self.assertIn(f"\n| `{key}` |", page)
        for key in KEYS:
            self.assertIn(f"\n| `{key}` |", mailboxes)
