"""The messages of one mailbox, against a model of it; and how it fares with many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import OverQuota
from referrald.mailmodel import Changes, NewMessage
from referrald.store.mailbox import REMEMBERED, Mailbox
from referrald.store.memory import MemoryAccount
from referrald.store.room import ACCOUNT_BYTES, Room
from referrald.testing.storecase import applied
from tests.store.support import now

DATE = datetime(2024, 1, 1, tzinfo=UTC)
FLAGS = st.lists(
    st.sampled_from(["\\Seen", "\\SEEN", "\\Deleted", "$Work", "$work", "other"]), max_size=3
)
UIDS = st.lists(st.integers(1, 25), max_size=6)
SPELLING = {"\\seen": "\\Seen", "\\deleted": "\\Deleted"}


class Watcher:
    """A client's view: what it was told, put together."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.told = 0
        state = now(folder.state())
        self.modseq, self.view = state.modseq, {}
        self._fill(state.uids)
        folder.watch(self._changed)

    def _changed(self) -> None:
        self.told += 1

    def _fill(self, uids: Sequence[int]) -> None:
        new = now(self.folder.fetch([uid for uid in uids if uid not in self.view]))
        self.view.update({message.uid: message.flags for message in new})

    def look(self) -> None:
        """Take in what has changed."""
        found: Changes = now(self.folder.changes(self.modseq))
        assert set(found.flags) <= set(self.view), "flags of a message that was not known"
        assert found.modseq == self.modseq or self.told, "a change that was not told"
        self.view.update(found.flags)
        uids = applied(list(self.view), found)
        assert set(found.arrived).isdisjoint(self.view), "what was known has come again"
        assert set(found.gone) <= set(self.view), "what nobody knew has gone"
        self.view = {uid: self.view[uid] for uid in uids if uid in self.view}
        self._fill(uids)
        self.modseq, self.told = found.modseq, 0


