"""Mailboxes with names of all kinds, behind two servers: referred to, found and opened there."""

from __future__ import annotations

from collections.abc import Iterable

from tests.interop.shared import entry, listed, message, open_client, referral, subjects, table
from tests.interop.support import InteropCase, Referrald, quoted
from tests.proves import proves

# Each has something that a URL, a quoted string, a pattern or a file system takes in its own way.
NAMES = (
    "Board Minutes",
    "#hash",
    "R&D",
    "a]b",
    'say "so"',
    "back\\slash",
    "semi;colon=x",
    "what?",
    "a:b@c",
    "+plus",
    "Entwürfe",
    "日本/台北 😀",
)
# Lists would take these for patterns; they are not in lists, but can be opened.
PATTERNS = ("100% sure", "star*")
# Dovecot refuses these, whose files would be elsewhere; the memory store has no files. Names with
# empty levels, as a leading delimiter makes them, no store here takes, nor does the table.
ODDER = ("a/./b", "a/../b", "~tilde", "./c")


class Names(InteropCase):
    def follow(self, front: Referrald, local: str, remote: str, ports: list[int]) -> None:
        """Be referred to the servers in their order, and find the mailbox at each."""
        with open_client(front.port) as client:
            lines = listed(client, "RLIST", '""', quoted(local))
            is_listed = set("%*").isdisjoint(local)
            self.assertEqual(len(lines), is_listed, (local, lines))
            status, data = client.select(quoted(local))
            self.assertEqual(status, "NO")
            urls = referral(data[0])
        self.assertEqual([url.port for url in urls], ports)
        for url in urls:
            self.assertEqual((url.host, url.user), ("127.0.0.1", "alice"))
            assert url.port is not None and url.mailbox is not None
            with open_client(url.port) as there:
                self.assertEqual(subjects(there, url.mailbox), [f"Subject: {url.port} {remote!a}"])

    def fill(self, ports: Iterable[int], names: Iterable[str]) -> None:
        """Put a message into each mailbox at each server that says where it lies."""
        for port in ports:
            with open_client(port) as client:
                for name in names:
                    subject = message(f"{port} {name!a}")
                    answer = client.append(quoted(name), "", "", subject)
                    self.assertEqual(answer[0], "OK", (name, answer))

    @proves("M2", "M9", "M13")
    def test_either_url_of_a_mailbox_with_two_replicas_leads_to_it(self) -> None:
        prefix = "Geteiltes & mehr/"
        there = [prefix + name for name in (*NAMES, *PATTERNS)]
        ports = [self.start_home([("alice", "secret")], folders=there).port for _ in "ab"]
        self.fill(ports, there)
        shared = entry("#shared/", ["a", "b"], name=prefix, folders=NAMES)
        front = self.start_shared(table(dict(zip("ab", ports, strict=True)), shared))
        for name in (*NAMES, *PATTERNS):
            self.follow(front, f"#shared/{name}", prefix + name, ports)

    @proves("M2", "M13")
    def test_names_that_look_like_paths_lead_to_a_store_that_has_them(self) -> None:
        home = self.start_shared("")
        with open_client(home.port) as client:
            for name in ODDER:
                self.assertEqual(client.create(quoted(name))[0], "OK", name)
        self.fill([home.port], ODDER)
        entries = [entry(f"Odd {n}", "a", name=name) for n, name in enumerate(ODDER)]
        front = self.start_shared(table({"a": home.port}, *entries))
        for n, name in enumerate(ODDER):
            self.follow(front, f"Odd {n}", name, [home.port])
