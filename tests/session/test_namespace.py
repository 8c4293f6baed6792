"""NAMESPACE (RFC 2342, RFC 9051 section 6.3.10)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import Namespaces
from tests.proves import proves
from tests.session.native import Site, done


class Kinds(SynchronousTestCase):
    def told(self, site: Site, utf8: bool = False) -> Any:
        client = site.log_in()
        if utf8:
            client.session.enable(["UTF8=ACCEPT"])
        line, answer = client.ask(b"x NAMESPACE")
        self.assertEqual(answer, b"x OK Namespaces told.")
        return line.decode()

    @proves("base:NAMESPACE")
    def test_each_kind_stands_in_its_place(self) -> None:
        self.assertEqual(self.told(Site(public="")), '* NAMESPACE (("" "/")) NIL NIL')
        self.assertEqual(
            self.told(Site(public="Public")), '* NAMESPACE (("" "/")) NIL (("Public/" "/"))'
        )
        both = Site(public="Public", others="Other Users")
        self.assertEqual(
            self.told(both),
            '* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public/" "/"))',
        )

    def test_prefixes_are_spelled_as_names_are(self) -> None:
        site = Site(public="")
        account = done(site.store.account("bob"))
        account.namespaces = lambda: Namespaces(
            personal=("", "#ü/"), others=("~/",), shared=("R&D/", 'a"b/')
        )
        self.assertEqual(
            self.told(site),
            '* NAMESPACE (("" "/")("#&APw-/" "/")) (("~/" "/")) (("R&-D/" "/")("a\\"b/" "/"))',
        )
        self.assertEqual(
            self.told(site, utf8=True),
            '* NAMESPACE (("" "/")("#ü/" "/")) (("~/" "/")) (("R&D/" "/")("a\\"b/" "/"))',
        )

    def test_it_takes_no_arguments(self) -> None:
        (answer,) = Site().log_in().ask(b"x NAMESPACE INBOX")
        self.assertTrue(answer.startswith(b"x BAD "))