class FolderMachine(RuleBasedStateMachine):
    """Two folders on one mailbox, and a second mailbox, against lists of UIDs and flags."""

    @initialize()
    def begin(self) -> None:
        """Start with two empty mailboxes."""
        self.account = MemoryAccount("bob", clock=lambda: 5000.0)
        self.left = self.account._own.room.left
        self.boxes: dict[str, dict[int, set[str]]] = {}
        self.next = {"a": 1, "b": 1}
        self.spelling = {"a": dict(SPELLING), "b": dict(SPELLING)}
        self.folders = {}
        for name in ("a", "b"):
            now(self.account.create(name))
            self.boxes[name] = {}
            self.folders[name] = now(self.account.open(name, True))
        self.watchers = [Watcher(now(self.account.open("a", False))) for _ in (1, 2)]

    def _named(self, name: str, flags: Any) -> set[str]:
        return {self.spelling[name].setdefault(flag.lower(), flag) for flag in flags}

    def _put(self, name: str, flags: Any) -> int:
        uid = self.next[name]
        self.next[name] += 1
        self.boxes[name][uid] = self._named(name, flags)
        return uid

    @rule(many=st.lists(FLAGS, max_size=3))
    def append(self, many: list[list[str]]) -> None:
        """Append a few messages."""
        new = [NewMessage(content=b"x", flags=tuple(flags), received=DATE) for flags in many]
        placed = now(self.account.append("a", new))
        assert placed.uids == tuple(self._put("a", flags) for flags in many)

    @rule(uids=UIDS, flags=FLAGS, mode=st.sampled_from([1, -1, 0]))
    def store(self, uids: list[int], flags: list[str], mode: int) -> None:
        """Change flags."""
        box = self.boxes["a"]
        found = now(self.folders["a"].store(uids, flags, mode)).flags
        there = sorted(set(uids) & set(box))
        for uid in there:
            if mode < 0:
                box[uid] = {f for f in box[uid] if f.lower() not in {g.lower() for g in flags}}
            else:
                box[uid] = self._named("a", flags) | (box[uid] if mode else set())
        assert {uid: set(given) for uid, given in found.items()} == {u: box[u] for u in there}

    @rule(uids=st.none() | UIDS)
    def expunge(self, uids: list[int] | None) -> None:
        """Remove what is marked."""
        box = self.boxes["a"]
        gone = [u for u in box if "\\Deleted" in box[u] and (uids is None or u in uids)]
        assert now(self.folders["a"].expunge(uids)) == gone
        for uid in gone:
            del box[uid]

    @rule(
        uids=UIDS,
        way=st.sampled_from([("a", "a"), ("a", "b"), ("b", "a")]),
        move=st.booleans(),
    )
    def copy(self, uids: list[int], way: tuple[str, str], move: bool) -> None:
        """Copy or move, to another mailbox or to the same."""
        source, target = way
        folder = self.folders[source]
        placed = now((folder.move if move else folder.copy)(uids, target))
        there = sorted(set(uids) & set(self.boxes[source]))
        assert placed.sources == tuple(there)
        # In the order of the copied flags: that decides how a keyword is spelled there.
        drafts = [sorted(self.boxes[source][uid]) for uid in there]
        assert placed.uids == tuple(self._put(target, flags) for flags in drafts)
        for uid in there if move else ():
            del self.boxes[source][uid]

    @rule(which=st.sampled_from([0, 1]))
    def look(self, which: int) -> None:
        """Let one of the watchers catch up; it has the right view then."""
        watcher = self.watchers[which]
        watcher.look()
        assert {uid: set(given) for uid, given in watcher.view.items()} == self.boxes["a"]
        assert list(watcher.view) == sorted(watcher.view)

    @invariant()
    def as_in_the_model(self) -> None:
        """Every mailbox is what the model says."""
        for name, box in self.boxes.items():
            state = now(self.folders[name].state())
            assert state.uids == tuple(sorted(box))
            assert state.uid_next == self.next[name]
            found = now(self.folders[name].fetch(state.uids))
            assert {message.uid: set(message.flags) for message in found} == box
            unseen = [uid for uid, flags in box.items() if "\\Seen" not in flags]
            assert state.first_unseen == min(unseen, default=None)
            status = now(self.account.status(name))
            assert (status.messages, status.unseen) == (len(box), len(unseen))

    def teardown(self) -> None:
        """See that all room comes back with the mailboxes."""
        if hasattr(self, "account"):
            for name in ("a", "b"):
                now(self.account.delete(name))
            assert self.account._own.room.left == self.left


FolderMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFolderMachine = FolderMachine.TestCase


class Costs(SynchronousTestCase):
    """Everything that a client can make more of is paid for, and paid back."""

    def setUp(self) -> None:
        self.room = Room(10_000)
        self.box = Mailbox(1, self.room)

    def test_what_was_refused_costs_nothing(self) -> None:
        self.box.add([(b"x", (), DATE)])
        left = self.room.left
        for drafts in ([(b"y", ("k" * 5000,), DATE)], [(b"", (), DATE), (bytes(left), (), DATE)]):
            self.assertRaises(OverQuota, self.box.add, drafts)
        self.assertRaises(OverQuota, self.box.store, self.box.all(), ["k" * 5000], 1)
        self.assertEqual((self.room.left, self.box.used), (left, 10_000 - left))
        self.assertEqual(len(self.box.state().flags), 5)
        self.assertEqual(self.box.state().uid_next, 2)

    def test_flags_and_keywords_are_paid_for(self) -> None:
        self.box.add([(b"x", (), DATE), (b"x", (), DATE)])
        before = self.room.left
        self.box.store(self.box.all(), ["$Work"], 1)
        first = self.room.left
        self.assertLess(first, before)
        self.box.store(self.box.all(), ["\\Seen"], 1)
        second = self.room.left
        self.assertLess(second, first)
        self.box.store(self.box.all(), [], 0)
        self.assertTrue(first < self.room.left < before)

    def test_a_move_in_one_account_needs_no_second_room(self) -> None:
        (uid,) = self.box.add([(bytes(8000), (), DATE)])
        other = Mailbox(2, self.room)
        left = self.room.left
        self.assertEqual(self.box.move(self.box.pick([uid]), other).sources, (uid,))
        self.assertEqual((self.room.left, self.box.used), (left, 0))

    def test_a_move_for_which_there_is_no_room_changes_nothing(self) -> None:
        (uid,) = self.box.add([(bytes(8000), (), DATE)])
        used, state = self.box.used, self.box.state()
        other = Mailbox(2, Room(100))
        self.assertRaises(OverQuota, self.box.move, self.box.pick([uid]), other)
        self.assertEqual((self.box.used, self.room.left), (used, 10_000 - used))
        self.assertEqual(self.box.state(), state)
        self.assertEqual((other.used, other.state().uids), (0, ()))


