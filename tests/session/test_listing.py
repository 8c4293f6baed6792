"""LIST, LSUB, RLIST and RLSUB as a session answers them: what it asks for, and the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoSuchMailbox, Unavailable
from referrald.mailmodel import MailboxEntry, MailboxLocation, MailboxStatus, RemoteMailbox, Replica
from referrald.model import Server
from referrald.session import listing
from referrald.session.pace import TURN
from referrald.wire.listing import ListQuery, list_
from referrald.wire.response import untagged
from tests.proves import proves
from tests.session.support import ExactWheel
from tests.wire.support import one

AWAY = MailboxLocation(replicas=(Replica(server=Server(host="b.example"), name="x"),))


class Mail:
    """An account that counts what it is asked."""

    delimiter = "/"

    def __init__(
        self, *local: str, remote: Iterable[RemoteMailbox] = (), subscribed: Iterable[str] = ()
    ) -> None:
        self.local = [MailboxEntry(name=name) for name in local]
        self.elsewhere = tuple(remote)
        self.subscribed = frozenset(subscribed)
        self.asked: list[str] = []
        self.down = ""

    async def _give(self, what: str, value: Any) -> Any:
        self.asked.append(what)
        if self.down == what:
            raise Unavailable(f"{what} is down")
        return value

    async def entries(self) -> Any:
        return await self._give("entries", self.local)

    async def remote(self) -> Any:
        return await self._give("remote", self.elsewhere)

    async def subscriptions(self) -> Any:
        return await self._give("subscriptions", self.subscribed)

    async def statuses(self, wanted: Sequence[str]) -> dict[str, MailboxStatus]:
        found = {name: await self.status(name) for name in wanted if self.down != name}
        self.asked = [asked for asked in self.asked if not asked.startswith("status ")]
        self.asked.append(f"statuses of {len(wanted)}")
        return found

    async def status(self, name: str) -> MailboxStatus:
        self.asked.append(f"status {name}")
        if self.down == name:
            raise NoSuchMailbox(name)
        return MailboxStatus(
            messages=len(name), unseen=1, deleted=0, uid_next=9, uid_validity=7, size=5
        )


class Session:
    """As much of a session as a listing needs."""

    def __init__(self, mail: Mail, unasked: str = "hide") -> None:
        self.mail = mail
        self.clock = Clock()
        self.door = SimpleNamespace(
            unasked=unasked, clock=self.clock.seconds, wheel=ExactWheel(self.clock)
        )
        self.asks_for_remote = self.relays = self.utf8 = False
        self.unasked = unasked
        self.chunks: list[bytes] = []
        self.held_back: Deferred[None] | None = None

    def ask_remote(self) -> None:
        self.asks_for_remote = True

    def untagged(self, *parts: bytes) -> None:
        self.chunks.append(untagged(*parts))

    async def send(self, pieces: Iterable[bytes]) -> bool:
        waited = self.held_back is not None
        for piece in pieces:
            self.chunks.append(piece)
            if self.held_back is not None:
                await self.held_back
        return waited

    def start(self, command: str, text: str = '"" *') -> Deferred[Any]:
        """Run a command; ``text`` is what follows its name."""
        (query,) = list_(one(b"a LIST " + text.encode("ascii") + b"\r\n"))
        name = "list_" if command == "LIST" else command.lower()
        return Deferred.fromCoroutine(getattr(listing, name)(self, query))

    @property
    def lines(self) -> list[str]:
        """Take the lines that were written."""
        written, self.chunks[:] = b"".join(self.chunks), []
        return written.decode("ascii").split("\r\n")[:-1]


class ListingCase(SynchronousTestCase):
    def run_(self, session: Session, command: str, text: str = '"" *') -> list[str]:
        answer = self.successResultOf(session.start(command, text))
        self.assertEqual((answer.kind, answer.text), ("OK", "Listed."))
        return session.lines


REMOTE = (
    RemoteMailbox(name="team", location=AWAY, subscribed=True),
    RemoteMailbox(name="team/x y", location=AWAY, attributes=("\\Archive",)),
)


class TheBytes(ListingCase):
    def setUp(self) -> None:
        self.mail = Mail(
            "INBOX", "a", "a/b c", "NIL", "caf\u00e9", 'q"', "R&D",
            remote=REMOTE, subscribed={"a/b c", "gone/x", "team/x y"},
        )  # fmt: skip
        self.session = Session(self.mail)

    @proves("base:LIST", "M9")
    def test_list(self) -> None:
        self.assertEqual(
            self.run_(self.session, "LIST"),
            [
                '* LIST (\\HasNoChildren) "/" INBOX',
                '* LIST (\\HasNoChildren) "/" "NIL"',
                '* LIST (\\HasNoChildren) "/" R&-D',
                '* LIST (\\HasChildren) "/" a',
                '* LIST (\\HasNoChildren) "/" "a/b c"',
                '* LIST (\\HasNoChildren) "/" caf&AOk-',
                '* LIST (\\HasNoChildren) "/" "q\\""',
            ],
        )
        self.assertEqual(self.mail.asked, ["entries"])
        self.assertFalse(self.session.asks_for_remote)

    @proves("M9")
    def test_rlist(self) -> None:
        here = self.run_(self.session, "LIST")
        self.assertEqual(
            self.run_(self.session, "RLIST"),
            [
                *here,
                '* LIST (\\HasChildren) "/" team',
                '* LIST (\\Archive \\HasNoChildren) "/" "team/x y"',
            ],
        )
        self.assertTrue(self.session.asks_for_remote)

    @proves("base:LSUB", "M9")
    def test_lsub(self) -> None:
        self.assertEqual(
            self.run_(self.session, "LSUB"),
            ['* LSUB () "/" "a/b c"', '* LSUB () "/" gone/x'],
        )
        self.assertEqual(
            self.run_(self.session, "LSUB", '"" %'),
            ['* LSUB (\\Noselect) "/" a', '* LSUB (\\Noselect) "/" gone'],
        )
        self.assertFalse(self.session.asks_for_remote)

    @proves("M9")
    def test_rlsub(self) -> None:
        self.assertEqual(
            self.run_(self.session, "RLSUB", '"" t*'),
            ['* LSUB () "/" team', '* LSUB (\\Archive) "/" "team/x y"'],
        )
        self.assertTrue(self.session.asks_for_remote)

    @proves("M10")
    def test_list_with_remote(self) -> None:
        self.assertEqual(
            self.run_(self.session, "LIST", '(REMOTE) "" (t% I%)'),
            ['* LIST () "/" INBOX', '* LIST (\\Remote) "/" team'],
        )
        self.assertTrue(self.session.asks_for_remote)
        self.assertEqual(
            self.run_(self.session, "LIST", '(SUBSCRIBED REMOTE RECURSIVEMATCH) "" %'),
            [
                '* LIST () "/" a ("CHILDINFO" ("SUBSCRIBED"))',
                '* LIST (\\NonExistent) "/" gone ("CHILDINFO" ("SUBSCRIBED"))',
                '* LIST (\\Subscribed \\Remote) "/" team ("CHILDINFO" ("SUBSCRIBED"))',
            ],
        )

    @proves("base:LIST")
    def test_the_delimiter(self) -> None:
        for command in ("LIST", "RLIST"):
            root = ['* LIST (\\Noselect) "/" ""']
            self.assertEqual(self.run_(self.session, command, '"" ""'), root)
        self.assertEqual(self.mail.asked, [])
        self.mail.delimiter = ""
        self.assertEqual(self.run_(self.session, "LIST", '"" ""'), ['* LIST (\\Noselect) NIL ""'])

    def test_names_are_written_as_the_one_writer_writes_them(self) -> None:
        names = ["nil", "nilly", "a b", " a", "a ", "a\\b", "a%", "a*", "a&b", "(", "{1}", "]", "~"]
        self.session.mail = Mail(*names)
        for line in self.run_(self.session, "LIST"):
            name = line.removeprefix('* LIST (\\HasNoChildren) "/" ')
            shown = {listing.mailbox(each).decode("ascii") for each in names}
            self.assertIn(name, shown)


class WhatIsAskedFor(ListingCase):
    @proves("M9")
    def test_with_say_plain_commands_tell_of_remote_names_too(self) -> None:
        session = Session(Mail("a", remote=REMOTE), unasked="say")
        self.assertEqual(len(self.run_(session, "LIST")), 3)
        self.assertEqual(self.run_(session, "LSUB"), ['* LSUB () "/" team'])
        self.assertEqual(self.run_(session, "LIST", '"" (t%)'), ['* LIST () "/" team'])
        self.assertFalse(session.asks_for_remote)

    @proves("M9")
    def test_lsub_asks_for_remote_names_only_where_one_may_have_to_be_hidden(self) -> None:
        mail = Mail("a", "b", remote=REMOTE, subscribed={"a"})
        session = Session(mail)
        self.run_(session, "LSUB")
        self.run_(session, "LIST", '(SUBSCRIBED) "" *')
        self.run_(session, "LIST", '"" * RETURN (SUBSCRIBED)')
        self.assertEqual(mail.asked, ["entries", "subscriptions"] * 3)
        mail.subscribed = frozenset({"a", "team"})
        self.assertEqual(self.run_(session, "LSUB"), ['* LSUB () "/" a'])
        self.assertEqual(mail.asked[-1], "remote")
        self.assertEqual(
            self.run_(session, "LIST", '(SUBSCRIBED) "" *'), ['* LIST (\\Subscribed) "/" a']
        )

    def test_one_backend_that_fails_means_not_one_line(self) -> None:
        for down in ("entries", "remote", "subscriptions"):
            mail = Mail("a", remote=REMOTE, subscribed={"a"})
            mail.down = down
            session = Session(mail)
            self.failureResultOf(session.start("RLSUB"), Unavailable)
            self.assertEqual(session.lines, [])
            # It has asked all the same.
            self.assertTrue(session.asks_for_remote)

    def test_list_does_not_depend_on_backends_of_remote_names(self) -> None:
        mail = Mail("a", remote=REMOTE)
        mail.down = "remote"
        self.assertEqual(len(self.run_(Session(mail), "LIST")), 1)


class WithCounts(ListingCase):
    def setUp(self) -> None:
        self.mail = Mail("INBOX", "a", "b", remote=REMOTE)
        self.mail.local.append(MailboxEntry(name="no", attributes=("\\Noselect",)))
        self.session = Session(self.mail)

    def test_each_line_of_a_mailbox_that_is_here_is_followed_by_its_counts(self) -> None:
        self.assertEqual(
            self.run_(self.session, "LIST", '(REMOTE) "" % RETURN (STATUS (MESSAGES UIDNEXT))'),
            [
                '* LIST () "/" INBOX',
                "* STATUS INBOX (MESSAGES 5 UIDNEXT 9)",
                '* LIST () "/" a',
                "* STATUS a (MESSAGES 1 UIDNEXT 9)",
                '* LIST () "/" b',
                "* STATUS b (MESSAGES 1 UIDNEXT 9)",
                '* LIST (\\Noselect) "/" no',
                '* LIST (\\Remote) "/" team',
            ],
        )

    def test_all_that_are_here_are_counted_in_one_go(self) -> None:
        self.run_(self.session, "LIST", '"" % RETURN (STATUS (MESSAGES))')
        self.assertEqual(self.mail.asked, ["entries", "statuses of 3"])

    def test_a_mailbox_that_has_just_gone_cannot_be_selected_any_more(self) -> None:
        self.mail.down = "a"
        self.assertEqual(
            self.run_(self.session, "LIST", '"" (a b) RETURN (STATUS (UNSEEN))'),
            ['* LIST (\\Noselect) "/" a', '* LIST () "/" b', "* STATUS b (UNSEEN 1)"],
        )

    def test_counts_that_there_are_none_of_are_refused(self) -> None:
        answer = self.successResultOf(
            self.session.start("LIST", '"" * RETURN (STATUS (MESSAGES HATS))')
        )
        self.assertEqual(answer.kind, "BAD")
        self.assertEqual((self.session.lines, self.mail.asked), ([], []))


class ALot(ListingCase):
    def setUp(self) -> None:
        names = [f"a{number:05}" for number in range(3 * listing.BATCH)]
        self.session = Session(Mail(*names))

    def test_lines_go_out_in_batches(self) -> None:
        self.successResultOf(self.session.start("LIST"))
        self.assertEqual([chunk.count(b"\n") for chunk in self.session.chunks], [listing.BATCH] * 3)

    def test_a_client_that_does_not_read_is_not_fed(self) -> None:
        self.session.held_back = reading = Deferred()
        answer = self.session.start("LIST")
        self.assertNoResult(answer)
        self.assertEqual(len(self.session.chunks), 1)
        self.session.held_back = None
        reading.callback(None)
        self.successResultOf(answer)
        self.assertEqual(len(self.session.lines), 3 * listing.BATCH)

    def test_others_have_their_turns_meanwhile(self) -> None:
        clock = self.session.clock
        order: list[str] = []

        async def slowly(pieces: Iterable[bytes]) -> bool:
            order.append(f"{b''.join(pieces).count(bytes([10]))} lines")
            clock.rightNow += TURN
            clock.callLater(0, order.append, "another's turn")
            return False

        self.session.send = slowly  # type: ignore[method-assign]
        answer = self.session.start("LIST")
        clock.advance(0)
        self.successResultOf(answer)
        self.assertEqual(order, [f"{listing.BATCH} lines", "another's turn"] * 3)

    def test_a_query_of_ones_own_making(self) -> None:
        query = ListQuery(reference="a0000", patterns=("%",))
        self.successResultOf(Deferred.fromCoroutine(listing.rlist(self.session, query)))  # type: ignore[arg-type]
        self.assertEqual(len(self.session.lines), 10)
