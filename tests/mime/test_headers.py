"""Header fields and their values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime import headers


class Encoded(SynchronousTestCase):
    def test_white_space_at_the_end_of_a_coded_line_is_padding(self) -> None:
        coded = b"hello  \r\nfoo\t \tb=20\r\nsoft = \t\r\nline \nlast"
        self.assertEqual(
            headers.from_quoted_printable(coded), b"hello\r\nfoo\t \tb \r\nsoft line\nlast"
        )

    def test_much_white_space_costs_no_more_than_other_bytes(self) -> None:
        body = b" " * 1_000_000 + b"x"
        self.assertEqual(headers.from_quoted_printable(body), body)


class Fields(SynchronousTestCase):
    def test_a_header_gives_its_fields_in_order_with_their_bytes(self) -> None:
        found = headers.fields(b"A: 1\r\nb : two\r\n\tlines\r\nA: 3\r\n\r\n")
        self.assertEqual([field.name for field in found], [b"a", b"b", b"a"])
        self.assertEqual(found[1].raw, b"b : two\r\n\tlines\r\n")
        self.assertEqual(found[1].value, b"two\tlines")
        self.assertEqual(headers.first(found, b"a"), b"1")
        self.assertIsNone(headers.first(found, b"c"))

    def test_lines_that_are_no_field_are_passed_over_with_their_continuation(self) -> None:
        found = headers.fields(b" lost\r\nFrom x\r\n more\r\nA: 1\nB: 2")
        self.assertEqual(
            [(field.name, field.raw) for field in found], [(b"a", b"A: 1\n"), (b"b", b"B: 2")]
        )

    def test_a_value_is_one_line_whatever_was_in_it(self) -> None:
        self.assertEqual(headers.unfold(b" a\r\n b\rc\0d\r\n"), b"a b c d")

    @given(st.lists(st.tuples(st.sampled_from([b"A", b"Bb"]), st.binary(max_size=8))))
    def test_what_is_put_in_comes_out(self, pairs: list[tuple[bytes, bytes]]) -> None:
        clean = [(name, headers.unfold(value)) for name, value in pairs]
        header = b"".join(b"%b: %b\r\n" % pair for pair in clean) + b"\r\n"
        found = headers.fields(header)
        self.assertEqual([(f.name.title(), f.value) for f in found], clean)


class Structured(SynchronousTestCase):
    def test_parameters_keep_their_case_and_odd_ones_do_no_harm(self) -> None:
        kind = headers.media_type(
            b'Text/HTML ; Charset=UTF-8 (really);; format ;name="a;\\"b\\\\" x; y=z w.txt;'
        )
        self.assertEqual((kind.main, kind.sub), (b"Text", b"HTML"))
        expected = ((b"Charset", b"UTF-8"), (b"name", b'a;"b\\'), (b"y", b"z w.txt"))
        self.assertEqual(kind.parameters, expected)
        self.assertEqual(kind.parameter(b"charset"), b"UTF-8")
        self.assertTrue(kind.is_(b"text"))
        self.assertFalse(kind.is_(b"text", b"plain"))

    def test_a_type_that_is_none_is_plain_text(self) -> None:
        for value in (b"", b"text", b"/", b"text/", b"(x) text/plain", b"\xff/x"):
            self.assertEqual(headers.media_type(value), headers.PLAIN)
        self.assertEqual(headers.media_type(None, headers.MESSAGE), headers.MESSAGE)

    def test_a_disposition_and_languages(self) -> None:
        self.assertEqual(
            headers.disposition(b"attachment; filename=x.pdf"),
            (b"attachment", ((b"filename", b"x.pdf"),)),
        )
        self.assertIsNone(headers.disposition(b";filename=x"))
        self.assertIsNone(headers.disposition(None))
        self.assertEqual(headers.languages(b"en (English), de,, "), [b"en", b"de"])

    @given(st.binary(max_size=80))
    def test_no_bytes_make_it_raise(self, data: bytes) -> None:
        headers.fields(data)
        headers.media_type(data)
        headers.disposition(data)
        headers.decoded(data)
        headers.from_base64(data)
        headers.languages(data)
        headers.text(data, data)


class Words(SynchronousTestCase):
    def test_encoded_words_are_decoded_and_the_space_between_them_goes(self) -> None:
        value = b"Re: =?utf-8?B?w6Q=?= =?ISO-8859-1*de?q?=F6_x?= end"
        self.assertEqual(headers.decoded(value), "Re: \u00e4\u00f6 x end")

    def test_lies_and_unknown_charsets_give_text_all_the_same(self) -> None:
        self.assertEqual(headers.decoded(b"\xfc =?nope?q?a=FC?="), "\u00fc a\u00fc")
        self.assertEqual(headers.text(b"\xc3\xa4", "us-ascii"), "\u00e4")
        self.assertEqual(headers.text(b"x", "punycode"), "x")
        self.assertEqual(headers.text(b"616", "hex"), "616")

    def test_broken_base64_is_decoded_as_far_as_it_goes(self) -> None:
        self.assertEqual(headers.from_base64(b"aGV!s\r\nbG8"), b"hello")
        self.assertEqual(headers.from_base64(b"aGVsbG8=="), b"hello")
        self.assertEqual(headers.from_base64(b"a"), b"")