class Many(SynchronousTestCase):
    """10,000 messages: what is asked of a few does not look at all of them."""

    def setUp(self) -> None:
        self.box = Mailbox(1, Room(ACCOUNT_BYTES))
        self.box.add([(b"x", (), DATE)] * 10_000)

    def test_changed_flags_are_found_without_a_search(self) -> None:
        self.box.store(self.box.all(), ["\\Seen"], 1)
        since = self.box.modseq
        self.box.store(self.box.pick([5]), ["\\Flagged"], 1)
        looked: list[int] = []
        self.box._changed = _Counted(self.box._changed, looked)  # type: ignore[assignment]
        self.assertEqual(dict(self.box.changes(since).flags), {5: ("\\Flagged", "\\Seen")})
        self.assertEqual(len(looked), 2)
        self.assertEqual(dict(self.box.changes(self.box.modseq).flags), {})
        self.assertEqual(len(looked), 2)

    def test_who_has_not_looked_for_long_is_told_of_all(self) -> None:
        before, since = self.box.state().uids, self.box.modseq
        self.box.remove(self.box.pick(range(1, REMEMBERED + 1)))
        middle = self.box.changes(since)
        self.assertEqual((middle.uids, len(middle.gone)), (None, REMEMBERED))
        at = self.box.modseq
        self.box.remove(self.box.pick([9_000]))
        self.assertEqual(self.box.changes(since).uids, self.box.state().uids)
        self.assertEqual((self.box.changes(at).uids, self.box.changes(at).gone), (None, (9_000,)))
        self.assertEqual(len(applied(before, self.box.changes(since))), 10_000 - REMEMBERED - 1)

    def test_new_messages_are_found_without_a_search(self) -> None:
        since = self.box.modseq
        uids = self.box.add([(b"y", (), DATE)] * 2)
        looked: list[int] = []
        self.box._messages = _Counted(self.box._messages, looked)  # type: ignore[assignment]
        self.assertEqual(self.box.changes(since).arrived, uids)
        self.assertEqual(len(looked), 3)

    def test_half_of_them_can_go_at_once(self) -> None:
        gone = self.box.pick(range(1, 10_001, 2))
        self.box.remove(gone)
        self.assertEqual(self.box.state().uids, tuple(range(2, 10_001, 2)))
        self.box.remove(self.box.all())
        self.assertEqual(self.box.used, 0)


class _Counted(dict[int, Any]):
    """Notes whatever is looked at from the end."""

    def __init__(self, given: dict[int, Any], looked: list[int]) -> None:
        super().__init__(given)
        self.looked = looked

    def values(self) -> Any:
        return _Reversed(self)


class _Reversed:
    def __init__(self, given: _Counted) -> None:
        self.given = given

    def __reversed__(self) -> Any:
        for message in reversed(dict.values(self.given)):
            self.given.looked.append(message.uid)
            yield message
