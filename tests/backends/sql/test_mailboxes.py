"""Remote mailboxes in tables: our own, and those of another program."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.backends.sql import schema
from referrald.backends.sql.sqlite import factory
from referrald.errors import Unavailable
from referrald.interfaces import IMailboxReferralBackend
from referrald.model import Home, Server
from tests.backends.sql import mailboxes, test_sqlite
from tests.backends.sql.support import ME, OWN, SITE, SqliteTestCase, make_site
from tests.backends.support import filled

A, B = (Server(host=f"imap-{name}.example.org") for name in "ab")


class OwnMailboxesContract(mailboxes.MailboxesInRows, test_sqlite.OwnTablesContract):
    """Our own tables, with the mailboxes that are elsewhere."""


class OurMailboxes(SqliteTestCase):
    def fill(self, *rows: mailboxes.Row) -> Any:
        backend = self.open(mailboxes=True)
        self.result(mailboxes.put(backend, list(rows)))
        self.clock.advance(0.5)
        return backend

    def hosts(self, backend: Any, user: str, name: str) -> list[str]:
        found = self.result(backend.mailbox(user, name))
        return [] if found is None else [each.server.host for each in found.replicas]

    def test_without_the_option_nothing_is_said_of_mailboxes(self) -> None:
        self.assertFalse(IMailboxReferralBackend.providedBy(self.open()))
        verifyObject(IMailboxReferralBackend, self.open(mailboxes=True))

    def test_a_user_s_own_rows_count_before_those_of_the_domain_and_of_everybody(self) -> None:
        row = mailboxes.row
        backend = self.fill(
            row("*", "Shared/", servers="a"), row("*", "Plans", servers="a"),
            row("*@x.org", "Shared/", servers="b"), row("ann@x.org", "Shared/", servers="c"),
        )  # fmt: skip
        self.assertEqual(self.hosts(backend, "ann@x.org", "Shared/x"), ["c"])
        self.assertEqual(self.hosts(backend, "bob@x.org", "Shared/x"), ["b"])
        self.assertEqual(self.hosts(backend, "bob", "Shared/x"), ["a"])
        self.assertEqual(self.hosts(backend, "ann@x.org", "Plans"), ["a"])

    def test_of_patterns_a_user_s_own_count_first_and_then_the_longer_one(self) -> None:
        row = mailboxes.row
        backend = self.fill(
            row("*", "Old *", servers="a"), row("*", "Old mail *", servers="b"),
            row("ann", "Old*", servers="c"),
        )  # fmt: skip
        self.assertEqual(self.hosts(backend, "bob", "Old mail 1"), ["b"])
        self.assertEqual(self.hosts(backend, "bob", "Old news"), ["a"])
        self.assertEqual(self.hosts(backend, "ann", "Old mail 1"), ["c"])

    def test_those_who_see_the_same_share_one_list(self) -> None:
        backend = self.fill(mailboxes.row("*", "S/", servers="a"), mailboxes.row("*", "S/x"))
        first, second = (self.result(backend.remote_mailboxes(user)) for user in ("ann", "bob"))
        self.assertIs(first, second)
        self.assertEqual([each.name for each in first], ["S", "S/x"])

    def test_another_form_of_a_name_is_the_same_user_but_is_not_kept(self) -> None:
        backend = self.fill(mailboxes.row("ann", "Plans", servers="a", ttl=5))
        self.assertEqual(self.result(backend.mailbox("Ann", "Plans")).ttl, 0)
        (listed,) = self.result(backend.remote_mailboxes("Ann"))
        self.assertEqual(listed.location.ttl, 0)
        self.assertEqual(self.result(backend.mailbox("ann", "Plans")).ttl, 5)

    def test_a_change_is_told_to_the_user_or_to_everybody(self) -> None:
        backend = self.fill()
        heard: list[str | None] = []
        backend.watch(heard.append)
        for username, told_of in (("ann", "ann"), ("*@x.org", None), ("*", None)):
            self.elsewhere(f"INSERT INTO mailboxes (username, mailbox) VALUES ('{username}', 'x')")
            self.clock.advance(0.5)
            self.assertEqual(heard.pop(), told_of)

    def test_a_row_that_is_no_good_is_no_answer_for_those_whose_it_is(self) -> None:
        backend = self.fill(mailboxes.row("ann", "Plans", servers="a:0"))
        error = self.failure(backend.mailbox("ann", "Plans"), Unavailable)
        self.assertIn('the mailboxes of \'ann\': "Plans": "0" is not a port', str(error))
        self.failure(backend.remote_mailboxes("ann"), Unavailable)
        self.assertIsNone(self.result(backend.mailbox("bob", "Plans")))

    def test_their_servers_are_named_too(self) -> None:
        backend = self.fill(mailboxes.row("*", "Shared/", servers="imap-b.example.org"))
        self.result(backend.set_home({"alice": Home(servers=(A,))}, ME))
        self.assertEqual(set(self.result(backend.targets())), {A, B})
        options = filled(factory, database=str(self.path)) | {"mailboxes": True}
        self.assertEqual(set(factory.targets(options)), {A, B})

    def test_tables_from_before_get_the_new_one_and_keep_their_homes(self) -> None:
        whole = schema.SQLITE
        self.patch(schema, "SQLITE", whole[:1])
        old = self.open({"alice": Home(servers=(A,))})
        self.result(old.stop())
        self.patch(schema, "SQLITE", whole)
        backend = self.fill(mailboxes.row("alice", "Plans", servers="b"))
        self.assertEqual(self.home(backend, "alice"), Home(servers=(A,)))
        self.assertEqual(self.hosts(backend, "alice", "Plans"), ["b"])

    def test_names_of_users_and_mailboxes_are_values_and_never_parts_of_a_query(self) -> None:
        backend = self.fill(mailboxes.row("ann", "Plans", servers="a"))
        for odd in (
            "' OR 1=1 --",
            "x@*",
            "ann'; DROP TABLE mailboxes; --",
            "*@x",
            "%",
            "\\",
            "a\0",
        ):
            self.assertIsNone(self.result(backend.mailbox(odd, "Plans")))
            self.assertIsNone(self.result(backend.mailbox("ann", odd)))
            self.assertEqual([*self.result(backend.remote_mailboxes(odd))], [])
        self.assertEqual(self.hosts(backend, "ann", "Plans"), ["a"])


class OthersMailboxes(SqliteTestCase):
    QUERY = (
        "SELECT folder AS mailbox, host, port, there AS remote_name FROM folders "
        "WHERE owner IN (:user, :domain, 'all')"
    )

    def test_a_table_of_another_program_is_asked(self) -> None:
        make_site(
            self.path,
            f"""{SITE} CREATE TABLE folders (owner, folder, host, port, there);
            INSERT INTO folders VALUES
                ('all', 'Shared/', 'imap-a.example.org', NULL, 'Public/'),
                ('example.org', 'Team', 'imap-b.example.org', 993, NULL)""",
        )
        backend = self.open(**OWN, mailboxes_query=self.QUERY)
        verifyObject(IMailboxReferralBackend, backend)
        shared = self.result(backend.mailbox("x", "Shared/Plans"))
        self.assertEqual((shared.replicas[0].server, shared.replicas[0].name), (A, "Public/Plans"))
        self.assertIsNone(self.result(backend.mailbox("x", "Team")))
        names = [each.name for each in self.result(backend.remote_mailboxes("x@example.org"))]
        self.assertEqual(names, ["Shared", "Team"])

    def test_the_query_is_looked_at(self) -> None:
        make_site(self.path)
        for query, wrong in (
            ("SELECT host FROM virtual_users", "does not give what is needed"),
            ("SELECT email AS mailbox, password FROM virtual_users", 'a column "password"'),
            ("SELECT email AS mailbox FROM virtual_users WHERE 1 = :mailbox", "a parameter"),
        ):
            options = filled(factory, database=str(self.path)) | OWN | {"mailboxes_query": query}
            (problem,) = factory.check(options)
            self.assertEqual(problem.key, "mailboxes_query")
            self.assertIn(wrong, problem.wrong)
        options = filled(factory, database=str(self.path))
        for more, key in (
            ({"mailboxes_query": self.QUERY}, "mailboxes_query"),
            (OWN | {"mailboxes": True}, "mailboxes"),
        ):
            (problem,) = factory.check(options | more)
            self.assertEqual(problem.key, key)
