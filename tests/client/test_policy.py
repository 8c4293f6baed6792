"""Credentials go only where they may, and never by a weaker transport."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.policy import Credential, CredentialPolicy
from tests.imapurl.strategies import HOSTS
from tests.proves import proves


def objection(
    host: str,
    port: int = 143,
    *,
    secure: bool = True,
    origin_secure: bool = True,
    kind: Credential = "password",
    **settings: Any,
) -> str:
    """Judge a host by a policy whose origin is ``front.example``."""
    policy = CredentialPolicy(**{"origin": "front.example", **settings})
    return policy.objection(host, port, secure=secure, origin_secure=origin_secure, kind=kind)


class HostTests(SynchronousTestCase):
    @proves("L12")
    def test_without_patterns_only_the_origin_is_allowed(self) -> None:
        self.assertEqual(objection("front.example"), "")
        self.assertEqual(objection("FRONT.Example.", 993), "")
        self.assertIn("not an allowed host", objection("home.example"))
        self.assertIn("not an allowed host", objection("front.example.evil.example"))

    @proves("L12")
    def test_patterns_match_names_in_any_case_with_and_without_a_final_dot(self) -> None:
        for pattern in ("*.example", "HOME.Example.", "h?me.example", "[gh]ome.*", "*"):
            with self.subTest(pattern):
                self.assertEqual(objection("Home.example", allowed=(pattern,)), "")
                self.assertEqual(objection("home.example.", allowed=(pattern,)), "")

    @proves("L12")
    def test_a_pattern_matches_the_whole_name(self) -> None:
        for host in ("xhome.example", "home.example.evil", "example"):
            with self.subTest(host):
                self.assertIn("not an allowed", objection(host, allowed=("home.example",)))
        self.assertIn("not an allowed", objection("evilexample", allowed=("*.example",)))

    @proves("L12")
    def test_foreign_names_are_the_same_in_both_spellings(self) -> None:
        for pattern in ("bücher.example", "xn--bcher-kva.example"):
            self.assertEqual(objection("BÜCHER.example", allowed=(pattern,)), "")

    @proves("L12")
    def test_an_address_is_allowed_only_where_it_is_written_out(self) -> None:
        for host, entry in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::1", "0:0::1")]:
            with self.subTest(host=host, entry=entry):
                self.assertIn("an address", objection(host, allowed=("*", "127.0.0.*", "*:*", "?")))
                self.assertEqual(objection(host, allowed=(entry,)), "")
                self.assertEqual(objection(host, origin=entry), "")

    @proves("L12")
    def test_what_is_no_host_is_refused_with_the_reason(self) -> None:
        for host in ("", "h\0.evil", "h/evil", "127.1", "h]", "a b"):
            with self.subTest(host):
                self.assertNotEqual(objection(host, allowed=("*",), allow_clear=("*",)), "")

    @proves("L12")
    def test_the_reason_names_the_host_and_what_it_does_not_get(self) -> None:
        self.assertEqual(
            objection("h.example", kind="token"), "h.example: not an allowed host, gets no token"
        )
        self.assertEqual(
            objection("127.0.0.1"), "127.0.0.1: an address that is not allowed, gets no password"
        )

    @proves("L12")
    @given(HOSTS, st.booleans(), st.booleans())
    def test_no_transport_makes_up_for_a_host_that_is_not_allowed(
        self, host: str, secure: bool, origin_secure: bool
    ) -> None:
        reason = objection(
            host,
            secure=secure,
            origin_secure=origin_secure,
            origin="front.test",
            allowed=("*.test",),
            allow_clear=("*",),
        )
        self.assertIn("allowed", reason)


class TransportTests(SynchronousTestCase):
    @proves("L12")
    def test_a_weaker_transport_than_before_is_refused(self) -> None:
        for host in ("home.example", "front.example"):
            with self.subTest(host):
                reason = objection(host, secure=False, allowed=("*",))
                self.assertIn("the server that referred had it", reason)

    @proves("L12")
    def test_nothing_goes_in_the_clear_even_where_it_was_clear_before(self) -> None:
        kinds: tuple[Credential, ...] = ("password", "token")
        for kind in kinds:
            with self.subTest(kind):
                reason = objection(
                    "home.example", secure=False, origin_secure=False, kind=kind, allowed=("*",)
                )
                self.assertIn(f"gets no {kind} in the clear", reason)

    @proves("L12")
    def test_the_clear_is_allowed_by_name_only(self) -> None:
        settings: dict[str, Any] = {"allowed": ("*", "127.0.0.1"), "secure": False}
        for origin_secure in (True, False):
            settings["origin_secure"] = origin_secure
            clear = ("home.*",)
            self.assertEqual(objection("home.example", allow_clear=clear, **settings), "")
            self.assertIn("without TLS", objection("h.example", allow_clear=clear, **settings))
            self.assertIn("without TLS", objection("127.0.0.1", allow_clear=("*",), **settings))
            self.assertEqual(objection("127.0.0.1", allow_clear=("127.0.0.1",), **settings), "")

    @proves("L12")
    def test_allowing_the_clear_does_not_allow_the_host(self) -> None:
        self.assertIn("not an allowed host", objection("h.example", allow_clear=("*",)))

    @proves("L12")
    def test_port_993_is_tls_whatever_may_be_clear(self) -> None:
        policy = CredentialPolicy(origin="h.example", allow_clear=("*",))
        self.assertFalse(policy.clear_allowed("h.example", 993))
        self.assertTrue(policy.clear_allowed("H.example.", 1143))
        reason = policy.objection("h.example", 993, secure=False, origin_secure=False)
        self.assertIn("without TLS", reason)
