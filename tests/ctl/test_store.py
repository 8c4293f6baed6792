from __future__ import annotations

import io
import mailbox
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.ctl.store import importing, opening
from referrald.ctl.store.exporting import _safe
from referrald.ctl.store.sources import name_of
from referrald.mailfiles.maildir import MaildirWriter
from referrald.mailfiles.messages import pieces
from referrald.mailmodel import NewMessage
from referrald.model import Home, Refuse
from referrald.store.memory import MemoryAccount, MemoryStore
from tests.ctl.fakes import CONFIG, CtlTestCase, Found
from tests.store.support import now

DATE = datetime(2024, 2, 29, 23, 59, 7, tzinfo=UTC)
FROM = b"From a@example.com Thu Feb 29 23:59:07 2024\n"


class StoreTestCase(CtlTestCase):
    """The store of the assembly is one in memory, which is taken for one that lasts."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(opening, "NOT_KEPT", {})
        self.store = MemoryStore(clock=lambda: 1000.0)
        self.patch(opening, "make_store", lambda config: self.store)
        self.account: Any = now(self.store.account("alice"))
        now(self.empty("INBOX"))

    async def empty(self, name: str) -> None:
        folder = await self.account.open(name, True)
        uids = (await folder.state()).uids
        await folder.store(uids, ["\\Deleted"], 1)
        await folder.expunge()

    def path(self, name: str, content: bytes | None = None) -> Path:
        path = Path(self.directory) / name
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return path

    def put(self, name: str, *texts: bytes, flags: tuple[str, ...] = ()) -> None:
        if name != "INBOX":
            now(self.account.create(name))
        new = [NewMessage(content=text, flags=flags, received=DATE) for text in texts]
        now(self.account.append(name, new))

    def kept(self) -> dict[str, list[tuple[bytes | None, set[str], datetime]]]:
        """Give all that the account has in it."""
        found: dict[str, list[tuple[bytes | None, set[str], datetime]]] = {}
        for entry in now(self.account.entries()):
            folder: Any = now(self.account.open(entry.name, False))
            rows = now(folder.fetch(now(folder.state()).uids))
            found[entry.name] = [
                (now(folder.content(row.uid)), set(row.flags), row.received) for row in rows
            ]
        return found

    def maildir(self) -> Path:
        """Make a Maildir with folders."""
        root = self.path("Maildir")
        for levels, flags in (((), ["\\Seen"]), (("Work", "2025"), ["$Work"]), (("a/b",), [])):
            writer = MaildirWriter(root, levels)
            text = b"Subject: %s\r\n\r\nx\r\n" % "-".join(levels).encode()
            writer.write(pieces(io.BytesIO(text)), DATE, flags)
        return root


class Lists(StoreTestCase):
    def test_mailboxes_stand_with_what_there_is_to_count(self) -> None:
        self.put("Work", b"12345", b"123", flags=("\\Seen",))
        now(self.account.create("Out", ["\\Sent"]))
        self.assertEqual(
            self.run_ctl("store", "list", "Alice"),
            (
                0,
                "name   messages  unseen  bytes  attributes\n"
                "INBOX  0         0       0      -\n"
                "Out    0         0       0      \\Sent\n"
                "Work   2         0       8      -\n",
                "",
            ),
        )

    def test_a_mere_name_has_nothing_to_count(self) -> None:
        now(self.account.create("a/b"))
        now(self.account.delete("a"))
        code, found = self.run_json("store", "list", "alice")
        self.assertEqual((code, found["user"]), (0, "alice"))
        rows = {row["name"]: row for row in found["mailboxes"]}
        self.assertIsNone(rows["a"]["messages"])
        self.assertEqual(rows["a"]["attributes"], ["\\Noselect"])

    def test_a_mailbox_can_be_made(self) -> None:
        done = self.run_ctl("store", "create", "alice", "Gesendet/\u00fc", "--use", "Sent")
        self.assertEqual(done, (0, "created  Gesendet/\u00fc\n", ""))
        entries = {entry.name: entry.attributes for entry in now(self.account.entries())}
        self.assertEqual(entries["Gesendet/\u00fc"], ("\\Sent",))

    def test_one_that_is_there_is_a_line(self) -> None:
        code, out, err = self.run_ctl("store", "create", "alice", "INBOX")
        self.assertEqual((code, out, err), (1, "", "referralctl: INBOX\n"))


class WhoMay(StoreTestCase):
    def test_a_user_that_nobody_knows_gets_no_account(self) -> None:
        self.assembly.decision = Refuse(code=None, text="no", cause="unknown user")
        done = self.run_ctl("store", "create", "bob", "x")
        self.assertEqual(done, (1, "", "referralctl: bob has no mail here: unknown user\n"))
        self.assertNotIn("bob", self.store._accounts)

    def test_a_user_who_is_yet_to_move_here_does(self) -> None:
        self.assembly.decision = Refuse(code=None, text="held")
        self.assembly.found = Found(home=Home(), source="users")
        self.assertEqual(self.run_ctl("store", "create", "bob", "x")[0], 0)

    def test_a_store_that_keeps_nothing_is_said_in_a_line(self) -> None:
        self.patch(opening, "NOT_KEPT", {"memory": "why", "none": "why not"})
        for store, why in (("memory", "why"), ("none", "why not")):
            self.write("r.toml", f'{CONFIG}type = "fake"\n\n[serve]\nstore = "{store}"\n')
            done = self.run_ctl("store", "list", "alice")
            self.assertEqual(done, (1, "", f'referralctl: [serve] store is "{store}": {why}\n'))
        self.assertEqual(self.assembly.steps, [])


class Imports(StoreTestCase):
    def test_a_maildir_comes_with_folders_flags_and_dates(self) -> None:
        code, out, err = self.run_ctl("store", "import", "alice", str(self.maildir()))
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            out,
            "INBOX: 1 messages, 16 bytes\nWork/2025: 1 messages, 25 bytes\n"
            "a_b: 1 messages, 19 bytes\nimported: 3 messages, 60 bytes, 0 problems\n",
        )
        kept = self.kept()
        self.assertEqual(kept["INBOX"], [(b"Subject: \r\n\r\nx\r\n", {"\\Seen"}, DATE)])
        inner = (b"Subject: Work-2025\r\n\r\nx\r\n", {"$Work"}, DATE)
        self.assertEqual((kept["Work"], kept["Work/2025"]), ([], [inner]))
        self.assertEqual(len(kept["a_b"]), 1)

    def test_an_mbox_goes_to_inbox_or_where_it_is_told(self) -> None:
        box = str(self.path("box", FROM + b"Status: R\nSubject: a\n\n>From b\n"))
        self.assertEqual(self.run_ctl("store", "import", "alice", box)[0], 0)
        self.assertEqual(self.run_ctl("store", "import", "alice", box, "--into", "Old/box")[0], 0)
        message = (b"Subject: a\r\n\r\nFrom b\r\n", {"\\Seen"}, DATE)
        self.assertEqual(self.kept(), {"INBOX": [message], "Old": [], "Old/box": [message]})

    def test_a_directory_of_mbox_files_is_a_tree(self) -> None:
        for name in ("INBOX.mbox", "Work/2025.mbox", "plain", "Work/a%2Fb.mbox", ".hidden"):
            self.path(f"mail/{name}", FROM + b"\n" + name.encode() + b"\n")
        code, _out, err = self.run_ctl(
            "store", "import", "alice", str(self.path("mail")), "--into", "In"
        )
        self.assertEqual((code, err), (0, ""))
        found = {name: messages for name, messages in self.kept().items() if messages}
        self.assertEqual(set(found), {"In", "In/Work/2025", "In/plain", "In/Work/a_b"})

    def test_a_dry_run_changes_nothing_and_counts(self) -> None:
        before = self.kept()
        code, out, err = self.run_ctl("store", "import", "alice", str(self.maildir()), "--dry-run")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.endswith("would be imported: 3 messages, 60 bytes, 0 problems\n"), out)
        self.assertEqual(self.kept(), before)

    def test_what_is_no_mail_is_a_line_and_stops_nothing_else(self) -> None:
        self.path("mail/a.mbox", b"no mail")
        self.path("mail/b.mbox", FROM + b"\nx\n")
        where = self.path("mail")
        code, out, err = self.run_ctl("store", "import", "alice", str(where))
        self.assertEqual((code, len(self.kept()["b"])), (1, 1))
        self.assertNotIn("a", self.kept())
        line = f'referralctl: {where}/a.mbox: no mbox: it does not begin with "From "\n'
        self.assertEqual(err, line)
        self.assertIn("imported: 1 messages, 5 bytes, 1 problems\n", out)

    def test_a_source_that_is_not_there_is_a_line(self) -> None:
        code, _out, err = self.run_ctl("store", "import", "alice", str(self.path("none")))
        self.assertEqual((code, err.count("\n")), (1, 1))
        self.assertIn("No such file", err)
        done = self.run_ctl("store", "import", "alice", self.directory, "--from", "maildir")
        self.assertIn("no Maildir", done[2])
        self.assertEqual((done[0], done[2].count("\n")), (1, 1))

    def test_a_message_that_is_too_large_is_left_out(self) -> None:
        self.patch(MemoryAccount, "append_limit", 100)
        box = FROM + b"\nsmall\n\n" + FROM + b"\n" + b"x" * 200 + b"\n\n" + FROM + b"\nlast\n"
        code, _out, err = self.run_ctl("store", "import", "alice", str(self.path("box", box)))
        self.assertEqual(
            (code, err), (1, "referralctl: message 2: 204 bytes, and 100 is the most\n")
        )
        texts = [text for text, _flags, _date in self.kept()["INBOX"]]
        self.assertEqual(texts, [b"\r\nsmall\r\n", b"\r\nlast\r\n"])

    def test_a_full_account_ends_it_with_a_line(self) -> None:
        self.account._own.room.left = 4000
        for name in ("a", "b"):
            self.path(f"mail/{name}", (FROM + b"\n" + b"x" * 2500 + b"\n\n") * 2)
        code, out, err = self.run_ctl("store", "import", "alice", str(self.path("mail")))
        self.assertEqual((code, err), (1, "referralctl: a: There is no room left.\n"))
        self.assertIn("imported: 0 messages, 0 bytes, 1 problems\n", out)
        self.assertNotIn("b", self.kept())

    def test_many_messages_go_in_batches(self) -> None:
        self.patch(importing, "BATCH", 10)
        appended: list[int] = []
        append = MemoryAccount.append

        async def counted(account: MemoryAccount, name: str, new: Any) -> Any:
            appended.append(len(new))
            return await append(account, name, new)

        self.patch(MemoryAccount, "append", counted)
        text = b"".join(FROM + b"\n%d\n\n" % number for number in range(25))
        code, found = self.run_json("store", "import", "alice", str(self.path("box", text)))
        self.assertEqual((code, found["messages"], appended), (0, 25, [10, 10, 5]))
        texts = [text for text, _flags, _date in self.kept()["INBOX"]]
        self.assertEqual(texts, [b"\r\n%d\r\n" % number for number in range(25)])

    def test_a_name_that_cannot_be_is_a_line(self) -> None:
        writer = MaildirWriter(self.path("Maildir"), ())
        self.assertEqual(writer.lost, set())
        MaildirWriter(self.path("Maildir"), ("x" * 60 + "\u00e9",))
        MaildirWriter(self.path("Maildir"), ("tab\there",))
        code, _out, err = self.run_ctl("store", "import", "alice", str(self.path("Maildir")))
        self.assertEqual(code, 1)
        self.assertEqual(err, "referralctl: tab\\there: That name has characters that no name may "
                         "have.\n")  # fmt: skip


class Exports(StoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.put("INBOX", b"Subject: a\r\n\r\nFrom b\r\n", flags=("\\Seen", "$Work"))
        self.put("Work/2025", b"Subject: c\r\n\r\nd\r\n" * 2)
        self.put(".odd.%", b"\r\nx\r\n")
        self.put("Work.mbox/low", b"\r\ny\r\n")

    def test_what_goes_out_comes_in_again(self) -> None:
        """In either form, for another user."""
        before = self.kept()
        for number, form in enumerate(("maildir", "mbox")):
            target, user = str(self.path(form)), f"user{number}"
            code, out, err = self.run_ctl("store", "export", "alice", target, "--to", form)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.endswith("exported: 4 messages, 0 problems\n"), out)
            self.account = now(self.store.account(user))
            now(self.empty("INBOX"))
            code, _out, err = self.run_ctl("store", "import", user, target)
            self.assertEqual((code, err, self.kept()), (0, "", before))
            self.account = now(self.store.account("alice"))

    def test_python_can_read_what_is_written(self) -> None:
        self.run_ctl("store", "export", "alice", str(self.path("out")))
        box = mailbox.Maildir(str(self.path("out")), create=False)
        self.assertEqual(
            sorted(box.list_folders()),
            ["&AC4-odd&AC4-%", "Work", "Work&AC4-mbox", "Work&AC4-mbox.low", "Work.2025"],
        )
        self.assertEqual([(m["Subject"], m.get_flags()) for m in box], [("a", "Sa")])

    def test_single_mailboxes_can_be_chosen(self) -> None:
        target = self.path("out")
        done = self.run_ctl("store", "export", "alice", str(target), "--mailbox", "Work/2025")
        self.assertEqual(done, (0, "Work/2025: 1 messages\nexported: 1 messages, 0 problems\n", ""))
        self.assertEqual(os.listdir(target / "cur"), [])
        self.assertEqual(len(os.listdir(target / ".Work.2025" / "cur")), 1)

    def test_nothing_that_is_there_is_touched(self) -> None:
        target = self.path("out", b"mine")
        code, out, err = self.run_ctl("store", "export", "alice", str(target))
        self.assertEqual((code, out, err), (1, "", f"referralctl: {target} is there already\n"))
        self.assertEqual(target.read_bytes(), b"mine")

    def test_a_mailbox_that_is_not_there_is_a_line(self) -> None:
        target = self.path("out")
        done = self.run_ctl("store", "export", "alice", str(target), "--mailbox", "No")
        self.assertEqual(done, (1, "", "referralctl: there is no mailbox No\n"))
        self.assertFalse(target.exists())

    def test_keywords_beyond_the_letters_are_named(self) -> None:
        many = tuple(f"$K{number:02d}" for number in range(28))
        self.put("Many", b"x", flags=many)
        code, _out, err = self.run_ctl("store", "export", "alice", str(self.path("out")))
        line = "referralctl: Many: no letters are left for keywords: $K26, $K27\n"
        self.assertEqual((code, err), (1, line))
        words = ("store", "export", "alice", str(self.path("m")), "--to", "mbox")
        self.assertEqual(self.run_ctl(*words, "--mailbox", "Many")[0], 0)


class OnDisk(CtlTestCase):
    """With the store that the configuration names, as it is."""

    def test_what_is_imported_is_there_for_good(self) -> None:
        root = os.path.join(self.directory, "mail")
        os.mkdir(root)
        serve = f'[serve]\nstore = "maildir"\nroot = "{root}/%u"\nmessage_size = 1000\n'
        self.write("r.toml", f'{CONFIG}type = "fake"\n\n{serve}')
        box = FROM + b"Status: R\nX-Keywords: $Work\nSubject: a\n\nb\n\n"
        source = os.path.join(self.directory, "box")
        Path(source).write_bytes(box * 3 + FROM + b"\n" + b"x" * 1000 + b"\n")
        code, out, err = self.run_ctl("store", "import", "alice", source, "--into", "Old/box")
        self.assertEqual(
            (code, err), (1, "referralctl: message 4: 1004 bytes, and 1000 is the most\n")
        )
        self.assertIn("imported: 3 messages, 51 bytes, 1 problems\n", out)
        self.assertEqual(self.run_ctl("store", "create", "alice", "Out", "--use", "Sent")[0], 0)
        _code, found = self.run_json("store", "list", "alice")
        rows = [(row["name"], row["messages"], row["unseen"]) for row in found["mailboxes"]]
        self.assertEqual(rows, [("INBOX", 0, 0), ("Old", 0, 0), ("Old/box", 3, 0), ("Out", 0, 0)])
        self.assertEqual(len(os.listdir(os.path.join(root, "alice", ".Old.box", "cur"))), 3)
        target = os.path.join(self.directory, "out")
        code, _out, err = self.run_ctl(
            "store", "export", "alice", target, "--to", "mbox", "--mailbox", "Old/box"
        )
        self.assertEqual((code, err), (0, ""))
        text = Path(target, "Old", "box.mbox").read_bytes()
        self.assertEqual((text.count(b"\nX-Keywords: $Work\n"), text.count(FROM[-25:])), (3, 3))


class Names(SynchronousTestCase):
    def test_names_are_those_of_the_account(self) -> None:
        class Account:
            delimiter = "/"

        for levels, into, name in (
            ((), "", "INBOX"), ((), "Old", "Old"), (("a", "b"), "", "a/b"), (("a/b",), "", "a_b"),
            (("inbox", "x"), "", "INBOX/x"), (("Inbox",), "", "INBOX"),
            (("inbox",), "O", "O/INBOX"), (("x", "inbox"), "", "x/inbox"),
        ):  # fmt: skip
            self.assertEqual(name_of(levels, Account, into), name)

    @given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=2, unique=True))
    def test_two_levels_are_never_one_file(self, levels: list[str]) -> None:
        one, other = map(_safe, levels)
        self.assertNotEqual(one, other)
        self.assertFalse(one.startswith(".") or "/" in one)
