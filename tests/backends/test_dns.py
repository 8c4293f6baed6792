"""The dns backend."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dns.resolver
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dns.exception import Timeout
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.backends.dns import factory as module
from referrald.backends.dns.factory import factory
from referrald.backends.dns.homes import DnsBackend
from referrald.errors import Unavailable
from referrald.interfaces import (
    ICheckingFactory,
    IReferralBackend,
    IReferralBackendFactory,
)
from referrald.model import Home, Login, Security, Server
from referrald.testing import ODD_NAMES
from referrald.workers import Inline
from tests.backends.support import BackendTestCase, filled
from tests.backends.zone import FakeResolver, srv

TLS = Security.TLS


class Asking(BackendTestCase):
    def make(self, records: dict[str, Any], **options: Any) -> DnsBackend:
        self.resolver = FakeResolver(records)
        given = {"domains": ("*",)} | options
        return DnsBackend(self.resolver, filled(factory, **given), Inline())

    def servers(self, backend: DnsBackend, user: str = "a@example.org") -> list[str]:
        home = self.home(backend, user)
        assert home is not None
        return [f"{each.host}:{each.port}/{each.security.value}" for each in home.servers]

    def test_it_and_its_factory_are_what_they_say(self) -> None:
        verifyObject(IReferralBackend, self.make({}))
        verifyObject(IReferralBackendFactory, factory)
        verifyObject(ICheckingFactory, factory)

    def test_the_service_says_how_the_server_is_secured(self) -> None:
        backend = self.make(
            {
                "_imaps._tcp.example.org": [srv("mail.example.net", 993)],
                "_imap._tcp.example.org": [srv("mail.example.net", 143)],
            }
        )
        wanted = ["mail.example.net:993/tls", "mail.example.net:143/starttls"]
        self.assertEqual(self.servers(backend), wanted)

    def test_a_lower_priority_counts_before_the_kind_of_tls(self) -> None:
        backend = self.make(
            {
                "_imaps._tcp.example.org": [srv("s.example.net", 993, priority=20)],
                "_imap._tcp.example.org": [srv("p.example.net", 143, priority=10)],
            }
        )
        wanted = ["p.example.net:143/starttls", "s.example.net:993/tls"]
        self.assertEqual(self.servers(backend), wanted)

    def test_weights_spread_the_users_and_each_keeps_to_a_server(self) -> None:
        records = [srv("a.example.net", 993, weight=30), srv("b.example.net", 993, weight=10)]
        backend = self.make({"_imaps._tcp.example.org": records})
        again = self.make({"_imaps._tcp.example.org": records[::-1]})
        users = [f"u{number}@example.org" for number in range(800)]
        firsts = [self.servers(backend, user) for user in users]
        self.assertEqual(firsts, [self.servers(again, user) for user in users])
        counts = Counter(each[0] for each in firsts)
        self.assertTrue(540 < counts["a.example.net:993/tls"] < 660, counts)

    def test_weight_nought_is_next_to_nothing_beside_others(self) -> None:
        records = [srv("a.example.net", 993, weight=30), srv("b.example.net", 993)]
        backend = self.make({"_imaps._tcp.example.org": records})
        users = [f"u{number}@example.org" for number in range(300)]
        first = Counter(self.servers(backend, user)[0] for user in users)
        self.assertTrue(first["b.example.net:993/tls"] < 10, first)

    def test_the_target_dot_says_that_there_is_none(self) -> None:
        backend = self.make({"_imaps._tcp.example.org": [srv("", 0)]})
        self.assertIsNone(self.home(backend, "a@example.org"))

    def test_targets_that_no_referral_can_name_are_passed_over(self) -> None:
        bad = [srv(r"a\\032b.example.net", 993), srv("ok.example.net", 0), srv("x_y!.net", 993)]
        good = srv("good.example.net", 993, priority=9)
        backend = self.make({"_imaps._tcp.example.org": [*bad, good]})
        self.assertEqual(self.servers(backend)[-1], "good.example.net:993/tls")
        self.assertNotIn("ok.example.net", "".join(self.servers(backend)))
        self.assertNotIn(" ", "".join(self.servers(backend)))

    def test_answers_are_kept_as_long_as_the_shortest_record_says(self) -> None:
        records = {
            "_imaps._tcp.example.org": [srv("a.example.net", 993, ttl=600)],
            "_imap._tcp.example.org": [srv("a.example.net", 143, ttl=20)],
        }
        home = self.home(self.make(records), "a@example.org")
        assert home is not None
        self.assertEqual(home.ttl, 20)
        home = self.home(self.make(records, ttl_max=5.0), "a@example.org")
        assert home is not None
        self.assertEqual(home.ttl, 5)

    def test_no_records_are_an_unknown_domain(self) -> None:
        backend = self.make({"_imap._tcp.other.example": []})
        self.assertIsNone(self.home(backend, "a@example.org"))
        self.assertIsNone(self.home(backend, "a@other.example"))

    def test_no_answer_is_an_error_even_when_another_came(self) -> None:
        good = {"_imaps._tcp.example.org": [srv("a.example.net", 993)]}
        for error in (dns.resolver.NoNameservers(), Timeout(), OSError("no route")):
            backend = self.make(good)
            self.resolver.broken["_imap._tcp.example.org"] = error
            told = self.failure(backend.home(Login(user="a@example.org")), Unavailable)
            self.assertIn("_imap._tcp.example.org", str(told))

    def test_only_domains_that_are_named_are_asked_for(self) -> None:
        records = {"_imaps._tcp.example.org": [srv("a.example.net", 993)]}
        backend = self.make(records, domains=("*.example.org",))
        self.assertIsNone(self.home(backend, "a@example.org"))
        self.assertEqual(self.resolver.asked, [])
        backend = self.make(records, domains=("Example.ORG",))
        self.assertEqual(self.servers(backend, "A@EXAMPLE.org"), ["a.example.net:993/tls"])

    def test_names_that_dns_cannot_have_are_nobody_and_never_asked(self) -> None:
        backend = self.make({})
        odd = [*ODD_NAMES, *(f"a@{name}" for name in ODD_NAMES)]
        odd += ["a@" + "x." * 130 + "org", "a@192.0.2.1", "a@example..org", "a@-x.example"]
        for user in odd:
            self.assertIsNone(self.home(backend, user), repr(user)[:40])
        for name in self.resolver.asked:
            labels = name.split(".")
            self.assertTrue(all(0 < len(label) < 64 for label in labels), name)
            self.assertTrue(name.isascii() and " " not in name and len(name) < 254, name)

    def test_answers_that_nobody_has_validated_do_not_count_where_that_is_asked_for(self) -> None:
        records = {"_imaps._tcp.example.org": [srv("a.example.net", 993)]}
        backend = self.make(records, validated=True)
        for user in ("a@example.org", "a@other.example"):
            told = self.failure(backend.home(Login(user=user)), Unavailable)
            self.assertIn("not been validated", str(told))
        self.resolver.validates = True
        self.assertEqual(self.servers(backend), ["a.example.net:993/tls"])
        self.assertIsNone(self.home(backend, "a@other.example"))

    def test_the_name_there_can_be_another(self) -> None:
        backend = self.make({"_imap._tcp.example.org": [srv("a.example.net", 143)]}, user="%n")
        home = self.home(backend, "ann@example.org")
        wanted = Home(servers=(Server(host="a.example.net"),), user="ann", ttl=300.0)
        self.assertEqual(home, wanted)


class Factories(SynchronousTestCase):
    def wrong(self, **options: Any) -> list[str]:
        given = {"domains": ("*",), "nameservers": ("192.0.2.53",)} | options
        return [f"{each.key}: {each.wrong}" for each in factory.check(filled(factory, **given))]

    def test_good_options_are_good(self) -> None:
        self.assertEqual(self.wrong(nameservers=("192.0.2.53:5353", "192.0.2.54")), [])

    def test_each_wrong_option_is_told(self) -> None:
        (text,) = self.wrong(nameservers=("ns.example.org",))
        self.assertIn("is not the address of a name server", text)
        self.assertEqual(len(self.wrong(nameservers=("192.0.2.1:0", "192.0.2.1:99999"))), 2)
        self.assertIn("is not a variable", self.wrong(user="%x")[0])
        self.assertEqual(self.wrong(user=""), ["user: is empty"])
        self.assertIn("No such file", self.wrong(signed_key=str(Path(self.mktemp())))[0])

    def test_without_the_library_it_is_said_how_to_get_it(self) -> None:
        self.patch(module, "find_spec", lambda name: None)
        self.assertEqual(self.wrong(), ["type: needs dnspython, which is not there"])

    def test_a_key_must_be_one(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"nothing")
        self.assertEqual(self.wrong(signed_key=str(path)), ["signed_key: is no public key"])
        form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        path.write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(*form))
        self.assertEqual(self.wrong(signed_key=str(path)), [])

    def test_without_name_servers_those_of_the_system_are_asked(self) -> None:
        self.patch(module, "RESOLV", self.mktemp())
        self.assertIn("is not there", self.wrong(nameservers=())[0])
        Path(module.RESOLV).write_text("nameserver 192.0.2.77\n")
        self.assertEqual(self.wrong(nameservers=()), [])
        backend = factory.build(filled(factory, domains=("*",)), Clock())
        self.assertEqual(backend._resolver.nameservers, ["192.0.2.77"])
