"""The suite for mail stores, on searching."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from referrald.errors import NoSuchMailbox
from referrald.mailmodel import NewMessage
from referrald.query import (
    All,
    Body,
    Changed,
    Either,
    Flag,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Sent,
    Smaller,
    Text,
    Uids,
    Younger,
)
from referrald.testing.storecase import StoreCase, put, uids, with_store

PLAIN = b"""\
Date: Mon, 7 Feb 1994 21:52:25 -0800
From: Fred Foobar <foobar@blurdybloop.example>
To: mooch@owatagu.example
Subject: afternoon meeting
X-Mailer: none

Hello Joe, do you think we can meet at 3:30 tomorrow?
""".replace(b"\n", b"\r\n")

CODED = b"""\
Date: Tue, 29 Feb 2000 23:59:00 +0100
From: =?utf-8?q?J=C3=BCrgen?= <j@d.example>
Subject: =?iso-8859-1?q?gr=FC=DFe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: base64

R3L8bmU=
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

aGlkZGVu
--b
Content-Type: message/rfc822

Subject: the inner one

caf=C3=A9 is not coded here
--b--
""".replace(b"\n", b"\r\n")

BARE = b"no header, no date"

DAY = datetime(2020, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=14)))
"""In UTC this is the day before."""

SEARCHES: tuple[tuple[Query, str], ...] = (
    (All(), "pcb"),
    (Not(All()), ""),
    (All((Flag("\\Seen"), Flag("$work"))), "p"),
    (Either(Flag("\\seen"), Flag("$WORK")), "pc"),
    (Not(Flag("\\Seen")), "cb"),
    (Flag("$None"), ""),
    (Larger(len(PLAIN)), "c"),
    (Smaller(len(PLAIN)), "b"),
    (Received("=", date(2020, 1, 1)), "p"),
    (Received("<", date(2020, 1, 1)), "c"),
    (Received(">=", date(2020, 1, 1)), "pb"),
    (Sent("=", date(1994, 2, 7)), "p"),
    (Sent("<", date(2000, 2, 29)), "p"),
    (Sent(">=", date(2000, 2, 29)), "c"),
    (Not(Sent(">=", date(1970, 1, 1))), "b"),
    (Younger(3600), "b"),
    (Older(3600), "pc"),
    (Header("subject", "AFTERNOON"), "p"),
    (Header("Subject", "gr\u00fcsse"), "c"),
    (Header("From", "J\u00dcRGEN"), "c"),
    (Header("x-mailer", ""), "p"),
    (Header("X-Mailer", "n"), "p"),
    (Header("subject", "inner"), ""),
    (Body("gr\u00dcne"), "c"),
    (Body("hidden"), ""),
    (Body("The Inner"), "c"),
    (Body("afternoon"), ""),
    (Body("no date"), "b"),
    (Body(""), "pcb"),
    (Text("afternoon"), "p"),
    (Text("x-mailer: none"), "p"),
    (Text("meet"), "p"),
    (All((Body("a"), Not(Header("subject", "meeting")))), "cb"),
    (Either(Body("3:30"), All((Flag("$Work"), Sent("=", date(2000, 2, 29))))), "pc"),
)
"""What finds which of the messages (by the first letters of their names)."""


class SearchContract(StoreCase):
    """Searching a mailbox."""

    async def _three(self, store: Any) -> tuple[Any, dict[str, int]]:
        account, folder = await self.box(store)
        before = datetime(2019, 12, 31, 23, 0, tzinfo=UTC)
        placed = await account.append(
            "box",
            [
                NewMessage(content=PLAIN, flags=("\\Seen", "$Work"), received=DAY),
                NewMessage(content=CODED, flags=("$Work",), received=before),
                NewMessage(content=BARE),
            ],
        )
        return folder, dict(zip("pcb", placed.uids, strict=True))

    @with_store
    async def test_a_search_finds_what_matches(self, store: Any) -> None:
        """By flags, sizes, dates, fields and decoded text, and whatever these make together."""
        folder, known = await self._three(store)
        for query, expected in SEARCHES:
            found = await folder.search(query)
            self.assertEqual(list(found.uids), [known[each] for each in expected], query)

    @with_store
    async def test_uids_can_be_searched_among(self, store: Any) -> None:
        """Those that are not there are not found; ends are included."""
        folder, known = await self._three(store)
        one, two, three = known.values()
        for ranges, expected in (
            (((one, two),), [one, two]),
            (((two, two), (three + 5, 2**32 - 1)), [two]),
            ((), []),
        ):
            self.assertEqual(list((await folder.search(Uids(ranges))).uids), expected)
        found = await folder.search(All((Not(Uids(((two, two),))), Text("e"))))
        self.assertEqual(list(found.uids), [one, three])

    @with_store
    async def test_a_search_for_changes_tells_the_highest_modseq(self, store: Any) -> None:
        """Of the messages that are found; without any it is 0."""
        folder, known = await self._three(store)
        since = (await folder.state()).modseq
        done = await folder.store([known["c"]], ["\\Answered"], 1)
        found = await folder.search(Changed(since + 1))
        self.assertEqual((list(found.uids), found.modseq), ([known["c"]], done.modseqs[known["c"]]))
        found = await folder.search(All((Changed(1), Flag("\\Seen"))))
        rows = dict(await folder.rows([known["p"]], ["modseq"]))
        self.assertEqual((list(found.uids), found.modseq), ([known["p"]], rows[known["p"]]))
        found = await folder.search(Changed(done.modseqs[known["c"]] + 1))
        self.assertEqual((list(found.uids), found.modseq), ([], 0))

    @with_store
    async def test_new_messages_are_found_and_those_that_are_gone_are_not(self, store: Any) -> None:
        """By whatever folder the change was made."""
        account, folder = await self.box(store, PLAIN, BARE)
        first, _second = await uids(folder)
        other = await account.open("box", True)
        await other.store([first], ["\\Deleted"], 1)
        await other.expunge()
        placed = await put(account, "box", PLAIN)
        self.assertEqual(list((await folder.search(Text("meet"))).uids), list(placed.uids))

    @with_store
    async def test_an_empty_mailbox_has_nothing_to_find(self, store: Any) -> None:
        """One that is gone has nothing to say."""
        account, folder = await self.box(store)
        self.assertEqual(list((await folder.search(All())).uids), [])
        self.assertEqual(list((await folder.search(Not(Body("x")))).uids), [])
        await account.delete("box")
        await self.refused(NoSuchMailbox, folder.search(All()))
