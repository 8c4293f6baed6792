from __future__ import annotations

import contextlib
import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256

from hypothesis import given
from hypothesis import strategies as st

from referrald.auth.scram import (
    FakeKeys,
    ScramServer,
    derive_keys,
    make_nonce,
    parse_client_first,
    prepared_password,
)
from referrald.errors import AuthenticationFailed, ReferraldError, WireError
from referrald.model import ScramKeys
from tests.auth.support import AuthTestCase
from tests.proves import proves

# The example of RFC 7677 section 3.
PASSWORD = b"pencil"
SALT = b64decode(b"W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

PIECES = st.sampled_from(
    [
        b"n,,",
        b"y,a=x,",
        b"p=a,,",
        b"n=joe",
        b"r=abc",
        b",",
        b"m=x",
        b"c=biws",
        b"p=AAAA",
        b"x=y",
        b"=",
        b"\0",
        b"\xff",
        b"=2C",
    ]
)
MESSAGES = st.one_of(st.binary(), st.lists(PIECES).map(b",".join), st.lists(PIECES).map(b"".join))


def keys(password: bytes = PASSWORD) -> ScramKeys:
    return derive_keys(password, salt=SALT, iterations=4096)


def exchange(client_first: bytes = CLIENT_FIRST) -> ScramServer:
    return ScramServer(parse_client_first(client_first), keys(), nonce=lambda: SERVER_NONCE)


def answer(
    client_first: bytes, challenge: bytes, password: bytes = PASSWORD, more: bytes = b""
) -> bytes:
    """Be a client: give the final message for a challenge."""
    flag, authzid, bare = client_first.split(b",", 2)
    nonce, salt, iterations = (part[2:] for part in challenge.split(b","))
    salted = pbkdf2_hmac("sha256", password, b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    binding = b64encode(flag + b"," + authzid + b",")
    unproved = b"c=" + binding + b",r=" + nonce + more
    transcript = b",".join((bare, challenge, unproved))
    signature = hmac.digest(sha256(client_key).digest(), transcript, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return unproved + b",p=" + b64encode(proof)


class ExchangeTests(AuthTestCase):
    @proves("L5")
    def test_the_exchange_of_the_rfc_comes_out_byte_by_byte(self) -> None:
        server = exchange()
        self.assertEqual(server.challenge, SERVER_FIRST)
        self.assertEqual(server.finish(CLIENT_FINAL), SERVER_FINAL)

    def test_the_client_of_these_tests_speaks_as_the_rfc_does(self) -> None:
        self.assertEqual(answer(CLIENT_FIRST, SERVER_FIRST), CLIENT_FINAL)

    def test_a_wrong_password_fails(self) -> None:
        final = answer(CLIENT_FIRST, SERVER_FIRST, b"pen")
        self.assertRaises(AuthenticationFailed, exchange().finish, final)

    def test_extensions_that_are_not_mandatory_are_passed_over(self) -> None:
        first = CLIENT_FIRST + b",x=some,y=thing"
        server = exchange(first)
        final = answer(first, server.challenge, more=b",z=1")
        self.assertTrue(server.finish(final).startswith(b"v="))

    def test_a_client_that_would_have_bound_the_channel_is_welcome(self) -> None:
        first = b"y,," + CLIENT_FIRST[3:]
        server = exchange(first)
        self.assertTrue(server.finish(answer(first, server.challenge)).startswith(b"v="))

    def test_a_binding_that_was_tampered_with_fails(self) -> None:
        first = b"y,," + CLIENT_FIRST[3:]
        final = answer(CLIENT_FIRST, exchange(first).challenge)
        self.assertRaises(AuthenticationFailed, exchange(first).finish, final)

    def test_a_nonce_that_is_not_ours_fails(self) -> None:
        other = SERVER_FIRST.replace(b"hvYDp", b"other")
        final = answer(CLIENT_FIRST, other)
        self.assertRaises(AuthenticationFailed, exchange().finish, final)

    def test_every_failure_reads_the_same(self) -> None:
        finals = (
            answer(CLIENT_FIRST, SERVER_FIRST, b"pen"),
            answer(CLIENT_FIRST, SERVER_FIRST.replace(b"hvYDp", b"other")),
            CLIENT_FINAL.replace(b"p=dHzb", b"p="),
            answer(b"y,," + CLIENT_FIRST[3:], SERVER_FIRST),
        )
        texts = set()
        for final in finals:
            texts.add(str(self.assertRaises(AuthenticationFailed, exchange().finish, final)))
        self.assertEqual(len(texts), 1)

    def test_a_final_message_that_is_none_is_malformed(self) -> None:
        for final in (
            b"",
            b"p=AAAA",
            b"c=biws,r=x",
            b"r=x,c=biws,p=AAAA",
            b"c=biws,r=x,p=AAAA,x=y",
            b"c=biws,r=x,p=AAAA,p=AAAA",
            b"c=biws,r=x,p=!",
            b"c=!,r=x,p=AAAA",
            b"c=biws,,r=x,p=AAAA",
        ):
            self.assertRaises(WireError, exchange().finish, final)

    def test_nonces_are_printable_and_new_each_time(self) -> None:
        nonces = {make_nonce() for _ in range(50)}
        self.assertEqual(len(nonces), 50)
        self.assertTrue(all(len(nonce) == 24 and b"," not in nonce for nonce in nonces))

    @given(MESSAGES)
    def test_no_bytes_make_it_fail_in_any_other_way(self, message: bytes) -> None:
        for parse in (parse_client_first, exchange().finish):
            with contextlib.suppress(WireError, AuthenticationFailed):
                parse(message)


class FirstMessageTests(AuthTestCase):
    def test_names_are_decoded_and_prepared(self) -> None:
        first = parse_client_first("n,a=x=2Cy,n=a=3Db\u00adc\u2168,r=abc".encode())
        self.assertEqual((first.username, first.authzid), ("a=bcIX", "x,y"))

    def test_channel_binding_and_mandatory_extensions_are_refused(self) -> None:
        for message in (b"p=tls-unique,,n=user,r=abc", b"n,,m=must,n=user,r=abc"):
            self.assertRaises(AuthenticationFailed, parse_client_first, message)

    def test_a_name_that_cannot_be_prepared_authenticates_nobody(self) -> None:
        for name in (b"\x07", b"\xff", "\u00ad".encode(), "\u0627a".encode()):
            message = b"n,,n=" + name + b",r=abc"
            self.assertRaises(AuthenticationFailed, parse_client_first, message)

    def test_a_first_message_that_is_none_is_malformed(self) -> None:
        for message in (
            b"",
            b"n,n=user,r=abc",
            b"n,,",
            b"n,,n=user",
            b"n,,n=,r=abc",
            b"n,,r=abc,n=user",
            b"n,,n=user,r=",
            b"n,,n=user,r=a\x7fb",
            b"n,,n=us=er,r=abc",
            b"n,,n=user,r=abc,bad",
            b"z,,n=user,r=abc",
        ):
            self.assertRaises(WireError, parse_client_first, message)


class KeyTests(AuthTestCase):
    @proves("L7")
    def test_a_fake_is_the_same_each_time_and_differs_by_user(self) -> None:
        fakes = FakeKeys(b"s" * 32)
        self.assertEqual(fakes.make("joe"), fakes.make("joe"))
        self.assertNotEqual(fakes.make("joe").salt, fakes.make("ann").salt)
        self.assertEqual(FakeKeys(b"s" * 32).make("joe"), fakes.make("joe"))
        self.assertNotEqual(FakeKeys(b"t" * 32).make("joe").salt, fakes.make("joe").salt)

    @proves("L7")
    def test_fakes_look_like_the_first_real_keys_and_never_change_after(self) -> None:
        fakes = FakeKeys(b"s" * 32)
        fakes.learn(derive_keys(b"x", salt=b"12345678", iterations=5000))
        looks = fakes.make("joe")
        self.assertEqual((looks.iterations, len(looks.salt)), (5000, 8))
        fakes.learn(derive_keys(b"x", salt=bytes(32), iterations=1000))
        self.assertEqual(fakes.make("joe"), looks)

    @proves("L7")
    def test_no_password_fits_a_fake_and_it_fails_as_a_wrong_password_does(self) -> None:
        first = parse_client_first(CLIENT_FIRST)
        server = ScramServer(first, FakeKeys(b"s" * 32).make("user"), nonce=lambda: SERVER_NONCE)
        fake = self.assertRaises(
            AuthenticationFailed, server.finish, answer(CLIENT_FIRST, server.challenge)
        )
        real = self.assertRaises(
            AuthenticationFailed, exchange().finish, answer(CLIENT_FIRST, SERVER_FIRST, b"pen")
        )
        self.assertEqual((str(fake), fake.public, fake.code), (str(real), real.public, real.code))

    def test_a_new_salt_is_drawn_when_none_is_given(self) -> None:
        self.assertNotEqual(derive_keys(b"x", iterations=1).salt, derive_keys(b"x").salt)

    def test_passwords_are_prepared_when_they_can_be(self) -> None:
        self.assertEqual(prepared_password("I\u00adX".encode()), b"IX")
        self.assertEqual(prepared_password(b"\xff\xfe"), b"\xff\xfe")
        self.assertEqual(prepared_password(b"bell\x07"), b"bell\x07")

    @proves("S4")
    def test_nothing_shows_keys_or_proofs(self) -> None:
        first = parse_client_first(CLIENT_FIRST)
        server = exchange()
        secrets = [keys().salt, keys().stored_key, keys().server_key, PASSWORD, SERVER_NONCE]
        errors: list[ReferraldError] = []
        for final in (CLIENT_FINAL[:-1], b"c=biws,r=x,p=AAAA", b"pencil"):
            try:
                server.finish(final)
            except ReferraldError as error:
                errors.append(error)
        for secret in secrets:
            self.assert_hidden(secret, first, server, keys(), *errors)
