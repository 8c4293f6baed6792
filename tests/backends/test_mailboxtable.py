"""What the table backend says of mailboxes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.backends import mailboxtable
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.table import TableBackend, factory
from referrald.errors import Unavailable
from referrald.interfaces import IMailboxReferralBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Security, Server
from tests.backends.support import BackendTestCase, filled, write
from tests.proves import proves

B, C = Server(host="imap-b.example.com"), Server(host="imap-c.example.com")
TABLE = """\
[servers.b]
host = "imap-b.example.com"
[servers.c]
host = "imap-c.example.com"

[[mailboxes]]
match = "#shared/"
server = ["b", "c"]
name = "Public/"
user = "%n"
selectable = false
folders = ["Minutes", "Minutes/2026", { name = "Plans", attributes = ["\\\\Junk"], subscribed = true }]

[[mailboxes]]
match = "#shared/local/"
server = "here"

[[mailboxes]]
match = "#shared/Minutes/2026"
server = "c"
ttl = 60

[[mailboxes]]
match = "#shared/board/"
for = ["alice", "*@example.org"]
replicas = [{ server = "c", name = "Board/", user = "reader", auth = "PLAIN" }, { server = "b" }]
subscribed = true

[[mailboxes]]
match = "Archive/%"
server = "b"
name = "%%/%m"

[[mailboxes]]
match = "*old*"
server = "c"

[[mailboxes]]
match = "Moving"
moving = true

