"""The grammar of LIST in all its forms, and which names several patterns match."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire import listing
from referrald.wire.listing import ListQuery
from referrald.wire.patterns import QUICK, level_matcher, matcher
from tests.proves import proves
from tests.wire.support import one


def read(text: bytes) -> ListQuery:
    """Read a LIST of which ``text`` is all that follows the name."""
    return listing.list_(one(b"a LIST " + text + b"\r\n"))[0]


def extended(*patterns: str, **options: Any) -> ListQuery:
    """Make a query of LIST-EXTENDED."""
    return ListQuery(patterns=patterns, extended=True, **options)


class Basic(SynchronousTestCase):
    @proves("base:LIST")
    def test_a_reference_and_a_pattern(self) -> None:
        self.assertEqual(read(b'"" *'), ListQuery(patterns=("*",)))
        self.assertEqual(read(b"a/ %"), ListQuery(reference="a/", patterns=("%",)))
        self.assertEqual(read(b'"a b" "%\\""'), ListQuery(reference="a b", patterns=('%"',)))
        self.assertEqual(read(b'"" {3+}\r\na b'), ListQuery(patterns=("a b",)))
        self.assertEqual(read(b'"" "&AOk-/*"'), ListQuery(patterns=("\u00e9/*",)))

    def test_an_empty_pattern_asks_for_the_root_in_the_basic_form_only(self) -> None:
        self.assertTrue(read(b'"" ""').asks_root)
        self.assertTrue(read(b'a/b ""').asks_root)
        for text in (b'() "" ""', b'"" ("")', b'"" "" RETURN ()'):
            self.assertFalse(read(text).asks_root, text)

    def test_lsub_rlist_and_rlsub_take_the_basic_form_only(self) -> None:
        for name in (b"LSUB", b"RLIST", b"RLSUB"):
            command = one(b"a %b a/ %%\r\n" % name)
            self.assertEqual(listing.plain(command), (ListQuery(reference="a/", patterns=("%",)),))
            for text in (b'() "" *', b'"" (a b)', b'"" * RETURN ()', b'""', b"", b'"" *  '):
                self.assertRaises(WireError, listing.plain, one(b"a %b %b\r\n" % (name, text)))


class Extended(SynchronousTestCase):
    @proves("M10")
    def test_selection_options_in_any_order_and_case(self) -> None:
        self.assertEqual(read(b'() "" *'), extended("*"))
        self.assertEqual(read(b'(REMOTE) "" *'), extended("*", remote=True))
        everything = extended(
            "*", subscribed=True, remote=True, recursive_match=True, special_use=True
        )
        for text in (
            b"(subscribed Remote RECURSIVEMATCH special-use)",
            b"(RECURSIVEMATCH SPECIAL-USE REMOTE SUBSCRIBED REMOTE)",
        ):
            self.assertEqual(read(text + b' "" *'), everything)

    def test_recursivematch_takes_a_selection_beside_it(self) -> None:
        for options in (b"RECURSIVEMATCH", b"REMOTE RECURSIVEMATCH"):
            with self.assertRaises(WireError) as caught:
                read(b'(%b) "" *' % options)
            self.assertIn("RECURSIVEMATCH", caught.exception.public)
        for base in (b"SUBSCRIBED", b"SPECIAL-USE"):
            self.assertTrue(read(b'(RECURSIVEMATCH %b) "" *' % base).recursive_match)

    def test_patterns_in_every_form_of_a_string(self) -> None:
        self.assertEqual(
            read(b'"" (INBOX "Sent/%" {3+}\r\na b "&AOk-" "")'),
            extended("INBOX", "Sent/%", "a b", "\u00e9", ""),
        )

    def test_return_options_in_any_order_and_case(self) -> None:
        self.assertEqual(read(b'"" * RETURN ()'), extended("*"))
        self.assertEqual(read(b'"" * return (children)'), extended("*", return_children=True))
        everything = extended(
            "*",
            return_subscribed=True,
            return_children=True,
            return_special_use=True,
            status=("MESSAGES", "UNSEEN"),
        )
        for text in (
            b"SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN)",
            b"status (messages unseen) special-use children subscribed CHILDREN",
            b"STATUS (MESSAGES) CHILDREN SPECIAL-USE SUBSCRIBED STATUS (UNSEEN MESSAGES)",
        ):
            self.assertEqual(read(b'"" * RETURN (%b)' % text), everything)

    def test_everything_at_once(self) -> None:
        self.assertEqual(
            read(b'(SUBSCRIBED REMOTE) "a/" (% b) RETURN (CHILDREN STATUS (UIDNEXT))'),
            ListQuery(
                reference="a/",
                patterns=("%", "b"),
                subscribed=True,
                remote=True,
                return_children=True,
                status=("UIDNEXT",),
                extended=True,
            ),
        )

    def test_unknown_options_are_named_as_what_is_wrong(self) -> None:
        for text, wrong in (
            (b'(X-NEW) "" *', "Unknown selection option."),
            (b'(CHILDREN) "" *', "Unknown selection option."),
            (b'"" * RETURN (REMOTE)', "Unknown return option."),
            (b'"" * RETURN (RECURSIVEMATCH)', "Unknown return option."),
            (b'"" * RETURN (MYRIGHTS)', "Unknown return option."),
        ):
            with self.assertRaises(WireError) as caught:
                read(text)
            self.assertEqual(caught.exception.public, wrong, text)

    def test_what_is_no_list_command_is_refused(self) -> None:
        for text in (
            b"", b'""', b"()", b'() ""', b'()"" *', b'() "" ()', b'"" (a  b)', b'"" (a b',
            b'"" * ', b'"" * RETURN', b'"" * RETURN ', b'"" * RETURNS ()', b'"" * x ()',
            b'"" * RETURN(CHILDREN)', b'"" * RETURN (CHILDREN) x', b'"" * RETURN () ',
            b'"" * RETURN (STATUS)', b'"" * RETURN (STATUS ())', b'"" * RETURN (STATUS MESSAGES)',
            b'(SUBSCRIBED  REMOTE) "" *', b'("SUBSCRIBED") "" *',
        ):  # fmt: skip
            self.assertRaises(WireError, read, text)

    def test_what_no_name_can_match_is_no_pattern(self) -> None:
        for text, patterns in (
            (b'"" "&"', ()), (b'"" ("&AOk")', ()), (b'& *', ()), (b'& (a b)', ()),
            (b'"" (a & b)', ("a", "b")),
        ):  # fmt: skip
            query = read(text)
            self.assertEqual((query.reference, query.patterns), ("", patterns), text)


def by_the_book(query: ListQuery, name: str, *, levels: bool = False) -> bool:
    """Match as RFC 3501 section 6.3.8 puts it, by a regular expression."""
    for pattern in query.patterns:
        if (query.extended and not pattern) or (levels and not pattern.endswith("%")):
            continue
        whole = query.reference + pattern
        if name.split("/")[0] == "INBOX":
            # INBOX is so in any case, wherever the pattern starts with (part of) it.
            start = re.split("[*%/]", whole)[0]
            if "INBOX".startswith(start.upper()):
                whole = start.upper() + whole[len(start) :]
        wild = {"*": ".*", "%": "[^/]*"}
        if re.fullmatch("".join(wild.get(char, re.escape(char)) for char in whole), name):
            return True
    return False


texts = st.text(alphabet="ab/*%", max_size=6)
inboxes = st.sampled_from(["inbox", "iNBox/%", "inbo*", "Inbox%", "inb*/a"])
names = st.text(alphabet="ab/", max_size=6) | st.sampled_from(["INBOX", "INBOX/a", "INBOXa"])


class Matching(SynchronousTestCase):
    @proves("base:LIST")
    @given(texts, st.lists(texts | inboxes, min_size=1, max_size=12), st.lists(names, max_size=8))
    def test_several_patterns_match_what_any_of_them_does(
        self, reference: str, patterns: list[str], listed: list[str]
    ) -> None:
        for extension in (True, False):
            chosen = patterns if extension else patterns[:1]
            query = ListQuery(reference=reference, patterns=tuple(chosen), extended=extension)
            matches, levels = matcher(query, "/"), level_matcher(query, "/")
            for name in listed:
                self.assertEqual(matches(name), by_the_book(query, name), name)
                shown = levels is not None and levels(name)
                self.assertEqual(shown, by_the_book(query, name, levels=True), name)

    @given(st.lists(texts, min_size=QUICK + 1, max_size=40, unique=True), names)
    def test_many_patterns_are_no_other_than_few(self, patterns: list[str], name: str) -> None:
        query = extended(*patterns)
        self.assertEqual(matcher(query, "/")(name), by_the_book(query, name))

    @proves("base:LIST")
    def test_inbox_is_so_in_any_case_but_other_names_are_not(self) -> None:
        for pattern in ("inbox", "Inbox", "inbox*", "iNb%", "INBOX%"):
            self.assertTrue(matcher(ListQuery(patterns=(pattern,)), "/")("INBOX"), pattern)
        for pattern in ("inbox*", "Inbox/%", "inbox/a", "inb%/a"):
            self.assertTrue(matcher(ListQuery(patterns=(pattern,)), "/")("INBOX/a"), pattern)
        for pattern, name in (("inbox*", "INBOXes"), ("inbox/A", "INBOX/a"), ("inby*", "INBOX")):
            self.assertFalse(matcher(ListQuery(patterns=(pattern,)), "/")(name), pattern)

    def test_without_levels_both_wildcards_are_the_same(self) -> None:
        for pattern in ("a%c", "a*c", "%c", "a%%b*c", "*"):
            self.assertTrue(matcher(ListQuery(patterns=(pattern,)), "")("a/b/c"), pattern)
        self.assertFalse(matcher(ListQuery(patterns=("a%d",)), "")("a/b/c"))

    def test_a_pattern_that_is_too_long_is_refused_or_passed_over(self) -> None:
        long = "%*" * 500 + "a"
        self.assertRaises(WireError, matcher, ListQuery(patterns=(long,)), "/")
        matches = matcher(extended(long, "b"), "/")
        self.assertTrue(matches("b"))
        self.assertFalse(matches("a"))

    def test_the_work_for_a_name_does_not_grow_with_the_number_of_patterns(self) -> None:
        calls = 0

        class Counted(str):
            def startswith(self, *arguments: Any) -> bool:  # type: ignore[override]
                nonlocal calls
                calls += 1
                return super().startswith(*arguments)

            def __iter__(self) -> Any:
                nonlocal calls
                calls += 1
                return super().__iter__()

        seen = []
        for many in (20, 200, 2000):
            calls = 0
            patterns = [f"{number:x}*" for number in range(many)]
            self.assertFalse(matcher(extended(*patterns), "/")(Counted("zzz")))
            seen.append(calls)
        self.assertEqual(seen, [QUICK + 1] * 3)
