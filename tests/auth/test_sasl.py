from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from referrald.auth import sasl
from referrald.errors import AuthenticationFailed, WireError
from tests.auth.support import AuthTestCase
from tests.proves import proves

Parser = Callable[[bytes], Any]
PARSERS: tuple[Parser, ...] = (
    sasl.plain,
    sasl.external,
    sasl.oauthbearer,
    sasl.xoauth2,
    sasl.gs2_header,
    sasl.saslname,
)
# Pieces of real messages, so that random ones get past the first check.
PIECES = st.sampled_from(
    [
        b"n,,",
        b"y,",
        b"p=tls-unique,",
        b"a=joe",
        b",",
        b"=2C",
        b"=3D",
        b"=",
        b"\0",
        b"\x01",
        b"auth=Bearer ",
        b"user=joe",
        b"host=h",
        b"t0ken",
        b"\xff",
        "é".encode(),
        b"*",
    ]
)
MESSAGES = st.one_of(st.binary(), st.lists(PIECES).map(b"".join))


class AnyBytesTests(AuthTestCase):
    @given(MESSAGES)
    @example(b"n,a=\xff,\x01auth=Bearer x\x01\x01")
    def test_no_bytes_make_a_parser_fail_in_any_other_way(self, message: bytes) -> None:
        for parse in PARSERS:
            with contextlib.suppress(WireError, AuthenticationFailed):
                parse(message)

    @proves("S4")
    def test_no_error_quotes_the_message(self) -> None:
        secret = b"s3cretWord"
        for parse in PARSERS:
            for message in (
                b"\xff" + secret,
                b"=" + secret,
                b"\0\xff" + secret + b"\0" + secret,
                b"n,a=\xff" + secret + b",",
                b"p=x,," + secret,
                b"n,," + secret,
                secret + b"\x01\x01",
            ):
                try:
                    parse(message)
                except (WireError, AuthenticationFailed) as error:
                    self.assert_hidden(secret, error)


class PlainTests(AuthTestCase):
    def test_the_three_parts_come_out(self) -> None:
        self.assertEqual(sasl.plain(b"\0tim\0tanstaaftanstaaf"), ("", "tim", b"tanstaaftanstaaf"))
        self.assertEqual(sasl.plain(b"Ursel\0Kurt\0xipj3plmq"), ("Ursel", "Kurt", b"xipj3plmq"))

    def test_a_password_may_be_any_bytes(self) -> None:
        self.assertEqual(sasl.plain(b"\0tim\0\xff\x80=,")[2], b"\xff\x80=,")

    def test_another_number_of_parts_is_malformed(self) -> None:
        for message in (b"", b"tim", b"tim\0pass", b"\0tim\0pass\0more"):
            self.assertRaises(WireError, sasl.plain, message)

    def test_a_name_that_is_not_utf_8_authenticates_nobody(self) -> None:
        self.assertRaises(AuthenticationFailed, sasl.plain, b"\0\xff\0pass")
        self.assertRaises(AuthenticationFailed, sasl.plain, b"\xff\0tim\0pass")


class ExternalTests(AuthTestCase):
    def test_the_message_is_the_authzid_or_nothing(self) -> None:
        self.assertEqual(sasl.external(b""), "")
        self.assertEqual(sasl.external("jürgen".encode()), "jürgen")
        self.assertRaises(WireError, sasl.external, b"a\0b")


class OauthbearerTests(AuthTestCase):
    def test_the_message_of_the_rfc_comes_out(self) -> None:
        message = (
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
            b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
        )
        token = b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
        self.assertEqual(sasl.oauthbearer(message), ("user@example.com", token))

    def test_the_word_bearer_is_read_in_any_case(self) -> None:
        self.assertEqual(sasl.oauthbearer(b"n,,\x01Auth=bEARER t.k-1\x01\x01"), ("", b"t.k-1"))

    def test_no_token_or_another_kind_of_it_is_an_empty_one(self) -> None:
        for message in (
            b"n,,\x01\x01",
            b"n,,\x01auth=\x01\x01",
            b"n,,\x01auth=MAC abc\x01\x01",
            b"n,,\x01auth=Bearer not one\x01\x01",
        ):
            self.assertEqual(sasl.oauthbearer(message), ("", b""))

    def test_what_is_not_such_a_message_is_malformed(self) -> None:
        for message in (
            b"",
            b"\x01",
            b"n,,",
            b"n,,auth=Bearer x\x01\x01",
            b"n,,\x01auth=Bearer x\x01",
            b"n,,\x01auth\x01\x01",
            b"n,,\x01=x\x01\x01",
            b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            b"x,,\x01auth=Bearer x\x01\x01",
        ):
            self.assertRaises(WireError, sasl.oauthbearer, message)

    def test_channel_binding_is_refused(self) -> None:
        message = b"p=tls-exporter,,\x01auth=Bearer x\x01\x01"
        self.assertRaises(AuthenticationFailed, sasl.oauthbearer, message)

    def test_the_error_is_json(self) -> None:
        self.assertEqual(
            json.loads(sasl.bearer_error(scope="mail")),
            {"status": "invalid_token", "schemes": "bearer", "scope": "mail"},
        )
        self.assertNotIn("scope", json.loads(sasl.bearer_error("401")))


class Xoauth2Tests(AuthTestCase):
    def test_user_and_token_come_out(self) -> None:
        message = b"user=joe@example.com\x01auth=Bearer ya29.vF9\x01\x01"
        self.assertEqual(sasl.xoauth2(message), ("joe@example.com", b"ya29.vF9"))

    def test_what_is_not_such_a_message_is_malformed(self) -> None:
        for message in (b"", b"user=joe", b"user=joe\x01auth=Bearer x", b"\x01\x01\x01\x01"):
            self.assertRaises(WireError, sasl.xoauth2, message)


class SaslnameTests(AuthTestCase):
    def test_commas_and_equals_signs_are_decoded(self) -> None:
        self.assertEqual(sasl.saslname(b"a=2Cb=3Dc=3D2C"), "a,b=c=2C")

    def test_a_bare_equals_sign_is_malformed(self) -> None:
        for name in (b"=", b"a=b", b"=2c", b"=3d", b"a=2"):
            self.assertRaises(WireError, sasl.saslname, name)

    @given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
    def test_every_name_survives_being_written(self, name: str) -> None:
        written = name.replace("=", "=3D").replace(",", "=2C").encode("utf-8")
        self.assertEqual(sasl.saslname(written), name)
        header = b"n,a=" + written + b",rest"
        self.assertEqual(sasl.gs2_header(header), (name, b"rest"))
