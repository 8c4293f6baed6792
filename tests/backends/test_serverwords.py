from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.servers import Wrong
from referrald.backends.serverwords import read_server, read_servers, write_servers
from referrald.model import Security, Server

SERVERS = st.builds(
    Server,
    host=st.sampled_from(("a.example", "imap-b.example.com", "192.0.2.7", "c")),
    port=st.integers(1, 65535),
    security=st.sampled_from(Security),
    weight=st.integers(1, 1_000_000),
)


class ServersAsWords(SynchronousTestCase):
    def test_a_host_alone_has_what_is_usual(self) -> None:
        self.assertEqual(read_servers("a.example"), (Server(host="a.example"),))
        self.assertEqual(write_servers([Server(host="a.example")]), "a.example")

    def test_all_parts_are_read(self) -> None:
        self.assertEqual(
            read_servers("a:1143/none*3, b:993"),
            (
                Server(host="a", port=1143, security=Security.CLEAR, weight=3),
                Server(host="b", port=993, security=Security.TLS),
            ),
        )

    def test_here_is_no_server(self) -> None:
        self.assertEqual(read_servers("here"), ())
        self.assertEqual(write_servers([]), "here")

    @given(st.lists(SERVERS, unique_by=lambda server: (server.host, server.port), max_size=5))
    def test_what_was_written_comes_back(self, servers: list[Server]) -> None:
        self.assertEqual(read_servers(write_servers(servers)), tuple(servers))

    def test_a_word_without_security_takes_what_is_given(self) -> None:
        self.assertEqual(read_server("a", Security.CLEAR).security, Security.CLEAR)
        self.assertEqual(read_server("a/tls", Security.CLEAR).security, Security.TLS)

    def test_what_is_no_server_is_wrong(self) -> None:
        for text in (
            "", ",", "a,", "a,a", "a:0", "a:65536", "a:x", "::1", "[::1]:143", "a/ssl", "a*0",
            "a*-1", "a*x", "a*99999999", "a b", "a\n", "here,a\0",
            ",".join(f"h{n}" for n in range(101)),
        ):  # fmt: skip
            with self.assertRaises(Wrong, msg=repr(text)):
                read_servers(text)
