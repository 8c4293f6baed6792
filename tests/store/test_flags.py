"""Flags and keywords of a mailbox."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible, OverQuota
from referrald.store.flags import ANY, FLAGS, KEYWORDS, Flags, special_uses


class OfAMailbox(SynchronousTestCase):
    def setUp(self) -> None:
        self.flags = Flags()

    def test_new_keywords_are_known_only_once_they_are_added(self) -> None:
        fresh = self.flags.fresh(["$Work", "$WORK", "\\seen"])
        self.assertEqual(fresh, {"$work": "$Work"})
        self.assertEqual(self.flags.all, FLAGS)
        self.assertEqual(self.flags.spelled(["$WORK"], {}), frozenset())
        self.assertEqual(self.flags.spelled(["$WORK", "\\SEEN"], fresh), {"$Work", "\\Seen"})
        self.flags.add(fresh)
        self.assertEqual(self.flags.all, (*FLAGS, "$Work"))
        self.assertEqual(self.flags.fresh(["$wORK"]), {})

    def test_what_the_grammar_has_no_place_for_is_no_flag(self) -> None:
        for bad in (
            "\\Recent",
            "\\*",
            "\\Foo",
            "",
            "a b",
            "a(",
            "a]",
            'a"',
            "a*",
            "%",
            "{",
            "\x7f",
        ):
            self.assertRaises(NotPossible, self.flags.fresh, ["$Fine", bad])
        for good in ("$Forwarded", "NonJunk", "a[b", "+1", "~"):
            self.assertEqual(list(self.flags.fresh([good]).values()), [good])

    def test_there_are_only_so_many_keywords(self) -> None:
        self.flags.add(self.flags.fresh(f"k{n}" for n in range(KEYWORDS - 1)))
        self.assertIn(ANY, self.flags.permanent)
        self.assertRaises(OverQuota, self.flags.fresh, ["one", "two"])
        self.flags.add(self.flags.fresh(["one"]))
        self.assertRaises(OverQuota, self.flags.fresh, ["two"])
        self.assertEqual(self.flags.fresh(["ONE", "\\Seen"]), {})
        self.assertNotIn(ANY, self.flags.permanent)

    def test_special_uses_have_their_usual_spelling(self) -> None:
        self.assertEqual(special_uses(["\\SENT", "\\sent", "\\Junk"]), ("\\Sent", "\\Junk"))
        for bad in ("\\Noselect", "Sent", "\\Inbox", ""):
            self.assertRaises(NotPossible, special_uses, ["\\Sent", bad])
