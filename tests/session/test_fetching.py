"""FETCH as a client sees it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.session.fetching import fetch as read
from tests.mime.mail import NESTED, SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import DATE, Home, fetch, say
from tests.session.responses import check_body, check_envelope
from tests.wire.support import one

HEAD = SIMPLE[: SIMPLE.index(b"\r\n\r\n") + 4]
TEXT = SIMPLE[len(HEAD) :]

GOOD = {
    b"FLAGS": [b"FLAGS"],
    b"flags": [b"FLAGS"],
    b"(UID FLAGS UID)": [b"UID", b"FLAGS"],
    b"FAST": [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"],
    b"all": [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"],
    b"FULL": [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"],
    b"BODY": [b"BODY"],
    b"BODY[]": [b"BODY[]"],
    b"body.peek[text]<0.1>": [b"BODY[TEXT]<0>"],
    b"BODY[1.2.HEADER]<07.10>": [b"BODY[1.2.HEADER]<7>"],
    b'BODY[HEADER.FIELDS ("From" to {2+}\r\nCc)]': [b"BODY[HEADER.FIELDS (From to Cc)]"],
    b'BODY[4.HEADER.FIELDS.NOT (X "A B")]': [b'BODY[4.HEADER.FIELDS.NOT (X "A B")]'],
    b"(BODY[3.MIME] RFC822.TEXT)": [b"BODY[3.MIME]", b"RFC822.TEXT"],
}
BAD = (
    b"", b"()", b"(FLAGS", b"FLAGS)", b"FLAGS UID", b"(FLAGS  UID)", b"( FLAGS)", b"(FLAGS )",
    b"(ALL)", b"(FAST UID)", b"FLAG", b"BODY.PEEK", b"BODYSTRUCTURE[]", b"RFC822[]", b"FLAGS[1]",
    b"BODY[", b"BODY[]]", b"BODY[0]", b"BODY[01]", b"BODY[1.]", b"BODY[.1]", b"BODY[1..2]",
    b"BODY[MIME]", b"BODY[1 TEXT]", b"BODY[HEADER.FIELDS]", b"BODY[HEADER.FIELDS ()]",
    b"BODY[HEADER.FIELDS From]", b"BODY[HEADER (From)]", b"BODY[HEADERS]", b"BODY[TEXT.1]",
    b"BODY[9999999999]", b"BODY[]<>", b"BODY[]<1>", b"BODY[]<1.0>", b"BODY[]<0.9999999999>",
    b"BODY[]<-1.2>", b"BODY[]<0.1", b"BODY[]<0.1>x", b'"FLAGS"', b"{5+}\r\nFLAGS", b"BODY []",
)  # fmt: skip


@proves("base:FETCH parser")
class Parser(SynchronousTestCase):
    def test_items_are_read_by_the_grammar(self) -> None:
        for items, labels in GOOD.items():
            _, found, _ = read(one(b"a FETCH 1:* " + items + b"\r\n"))
            self.assertEqual([item.label for item in found], labels)

    def test_anything_else_is_refused(self) -> None:
        for items in BAD:
            with self.assertRaises(WireError, msg=items):
                read(one(b"a FETCH 1 " + items + b"\r\n"))

    def test_a_refusal_is_a_bad_and_nothing_more(self) -> None:
        client = Home().log_in()
        for items in BAD[:5]:
            answer, untagged = say(client, b"FETCH 1 " + items)
            self.assertTrue(answer.startswith(b"BAD "), answer)
            self.assertEqual(untagged, [])
        self.assertEqual(say(client, b"NOOP")[0], b"OK Nothing done.")


class Items(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in()

    def test_the_small_items(self) -> None:
        found = fetch(self.client, b"1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        self.assertEqual(
            found[1],
            {
                b"UID": 1,
                b"FLAGS": [],
                b"INTERNALDATE": DATE.strip(b'"'),
                b"RFC822.SIZE": len(SIMPLE),
            },
        )
        self.assertEqual(found[2][b"RFC822.SIZE"], len(NESTED))

    @proves("base:ENVELOPE", "base:BODYSTRUCTURE")
    def test_envelope_and_structure(self) -> None:
        for number, items in fetch(self.client, b"1:* (ENVELOPE BODY BODYSTRUCTURE)").items():
            check_envelope(items[b"ENVELOPE"])
            check_body(items[b"BODY"], False)
            check_body(items[b"BODYSTRUCTURE"], True)
            self.assertIn(number, (1, 2))

    @proves("base:FETCH BODY[HEADER] etc.")
    def test_sections_and_the_old_names_for_them(self) -> None:
        found = fetch(
            self.client,
            b"1 (BODY[] BODY[HEADER] BODY[TEXT] RFC822 RFC822.HEADER RFC822.TEXT BODY[1]"
            b' BODY[HEADER.FIELDS ("received")])',
        )[1]
        self.assertEqual(found[b"BODY[]"], SIMPLE)
        self.assertEqual(found[b"RFC822"], SIMPLE)
        self.assertEqual(found[b"BODY[HEADER]"], HEAD)
        self.assertEqual(found[b"RFC822.HEADER"], HEAD)
        self.assertEqual(found[b"BODY[TEXT]"], TEXT)
        self.assertEqual(found[b"RFC822.TEXT"], TEXT)
        self.assertEqual(found[b"BODY[1]"], TEXT)
        self.assertEqual(
            found[b"BODY[HEADER.FIELDS (received)]"], b"Received: one\r\nReceived: two\r\n\r\n"
        )

    @proves("base:FETCH partial")
    def test_a_part_of_a_text_is_that_part_and_its_start_is_told(self) -> None:
        for start, count in ((0, 10), (3, 5), (0, 9999), (len(SIMPLE), 1), (99999, 5)):
            asked = b"1 BODY.PEEK[]<%d.%d>" % (start, count)
            expected = {b"BODY[]<%d>" % start: SIMPLE[start : start + count]}
            self.assertEqual(fetch(self.client, asked)[1], expected)
        found = fetch(self.client, b"1 BODY.PEEK[HEADER.FIELDS (Subject)]<2.6>")[1]
        self.assertEqual(found, {b"BODY[HEADER.FIELDS (Subject)]<2>": b"bject:"})

    @proves("base:non-existing part")
    def test_a_part_that_is_not_there_is_nil(self) -> None:
        found = fetch(self.client, b"1 (BODY.PEEK[2] BODY.PEEK[1.HEADER] BODY.PEEK[7.MIME]<0.5>)")
        self.assertEqual(
            found[1], {b"BODY[2]": None, b"BODY[1.HEADER]": None, b"BODY[7.MIME]<0>": None}
        )

    @proves("base:non-existing part")
    def test_a_number_that_is_no_message_is_bad_and_does_not_count_as_misuse(self) -> None:
        for messages in (b"3", b"1:3", b"2,9", b"4294967295"):
            answer, untagged = say(self.client, b"FETCH " + messages + b" FLAGS")
            self.assertEqual((answer, untagged), (b"BAD No message has that number.", []))
        self.assertEqual(self.client.session.bad_commands, 0)
        empty = self.home.log_in(b"EXAMINE INBOX")
        empty.say(b"a CREATE none\r\nb SELECT none\r\n")
        for messages in (b"1", b"*", b"1:*"):
            self.assertTrue(say(empty, b"FETCH " + messages + b" FLAGS")[0].startswith(b"BAD"))

    def test_a_uid_that_is_not_there_is_passed_over_and_uids_are_always_told(self) -> None:
        answer, untagged = say(self.client, b"UID FETCH 2,5:9,77 FLAGS")
        self.assertEqual(answer, b"OK Fetched.")
        self.assertEqual(untagged, [[b"*", 2, b"FETCH", [b"UID", 2, b"FLAGS", []]]])
        self.assertEqual(say(self.client, b"UID FETCH 99 FLAGS"), (b"OK Fetched.", []))
        # 99:* has the last message in it (RFC 3501 section 6.4.8).
        self.assertEqual(len(say(self.client, b"UID FETCH 99:* (FLAGS UID)")[1]), 1)

    def test_eight_bit_and_nul_can_be_fetched(self) -> None:
        client = Home(b"Subject: \xfc\r\n\r\na\0b\xff").log_in()
        found = fetch(client, b"1 (BODY.PEEK[] RFC822.SIZE ENVELOPE)")[1]
        self.assertEqual(found[b"BODY[]"], b"Subject: \xfc\r\n\r\na\x80b\xff")
        self.assertEqual(found[b"RFC822.SIZE"], len(found[b"BODY[]"]))

    @proves("base:non-existing part")
    def test_a_bad_date_in_the_store_is_told_as_some_date(self) -> None:
        for date in ("rubbish", "", "32-Feb-2020 99:00:00 +0000"):
            self.home.inbox.messages[0].date = date
            shown = fetch(self.client, b"1 INTERNALDATE")[1]
            self.assertEqual(shown, {b"INTERNALDATE": b"01-Jan-1970 00:00:00 +0000"})


@proves("base:\\Seen on BODY[]")
class Seen(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.client = self.home.log_in()

    def flags(self) -> set[str]:
        return self.home.inbox.messages[0].flags

    def test_reading_sets_it_and_says_so_once(self) -> None:
        for item in (
            b"BODY[]",
            b"BODY[HEADER]",
            b"BODY[1]",
            b"BODY[]<0.1>",
            b"RFC822",
            b"RFC822.TEXT",
        ):
            self.flags().clear()
            self.assertEqual(fetch(self.client, b"1 " + item)[1][b"FLAGS"], [b"\\Seen"])
            self.assertEqual(self.flags(), {"\\Seen"})
            self.assertNotIn(b"FLAGS", fetch(self.client, b"1 " + item)[1])
        self.assertEqual(say(self.client, b"NOOP")[1], [])

    def test_flags_asked_for_are_those_after_reading(self) -> None:
        found = fetch(self.client, b"1 (FLAGS BODY[])")[1]
        self.assertEqual(found[b"FLAGS"], [b"\\Seen"])

    def test_peeking_does_not(self) -> None:
        for item in (b"BODY.PEEK[]", b"RFC822.HEADER", b"RFC822.SIZE", b"ENVELOPE", b"BODY"):
            self.assertNotIn(b"FLAGS", fetch(self.client, b"1 " + item)[1])
        self.assertEqual(self.flags(), set())

    def test_a_mailbox_opened_for_reading_only_does_not_change(self) -> None:
        reader = self.home.log_in(b"EXAMINE INBOX")
        self.assertNotIn(b"FLAGS", fetch(reader, b"1 BODY[]")[1])
        self.assertEqual(self.flags(), set())

    def test_others_are_told(self) -> None:
        other = self.home.log_in()
        fetch(self.client, b"1 BODY[]")
        self.assertEqual(
            say(other, b"NOOP")[1], [[b"*", 1, b"FETCH", [b"UID", 1, b"FLAGS", [b"\\Seen"]]]]
        )


class AnyMailbox(SynchronousTestCase):
    def test_a_message_that_is_no_file_is_put_together_and_is_the_same_each_time(self) -> None:
        client = Home(account=Account(INBOX=Mailbox(SIMPLE, NESTED))).log_in()
        first = fetch(client, b"1:2 (BODY.PEEK[] RFC822.SIZE BODYSTRUCTURE INTERNALDATE)")
        again = fetch(client, b"1:2 (BODY.PEEK[])")
        for number in (1, 2):
            body = first[number][b"BODY[]"]
            self.assertEqual(body, again[number][b"BODY[]"])
            self.assertEqual(first[number][b"RFC822.SIZE"], len(body))
            check_body(first[number][b"BODYSTRUCTURE"], True)
            self.assertEqual(first[number][b"INTERNALDATE"], DATE.strip(b'"'))
        self.assertEqual(fetch(client, b"2 BODY.PEEK[4.2.1]")[2][b"BODY[4.2.1]"], b"deep body")
        self.assertEqual(
            fetch(client, b"1 BODY.PEEK[TEXT]")[1][b"BODY[TEXT]"].strip(), TEXT.strip()
        )

    def test_seen_cannot_be_set_where_the_mailbox_refuses(self) -> None:
        box = Mailbox(SIMPLE)
        client = Home(account=Account(INBOX=box)).log_in()
        box.writable = False
        self.assertNotIn(b"FLAGS", fetch(client, b"1 BODY[TEXT]")[1])

    @proves("base:one bad command kills the connection")
    def test_a_message_that_breaks_is_a_serverbug_and_the_session_goes_on(self) -> None:
        home = Home()
        client = home.log_in()
        home.inbox.messages[1].content = 7  # type: ignore[assignment]
        answer, untagged = say(client, b"FETCH 1:2 BODY.PEEK[HEADER]")
        self.assertTrue(answer.startswith(b"NO [SERVERBUG]"), answer)
        self.assertEqual([line[1] for line in untagged], [1])
        self.assertEqual(say(client, b"NOOP")[0], b"OK Nothing done.")
        self.assertEqual(len(home.house.notes.faults), 1)
