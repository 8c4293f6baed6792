"""SEARCH: every key, on every kind of message."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.session.searching import MAX_DEPTH, MAX_KEYS
from referrald.session.searching import search as read
from tests.mime.mail import NESTED, ODD, SIMPLE
from tests.proves import proves
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, say
from tests.wire.support import one

ENCODED = (
    b"""\
Date: Tue, 29 Feb 2000 23:59:00 -0800
From: =?utf-8?q?J=C3=BCrgen?= <j@d.example>
Cc: copy@d.example
Bcc: blind@d.example
Subject: =?iso-8859-1?q?gr=FC=DFe?=
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: base64
X-Empty:

""".replace(b"\n", b"\r\n")
    + b"R3L8bmU=\r\n"
)  # "Grüne" in Latin-1


@proves("base:SEARCH")
class Keys(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Home(SIMPLE, NESTED, ENCODED)
        inbox = self.home.inbox
        inbox.addMessage(
            BytesIO(b"no header at all"), ("\\Seen", "$Work"), "1-Jan-2020 01:00:00 +1400"
        )
        inbox.messages[0].flags |= {"\\Answered", "\\Flagged"}
        inbox.messages[1].flags |= {"\\Deleted", "\\Draft"}
        # Numbers and UIDs differ from now on: 1 is UID 1, then UIDs 3, 4, 5.
        inbox.addMessage(BytesIO(b"x"))
        self.client = self.home.log_in()

    def find(self, keys: bytes, *expected: int) -> None:
        answer, untagged = say(self.client, b"SEARCH " + keys)
        self.assertEqual(answer, b"OK Searched.", keys)
        self.assertEqual(untagged, [[b"*", b"SEARCH", *expected]], keys)

    def test_flags_and_keywords(self) -> None:
        self.find(b"ALL", 1, 2, 3, 4, 5)
        self.find(b"ANSWERED FLAGGED", 1)
        self.find(b"deleted draft", 2)
        self.find(b"SEEN", 4)
        self.find(b"UNSEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED", 3, 5)
        self.find(b"KEYWORD $work", 4)
        self.find(b"UNKEYWORD $WORK UNSEEN", 1, 2, 3, 5)
        self.find(b"NEW")
        self.find(b"RECENT")
        self.find(b"OLD", 1, 2, 3, 4, 5)

    def test_numbers_uids_and_sizes(self) -> None:
        self.home.inbox.expunge()
        self.client.say(b"x NOOP\r\n")
        self.find(b"2:*", 2, 3, 4)
        self.find(b"1,3:99", 1, 3, 4)
        self.find(b"UID 3:4", 2, 3)
        self.find(b"UID 99:*", 4)
        self.find(b"7")
        self.find(b"1:3 UID 4:9", 3)
        self.find(b"LARGER 1 SMALLER 17", 3)
        _, untagged = say(self.client, b"UID SEARCH 2:3")
        self.assertEqual(untagged, [[b"*", b"SEARCH", 3, 4]])

    def test_internal_dates_go_by_the_day_in_their_own_zone(self) -> None:
        self.find(b"ON 17-Jul-1996", 1, 2, 3)
        self.find(b'BEFORE "18-Jul-1996"', 1, 2, 3)
        self.find(b"BEFORE 17-jul-1996")
        self.find(b"SINCE 17-Jul-1996", 1, 2, 3, 4, 5)
        self.find(b"ON 1-Jan-2020", 4)

    def test_dates_of_sending_come_from_the_header(self) -> None:
        self.find(b"SENTON 7-Feb-1994", 1)
        self.find(b"SENTBEFORE 29-Feb-2000", 1)
        self.find(b"SENTSINCE 29-Feb-2000", 3)
        self.find(b"NOT SENTSINCE 1-Jan-1970", 2, 4, 5)

    def test_header_fields(self) -> None:
        self.find(b"FROM fred", 1)
        self.find(b"TO MOOCH", 1)
        self.find(b"CC copy", 3)
        self.find(b"BCC blind@", 3)
        self.find(b'SUBJECT "Afternoon MEET"', 1)
        self.find(b"SUBJECT inside")
        self.find(b"HEADER Received two", 1)
        self.find(b'HEADER x-empty ""', 3)
        self.find(b"HEADER x-empty a")
        self.find(b"HEADER {8+}\r\nreceived {3+}\r\none", 1)

    def test_encoded_text_is_decoded_before_it_is_compared(self) -> None:
        self.find(b'CHARSET UTF-8 SUBJECT "gr\xc3\xbc\xc3\x9fe"', 3)
        self.find(b"CHARSET utf-8 FROM {7+}\r\nJ\xc3\x9cRGEN", 3)
        self.find(b'CHARSET UTF-8 BODY "gr\xc3\xbcne"', 3)
        self.find(b'CHARSET "UTF-8" TEXT "gr\xc3\xbc\xc3\x9fe"', 2, 3)
        self.find(b"CHARSET US-ASCII BODY meet", 1)
        self.find(b'BODY "gr\xc3\xbc\xc3\x9fe"', 2)

    def test_body_is_without_and_text_with_the_header(self) -> None:
        self.find(b"BODY afternoon")
        self.find(b"TEXT afternoon", 1)
        self.find(b"BODY deepest", 2)
        self.find(b'BODY "deep body"', 2)
        self.find(b'TEXT ""', 1, 2, 3, 4, 5)
        self.find(b"BODY header", 4)

    def test_keys_are_combined(self) -> None:
        self.find(b"OR SEEN (FLAGGED FROM fred)", 1, 4)
        self.find(b"NOT (OR SEEN FLAGGED) NOT DELETED", 3, 5)
        self.find(b"OR OR 1 2 NOT 1:4", 1, 2, 5)

    def test_an_empty_mailbox_and_no_match_have_an_answer(self) -> None:
        self.find(b"SUBJECT nothing-like-it")
        self.client.say(b"x CREATE none\r\nx SELECT none\r\n")
        self.find(b"ALL")
        self.find(b"1:* UNSEEN")

    def test_an_unknown_charset_is_no_with_those_that_are_known(self) -> None:
        answer, untagged = say(self.client, b"SEARCH CHARSET UNKNOWN-8BIT SUBJECT {1+}\r\n\xc1")
        self.assertEqual(untagged, [])
        self.assertTrue(answer.startswith(b"NO [BADCHARSET (US-ASCII UTF-8 ISO-8859-1 "), answer)

    def test_anything_else_is_bad(self) -> None:
        for keys in (
            b"", b"XYZZY", b"NOT", b"OR 1", b"OR 1 ", b"()", b"(ALL", b"ALL)", b"SUBJECT", b"1:",
            b"SUBJECT a b", b"BEFORE", b"BEFORE 1-Foo-2000", b"BEFORE 31-Feb-2000", b"ON 1-1-2000",
 b"LARGER x", b"LARGER 9223372036854775808", b"UID", b"UID 0", b"ALL  ALL",
            b"CHARSET", b"CHARSET UTF-8", b"KEYWORD \\Seen", b"KEYWORD (a)", b"HEADER x",
            b"CHARSET UTF-8 SUBJECT {1+}\r\n\xff", b"NIL", b"[x]", b" ALL", b"ALL ",
            b"$,1", b"$:2", b"UID $x", b"RETURN", b"RETURN (MIN)", b"RETURN (X) ALL", b"RETURN ALL",
            b"CHARSET UTF-8 RETURN (MIN) ALL", b"OLDER 0", b"YOUNGER x", b"MODSEQ", b"MODSEQ x",
            b"MODSEQ 9223372036854775808", b'MODSEQ "/flags/x" 1', b'MODSEQ "/flags/x" mine 1',
        ):  # fmt: skip
            with self.assertRaises(WireError, msg=keys):
                read(one(b"a SEARCH " + keys + b"\r\n"))

    @proves("base:CPU traps")
    def test_depth_and_number_of_keys_are_bounded(self) -> None:
        for keys in (
            b"NOT " * (MAX_DEPTH + 1) + b"1",
            b"(" * (MAX_DEPTH + 1) + b"1" + b")" * (MAX_DEPTH + 1),
            b"OR 1 " * (MAX_DEPTH + 1) + b"1",
            b" ".join([b"1"] * (MAX_KEYS + 1)),
        ):
            with self.assertRaises(WireError):
                read(one(b"a SEARCH " + keys + b"\r\n"))
        self.find(b"OR 9 " * MAX_DEPTH + b"1", 1)
        deep = MAX_DEPTH - 1
        self.find(b"(" * deep + b"OR 1 FROM nobody" + b")" * deep, 1)
        self.find(b"NOT " * MAX_DEPTH + b"SEEN", 4)

    @settings(max_examples=60)
    @given(
        ODD, st.sampled_from([b"TEXT x", b"BODY x", b"FROM x", b"SENTON 1-Jan-2000", b"SUBJECT x"])
    )
    def test_no_message_breaks_a_search(self, source: bytes, keys: bytes) -> None:
        home = Home(source)
        answer, _ = say(home.log_in(), b"SEARCH " + keys)
        self.assertEqual(answer, b"OK Searched.")

    def test_any_mailbox_can_be_searched(self) -> None:
        client = Home(account=Account(INBOX=Mailbox(SIMPLE, NESTED))).log_in()
        for keys, expected in (
            (b"SUBJECT afternoon", [1]),
            (b"SINCE 1-Jan-1996 BODY deep", [2]),
            (b"UID 20", [2]),
        ):
            self.assertEqual(say(client, b"SEARCH " + keys)[1], [[b"*", b"SEARCH", *expected]])
        self.assertEqual(say(client, b"UID SEARCH 2")[1], [[b"*", b"SEARCH", 20]])
