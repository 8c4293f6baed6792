"""Extra fields of a passwd-file. What they mean was tried with Dovecot 2.3.19."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import passwdfields, passwdfile
from referrald.backends.passwdfields import CLOSED, Extra, ExtraReader
from referrald.backends.servers import Wrong
from referrald.model import Home, Security, Server
from tests.backends.support import filled
from tests.proves import proves

H = Server(host="h.example")
WORDS = st.sampled_from(
    [
        *passwdfields.READ,
        *passwdfields.PASSED_OVER,
        *passwdfields.REFUSED,
        *(f"{key}={value}" for key in passwdfields.READ for value in ("", "yes", "h.x", "%u", "1")),
    ]
)


class Fields(SynchronousTestCase):
    def read(self, text: str, user: str = "bob@dom.example", **options: Any) -> Extra:
        given_ = filled(passwdfile.factory, file="f") | options
        return ExtraReader(given_).read(text, user)

    def home(self, text: str, **options: Any) -> Home:
        return self.read(text, **options).home

    def server(self, text: str, **options: Any) -> Server:
        (server,) = self.home(text, **options).servers
        return server

    def wrong(self, text: str, **options: Any) -> str:
        return str(self.assertRaises(Wrong, self.read, text, **options))

    def test_without_a_host_the_user_is_at_home_here(self) -> None:
        for text in ("", " ", "nodelay=y", "userdb_mail=maildir:~/Maildir", "port=1143 ssl=yes"):
            self.assertEqual(self.home(text), Home())

    def test_nologin_without_a_host_closes_the_account(self) -> None:
        self.assertEqual(self.home("nologin"), Home(closed=CLOSED))
        self.assertEqual(self.home("nologin=y reason=Moved"), Home(closed="Moved"))
        self.assertEqual(self.home("nologin=no"), Home(closed=CLOSED))
        self.assertEqual(self.home("nologin reason=%n-moved"), Home(closed="bob-moved"))
        self.assertEqual(self.home("nologin reason=a:b:c"), Home(closed="a:b:c"))

    def test_a_host_is_where_the_client_is_referred(self) -> None:
        for text in ("host=h.example", "host=h.example nologin", "host=h.example proxy=y"):
            self.assertEqual(self.home(text), Home(servers=(H,)))
        self.assertEqual(self.server("host=a.example host=h.example"), H)

    def test_ports_and_security(self) -> None:
        for text, port, security in (
            ("ssl=yes", 993, "tls"),
            ("ssl=any-cert", 993, "tls"),
            ("ssl=yes port=1993", 1993, "tls"),
            ("starttls=yes", 143, "starttls"),
            ("starttls=any-cert port=1143", 1143, "starttls"),
            ("", 143, "starttls"),
            ("port=993", 993, "tls"),
        ):
            self.assertEqual(
                self.server(f"host=h.example {text}"),
                Server(host="h.example", port=port, security=Security(security)),
                text,
            )

    def test_security_that_the_line_does_not_name_is_that_of_the_backend(self) -> None:
        for option, port in (("none", 143), ("tls", 993), ("starttls", 143)):
            server = self.server("host=h.example", security=option)
            self.assertEqual((server.security.value, server.port), (option, port))
        self.assertEqual(self.server("host=h.example ssl=yes", security="none").port, 993)

    def test_proxy_maybe_to_an_own_host_is_here(self) -> None:
        own = {"own_hosts": ("H.example", "192.0.2.1")}
        self.assertEqual(self.home("proxy_maybe host=h.example", **own), Home())
        self.assertEqual(self.home("proxy_maybe host=192.0.2.1 destuser=x", **own), Home())
        self.assertEqual(self.server("proxy_maybe host=b.example", **own).host, "b.example")
        self.assertEqual(self.server("proxy host=h.example", **own), H)

    def test_a_mere_suggestion_lets_the_user_in_only_when_that_is_switched_on(self) -> None:
        self.assertFalse(self.home("host=h.example").public_here)
        self.assertTrue(self.home("host=h.example", suggest=True).public_here)
        for text in ("nologin", "proxy", "proxy_maybe"):
            self.assertFalse(self.home(f"host=h.example {text}", suggest=True).public_here)

    def test_fields_are_a_word_about_the_user_where_they_are_obeyed(self) -> None:
        own = {"own_hosts": ("here.example",), "obey": True}
        for text, how in (
            ("host=h.example proxy=y", "relay"),
            ("host=h.example proxy_maybe", "relay"),
            ("host=here.example proxy_maybe", None),
            ("host=h.example nologin", "refer"),
            ("host=h.example nologin proxy", "relay"),
            ("host=h.example", None),
            ("", None),
            ("nologin", None),
        ):
            self.assertEqual(self.home(text, **own).how, how, text)
            self.assertIsNone(self.home(text, own_hosts=("here.example",)).how, text)

    def test_a_user_may_be_held(self) -> None:
        for text in ("held", "held=yes"):
            self.assertEqual(self.home(text), Home(held=True))
            self.assertEqual(self.home(f"host=h.example {text}"), Home(servers=(H,), held=True))
        self.assertFalse(self.home("host=h.example").held)
        self.assertIn('"no" for held is not yes', self.wrong("held=no"))

    @proves("L8")
    def test_the_name_there_may_be_another_one(self) -> None:
        for text, user, template in (
            ("destuser=robert", "robert", False),
            ("destuser=%n", "%n", True),
            ("user=other", "other", False),
            ("user=other destuser=robert", "robert", False),
            ("destuser=100%%", "100%", False),
        ):
            extra = self.read(f"host=h.example {text}")
            self.assertEqual((extra.user, extra.is_template), (user, template))

    def test_variables_in_a_host_are_filled_in_for_each_user(self) -> None:
        extra = self.read("host=imap.%d", "bob@dom.example")
        self.assertEqual(extra.home.servers, (Server(host="imap.dom.example"),))
        self.assertFalse(extra.shared)
        self.assertTrue(self.read("host=h.example destuser=%n").shared)
        self.assertIn("not a host", self.wrong("host=%u"))

    def test_variables_in_a_host_need_whole_names(self) -> None:
        self.assertIn("whole user names", self.wrong("host=imap.%d", username_format="%n"))
        self.assertEqual(
            self.server("host=a%%b.example".replace("%%", ""), username_format="%n").port, 143
        )

    def test_a_line_that_fails_does_not_count(self) -> None:
        self.assertTrue(self.read("fail host=h.example").absent)

    @proves("U4")
    def test_an_ipv6_address_is_refused(self) -> None:
        for host in ("2001:db8::9", "[2001:db8::9]", "::1"):
            self.assertIn("IPv6", self.wrong(f"host={host} nologin"))

    def test_what_dovecot_could_not_use_is_refused(self) -> None:
        for text in (
            "proxy",
            "proxy_maybe=y",
            "host=",
            "host=h.example port=0",
            "host=h.example port=x",
            "host=h.example destuser=%q",
            "host=h.example destuser=",
            "nologin reason=%{nosuch}",
        ):
            self.wrong(text)

    def test_what_is_easily_misunderstood_is_refused(self) -> None:
        for text in (
            "host=h.example ssl=no",
            "host=h.example starttls=",
            "host=h.example ssl=yes starttls=yes",
            "user=other",
            "destuser=robert",
        ):
            self.wrong(text)
        self.assertEqual(self.home("user=%u"), Home())
        self.assertEqual(self.home("user=bob@dom.example"), Home())

    def test_what_keeps_people_out_is_never_passed_over(self) -> None:
        for key in passwdfields.REFUSED:
            self.assertIn(f"{key} is not supported", self.wrong(f"{key}=192.0.2.0/24"))
        self.assertIn('no field "bogus"', self.wrong("bogus=1"))
        self.assertIn('no field "NOLOGIN"', self.wrong("NOLOGIN=y"))
        self.assertIn('no field "host:protected"', self.wrong("host:protected=h.example"))
        error = self.assertRaises(Wrong, self.read, "nologn=y")
        self.assertEqual(error.right, 'did you mean "nologin"?')

    def test_the_operator_may_have_fields_ignored(self) -> None:
        ignore = ("allow_nets", "bogus")
        self.assertEqual(self.home("allow_nets=192.0.2.0/24 bogus", ignore=ignore), Home())

    @proves("S4")
    def test_a_reason_with_the_next_line_in_it_is_not_told_to_clients(self) -> None:
        for text in ("Gonebob:{PLAIN}secret", "Gonebob:$6$x$y", "Gonebob:secret::::::"):
            self.assertIn("two lines", self.wrong(f"nologin reason={text}"))

    @proves("S4")
    def test_no_value_of_a_secret_field_is_shown(self) -> None:
        self.assertEqual(self.home("pass=secret master=proxy"), Home())
        self.assertNotIn("secret", self.wrong("pass=secret bogus=secret"))

    @given(st.lists(WORDS, max_size=6), st.booleans())
    def test_any_fields_mean_something_or_are_wrong(self, words: list[str], suggest: bool) -> None:
        try:
            extra = self.read(" ".join(words), suggest=suggest)
        except Wrong:
            return
        self.assertEqual("fail" in {word.partition("=")[0] for word in words}, extra.absent)