[[mailboxes]]
match = "Gone"
moving = true
server = "b"
"""  # noqa: E501


DOTS = """\
[[mailboxes]]
match = "shared/"
replicas = [
    { server = "imap-b.example.com", name = "Public.", delimiter = "." },
    { server = "imap-c.example.com", name = "/pub/" },
]
folders = ["a"]
[[mailboxes]]
match = "Team/Plans"
server = "imap-b.example.com"
delimiter = "."
[[mailboxes]]
match = "Archive/%"
server = "imap-b.example.com"
name = "INBOX.%m"
delimiter = "."
[[mailboxes]]
match = "absolute"
server = "imap-b.example.com"
name = "/home/absolute"
"""


def place(server: Server, name: str, user: str | None = None, auth: str = "*") -> Replica:
    return Replica(server=server, name=name, user=user, auth=auth)


class Lookups(BackendTestCase):
    def make(self, text: str = TABLE, **options: Any) -> TableBackend:
        return self.start(factory, self.file(text), **options)

    def found(self, backend: TableBackend, name: str, user: str = "bob") -> MailboxLocation | None:
        location: MailboxLocation | None = self.result(backend.mailbox(user, name))
        return location

    def listed(self, backend: TableBackend, user: str) -> dict[str, RemoteMailbox]:
        entries = self.result(backend.remote_mailboxes(user))
        found = {entry.name: entry for entry in entries}
        self.assertEqual(len(found), len(entries))
        return found

    def test_it_is_what_it_says(self) -> None:
        verifyObject(IMailboxReferralBackend, self.make())

    def test_nothing_is_said_before_the_start_and_after_the_stop(self) -> None:
        backend = factory.build(filled(factory, file=str(self.file(TABLE))), self.clock)
        self.failure(backend.mailbox("bob", "x"), Unavailable)
        self.failure(backend.remote_mailboxes("bob"), Unavailable)
        self.result(backend.start())
        self.result(backend.stop())
        self.failure(backend.mailbox("bob", "x"), Unavailable)

    @proves("M2", "M6", "M13")
    def test_a_subtree_is_the_root_and_all_below_under_the_names_there(self) -> None:
        backend = self.make()
        for name, there in (
            ("#shared", "Public"),
            ("#shared/a", "Public/a"),
            ("#shared/Entw\u00fcrfe/x", "Public/Entw\u00fcrfe/x"),
            ("#shared/Minutes", "Public/Minutes"),
            ("#shared/localities", "Public/localities"),
        ):
            location = MailboxLocation(replicas=(place(B, there, "bob"), place(C, there, "bob")))
            self.assertEqual(self.found(backend, name, "bob@example.net"), location, name)
        for name in ("#share", "#sharedness", "#Shared/a", "x/#shared", "", "/", "INBOX"):
            self.assertIsNone(self.found(backend, name), name)

    def test_the_most_exact_entry_counts(self) -> None:
        backend = self.make()
        exact = MailboxLocation(replicas=(place(C, "#shared/Minutes/2026"),), ttl=60.0)
        self.assertEqual(self.found(backend, "#shared/Minutes/2026"), exact)
        below = self.found(backend, "#shared/Minutes/2026/May")
        assert below is not None
        self.assertEqual(below.replicas[0], place(B, "Public/Minutes/2026/May", "bob"))
        old = self.found(backend, "#shared/old")
        assert old is not None
        self.assertEqual(old.replicas[0], place(B, "Public/old", "bob"))

    def test_what_is_here_within_a_subtree_is_said_to_be_here(self) -> None:
        backend = self.make()
        for name in ("#shared/local", "#shared/local/a/b"):
            self.assertEqual(self.found(backend, name), MailboxLocation())

    def test_the_first_pattern_that_fits_counts(self) -> None:
        backend = self.make()
        self.assertEqual(
            self.found(backend, "Archive/old"),
            MailboxLocation(replicas=(place(B, "%/Archive/old"),)),
        )
        self.assertEqual(
            self.found(backend, "Archive/a/old"),
            MailboxLocation(replicas=(place(C, "Archive/a/old"),)),
        )
        self.assertIsNone(self.found(backend, "Archive/a/b"))

    def test_replicas_have_each_their_own_name_and_user(self) -> None:
        location = self.found(self.make(), "#shared/board/x", "alice")
        wanted = (place(C, "Board/x", "reader", "PLAIN"), place(B, "#shared/board/x"))
        self.assertEqual(location, MailboxLocation(replicas=wanted))

    @proves("M12")
    def test_an_entry_is_not_there_for_whom_it_is_not_for(self) -> None:
        backend = self.make()
        board = self.found(backend, "#shared/board/x", "alice")
        for user in ("ALICE", "carol@example.org", "Carol@Example.ORG"):
            self.assertEqual(self.found(backend, "#shared/board/x", user), board)
            self.assertIn("#shared/board", self.listed(backend, user))
        for user in ("bob", "alice@example.com", "alic", "", "x@example.org.net"):
            found = self.found(backend, "#shared/board/x", user) if user else None
            if found is not None:
                self.assertEqual(found.replicas[0].name, "Public/board/x")
        self.assertNotIn("#shared/board", self.listed(backend, "bob"))
        hidden = self.make('[[mailboxes]]\nmatch = "a/"\nserver = "b.example"\nfor = "alice"\n')
        self.assertIsNone(self.found(hidden, "a/b", "bob"))
        self.assertEqual(self.listed(hidden, "bob"), {})

    def test_case_counts_in_users_where_the_operator_wants_it(self) -> None:
        text = '[[mailboxes]]\nmatch = "a"\nserver = "b.example"\nfor = "Alice"\n'
        backend = self.make(text, lowercase=False)
        self.assertIsNotNone(self.found(backend, "a", "Alice"))
        self.assertIsNone(self.found(backend, "a", "alice"))

    def test_what_is_said_for_some_counts_before_what_is_for_everybody(self) -> None:
        entry = '[[mailboxes]]\nmatch = "a"\n'
        backend = self.make(
            f'{entry}server = "b.example"\n{entry}server = "c.example"\nfor = "alice"\n'
            f'{entry}server = "here"\nfor = ["b*"]\n'
        )
        for user, hosts in (("carol", ["b.example"]), ("alice", ["c.example"]), ("bob", [])):
            found = self.found(backend, "a", user)
            assert found is not None
            self.assertEqual([each.server.host for each in found.replicas], hosts)
            self.assertEqual(self.listed(backend, user)["a"].location, found)

    def test_a_mailbox_that_moves_has_a_place_or_none(self) -> None:
        backend = self.make()
        self.assertEqual(self.found(backend, "Moving"), MailboxLocation(moving=True))
        gone = MailboxLocation(moving=True, replicas=(place(B, "Gone"),))
        self.assertEqual(self.found(backend, "Gone"), gone)
        listed = self.listed(backend, "bob")
        self.assertEqual(listed["Moving"].location, MailboxLocation(moving=True))
        self.assertEqual(listed["Gone"].location, gone)

    @proves("M9")
    def test_the_list_has_names_roots_folders_and_exceptions_but_no_patterns(self) -> None:
        listed = self.listed(self.make(), "alice")
        shown = {
            name: (entry.subtree, entry.subscribed, entry.attributes, entry.location.here)
            for name, entry in listed.items()
        }
        self.assertEqual(
            shown,
            {
                "#shared": (True, False, ("\\Noselect",), False),
                "#shared/Minutes": (False, False, (), False),
                "#shared/Plans": (False, True, ("\\Junk",), False),
                "#shared/local": (True, False, (), True),
                "#shared/Minutes/2026": (False, False, (), False),
                "#shared/board": (True, True, (), False),
                "Moving": (False, False, (), False),
                "Gone": (False, False, (), False),
            },
        )
        self.assertEqual(listed["#shared/Minutes/2026"].location.ttl, 60)

    @proves("M13")
    def test_levels_are_divided_as_they_are_there(self) -> None:
        backend = self.make(DOTS)
        for name, there in (
            ("shared", ("Public", "/pub")),
            ("shared/a/b c", ("Public.a.b c", "/pub/a/b c")),
            ("Team/Plans", ("Team.Plans",)),
            ("Archive/2019", ("INBOX.Archive.2019",)),
            ("absolute", ("/home/absolute",)),
        ):
            location = self.found(backend, name)
            assert location is not None
            self.assertEqual(tuple(replica.name for replica in location.replicas), there)
        # Where one of them can have it, it is there; where none can, it is nowhere.
        location = self.found(backend, "shared/v1.0")
        assert location is not None
        self.assertEqual([replica.name for replica in location.replicas], ["/pub/v1.0"])
        location = self.found(backend, "Archive/v1.0")
        assert location is not None
        self.assertEqual((location.nowhere, location.here), (True, False))
        self.assertEqual(sorted(self.listed(backend, "bob"))[-2:], ["shared", "shared/a"])

    def test_a_lone_star_below_a_level_is_a_subtree(self) -> None:
        backend = self.make('[[mailboxes]]\nmatch = "a/*"\nserver = "b.example"\nname = "x/"\n')
        self.assertTrue(self.listed(backend, "bob")["a"].subtree)
        found = self.found(backend, "a/b")
        assert found is not None
        self.assertEqual(found.replicas[0].name, "x/b")

    def test_no_name_left_there_is_an_error_for_one_and_no_line_in_the_list(self) -> None:
        text = '[[mailboxes]]\nserver = "b.example"\nmatch = "a"\n'
        backend = self.make(text + 'user = "%d"\n' + text.replace('"a"', '"b"'))
        self.failure(backend.mailbox("bob", "a"), Unavailable)
        self.assertEqual(set(self.listed(backend, "bob")), {"b"})
        self.assertEqual(set(self.listed(backend, "bob@c")), {"a", "b"})

    def test_inbox_in_any_case_is_never_elsewhere_but_what_is_below_can_be(self) -> None:
        entries = '[[mailboxes]]\nmatch = "inbox/x/"\nserver = "b.example"\n'
        backend = self.make(entries + '[[mailboxes]]\nmatch = "*"\nserver = "c.example"\n')
        for name in ("INBOX", "inbox", "Inbox"):
            self.assertIsNone(self.found(backend, name))
        for name in ("INBOX/x", "inbox/x"):
            self.assertEqual(
                self.found(backend, name),
                MailboxLocation(replicas=(place(Server(host="b.example"), "INBOX/x"),)),
            )

    def test_a_changed_entry_is_told_to_everybody(self) -> None:
        backend = self.make()
        heard: list[str | None] = []
        backend.watch(heard.append)
        write(self.folder / "source", TABLE.replace('match = "Gone"', 'match = "Away"'))
        self.result(backend.reload())
        self.assertEqual(heard, [None])
        self.assertIsNone(self.found(backend, "Gone"))
        self.assertIn("Away", self.listed(backend, "bob"))
        write(self.folder / "source", "[[mailboxes]]\n")
        self.result(backend.reload())
        self.assertEqual(heard, [None])
        self.assertIn("Away", self.listed(backend, "bob"))

    @proves("M11")
    def test_every_server_of_a_mailbox_is_named_so_that_a_loop_is_found_at_load(self) -> None:
        text = TABLE + (
            '[[mailboxes]]\nmatch = "x"\nserver = "x.example:993"\n'
            '[[mailboxes]]\nmatch = "y"\nreplicas = [{ server = "y.example" }]\n'
        )
        targets = factory.targets(filled(factory, file=str(self.file(text))))
        x = Server(host="x.example", port=993, security=Security.TLS)
        self.assertEqual(set(targets), {B, C, x, Server(host="y.example")})
        # And by the backend that has it in force, for a look at all of them.
        self.assertEqual(self.result(self.make(text).targets()), targets)


class Lists(SynchronousTestCase):
    """Lists of large tables are made once and kept within bounds."""

    def said(self, at: str, **more: Any) -> dict[str, Any]:
        replica = [["b.example", 143, "starttls"], None, None, False, "*"]
        return {"kind": "subtree", "at": at, "replicas": [replica], **more}

    def test_users_who_see_the_same_share_one_list(self) -> None:
        said = [self.said("a"), self.said("b", **{"for": ["alice", "*@x"]})]
        table = MailboxTable(said)
        self.assertIs(table.names("bob", "bob"), table.names("carol", "carol"))
        self.assertIs(table.names("alice", "alice"), table.names("bob@x", "bob@x"))
        self.assertEqual([len(table.names(user, user)) for user in ("bob", "alice")], [1, 2])

    def test_a_list_that_differs_from_user_to_user_is_made_for_each(self) -> None:
        replica = [["b.example", 143, "starttls"], None, "%u", True, "*"]
        table = MailboxTable([{"kind": "name", "at": "a", "replicas": [replica]}])
        for user in ("bob", "carol"):
            (entry,) = table.names(user, user)
            self.assertEqual(entry.location.replicas[0].user, user)
            self.assertIs(table.names(user, user), table.names(user, user))

    def test_no_more_lists_and_names_are_kept_than_is_said(self) -> None:
        self.patch(mailboxtable, "LISTS_KEPT", 3)
        self.patch(mailboxtable, "NAMES_KEPT", 5)
        replica = [["b.example", 143, "starttls"], None, "%u", True, "*"]
        said = [{"kind": "name", "at": at, "replicas": [replica]} for at in "ab"]
        table = MailboxTable(said)
        first = table.names("u0", "u0")
        for user in ("u1", "u0", "u2"):
            table.names(user, user)
        self.assertIs(table.names("u0", "u0"), first)
        self.assertEqual((len(table._kept), table._names_kept), (2, 4))

    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "a/b", "a/b/c", "d", "a/d"]),
                st.sampled_from(["name", "subtree"]),
                st.sampled_from([None, ["u"], ["v*"]]),
                st.booleans(),
                st.lists(st.sampled_from(["b", "b/c", "d", "d/e"]), unique=True),
            ),
            max_size=6,
        ),
        st.sampled_from(["u", "v1", "w"]),
        st.text("abcde/", max_size=9),
    )
    def test_list_and_lookup_agree_whatever_the_entries_are(
        self, entries: list[Any], user: str, name: str
    ) -> None:
        table = MailboxTable(map(self.any_entry, range(len(entries)), entries))
        listed = {entry.name: entry for entry in table.names(user, user)}
        self.assertEqual(len(listed), len(table.names(user, user)))
        for entry in listed.values():
            self.assertEqual(table.location(entry.name, user, user), entry.location)
        nearest = listed.get(name)
        above, slash, _ = name.rpartition("/")
        while nearest is None and slash:
            entry = listed.get(above)
            nearest = entry if entry is not None and entry.subtree else None
            above, slash, _ = above.rpartition("/")
        found = table.location(name, user, user)
        if nearest is None or not name:
            self.assertIsNone(found)
        else:
            assert found is not None
            servers = [each.server for each in nearest.location.replicas]
            self.assertEqual([each.server for each in found.replicas], servers)

    def any_entry(self, number: int, drawn: Any) -> dict[str, Any]:
        at, kind, audience, here, folders = drawn
        replica = [[f"s{number}.example", 143, "starttls"], None, None, False, "*"]
        said: dict[str, Any] = {"kind": kind, "at": at, "replicas": [] if here else [replica]}
        if kind == "subtree" and not here:
            said["folders"] = [[name, [], False] for name in folders]
        return said if audience is None else {**said, "for": audience}
