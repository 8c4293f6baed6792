"""Addresses of every kind."""

from __future__ import annotations

from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime.addresses import GROUP_END, NO_HOST, Address, addresses, read
from tests.proves import proves


def person(mailbox: bytes, host: bytes | None, name: bytes | None = None) -> Address:
    return Address(name, None, mailbox, host)


@proves("base:ENVELOPE")
class Addresses(SynchronousTestCase):
    def check(self, value: bytes, *expected: Address) -> None:
        self.assertEqual(addresses(value), list(expected), value)

    def test_plain_forms(self) -> None:
        self.check(b"a@b", person(b"a", b"b"))
        self.check(b"A B <a@b>", person(b"a", b"b", b"A B"))
        self.check(b'"B, A" <a@b>,c@d', person(b"a", b"b", b"B, A"), person(b"c", b"d"))
        self.check(b"a@b (A (x) \\) B)", person(b"a", b"b", b"A (x) ) B"))
        self.check(
            b"=?utf-8?q?=C3=A4?= <a@[1.2.3.4]>", person(b"a", b"[1.2.3.4]", b"=?utf-8?q?=C3=A4?=")
        )

    def test_an_at_in_quotes_belongs_to_the_mailbox(self) -> None:
        self.check(b'"a@b"@c', person(b"a@b", b"c"))
        self.check(b"a@b@c", person(b"a@b", b"c"))

    def test_groups_begin_and_end(self) -> None:
        self.check(b"undisclosed-recipients:;", person(b"undisclosed-recipients", None), GROUP_END)
        self.check(
            b"My Team: A <a@b>, c@d; e@f",
            person(b"My Team", None),
            person(b"a", b"b", b"A"),
            person(b"c", b"d"),
            GROUP_END,
            person(b"e", b"f"),
        )
        self.check(b"g: a@b", person(b"g", None), person(b"a", b"b"), GROUP_END)

    def test_an_address_without_a_host_is_not_taken_for_a_group(self) -> None:
        self.check(b"root", person(b"root", NO_HOST))
        self.check(b"Cron <root>", person(b"root", NO_HOST, b"Cron"))
        self.check(b"<>", person(b"", NO_HOST))

    def test_a_source_route_is_kept_apart(self) -> None:
        self.check(b"<@a,@b:c@d>", Address(None, b"@a,@b", b"c", b"d"))

    def test_broken_ones_give_what_can_be_seen(self) -> None:
        self.check(b"")
        self.check(b" , ,; ")
        self.check(b'"open <a@b>', person(b"open <a@b>", NO_HOST))
        self.check(b"A <a@b", person(b"a", b"b", b"A"))
        self.check(b"A <a@b> <c@d>", person(b"a", b"b", b"A"))
        self.check(b"a@b:c", person(b"a", b"b:c"))

    @given(st.one_of(st.binary(max_size=40), st.text('ab@<>()",:;[]\\ ', max_size=30)))
    def test_no_bytes_make_it_raise_and_nothing_passes_for_a_group_by_mistake(
        self, value: bytes | str
    ) -> None:
        raw = value.encode() if isinstance(value, str) else value
        depth = 0
        for address in addresses(raw):
            if address == GROUP_END:
                depth -= 1
            elif address.host is None:
                depth += 1
            self.assertIn(depth, (0, 1))
        self.assertEqual(depth, 0)

    def test_a_long_field_takes_time_in_proportion(self) -> None:
        for piece in (b"a@b:", b"(", b"a ", b'"', b"<", b"x,", b"a\\", b"[", b"@"):
            began = perf_counter()
            addresses(piece * 50_000)
            self.assertLess(perf_counter() - began, 3, piece)


class UsualTests(SynchronousTestCase):
    """What is usual is read at once, and is read as token by token."""

    pieces = st.sampled_from(
        (
            b"a@b", b"<a@b>", b"A B <a.b+c@d.example>", b'"A, B" <a@b>', b'"" <a@b>',
            b'" a " <a@b>',
            b"O'Neil & Co. <x@y>", b"A  B <a@b>", b"A<a@b>", b"A <a@b> ", b"a@b@c", b"@", b"a@",
            b"<a@b", b"a@b>", b'"a', b"A <a@b> c", b"g: a@b;", b"(c) a@b", b"", b" ", b"A <@r:a@b>",
            b"\xe9 <a@b>", b"a@[1.2.3.4]", b"A B", b"<>",
        )
    )  # fmt: skip

    @given(st.lists(pieces, max_size=4), st.sampled_from((b", ", b",", b" ,", b" ")))
    def test_both_ways_lead_to_the_same(self, pieces: list[bytes], between: bytes) -> None:
        value = between.join(pieces)
        self.assertEqual(addresses(value), read(value))

    def test_a_very_long_list_is_cut_as_ever(self) -> None:
        value = b", ".join([b"a@b"] * 20_000)
        self.assertEqual(addresses(value), read(value))
