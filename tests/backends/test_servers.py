"""Servers as operators write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.servers import (
    Wrong,
    did_you_mean,
    host_name,
    make_server,
    parse_server,
    plain_text,
    port_number,
    show,
)
from referrald.imapurl import login_referral
from referrald.model import Security, Server
from tests.proves import proves


class Servers(SynchronousTestCase):
    def wrong(self, call: Callable[..., Any], *arguments: Any) -> str:
        return str(self.assertRaises(Wrong, call, *arguments))

    def test_a_host_alone_means_starttls_on_143(self) -> None:
        self.assertEqual(
            parse_server("imap.example.com"),
            Server(host="imap.example.com", port=143, security=Security.STARTTLS),
        )

    def test_port_993_means_tls_unless_it_is_said_otherwise(self) -> None:
        self.assertEqual(parse_server("h.example:993").security, Security.TLS)
        self.assertEqual(parse_server("h.example:993", Security.CLEAR).security, Security.CLEAR)
        self.assertEqual(parse_server("h.example:1143").security, Security.STARTTLS)

    def test_tls_without_a_port_means_993(self) -> None:
        self.assertEqual(make_server("h.example", None, Security.TLS).port, 993)
        self.assertEqual(make_server("h.example", 1993, Security.TLS).port, 1993)
        self.assertEqual(make_server("h.example", None, Security.CLEAR).port, 143)

    def test_hosts_come_in_the_form_that_stands_in_urls(self) -> None:
        self.assertEqual(host_name("IMAP.Example.COM"), "imap.example.com")
        self.assertEqual(host_name("b\u00fccher.example"), "xn--bcher-kva.example")
        self.assertEqual(host_name("192.0.2.1"), "192.0.2.1")

    @proves("U4")
    def test_an_ipv6_address_is_refused_in_every_form(self) -> None:
        for text in ("::1", "[::1]", "[2001:db8::9]:143", "2001:db8::9", "fe80::1%eth0", "[::1"):
            self.assertIn("IPv6", self.wrong(parse_server, text))
        self.assertIn("IPv6", self.wrong(host_name, "2001:db8::9"))

    def test_what_is_no_host_is_refused(self) -> None:
        for host in ("", "a b", "a..b", "-a", "a/b", "1.2.3", "h\0", "h\n", "user@h"):
            self.wrong(host_name, host)

    def test_ports_are_numbers_from_1_to_65535(self) -> None:
        self.assertEqual([port_number("1"), port_number("65535")], [1, 65535])
        for text in ("0", "65536", "-1", "+1", "1_0", "x", "", "143 ", "\u0661"):
            self.wrong(port_number, text)
            self.wrong(parse_server, f"h.example:{text}")

    def test_a_text_is_one_line_of_limited_length(self) -> None:
        self.assertEqual(plain_text("caf\u00e9 \u2603"), "caf\u00e9 \u2603")
        for text in ("", "a\nb", "\0", "\x7f", "\x85", "\u2028", "\ud800", "\u00e9" * 128):
            self.wrong(plain_text, text)

    def test_what_is_shown_is_short_and_on_one_line(self) -> None:
        self.assertEqual(show("a\r\nb"), "a??b")
        self.assertEqual(len(show("x" * 1000)), 58)

    def test_a_word_gets_the_nearest_one_suggested(self) -> None:
        self.assertEqual(did_you_mean("secruity", ["host", "security"]), 'did you mean "security"?')
        self.assertEqual(did_you_mean("zzz", ["host", "port"]), "known: host, port")
        self.assertEqual(did_you_mean("zzz", []), "")
        self.assertEqual(did_you_mean("zzz", [f"server{n}" for n in range(50)]), "")

    @proves("U4", "L8")
    @given(st.text(max_size=30))
    def test_every_server_that_is_taken_can_be_referred_to(self, text: str) -> None:
        try:
            server = parse_server(text)
        except Wrong:
            return
        url = login_referral(server.host, server.port, "alice")
        self.assertTrue(url.startswith("imap://alice;AUTH=*@"))
        self.assertNotIn("]", url)
