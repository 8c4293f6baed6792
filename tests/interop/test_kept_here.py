"""Mail programs whose mail is kept by us: they read, file, mark and delete it."""

from __future__ import annotations

import imaplib
import random
import re
import subprocess
from pathlib import Path

from tests.interop.kept import HOST, USER, KeptHere
from tests.interop.programs import mbsync, mutt
from tests.interop.shared import message
from tests.interop.support import PATIENCE, need
from tests.interop.terminal import Terminal

PINERC = """\
inbox-path={{{host}:{port}/user={user}/notls}}INBOX
folder-collections=Mail {{{host}:{port}/user={user}/notls}}[]
user-domain=home.example
last-version-used=9.99
disable-password-caching=yes
feature-list=disable-password-caching,disable-password-file-saving,quell-maildomain-warning,expunge-without-confirm,quit-without-confirm,save-will-not-delete
"""

OFFLINEIMAPRC = """
[general]
accounts = a
metadata = {folder}/meta
ui = quiet
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/near
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = secret
ssl = no
starttls = no
auth_mechanisms = LOGIN
"""

KINDS = ("plain", "flagged", "moved", "deleted")


class Imaplib(KeptHere):
    def test_what_is_delivered_is_read_marked_filed_and_deleted(self) -> None:
        client = self.client()
        client.select()
        for kind in KINDS:
            self.deliver(message(kind))
        client.noop()
        self.assertEqual(client.select(), ("OK", [b"4"]))
        numbers = {kind: self.number(client, kind) for kind in KINDS}
        client.store(numbers["flagged"], "+FLAGS", "(\\Flagged $Work)")
        client.create("Filed")
        self.assertEqual(client.copy(numbers["moved"], "Filed")[0], "OK")
        client.store(numbers["moved"], "+FLAGS", "\\Deleted")
        client.store(numbers["deleted"], "+FLAGS", "\\Deleted")
        self.assertEqual(len(client.expunge()[1]), 2)
        found = client.search(None, "KEYWORD", "$Work")[1][0].decode()
        self.assertEqual(found, self.number(client, "flagged"))
        self.assertIn("Subject: moved", self.texts("Filed")[0])
        self.assertEqual(len(self.texts()), 2)

    def number(self, client: imaplib.IMAP4, subject: str) -> str:
        """Give the number of the only message with a subject."""
        (found,) = client.search(None, "SUBJECT", subject)[1][0].split()
        return str(int(found))

    def test_a_message_of_thirty_megabytes_comes_back_as_it_was(self) -> None:
        body = random.Random(7).randbytes(22 * 1024 * 1024).hex()[: 30 * 1024 * 1024]
        lines = "\r\n".join(body[at : at + 76] for at in range(0, len(body), 76))
        content = message("big") + lines.encode() + b"\r\n"
        client = self.client()
        self.assertEqual(client.append("INBOX", "", "", content)[0], "OK")
        client.select()
        data = client.fetch("1", "(RFC822.SIZE BODY.PEEK[])")[1]
        self.assertEqual(data[0][1], content)  # type: ignore[index]

    def test_two_clients_see_what_the_other_does(self) -> None:
        one, two = self.client(), self.client()
        one.select()
        two.select()
        one.append("INBOX", "", "", message("news"))
        two.noop()
        self.assertEqual(two.response("EXISTS")[1][-1], b"1")
        two.store("1", "+FLAGS", "\\Deleted")
        two.expunge()
        one.noop()
        self.assertEqual(one.response("EXPUNGE")[1], [b"1"])

    def test_all_is_there_again_after_the_server_was_killed(self) -> None:
        client = self.client()
        client.create("Kept")
        for number in range(5):
            client.append("Kept", "\\Seen", "", message(f"m{number}"))
        client.select("Kept")
        client.select("Kept")  # Nothing of it is new any more.
        before = client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")[1]
        validity = client.response("UIDVALIDITY")[1]
        self.front.process.kill()
        self.front.process.wait(PATIENCE)
        self.front = self.restarted(self.front)
        client = self.client()
        client.select("Kept")
        self.assertEqual(client.response("UIDVALIDITY")[1], validity)
        self.assertEqual(client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")[1], before)


class Curl(KeptHere):
    def test_it_adds_a_message_and_reads_it(self) -> None:
        folder = self.folder()
        (folder / "mail").write_bytes(message("By curl"))
        self.client().create("Curl")
        self.curl("/Curl", "-T", str(folder / "mail"))
        self.assertIn("Subject: By curl", self.curl("/Curl;MAILINDEX=1"))
        self.assertIn("Subject: By curl", self.texts("Curl")[0])
        self.assertIn("* SEARCH 1", self.curl("/Curl?SUBJECT%20curl"))

    def curl(self, path: str, *options: str) -> str:
        """Run curl; give what it wrote."""
        done = subprocess.run(
            [need("curl"), "-sS", "--user", f"{USER}:secret", *options,
             f"imap://{HOST}:{self.front.port}{path}"],
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Both(KeptHere):
    """Programs that keep a copy: after changes on both sides both become the same."""

    def there(self, name: str) -> dict[str, str]:
        """Give subjects and flags of a mailbox here."""
        client = self.client()
        if client.select(name, readonly=True)[1] == [b"0"]:
            return {}
        data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        found = {}
        for head, text in (each for each in data if isinstance(each, tuple)):
            flags = re.findall(rb"FLAGS \(([^)]*)\)", head)[0].decode()
            subject = re.findall(r"Subject: (\S+)", text.decode())[0]
            found[subject] = " ".join(sorted(set(flags.split()) - {"\\Recent"}))
        return found

    def test_mbsync_brings_both_sides_together(self) -> None:
        folder = self.folder()
        client = self.client()
        for name in ("Work", "Work/Old", "M\u00fcll"):
            client.create('"' + name.replace("\u00fc", "&APw-") + '"')
        for kind in KINDS:
            client.append("INBOX", "", "", message(kind))
            client.append("Work", "\\Seen", "", message(f"w-{kind}"))
        self.mbsync(folder)
        near = folder / "mail"
        self.mark(near / "INBOX", "flagged", "F")
        self.move(near / "INBOX", near / "Work", "moved")
        self.mark(near / "INBOX", "deleted", "T")
        (near / "Work/Old/new/1.near").write_bytes(message("near"))
        client.select("Work")
        uids = {kind: str(at) for at, kind in enumerate(KINDS, 1)}
        client.store(uids["flagged"], "+FLAGS", "\\Answered")
        client.create("Archive")
        client.copy(uids["moved"], "Archive")
        client.store(f"{uids['moved']},{uids['deleted']}", "+FLAGS", "\\Deleted")
        client.expunge()
        self.mbsync(folder)
        self.assertEqual(self.there("INBOX"), {"plain": "", "flagged": "\\Flagged"})
        wanted = {"w-plain": "\\Seen", "w-flagged": "\\Answered \\Seen", "moved": ""}
        self.assertEqual(self.there("Work"), wanted)
        self.assertEqual(self.there("Work/Old"), {"near": ""})
        self.assertEqual(self.there("Archive"), {"w-moved": "\\Seen"})
        self.assertEqual(self.near(near / "Work"), set(wanted))
        before = sorted(str(each) for each in folder.rglob("*") if each.is_file())
        said = self.mbsync(folder)
        after = sorted(str(each) for each in folder.rglob("*") if each.is_file())
        self.assertEqual(after, before, said)

    def mbsync(self, folder: Path) -> str:
        """Run mbsync."""
        done = mbsync(folder, self.front.port, USER, create="Both")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def near(self, box: Path) -> set[str]:
        """Give the subjects of a Maildir."""
        return {
            re.findall(r"Subject: (\S+)", each.read_text())[0]
            for part in ("new", "cur")
            for each in (box / part).iterdir()
        }

    def find(self, box: Path, subject: str) -> Path:
        for part in ("new", "cur"):
            for each in (box / part).iterdir():
                if f"Subject: {subject}\n" in each.read_text():
                    return each
        raise AssertionError(f"no {subject} in {box}")

    def mark(self, box: Path, subject: str, flag: str) -> None:
        """Give a message in a Maildir a flag."""
        found = self.find(box, subject)
        name, _, flags = found.name.partition(":2,")
        found.rename(box / "cur" / f"{name}:2,{''.join(sorted(flags + flag))}")

    def move(self, box: Path, other: Path, subject: str) -> None:
        """Move a message to another Maildir, as mutt does; its UID stays behind."""
        found = self.find(box, subject)
        (other / "new" / "2.moved").write_bytes(found.read_bytes())
        found.unlink()

    def test_offlineimap_brings_both_sides_together(self) -> None:
        folder = self.folder()
        (folder / "near").mkdir()
        client = self.client()
        for kind in KINDS:
            client.append("INBOX", "", "", message(kind))
        self.offlineimap(folder)
        near = folder / "near" / "INBOX"
        self.mark(near, "flagged", "F")
        self.find(near, "deleted").unlink()
        (near / "new" / "1.near").write_bytes(message("near"))
        client.select()
        client.store("1", "+FLAGS", "\\Answered")
        self.offlineimap(folder)
        wanted = {"plain": "\\Answered", "flagged": "\\Flagged", "moved": "", "near": ""}
        self.assertEqual(self.there("INBOX"), wanted)
        self.assertEqual(self.near(near), set(wanted))

    def offlineimap(self, folder: Path) -> None:
        """Run offlineimap once."""
        config = folder / "offlineimaprc"
        config.write_text(
            OFFLINEIMAPRC.format(folder=folder, host=HOST, port=self.front.port, user=USER)
        )
        command = [need("offlineimap"), "-o", "-c", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class AtAScreen(KeptHere):
    def test_mutt_reads_files_and_deletes(self) -> None:
        folder = self.folder()
        for kind in KINDS:
            self.client().append("INBOX", "", "", message(kind))
        self.client().create("Filed")
        keys = (
            f"<copy-message>{folder}/saved<enter><next-entry><flag-message>"
            "<save-message>=Filed<enter><delete-message><sync-mailbox><quit>"
        )
        terminal = Terminal(mutt(folder, self.front.port, USER, keys), folder)
        self.addCleanup(terminal.close)
        terminal.finish()
        self.assertIn("Subject: plain", (folder / "saved").read_text())
        self.assertIn("Subject: moved", self.texts("Filed")[0])
        left = "".join(self.texts())
        self.assertIn("Subject: flagged", left)
        self.assertNotIn("Subject: moved", left)
        client = self.client()
        client.select(readonly=True)
        self.assertEqual(client.search(None, "FLAGGED")[1], [b"2"])

    def test_alpine_reads_files_and_deletes(self) -> None:
        folder = self.folder()
        for kind in KINDS:
            self.client().append("INBOX", "", "", message(f"{kind}-mail"))
        self.client().create("Filed")
        config = folder / "pinerc"
        config.write_text(PINERC.format(host=HOST, port=self.front.port, user=USER))
        terminal = Terminal([need("alpine"), "-p", str(config), "-i"], folder)
        self.addCleanup(terminal.close)
        terminal.expect("ENTER PASSWORD: ")
        terminal.type("secret\r")
        while (shown := terminal.expect("plain-mail", "[Yes]")) == "[Yes]":
            terminal.type("n")
        self.assertEqual(shown, "plain-mail")
        terminal.settle()
        # The first message is read, the second filed, the third deleted.
        terminal.type("j1\r")
        terminal.settle()
        terminal.type("v")
        terminal.expect("Hello.")
        terminal.type("i")
        terminal.settle()
        terminal.type("j2\r")
        terminal.settle()
        terminal.type("s")
        terminal.expect("SAVE")
        terminal.type("\x15Filed\r")
        terminal.settle()
        terminal.type("j3\r")
        terminal.settle()
        terminal.type("d")
        terminal.settle()
        terminal.type("q")
        terminal.finish()
        self.assertIn("flagged-mail", "".join(self.texts("Filed")))
        self.assertNotIn("moved-mail", "".join(self.texts()))
