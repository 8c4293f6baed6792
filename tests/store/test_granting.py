"""Who is told that rights have changed, and what is left when the table cannot be asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoSuchMailbox, Unavailable
from referrald.mailmodel import NewMessage
from referrald.store.granting import PAUSE, Granting
from referrald.store.rightsfile import RightsFile
from referrald.workers import Inline
from tests.session.native import done
from tests.store.sharing import PREFIXES, on_disk


class Telling(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        path = os.path.abspath(self.mktemp())
        self.granting = Granting(RightsFile(path), Inline(), self.clock)
        self.other = RightsFile(path)
        self.addCleanup(self.other.close)
        self.told: list[str] = []

    def watch(self, name: str = "x") -> object:
        return self.granting.watch(lambda: self.told.append(name))

    def test_what_another_process_changes_is_told_within_a_second(self) -> None:
        self.watch()
        self.clock.advance(PAUSE)
        self.told.clear()
        self.clock.pump([PAUSE] * 3)
        self.assertEqual(self.told, [])
        self.other.change("alice", "a", "bob", "lr", 0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.told, ["x"])

    def test_what_is_changed_here_is_told_at_once_and_to_all(self) -> None:
        def fails() -> None:
            raise RuntimeError("a fault of its own")

        self.granting.watch(fails)
        self.watch()
        done(self.granting.change("alice", "a", "bob", "lr", 0))
        done(self.granting.copy("alice", "none", "other"))
        done(self.granting.drop("alice", "none"))
        self.assertEqual(self.told, ["x"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_nothing_is_looked_at_where_nobody_watches(self) -> None:
        end = self.granting.watch(lambda: None)
        end()
        self.clock.advance(PAUSE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        done(self.granting.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_table_that_cannot_be_read_ends_no_watch(self) -> None:
        self.watch()
        path = Path(self.granting.file.path)
        path.write_bytes(b"no table" * 1000)
        self.clock.pump([PAUSE] * 2)
        path.unlink()
        self.other.change("alice", "a", "bob", "lr", 0)
        self.told.clear()
        self.clock.advance(PAUSE)
        self.assertEqual(self.told, ["x"])


class Without(SynchronousTestCase):
    """The table is damaged while everybody works."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.store = on_disk(self.directory)
        done(self.store.start())
        self.alice, self.bob = (done(self.store.account(user)) for user in ("alice", "bob"))
        for name in ("box", "mine"):
            done(self.alice.create(name))
        done(self.alice.grant("box", "bob", "lr", 0))
        self.name = "Other Users/alice/box"
        self.folder = done(self.bob.open(self.name, False))
        done(self.store.granting.stop())
        Path(self.directory, "rights").write_bytes(b"no table" * 1000)

    def failure(self, work: object) -> type[BaseException]:
        found: type[BaseException] = done(work).type
        return found

    def test_users_have_their_own_mail(self) -> None:
        self.assertEqual([entry.name for entry in done(self.bob.entries())], ["INBOX"])
        placed = done(self.bob.append("INBOX", [NewMessage(content=b"x")]))
        self.assertEqual(placed.uids, (1,))
        self.assertEqual(done(self.bob.status("INBOX")).messages, 1)
        self.assertEqual(len(done(self.bob.statuses(["INBOX", self.name]))), 1)
        done(self.bob.create("new"))

    def test_what_others_have_is_not_available(self) -> None:
        for work in (
            self.bob.open(self.name, False), self.bob.status(self.name), self.folder.changes(0),
            self.folder.state(), self.alice.grant("box", "bob", "lrs", 0), self.alice.acl("box"),
        ):  # fmt: skip
            self.assertIs(self.failure(work), Unavailable)

    def test_nothing_goes_whose_list_would_stay(self) -> None:
        for work in (self.alice.delete("box"), self.alice.rename("box", "other")):
            self.assertIs(self.failure(work), Unavailable)
        self.assertIn("box", [entry.name for entry in done(self.alice.entries())])

    def test_it_all_works_again_once_the_table_is_back(self) -> None:
        os.unlink(os.path.join(self.directory, "rights"))
        self.assertIs(self.failure(self.bob.open(self.name, False)), NoSuchMailbox)
        done(self.alice.grant("box", "bob", "lr", 0))
        self.assertEqual(done(self.bob.status(self.name)).messages, 0)


