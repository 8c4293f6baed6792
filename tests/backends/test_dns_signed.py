"""Signed records of single users."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from docs.examples.sign_home import record
from referrald.backends.dns.factory import factory
from referrald.backends.dns.homes import DnsBackend
from referrald.backends.dns.signed import public_key, record_name, sign, verify
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.interfaces import IReferralBackend
from referrald.model import Home, Login, Security, Server
from referrald.testing import BackendContract
from referrald.workers import Inline
from tests.backends.support import BackendTestCase, filled
from tests.backends.zone import FakeResolver, rrset, srv, txt

KEY = Ed25519PrivateKey.generate()
NOW = 1_000_000
UNTIL = NOW + 3600
A = Server(host="a.example.net")


def with_domain(user: str) -> str:
    return user if "@" in user else f"{user}@signed.example"


def signed(homes: Mapping[str, Home]) -> dict[str, Any]:
    return {
        record_name(user): [txt("other=1"), txt(sign(KEY, user, home.servers, UNTIL))]
        for user, home in homes.items()
    }


def backend_for(records: dict[str, Any]) -> DnsBackend:
    options = filled(factory, domains=("*",))
    return DnsBackend(FakeResolver(records), options, Inline(), KEY.public_key(), lambda: NOW)


@implementer(IReferralBackend)
class WithoutDomains:
    """A backend that takes users without a domain for those of one."""

    def __init__(self, inner: DnsBackend) -> None:
        self.inner = inner

    def home(self, login: Login) -> Any:
        return self.inner.home(Login(user=with_domain(login.user)))


class Records(SynchronousTestCase):
    def test_what_is_signed_is_read_again(self) -> None:
        servers = (A, Server(host="b.example.net", port=993, security=Security.TLS))
        text = sign(KEY, "ann@example.org", servers, UNTIL)
        found = verify(KEY.public_key(), "Ann@Example.ORG", text)
        self.assertEqual((found.servers, found.until), (servers, UNTIL))
        self.assertEqual(verify(KEY.public_key(), "a@b", sign(KEY, "a@b", (), 5)).servers, ())

    def test_it_is_none_for_another_user_or_key(self) -> None:
        text = sign(KEY, "ann@example.org", (A,), UNTIL)
        with self.assertRaisesRegex(Wrong, "signature"):
            verify(KEY.public_key(), "bob@example.org", text)
        with self.assertRaisesRegex(Wrong, "signature"):
            verify(Ed25519PrivateKey.generate().public_key(), "ann@example.org", text)

    @given(st.data())
    def test_nothing_in_it_can_be_changed(self, data: Any) -> None:
        text = sign(KEY, "ann@example.org", (A,), UNTIL)
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
        changed = text[:at] + other + text[at + 1 :]
        if changed != text:
            with self.assertRaises(Wrong):
                verify(KEY.public_key(), "ann@example.org", changed)

    def test_a_server_that_cannot_be_written_is_refused(self) -> None:
        with self.assertRaises(Wrong):
            sign(KEY, "a@b", (Server(host="a.example", security=Security.CLEAR),), UNTIL)

    def test_names_do_not_show_users_and_differ(self) -> None:
        names = {record_name(user) for user in ("ann@example.org", "bob@example.org")}
        self.assertEqual(len(names), 2)
        self.assertEqual(record_name("ANN@example.org"), record_name("ann@EXAMPLE.org"))
        for name in names:
            self.assertTrue(name.endswith("._imap-home.example.org"))
            self.assertNotIn("ann", name.partition(".")[0])

    def test_keys_of_other_kinds_are_refused(self) -> None:
        form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        other = generate_private_key(SECP256R1()).public_key().public_bytes(*form)
        with self.assertRaisesRegex(Wrong, "another kind"):
            public_key(other)


class Scripts(SynchronousTestCase):
    def test_the_script_of_the_docs_writes_a_record_that_is_believed(self) -> None:
        path = self.mktemp()
        form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        Path(path).write_bytes(KEY.private_bytes(*form))
        user = "ann@example.org"
        line = record(path, user, ["a.example.net", "b.example.net:993"])
        name, rest = line.split(". ", 1)
        (found,) = rrset(name, "TXT", [rest.replace(" IN", "")])
        said = verify(KEY.public_key(), user, b"".join(found.strings).decode("ascii"))
        self.assertEqual((name, said.servers[0]), (record_name(user), A))
        self.assertEqual(len(said.servers), 2)


class Asking(BackendTestCase):
    def test_a_record_of_the_user_counts_before_the_domain(self) -> None:
        records = signed({"ann@example.org": Home(servers=(A,)), "here@example.org": Home()})
        records["_imaps._tcp.example.org"] = [srv("all.example.net", 993)]
        backend = backend_for(records)
        home = self.home(backend, "ann@example.org")
        self.assertEqual(home, Home(servers=(A,), ttl=300.0))
        self.assertEqual(self.home(backend, "here@example.org"), Home(ttl=300.0))
        home = self.home(backend, "bob@example.org")
        assert home is not None
        self.assertEqual([each.host for each in home.servers], ["all.example.net"])

    def test_it_is_kept_until_it_ends_at_most(self) -> None:
        text = sign(KEY, "ann@example.org", (A,), NOW + 7)
        home = self.home(
            backend_for({record_name("ann@example.org"): [txt(text)]}), "ann@example.org"
        )
        assert home is not None
        self.assertEqual(home.ttl, 7.0)

    def test_what_has_ended_or_is_forged_is_an_error_and_never_the_domain(self) -> None:
        other = Ed25519PrivateKey.generate()
        for text, why in (
            (sign(KEY, "ann@example.org", (A,), NOW), "has ended"),
            (sign(other, "ann@example.org", (A,), UNTIL), "wrong signature"),
            ("v=1 nothing", "malformed"),
        ):
            records = {record_name("ann@example.org"): [txt(text)]}
            records["_imaps._tcp.example.org"] = [srv("all.example.net", 993)]
            backend = backend_for(records)
            told = self.failure(backend.home(Login(user="ann@example.org")), Unavailable)
            self.assertIn(why, str(told))


class Contract(BackendContract, TestCase):
    def make_backend(self, homes: Mapping[str, Home]) -> Any:
        records = signed({with_domain(user): home for user, home in homes.items()})
        return WithoutDomains(backend_for(records))
