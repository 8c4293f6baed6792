from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.config.settings import ListenerSettings, ServerSettings, own_addresses, own_names
from tests.proves import proves


@proves("L9")
class OwnNames(SynchronousTestCase):
    server = ServerSettings(name="IMAP.example.org", own_names=("old.example.org.",))

    def test_names_are_compared_in_lower_case_without_a_final_dot(self) -> None:
        self.assertEqual(own_names(self.server), {"imap.example.org", "old.example.org"})

    def test_names_count_at_the_usual_ports_and_at_those_listened_on(self) -> None:
        listener = ListenerSettings(name="a", endpoint="tcp:1143")
        own = own_addresses(self.server, (listener,))
        ports = sorted(port for name, port in own if name == "old.example.org")
        self.assertEqual(ports, [143, 993, 1143])

    def test_a_fixed_interface_counts_by_its_address(self) -> None:
        listener = ListenerSettings(name="a", endpoint="tcp:1143:interface=127.0.0.1")
        own = own_addresses(self.server, (listener,))
        self.assertEqual({pair for pair in own if pair[0] == "127.0.0.1"}, {("127.0.0.1", 1143)})

    def test_a_listener_knows_whether_its_endpoint_brings_tls(self) -> None:
        listeners = [ListenerSettings(name="a", endpoint=e) for e in ("tcp:143", "ssl:993")]
        self.assertEqual([each.secured_by_endpoint for each in listeners], [False, True])
