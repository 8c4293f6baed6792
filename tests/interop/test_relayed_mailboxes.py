"""Mail programs that see folders of the front door and of a Dovecot behind it as one account."""

from __future__ import annotations

from pathlib import Path

from tests.interop.mixed import MixedCase, flags_of, folders, put
from tests.interop.programs import mbsync, mutt
from tests.interop.shared import message, subjects
from tests.interop.terminal import Terminal


class Synchronised(MixedCase):
    def setUp(self) -> None:
        self.near = self.folder()
        for name in ("mail", "state"):
            (self.near / name).mkdir()

    def mbsync(self, create: str = "Near") -> str:
        """Run mbsync over all folders; give what it said."""
        done = mbsync(self.near, self.front.port, "alice", create=create)
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}\n{self.front.log}")
        # It warns that the password goes in the clear, and that is all.
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stdout

    def have(self, name: str) -> list[Path]:
        """Give the files of a folder of this machine."""
        return sorted(self.near.glob(f"mail/{name}/[cn]*/*"))

    def file(self, name: str, subject: str) -> Path:
        """Give the file of one message here."""
        (found,) = [each for each in self.have(name) if f"Subject: {subject}" in each.read_text()]
        return found

    def everything(self) -> list[object]:
        """Give what both sides have, flags included."""
        here = sorted(str(each) for each in self.near.rglob("*") if each.is_file())
        client = self.client()
        names = folders(client)
        there = [(name, flags_of(client, name)) for name in names if name != "Team"]
        return [here, there]

    def flag(self, path: Path, flag: str) -> None:
        """Add a flag to a message here, as a program does that reads a Maildir."""
        base, _, had = path.name.partition(":2,")
        target = path.parent.parent / "cur" / f"{base}:2,{''.join(sorted(had + flag))}"
        path.rename(target)

    def test_a_whole_account_goes_both_ways_and_the_second_run_changes_nothing(self) -> None:
        client = self.client()
        client.create("Local")
        for name in ("INBOX", "Local", "Team/Minutes", "Team/Plans/2026"):
            put(client, name, f"{name} one", f"{name} two")
        self.mbsync()
        # The front door's own INBOX has had two messages before.
        for name, count in (
            ("INBOX", 4),
            ("Local", 2),
            ("Team/Minutes", 2),
            ("Team/Plans/2026", 2),
        ):
            self.assertEqual(len(self.have(name)), count, name)
        self.assertEqual(self.have("Team/Plans"), [])
        self.assertTrue((self.near / "mail/Team/Plans/cur").is_dir())

        # From here: a new message for either server, a flag, and one that is deleted.
        for name in ("Local", "Team/Minutes"):
            (self.near / "mail" / name / "new/1.near").write_bytes(message(f"{name} from here"))
            self.flag(self.file(name, f"{name} one"), "F")
            self.flag(self.file(name, f"{name} two"), "T")
        # From there: a flag and a new message, at the Dovecot itself.
        direct = self.direct()
        put(direct, "shared/Plans/2026", "late", flags="\\Flagged")
        direct.select("shared/Plans/2026")
        direct.store("1", "+FLAGS", "\\Answered")
        direct.store("2", "+FLAGS", "\\Deleted")
        direct.expunge()
        self.mbsync()

        for name in ("Local", "Team/Minutes"):
            found = flags_of(client, name)
            self.assertEqual(set(found), {f"{name} one", f"{name} from here"})
            self.assertEqual(found[f"{name} one"], {"\\Flagged"})
            self.assertEqual(len(self.have(name)), 2)
        self.assertIn("from here", "".join(self.home.messages("alice", "shared/Minutes")))
        self.assertIn(":2,R", self.file("Team/Plans/2026", "Team/Plans/2026 one").name)
        self.assertIn(":2,F", self.file("Team/Plans/2026", "late").name)
        self.assertEqual(len(self.have("Team/Plans/2026")), 2)

        before = self.everything()
        said = self.mbsync()
        self.assertEqual(self.everything(), before, said)
        self.assertRegex(said, r"far side: \d+ messages, 0 recent")
        self.assertNotRegex(said, r"\+[1-9]|\*[1-9]|#[1-9]")

    def test_folders_that_are_made_here_are_made_where_they_belong(self) -> None:
        self.mbsync("Both")
        for name in ("Mine", "Team/Plans/2027"):
            for part in ("cur", "new", "tmp"):
                (self.near / "mail" / name / part).mkdir(parents=True)
            (self.near / "mail" / name / "new/1.near").write_bytes(message(f"in {name}"))
        self.mbsync("Both")
        client = self.client()
        for name in ("Mine", "Team/Plans/2027"):
            self.assertIn(name, folders(client))
            self.assertEqual(subjects(client, name), [f"Subject: in {name}"])
        self.assertIn("in Team", self.home.messages("alice", "shared/Plans/2027")[0])
        before = self.everything()
        said = self.mbsync("Both")
        self.assertEqual(self.everything(), before, said)


class InMutt(MixedCase):
    def mutt(self, mailbox: str, keys: str) -> Terminal:
        """Open a mailbox in mutt, with keys that are pressed for it, and let it end."""
        folder = self.folder()
        terminal = Terminal(mutt(folder, self.front.port, "alice", keys, mailbox), folder)
        self.addCleanup(terminal.close)
        return terminal

    def test_messages_are_saved_from_one_server_to_the_other(self) -> None:
        client = self.client()
        client.create("Saved")
        client.create("Mine")
        put(client, "Mine", "for the team")
        put(client, "Team/Minutes", "for myself")
        self.mutt("Mine", "<save-message>=Team/Plans<enter><quit>").finish()
        self.assertEqual(subjects(client, "Team/Plans"), ["Subject: for the team"])
        self.assertIn("for the team", "".join(self.home.messages("alice", "shared/Plans")))
        self.assertEqual(client.select("Mine")[1], [b"0"])
        self.mutt("Team/Minutes", "<save-message>=Saved<enter><quit>").finish()
        self.assertEqual(subjects(client, "Saved"), ["Subject: for myself"])
        self.assertEqual(self.home.messages("alice", "shared/Minutes"), [])

    def test_its_browser_shows_all_and_goes_into_them(self) -> None:
        put(self.client(), "Team/Plans/2026", "deep down")
        terminal = self.mutt("INBOX", "<change-folder>?")
        terminal.expect("Directory")
        terminal.settle()
        self.assertIn(b"Team", terminal.seen)
        terminal.type("q")
        terminal.expect("Welcome home")
        terminal.type("q")
        terminal.finish()
        terminal = self.mutt("Team/Plans/2026", "")
        terminal.expect("deep down")
        terminal.type("q")
        terminal.finish()
