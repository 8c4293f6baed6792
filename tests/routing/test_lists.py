"""Which entry of the lists says where a mailbox is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import RemoteMailbox
from referrald.routing.lists import Listing, MailboxList, SharedLists
from referrald.routing.locations import Locations
from tests.routing.support import Mailboxes, at_once, listed

NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join)
ENTRIES = st.builds(
    lambda name, hosts, subtree: listed(name, *hosts, subtree=subtree),
    NAMES,
    st.sampled_from([(), ("a.example",)]),
    st.booleans(),
)
LISTINGS = st.lists(st.lists(ENTRIES, max_size=5, unique_by=lambda entry: entry.name), max_size=3)


def naive(listings: list[list[RemoteMailbox]], name: str) -> RemoteMailbox | None:
    """Look at everything, and take of the first backend that speaks of a name the longest entry."""
    for entries in listings:
        speaking = [
            entry
            for entry in entries
            if entry.name == name or (entry.subtree and name.startswith(f"{entry.name}/"))
        ]
        if speaking:
            return max(speaking, key=lambda entry: len(entry.name))
    return None


class NearestTests(SynchronousTestCase):
    @given(LISTINGS, NAMES)
    def test_it_is_the_nearest_of_the_first_backend_that_speaks_of_the_name(
        self, listings: list[list[RemoteMailbox]], name: str
    ) -> None:
        merged = MailboxList([Listing(entries) for entries in listings])
        self.assertEqual(merged.nearest(name), naive(listings, name))

    @given(LISTINGS)
    def test_the_list_agrees_with_what_is_said_of_each_name(
        self, listings: list[list[RemoteMailbox]]
    ) -> None:
        merged = MailboxList([Listing(entries) for entries in listings])
        names = [entry.name for entry in merged.entries]
        self.assertEqual(names, sorted(set(names)))
        for entry in merged.entries:
            self.assertEqual(merged.nearest(entry.name), entry)
        for entry in listings[0] if listings else ():
            self.assertIn(entry, merged.entries)

    def test_a_subtree_is_what_is_below_and_not_what_begins_alike(self) -> None:
        one = MailboxList([Listing([listed("Shared", "a.example", subtree=True)])])
        for name in ("Shared", "Shared/x", "Shared/x/y", "Shared/", "Shared//x"):
            self.assertIsNotNone(one.nearest(name), name)
        for name in ("SharedX", "Sharedx/y", "shared/x", "Share", "x/Shared", "", "/"):
            self.assertIsNone(one.nearest(name), name)

    def test_an_entry_without_its_subtree_says_nothing_of_what_is_below(self) -> None:
        entries = [
            listed("Shared", "a.example", subtree=True),
            listed("Shared/local"),
            listed("Other", "a.example"),
        ]
        one = MailboxList([Listing(entries)])
        self.assertEqual(one.nearest("Shared/local/x"), entries[0])
        self.assertEqual(one.nearest("Shared/local"), entries[1])
        self.assertIsNone(one.nearest("Other/x"))

    def test_another_delimiter_separates_other_levels(self) -> None:
        one = MailboxList([Listing([listed("A", "a.example", subtree=True)], ".")])
        self.assertIsNotNone(one.nearest("A.b"))
        self.assertIsNone(one.nearest("A/b"))

    def test_what_an_earlier_backend_knows_to_be_elsewhere_is_not_listed_by_a_later_one(
        self,
    ) -> None:
        first = [listed("Shared", "a.example", subtree=True)]
        second = [listed("Shared/x", "b.example"), listed("Own", "b.example")]
        merged = MailboxList([Listing(first), Listing(second)])
        self.assertEqual([entry.name for entry in merged.entries], ["Own", "Shared"])


class Shared(SynchronousTestCase):
    """A tuple that a backend gives to many is looked at once."""

    def test_the_very_same_tuple_is_known_and_no_equal_one(self) -> None:
        shared, made = SharedLists(), MailboxList(())
        entries = (listed("A", "a.example"),)
        self.assertIsNone(shared.get("table", entries))
        shared.put("table", entries, made)
        self.assertIs(shared.get("table", entries), made)
        self.assertIsNone(shared.get("other", entries))
        self.assertIsNone(shared.get("table", (*entries,)))
        shared.clear()
        self.assertIsNone(shared.get("table", entries))

    def test_what_can_change_is_looked_at_each_time(self) -> None:
        shared = SharedLists()
        entries = [listed("A", "a.example")]
        shared.put("table", entries, MailboxList(()))
        self.assertIsNone(shared.get("table", entries))

    def test_those_that_were_not_asked_for_longest_go_first(self) -> None:
        shared, made = SharedLists(most=2), MailboxList(())
        lists = [(listed(name, "a.example"),) for name in "ABC"]
        for entries in lists[:2]:
            shared.put("", entries, made)
        shared.get("", lists[0])
        shared.put("", lists[2], made)
        known = [shared.get("", entries) is made for entries in lists]
        self.assertEqual(known, [True, False, True])

    def test_two_users_share_what_was_made_of_their_list(self) -> None:
        backend = Mailboxes()
        backend.lists["alice"] = backend.lists["bob"] = (listed("A", "a.example"),)
        locations = Locations([("table", backend)], clock=Clock())
        alice, bob = (at_once(locations.listed(user)) for user in ("alice", "bob"))
        self.assertIs(alice, bob)
        backend.lists["bob"] = (listed("B", "a.example"),)
        locations.forget(None)
        self.assertEqual([entry.name for entry in at_once(locations.remote("bob"))], ["B"])
