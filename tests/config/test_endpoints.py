from __future__ import annotations

import os

from referrald.config import endpoints
from referrald.config.endpoints import (
    endpoint_address,
    endpoint_fault,
    endpoint_port,
    endpoint_secures,
    split_endpoint,
)
from tests.config.fakes import ConfigTestCase, KeyPair


class _Plugin:
    prefix = "onion"


class Endpoints(ConfigTestCase):
    def test_a_string_is_split_at_colons_that_are_not_escaped(self) -> None:
        self.assertEqual(
            split_endpoint("unix:/run/a\\:b:mode=660"), ("unix", ["/run/a:b"], {"mode": "660"})
        )
        self.assertEqual(split_endpoint("tcp:143:\\"), ("tcp", ["143", ""], {}))

    def test_a_wrapped_endpoint_counts_by_what_is_inside(self) -> None:
        self.assertEqual(split_endpoint("haproxy:tcp:143")[0], "tcp")
        self.assertTrue(endpoint_secures("haproxy:ssl:993"))

    def test_only_ssl_and_tls_bring_their_own_security(self) -> None:
        secures = [endpoint_secures(t) for t in ("ssl:993", "tls:/certs", "tcp:143", "unix:/ssl:")]
        self.assertEqual(secures, [True, True, False, False])

    def test_the_port_is_found_wherever_it_stands(self) -> None:
        ports = {
            "tcp:143": 143, "tcp:port=144": 144, "tcp6:145": 145, "ssl:993": 993, "tls:/c": 443,
            "tls:/c:994": 994, "haproxy:tcp:146": 146, "unix:/s": None, "tcp:x": None, "tcp": None,
            "tcp:²": None,
        }  # fmt: skip
        self.assertEqual({text: endpoint_port(text) for text in ports}, ports)

    def test_an_address_is_known_where_one_interface_is_bound(self) -> None:
        self.assertEqual(endpoint_address("tcp:143:interface=192.0.2.1"), ("192.0.2.1", 143))
        self.assertEqual(endpoint_address("tcp:143:192.0.2.1"), ("192.0.2.1", 143))
        self.assertEqual(endpoint_address("tcp6:143:interface=\\:\\:1"), ("::1", 143))
        for text in ("tcp:143", "tcp6:143", "tcp:143:0.0.0.0", "unix:/s", "systemd:domain=INET"):
            self.assertIsNone(endpoint_address(text), text)

    def test_good_strings_have_no_fault(self) -> None:
        for text in ("tcp:143", "tcp:0:interface=127.0.0.1", "tcp6:143", "unix:/run/i:mode=660",
                     "haproxy:tcp:143"):  # fmt: skip
            self.assertEqual(endpoint_fault(text), "", text)

    def test_what_is_wrong_is_said(self) -> None:
        faults = {
            "tpc:143": 'there is no endpoint type "tpc"',
            "": 'there is no endpoint type ""',
            "143": 'there is no endpoint type "143"',
            "tcp:imap": "the port is not a number from 0 to 65535",
            "tcp:65536": "the port is not a number from 0 to 65535",
            "tcp:143:interfce=::1": 'it has an argument that "tcp" does not know, or lacks one',
            "unix:/run/i:mode=xyz": "its arguments are not good (invalid literal for int() with "
            "base 8: 'xyz')",
        }  # fmt: skip
        self.assertEqual({text: endpoint_fault(text) for text in faults}, faults)

    def test_certificates_of_an_endpoint_are_read(self) -> None:
        pair, other = KeyPair(), self.write(b"nothing", "n.pem")
        good = self.write(pair.certificate_pem + pair.key_pem, "c.pem")
        self.assertEqual(endpoint_fault(f"ssl:993:privateKey={good}"), "")
        self.assertEqual(
            endpoint_fault(f"ssl:993:privateKey={other}"),
            "its certificate or key is not usable PEM",
        )
        missing = self.path("m.pem")
        self.assertEqual(
            endpoint_fault(f"ssl:993:privateKey={missing}"),
            f"cannot read {missing}: No such file or directory",
        )

    def test_a_descriptor_of_systemd_is_asked_for_only_under_systemd(self) -> None:
        text = "systemd:domain=INET:name=imap"
        self.assertEqual(endpoint_fault(text), "")
        self.patch(os, "environ", {"LISTEN_FDS": "1"})
        self.assertEqual(endpoint_fault(text), "systemd gave no such descriptor")

    def test_a_parser_of_others_is_found_but_not_run(self) -> None:
        self.patch(endpoints, "getPlugins", lambda interface: [_Plugin()])
        self.assertEqual(endpoint_fault("onion:143"), "")
