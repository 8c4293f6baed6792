"""Alpine and mailbox referrals: it asks for remote mailboxes and goes where they are."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.interop.shared import entry, message, open_client, subjects, table
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald, free_port, need
from tests.interop.terminal import Terminal
from tests.proves import proves

PINERC = """\
inbox-path={{127.0.0.1:{port}/user=alice/notls}}INBOX
folder-collections=Front {{127.0.0.1:{port}/user=alice/notls}}[]
user-domain=home.example
last-version-used=9.99
feature-list=disable-password-file-saving,quell-maildomain-warning,save-will-not-delete
"""
LOGGED_IN = "Info: Login: user=<alice>"
LOCAL = "A message at the front door"


class Alpine(InteropCase):
    """Each test starts a front door with one local message, with Dovecot behind it."""

    def start(self) -> tuple[Referrald, Dovecot]:
        home = self.start_home(
            [("alice", "secret")], folders=["Geteilt/Minutes", "Geteilt/Plans", "Geteilt/Old"]
        )
        with home.login("alice", "secret") as client:
            client.append("Geteilt/Minutes", "", "", message("Minutes of the meeting"))
        folders = ["Minutes", "Plans"]
        front = self.start_shared(
            table(
                # The second replica is never asked: Alpine is told of the first one only.
                {"a": home.port, "b": free_port()},
                entry("Shared/", ["a", "b"], name="Geteilt/", folders=folders, selectable=False),
            ),
            more="[auth]\nsasl = false",
        )
        with open_client(front.port) as client:
            client.append("INBOX", "", "", message(LOCAL))
        return front, home

    def alpine(self, front: Referrald) -> Screen:
        folder = self.folder()
        (folder / "pinerc").write_text(PINERC.format(port=front.port), encoding="ascii")
        screen = Screen([need("alpine"), "-p", str(folder / "pinerc"), "-i"], folder)
        self.addCleanup(screen.close)
        screen.wait(LOCAL)
        return screen

    @proves("M2", "M3", "M9")
    def test_it_lists_remote_mailboxes_and_opens_one_at_its_server(self) -> None:
        front, home = self.start()
        screen = self.alpine(front)
        before = home.log.count(LOGGED_IN)
        screen.type("l")
        screen.wait("Shared/")
        screen.type("gShared/Minutes\r")
        screen.wait("Minutes of the meeting")
        self.assertEqual(home.log.count(LOGGED_IN), before + 1)

    @proves("M8")
    def test_a_message_that_is_saved_from_here_to_there_lies_there(self) -> None:
        front, home = self.start()
        screen = self.alpine(front)
        screen.type("sShared/Plans\r")
        screen.wait_until(lambda: bool(home.messages("alice", "Geteilt/Plans")))
        (there,) = home.messages("alice", "Geteilt/Plans")
        with open_client(front.port) as client:
            here = subjects(client, "INBOX")
        self.assertIn(f"\n{here[0]}\n", there)
        self.assertEqual(here[-1], f"Subject: {LOCAL}")

    @proves("M6", "M8")
    def test_a_mailbox_that_is_not_there_yet_is_made_there_when_something_is_saved(self) -> None:
        front, home = self.start()
        screen = self.alpine(front)
        screen.type("sShared/New\r")
        screen.wait("Create?")
        screen.type("y")
        screen.wait_until(lambda: bool(home.messages("alice", "Geteilt/New")))
        self.assertEqual(len(home.messages("alice", "Geteilt/New")), 1)


class Screen(Terminal):
    """Alpine's; it is given the password when it asks."""

    def wait(self, *texts: str) -> None:
        """Wait until one of them is shown; log in meanwhile, as often as Alpine likes."""
        while self.expect(*texts, "ENTER PASSWORD: ") not in texts:
            self.type("secret\r")
        self.settle()

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has happened elsewhere; log in meanwhile."""
        # What Alpine shows when it is done it may show for a moment only, or in pieces.
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise AssertionError(f"it never happened: {self.seen[-2000:]!r}")
            if b"ENTER PASSWORD: " in self.seen:
                self.type("secret\r")
            self.read(0.2)
        self.settle()