class OneOfMany(SynchronousTestCase):
    def test_a_damaged_account_hides_no_other(self) -> None:
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        store = on_disk(directory)
        for owner in ("alice", "carol"):
            account = done(store.account(owner))
            done(account.create("box"))
            done(account.grant("box", "bob", "lr", 0))
        done(store.stop())
        index = Path(directory, "mail", "alice", "referrald-index")
        index.write_bytes(b"no index" * 5000)
        store = on_disk(directory)
        bob = done(store.account("bob"))
        carols, alices = "Other Users/carol/box", "Other Users/alice/box"
        names = [entry.name for entry in done(bob.entries())]
        self.assertEqual(names, ["INBOX", carols])
        self.assertEqual(done(bob.statuses([carols])).keys(), {carols})
        # A new index has been made of the files meanwhile.
        self.assertEqual([entry.name for entry in done(bob.entries())], ["INBOX", alices, carols])


class Killed(BaseException):
    """Stands for the end of the process."""


class BrokenOff(SynchronousTestCase):
    def test_a_move_to_another_owner_that_is_broken_off_loses_nothing(self) -> None:
        store = on_disk(self.directory())
        alice, bob = (done(store.account(user)) for user in ("alice", "bob"))
        done(alice.create("box"))
        done(alice.grant("box", "bob", "lrswite", 0))
        done(bob.append("INBOX", [NewMessage(content=b"x"), NewMessage(content=b"y")]))
        inbox = done(bob.open("INBOX", True))

        async def fails(uids: object, flags: object, mode: object) -> None:
            raise Unavailable("the process was killed here")

        inbox.folder.store = fails
        self.assertIs(done(inbox.move([1, 2], f"{PREFIXES.others}/alice/box")).type, Unavailable)
        self.assertEqual(done(alice.status("box")).messages, 2)
        self.assertEqual(done(bob.status("INBOX")).messages, 2)

    def test_a_rename_that_is_broken_off_gives_nobody_more(self) -> None:
        """Whether that was before or after the folder has its new name."""
        for late in (False, True):
            store = on_disk(self.directory())
            alice, bob = (done(store.account(user)) for user in ("alice", "bob"))
            for name in ("open", "secret"):
                done(alice.create(name))
            done(alice.grant("open", "bob", "lr", 0))
            rename = alice.own.rename

            async def fails(old: str, new: str, late: bool = late, rename: Any = rename) -> None:
                if late:
                    await rename(old, new)
                raise Killed

            async def nothing(*arguments: object) -> None:
                """Do what a process does that is no more."""

            alice.own.rename = fails
            self.patch(Granting, "drop_tree", nothing)
            self.assertIs(done(alice.rename("secret", "open/secret")).type, Killed)
            names = [entry.name for entry in done(bob.entries())]
            self.assertEqual(names, ["INBOX", "Other Users/alice/open"])

    def test_a_rename_that_is_refused_leaves_all_lists(self) -> None:
        store = on_disk(self.directory())
        alice = done(store.account("alice"))
        for name in ("a", "b", "a/low"):
            done(alice.create(name))
            done(alice.grant(name, "bob", "lr", 0))
            done(alice.grant(name, name.replace("/", ""), "l", 0))
        before = store.granting.file.lists("alice")
        for old, new in (("a", "b"), ("a", "a/low/x"), ("none", "c"), ("a", "x" * 300), ("a", "a")):
            self.assertTrue(done(alice.rename(old, new)).type)
            self.assertEqual(store.granting.file.lists("alice"), before, (old, new))

    def directory(self) -> str:
        made = os.path.abspath(self.mktemp())
        os.mkdir(made)
        return made
