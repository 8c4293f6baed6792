"""A process that ends at any step of a change has done it or not, and lost nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import MailboxInUse
from referrald.mailmodel import NewMessage
from referrald.store.maildir.index import Index
from tests.proves import proves
from tests.store.maildir.support import Look, Site, folder, look, put
from tests.store.support import now

Work = Callable[[Any], object]

KILLED = 66


def forked(work: Callable[[], object]) -> int:
    """Do something in a process of its own; gives its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Killer:
    """Ends the process at the step of a number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, step: str) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(KILLED)


@proves("K2")
class Crashes(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        account = self.site.open()
        for name in ("box/low", "other", "old/a/b"):
            now(account.create(name))
        put(account, "INBOX", b"in the box", flags=("\\Flagged",))
        put(account, "box", b"one", b"two", flags=("$Work",))
        put(account, "box", b"three", flags=("\\Deleted", "\\Seen"))
        put(account, "other", b"there")
        put(account, "old/a", b"a")
        put(account, "old/a/b", b"b")
        self.before = look(account)
        self.site.close()
        self.kept = self.mktemp()
        shutil.copytree(self.site.root, self.kept)

    def start_again(self) -> None:
        """Have everything as it was in the beginning."""
        self.site.close()
        shutil.rmtree(self.site.root)
        shutil.copytree(self.kept, self.site.root)

    def child(self, work: Work, number: int) -> int:
        def run() -> None:
            account = self.site.open(Killer(number))
            work(account)
            self.site.close()

        return forked(run)

    def killed_at_each_step(
        self, work: Work, *, halfway: Callable[[Look], bool] | None = None, fewest: int = 3
    ) -> None:
        """Do something, and kill who does it at each step; what is there then is all or nothing."""
        self.assertEqual(self.child(work, 0), 0)
        after = look(self.site.open())
        self.assertNotEqual(after, self.before)
        number = 0
        while True:
            number += 1
            self.start_again()
            status = self.child(work, number)
            found = look(self.site.open())
            if halfway is None or not halfway(found):
                self.assertIn(unaged(found), (unaged(self.before), unaged(after)), number)
            self.assertEqual(look(self.site.open()), found, number)
            self.works_on(number)
            if status == 0:
                break
            self.assertEqual(status, KILLED)
        self.assertGreater(number, fewest)

    def works_on(self, number: int) -> None:
        """See that the account can be used, and nothing is left to be done."""
        account = self.site.open()
        (uid,) = put(account, "INBOX", b"later")
        self.assertEqual(now(folder(account).content(uid)), b"later", number)
        status = now(account.status("INBOX"))
        self.assertEqual(status.messages, len(now(folder(account).state()).uids))
        left = [name for name in os.listdir(self.site.root) if name.startswith("referrald-")]
        self.assertEqual(
            {name.removesuffix("-wal").removesuffix("-shm") for name in left},
            {"referrald-index", "referrald-lock"},
            number,
        )

    def test_append_of_many(self) -> None:
        def work(account: Any) -> None:
            put(account, "box", b"four", b"five", b"six", flags=("\\Seen", "$New"))

        self.killed_at_each_step(work, fewest=8)

    def test_append_of_what_has_arrived(self) -> None:
        def work(account: Any) -> None:
            incoming = now(account.incoming("box", 100_000))
            now(incoming.write(bytes(100_000)))
            now(account.append("box", [NewMessage(content=incoming), NewMessage(content=b"x")]))

        self.killed_at_each_step(work)

    def test_copy(self) -> None:
        self.killed_at_each_step(
            lambda account: now(folder(account, "box").copy([1, 2, 3], "other")), fewest=8
        )

    def test_move(self) -> None:
        self.killed_at_each_step(
            lambda account: now(folder(account, "box").move([1, 3], "other")), fewest=4
        )

    def test_move_into_the_same_mailbox(self) -> None:
        self.killed_at_each_step(
            lambda account: now(folder(account, "box").move([1], "box")), fewest=2
        )

    def test_expunge(self) -> None:
        self.killed_at_each_step(lambda account: now(folder(account, "box").expunge()))

    def test_create(self) -> None:
        def halfway(found: Look) -> bool:
            """Levels above may be there before the mailbox is."""
            return set(found) - set(self.before) <= {"new", "new/er", "new/er/est"}

        self.killed_at_each_step(lambda account: now(account.create("new/er/est")), halfway=halfway)

    def test_delete(self) -> None:
        self.killed_at_each_step(lambda account: now(account.delete("other")))

    def test_delete_of_what_has_others_below(self) -> None:
        self.killed_at_each_step(lambda account: now(account.delete("box")))

    def test_rename_of_a_tree(self) -> None:
        self.killed_at_each_step(lambda account: now(account.rename("old", "box/older")))

    def test_rename_of_inbox(self) -> None:
        def halfway(found: Look) -> bool:
            """The new mailbox may be there before the messages are."""
            new = found.get("saved")
            return new is not None and not new[1] and found["INBOX"] == self.before["INBOX"]

        self.killed_at_each_step(
            lambda account: now(account.rename("INBOX", "saved")), halfway=halfway
        )

    @proves("K14")
    def test_flags_in_file_names(self) -> None:
        """The change itself is one row after another in one transaction."""

        def work(account: Any) -> None:
            now(folder(account, "box").store([1, 2], ["\\Answered"], 1))

        self.killed_at_each_step(work, fewest=2)
        names = os.listdir(self.site.path(".box", "cur"))
        self.assertEqual(sorted(name.partition(":")[2] for name in names), ["2,R", "2,R", "2,ST"])

    def test_what_others_have_delivered(self) -> None:
        """Each message is there once, whenever the process ends that takes it in."""
        for number in range(1, 20):
            self.start_again()
            self.site.deliver(b"new\n", "1700000000.1.host")
            self.site.deliver(b"newer\n", "1700000001.1.host")
            status = self.child(lambda account: now(account.status("INBOX")), number)
            found = look(self.site.open())["INBOX"]
            assert found is not None
            texts = [text for text, _flags in found[1]]
            self.assertEqual(sorted(texts), [b"in the box", b"new\r\n", b"newer\r\n"])
            if status == 0:
                break
        self.assertGreater(number, 2)

    @proves("K1")
    def test_what_was_acknowledged_is_there_after_a_kill(self) -> None:
        """Whoever was told OK finds the message, be the process killed right then."""

        def work(account: Any) -> None:
            put(account, "other", b"acknowledged")
            os._exit(KILLED)

        self.assertEqual(forked(lambda: work(self.site.open())), KILLED)
        found = look(self.site.open())["other"]
        assert found is not None
        self.assertEqual([text for text, _flags in found[1]], [b"there", b"acknowledged"])

    @proves("K10")
    def test_a_process_that_holds_the_account_keeps_others_out(self) -> None:
        """They are told so, after a while, and can go on when it has gone."""

        def hold(index: Index) -> None:
            with index.alone():
                os.write(told, b"x")
                os.read(reading, 1)  # Ends when the other process does, too.

        account = self.site.open()
        account._keeper.do(lambda index: setattr(index, "patience", 0.01))
        reading, writing = os.pipe()
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(writing)
                keeper = Site(os.path.dirname(self.site.root)).open()._keeper
                keeper.do(hold)
            finally:
                os._exit(0)
        os.close(told)
        try:
            self.assertEqual(os.read(ready, 1), b"x")
            with self.assertRaises(MailboxInUse) as caught:
                now(account.create("mine"))
            self.assertEqual(caught.exception.code, "INUSE")
        finally:
            for end in (reading, writing, ready):
                os.close(end)
            os.waitpid(child, 0)
        now(account.create("mine"))


def unaged(found: Look) -> dict[str, Any]:
    """Leave out the UIDVALIDITY of mailboxes, which goes by the clock."""
    return {name: None if box is None else box[1] for name, box in found.items()}
