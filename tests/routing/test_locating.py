"""What a backend may answer about mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Security, Server
from referrald.routing.asking import Nonsense
from referrald.routing.locating import (
    ask_list,
    ask_mailbox,
    checked_list,
    wrong_with_entry,
    wrong_with_location,
)
from tests.proves import proves
from tests.routing.support import Mailboxes, at, at_once, listed, start

SERVER = Server(host="a.example")
REPLICA = Replica(server=SERVER, name="A")


class Numbered(Sequence[RemoteMailbox]):
    """Makes each entry when it is looked at, and so fails at the last one if it is ``broken``."""

    def __init__(self, count: int, broken: bool = False) -> None:
        self.count = count
        self.broken = broken

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: Any) -> Any:
        if number >= self.count:
            raise RuntimeError("lost") if self.broken else IndexError
        return listed(f"m{number}", f"h{number}.example")


class AnswersTests(SynchronousTestCase):
    def test_locations_of_all_kinds_are_right(self) -> None:
        right = [
            MailboxLocation(),
            MailboxLocation(moving=True),
            at("a.example", "::1", moving=True, ttl=0),
            at("a.example", name="\u53f0\u5317/\r\n", ttl=1.5),
            MailboxLocation(replicas=(attrs.evolve(REPLICA, user="fred", auth="GSSAPI"),)),
        ]
        for each in right:
            with self.subTest(repr(each)):
                self.assertEqual(wrong_with_location(each), "")

    @proves("S1")
    def test_a_location_with_a_wrong_part_is_wrong(self) -> None:
        servers: list[Any] = [
            None,
            "a.example",
            Server(host=""),
            attrs.evolve(SERVER, port=0),
            attrs.evolve(SERVER, port=65536),
            attrs.evolve(SERVER, port=True),
            attrs.evolve(SERVER, security="tls"),
        ]
        replicas: list[Any] = [
            *(attrs.evolve(REPLICA, server=server) for server in servers),
            *(attrs.evolve(REPLICA, name=name) for name in ("", None, b"A", "A\0")),
            *(attrs.evolve(REPLICA, user=user) for user in ("", b"u", 1)),
            *(attrs.evolve(REPLICA, auth=auth) for auth in ("", None)),
            SERVER,
            None,
        ]
        wrong: list[Any] = [
            *(MailboxLocation(replicas=(REPLICA, each)) for each in replicas),
            MailboxLocation(replicas=[REPLICA]),  # type: ignore[arg-type]
            MailboxLocation(replicas=None),  # type: ignore[arg-type]
            MailboxLocation(moving=1),  # type: ignore[arg-type]
            MailboxLocation(nowhere=1),  # type: ignore[arg-type]
            *(attrs.evolve(at("a"), ttl=ttl) for ttl in (-1, float("nan"), "1", True)),
        ]
        for each in [*wrong, "a.example", (), True, REPLICA, MailboxLocation, object()]:
            with self.subTest(repr(each)):
                self.assertNotEqual(wrong_with_location(each), "")

    @proves("S1")
    def test_an_entry_that_no_list_can_show_is_wrong(self) -> None:
        right = listed("A", "a.example", attributes=("\\Sent", "\\X-a.b"), subtree=True)
        self.assertEqual(wrong_with_entry(right), "")
        wrong: list[dict[str, Any]] = [
            *({"name": name} for name in ("", None, b"A", "A\0", "A\r", "A\n", "\ud800")),
            *({"attributes": each} for each in (["\\Sent"], None, "\\Sent", ("Sent",), (1,))),
            *({"attributes": (each,)} for each in ("", "\\", "\\A B", "\\A)", "\\\xe9", "\\A\r\n")),
            {"subscribed": 1},
            {"subtree": None},
            {"location": None},
            {"location": at("")},
        ]
        for parts in wrong:
            with self.subTest(repr(parts)):
                self.assertNotEqual(wrong_with_entry(attrs.evolve(right, **parts)), "")
        self.assertNotEqual(wrong_with_entry("A"), "")


async def checked(backend: Any, name: str = "") -> tuple[RemoteMailbox, ...]:
    """Ask for the list of alice and look at it."""
    return checked_list(name, await ask_list(backend, "alice"))


class AskingTests(SynchronousTestCase):
    def test_the_source_is_filled_in(self) -> None:
        backend = Mailboxes()
        backend.places["alice", "A"] = at("a.example", source="myself")
        backend.lists["alice"] = [listed("A", "a.example"), listed("B", "b.example")]
        location = at_once(ask_mailbox("table", backend, ("alice", "A")))
        self.assertEqual(location, at("a.example", source="table"))
        entries = at_once(checked(backend, "table"))
        self.assertEqual([entry.location.source for entry in entries], ["table", "table"])
        self.assertEqual(entries[1].location.replicas, at("b.example", name="B").replicas)

    def test_a_list_keeps_all_parts_of_its_entries(self) -> None:
        shared = at("a.example")
        given = [
            RemoteMailbox(name="A", location=shared, attributes=("\\Sent",), subscribed=True),
            RemoteMailbox(name="B", location=shared, subtree=True),
            RemoteMailbox(name="C", location=MailboxLocation(moving=True, ttl=5)),
        ]
        backend = Mailboxes()
        backend.lists["alice"] = given
        entries = at_once(checked(backend))
        self.assertEqual(list(entries), given)

    def test_entries_that_are_made_on_demand_are_not_mixed_up(self) -> None:
        backend = Mailboxes()
        backend.lists["alice"] = Numbered(50)
        hosts = [entry.location.replicas[0].server.host for entry in at_once(checked(backend))]
        self.assertEqual(hosts, [f"h{number}.example" for number in range(50)])

    @proves("S1")
    def test_what_is_no_list_is_nonsense(self) -> None:
        backend = Mailboxes()
        one = listed("A", "a.example")
        for each in (None, "A", b"A", {"A": one}, 5, one, [one, "B"], iter([one])):
            with self.subTest(repr(each)):
                backend.lists["alice"] = each
                self.failureResultOf(start(checked(backend)), Nonsense)
        backend.lists["alice"] = Numbered(2, broken=True)
        failure = self.failureResultOf(start(checked(backend)), Nonsense)
        self.assertIn("RuntimeError: lost", str(failure.value))

    @proves("S1")
    def test_an_answer_that_cannot_be_awaited_is_nonsense(self) -> None:
        class Hasty:
            def mailbox(self, user: str, name: str) -> Any:
                return at("a.example")

            def remote_mailboxes(self, user: str) -> Any:
                return ()

        asked = start(ask_mailbox("", Hasty(), ("alice", "A")))
        self.assertIn("mailbox() gave", str(self.failureResultOf(asked, Nonsense).value))
        self.failureResultOf(start(checked(Hasty())), Nonsense)

    @proves("S1")
    def test_whatever_is_raised_is_unavailable(self) -> None:
        backend = Mailboxes()
        backend.fault = KeyError("alice")
        for work in (ask_mailbox("", backend, ("alice", "A")), checked(backend)):
            failure = self.failureResultOf(start(work), Unavailable)
            self.assertEqual(str(failure.value), "KeyError: 'alice'")

    def test_security_is_not_looked_at(self) -> None:
        replica = attrs.evolve(REPLICA, server=attrs.evolve(SERVER, security=Security.CLEAR))
        self.assertEqual(wrong_with_location(MailboxLocation(replicas=(replica,))), "")
