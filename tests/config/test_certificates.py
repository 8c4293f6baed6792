from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.config.fakes import NOW, ConfigTestCase, KeyPair


class CertificateFiles(ConfigTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pair = KeyPair()
        self.write(self.pair.certificate_pem, "cert.pem")
        self.write(self.pair.key_pem, "key.pem")

    def lines(self, **tls: Any) -> list[str]:
        """Load with a ``[tls]`` section; gives what is said about it."""
        section = {"certificate": "cert.pem", "key": "key.pem"} | tls
        return self.problems_of(
            tls={key: value for key, value in section.items() if value is not None}
        )

    def test_a_pair_in_two_files_is_good(self) -> None:
        self.assertEqual(self.lines(), [])

    def test_a_pair_in_one_file_is_good(self) -> None:
        self.write(self.pair.certificate_pem + self.pair.key_pem, "both.pem")
        self.assertEqual(self.lines(certificate="both.pem", key=None), [])

    def test_the_key_lies_in_the_certificates_file_when_left_out(self) -> None:
        self.write(self.pair.certificate_pem + self.pair.key_pem, "both.pem")
        text = '[server]\nname = "h"\n[tls]\ncertificate = "both.pem"\n'
        text += '[[listener]]\nendpoint = "tcp:143"\n[[backend]]\ntype = "fake"\n'
        config = self.load(text).config
        assert config is not None and config.tls is not None
        self.assertEqual(config.tls.key, self.path("both.pem"))

    def test_a_chain_behind_the_certificate_is_good(self) -> None:
        self.write(self.pair.certificate_pem + KeyPair().certificate_pem, "cert.pem")
        self.assertEqual(self.lines(), [])

    def test_the_wrong_order_in_a_chain_is_a_key_that_does_not_match(self) -> None:
        self.write(KeyPair().certificate_pem + self.pair.certificate_pem, "cert.pem")
        self.assertEqual(
            self.lines(),
            [
                "/d/r.toml: tls.key: the key in /d/key.pem is not that of the certificate in "
                "/d/cert.pem; give the key that the certificate was made for; the server's own "
                "certificate stands first in its file"
            ],
        )

    def test_files_that_are_not_there(self) -> None:
        self.assertEqual(
            self.lines(certificate="c", key="k", client_ca="a"),
            [
                "/d/r.toml: tls.certificate: /d/c cannot be read: No such file or directory",
                "/d/r.toml: tls.key: /d/k cannot be read: No such file or directory",
                "/d/r.toml: tls.client_ca: /d/a cannot be read: No such file or directory",
            ],
        )

    def test_one_file_that_is_not_there_is_one_problem(self) -> None:
        self.assertEqual(
            self.lines(certificate="c", key=None),
            ["/d/r.toml: tls.certificate: /d/c cannot be read: No such file or directory"],
        )

    def test_files_without_what_they_should_hold(self) -> None:
        self.write(b"-----BEGIN CERTIFICATE-----\nnonsense\n", "c")
        self.assertEqual(
            self.lines(certificate="c", key="c", client_ca="key.pem"),
            [
                "/d/r.toml: tls.certificate: there is no certificate in /d/c; "
                "PEM, beginning with -----BEGIN CERTIFICATE-----",
                "/d/r.toml: tls.certificate: there is no private key in /d/c; "
                "PEM, beginning with -----BEGIN PRIVATE KEY-----",
                "/d/r.toml: tls.client_ca: there is no certificate in /d/key.pem; "
                "PEM, beginning with -----BEGIN CERTIFICATE-----",
            ],
        )

    def test_a_key_with_a_passphrase(self) -> None:
        self.write(self.pair.with_passphrase(), "key.pem")
        self.assertEqual(
            self.lines(),
            ["/d/r.toml: tls.key: the key in /d/key.pem has a passphrase; give it without one"],
        )

    def test_a_certificate_that_has_expired(self) -> None:
        self.replace_pair(KeyPair(begins=NOW - timedelta(days=40), days=30))
        self.assertEqual(
            self.lines(), ["/d/r.toml: tls.certificate: expired on 2026-01-05; renew it"]
        )

    def test_a_certificate_that_is_not_valid_yet(self) -> None:
        self.replace_pair(KeyPair(begins=NOW + timedelta(days=2)))
        self.assertEqual(
            self.lines(),
            [
                "/d/r.toml: tls.certificate: is not valid before 2026-01-17; "
                "check the clock, or wait"
            ],
        )

    def replace_pair(self, pair: KeyPair) -> None:
        self.write(pair.certificate_pem, "cert.pem")
        self.write(pair.key_pem, "key.pem")

    def test_a_section_without_a_certificate(self) -> None:
        self.assertEqual(
            self.lines(certificate=None),
            [
                "/d/r.toml: tls.certificate: is missing; "
                "The certificate and the chain behind it, PEM"
            ],
        )


class RelayFiles(ConfigTestCase):
    """The pair that is shown to home servers is looked at in the same way."""

    def test_a_pair_is_good_and_anything_else_is_told(self) -> None:
        pair, other = KeyPair(), KeyPair()
        self.write(pair.certificate_pem + pair.key_pem, "both.pem")
        self.write(other.key_pem, "other.pem")
        self.assertEqual(self.problems_of(relay={"certificate": "both.pem"}), [])
        for relay, wrong in (
            ({"certificate": "both.pem", "key": "other.pem"}, "relay.key: the key in "),
            ({"certificate": "other.pem"}, "relay.certificate: there is no certificate in "),
            ({"certificate": "none.pem", "key": "other.pem"}, "relay.certificate: /d/none.pem "),
            ({"key": "both.pem"}, "relay.certificate: is missing"),
        ):
            (line,) = self.problems_of(relay=relay)
            self.assertIn(wrong, line)

    def test_one_that_has_expired_is_told(self) -> None:
        pair = KeyPair(begins=NOW - timedelta(days=50))
        self.write(pair.certificate_pem + pair.key_pem, "both.pem")
        (line,) = self.problems_of(relay={"certificate": "both.pem"})
        self.assertIn("relay.certificate: expired on ", line)
