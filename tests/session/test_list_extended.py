"""LIST-EXTENDED and CHILDREN (RFC 5258, RFC 3348, RFC 9051 section 6.3.9), over a real account."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.proves import proves
from tests.session.inbox import say
from tests.session.native import Site


class Listing(SynchronousTestCase):
    """The mailboxes of the examples in RFC 5258 section 5, as far as they are here."""

    def setUp(self) -> None:
        self.site = Site(public="")
        names = (b"Fruit", b"Fruit/Apple", b"Fruit/Banana", b"Tofu", b"Vegetable/Corn")
        self.client = self.site.log_in(*(b"CREATE " + name for name in names))
        for command in (b"DELETE Vegetable", b"SUBSCRIBE Fruit/Banana", b"SUBSCRIBE Fruit/Peach",
                        b"SUBSCRIBE Vegetable/Corn"):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(b"OK"), command)

    def list_(self, arguments: bytes) -> list[tuple[bytes, set[bytes], Any]]:
        answer, untagged = say(self.client, b"LIST " + arguments)
        self.assertEqual(answer, b"OK Listed.")
        return [(line[4], set(line[2]), line[5] if len(line) > 5 else None) for line in untagged]

    def names(self, arguments: bytes) -> list[bytes]:
        return [name for name, _, _ in self.list_(arguments)]

    @proves("base:LIST")
    def test_children_are_told(self) -> None:
        expected = {
            b"INBOX": {b"\\HasNoChildren"}, b"Fruit": {b"\\HasChildren"},
            b"Tofu": {b"\\HasNoChildren"}, b"Vegetable": {b"\\Noselect", b"\\HasChildren"},
        }  # fmt: skip
        for arguments in (b'"" %', b'"" % RETURN (CHILDREN)', b'() "" (%) RETURN (CHILDREN)'):
            found = {name: attributes for name, attributes, _ in self.list_(arguments)}
            self.assertEqual(found, expected, arguments)

    def test_subscribed_names_are_told_be_they_there_or_not(self) -> None:
        found = {name: attributes for name, attributes, _ in self.list_(b'(SUBSCRIBED) "" *')}
        self.assertEqual(
            found,
            {
                b"INBOX": {b"\\Subscribed"},
                b"Fruit/Banana": {b"\\Subscribed"},
                b"Fruit/Peach": {b"\\Subscribed", b"\\NonExistent"},
                b"Vegetable/Corn": {b"\\Subscribed"},
            },
        )

    def test_subscriptions_can_be_told_of_all_names(self) -> None:
        told = {
            name for name, attributes, _ in self.list_(b'"" * RETURN (SUBSCRIBED)')
            if b"\\Subscribed" in attributes
        }  # fmt: skip
        self.assertEqual(told, {b"INBOX", b"Fruit/Banana", b"Vegetable/Corn"})

    def test_recursivematch_tells_of_what_is_below(self) -> None:
        found = self.list_(b'(SUBSCRIBED RECURSIVEMATCH) "" %')
        info = [b"CHILDINFO", [b"SUBSCRIBED"]]
        self.assertEqual([(name, more) for name, _, more in found],
                         [(b"Fruit", info), (b"INBOX", None), (b"Vegetable", info)])  # fmt: skip

    def test_several_patterns_give_each_name_once(self) -> None:
        self.assertEqual(self.names(b'"" (Fru% INBOX "Fruit/*" F*)'),
                         [b"Fruit", b"Fruit/Apple", b"Fruit/Banana", b"INBOX"])  # fmt: skip
        self.assertEqual(self.names(b'"Fruit/" ("A*" "")'), [b"Fruit/Apple"])
        self.assertEqual(self.names(b'"" ("")'), [])

    def test_remote_is_accepted_where_nothing_is_remote(self) -> None:
        self.assertEqual(self.names(b'(REMOTE) "" T*'), [b"Tofu"])

    def test_what_is_no_option_is_bad(self) -> None:
        for arguments in (b'(RECURSIVEMATCH) "" *', b'(RECURSIVEMATCH REMOTE) "" *',
                          b'(ODD) "" *', b'"" * RETURN (ODD)', b'"" * RETURN', b'"" ()',
                          b'"" * RETURN (STATUS)', b'"" * RETURN (STATUS ())'):  # fmt: skip
            answer, untagged = say(self.client, b"LIST " + arguments)
            self.assertTrue(answer.startswith(b"BAD "), arguments)
            self.assertEqual(untagged, [])

    def test_the_root_is_told_for_an_empty_pattern(self) -> None:
        self.assertEqual(self.list_(b'"" ""'), [(b"", {b"\\Noselect"}, None)])
