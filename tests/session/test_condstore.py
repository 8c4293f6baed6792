"""CONDSTORE: modification sequences, and changes only of what has not changed (RFC 7162)."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import SIMPLE
from tests.session.foreign import Account, Mailbox
from tests.session.inbox import Home, fetch, say
from tests.session.native import Site
from tests.session.relayed import Both
from tests.session.responses import lines
from tests.session.support import Client


def modseqs(client: Client, wanted: bytes = b"1:*") -> dict[int, int]:
    """Give the modification sequences of messages by number."""
    return {n: items[b"MODSEQ"][0] for n, items in fetch(client, wanted + b" MODSEQ").items()}


def lists(untagged: list[Any]) -> list[Any]:
    """Leave out status responses."""
    return [line for line in untagged if isinstance(line, list)]


class Enabling(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, SIMPLE, SIMPLE)
        self.client = self.site.log_in(b"SELECT INBOX")
        self.other = self.site.log_in(b"SELECT INBOX")

    def told_after(self, command: bytes) -> tuple[bool, bool]:
        """Say whether a command brings HIGHESTMODSEQ, and news with MODSEQ afterwards."""
        client = self.site.log_in(b"SELECT INBOX")
        answer = client.say(b"x " + command + b"\r\n")
        self.assertIn(b"x OK", answer, command)
        say(self.other, b"STORE 3 +FLAGS.SILENT $a")
        say(self.other, b"STORE 3 -FLAGS.SILENT $a")
        return b"* OK [HIGHESTMODSEQ " in answer, b"MODSEQ (" in client.say(b"x NOOP\r\n")

    def test_it_is_offered_after_login(self) -> None:
        self.assertIn(b" CONDSTORE", self.client.say(b"x CAPABILITY\r\n"))

    def test_each_of_the_commands_for_it_enables_it(self) -> None:
        for command in (
            b"STATUS INBOX (HIGHESTMODSEQ)", b"FETCH 1 MODSEQ", b"FETCH 1 UID (CHANGEDSINCE 1)",
            b"STORE 1 (UNCHANGEDSINCE 1) +FLAGS $b", b"ENABLE CONDSTORE",
            b"SELECT INBOX (CONDSTORE)", b"EXAMINE INBOX (condstore)",
        ):  # fmt: skip
            self.assertEqual(self.told_after(command), (True, True), command)
        for command in (b"NOOP", b"FETCH 1 FLAGS", b"STATUS INBOX (MESSAGES)"):
            self.assertEqual(self.told_after(command), (False, False), command)

    def test_select_always_tells_the_highest(self) -> None:
        _, untagged = say(self.client, b"SELECT INBOX")
        (code,) = [line for line in untagged if b"HIGHESTMODSEQ" in bytes(str(line), "ascii")]
        highest = int(re.findall(rb"\d+", code)[0])
        self.assertEqual(highest, max(modseqs(self.client).values()))
        say(self.other, b"STORE 2 +FLAGS.SILENT \\Flagged")
        _, untagged = say(self.client, b"STATUS INBOX (HIGHESTMODSEQ)")
        self.assertGreater(lists(untagged)[0][3][1], highest)

    def test_unknown_parameters_are_refused(self) -> None:
        for command in (b"SELECT INBOX (QUICKLY)", b"SELECT INBOX ()", b"SELECT INBOX CONDSTORE"):
            self.assertTrue(say(self.client, command)[0].startswith(b"BAD "), command)


class Fetching(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, SIMPLE, SIMPLE)
        self.client = self.site.log_in(b"SELECT INBOX")
        self.other = self.site.log_in(b"SELECT INBOX")

    def test_only_what_has_changed_since_is_told_with_its_sequence(self) -> None:
        since = max(modseqs(self.client).values())
        self.assertEqual(
            say(self.client, b"FETCH 1:* FLAGS (CHANGEDSINCE %d)" % since), (b"OK Fetched.", [])
        )
        say(self.other, b"STORE 2 +FLAGS.SILENT \\Flagged")
        say(self.client, b"NOOP")
        answer = self.client.say(b"x UID FETCH 1:* FLAGS (CHANGEDSINCE %d)\r\n" % since)
        told = rb"\A\* 2 FETCH \(UID \d+ FLAGS \(\\Flagged\) MODSEQ \(%d\)\)\r\nx OK"
        self.assertRegex(answer, told % (since + 1))

    def test_reading_tells_the_sequence_that_it_makes(self) -> None:
        before = modseqs(self.client)
        answer = self.client.say(b"x FETCH 1 BODY[TEXT]\r\n")
        found = re.search(rb"FLAGS \(\\Seen\) MODSEQ \((\d+)\)", answer)
        assert found is not None, answer
        self.assertGreater(int(found[1]), before[1])
        self.assertEqual(modseqs(self.client)[1], int(found[1]))

    def test_news_have_it_and_own_changes_are_not_news(self) -> None:
        say(self.client, b"ENABLE CONDSTORE")
        say(self.other, b"STORE 3 +FLAGS.SILENT $x")
        flags, line = say(self.client, b"NOOP")[1]
        self.assertEqual(flags[1], b"FLAGS")
        self.assertIn(b"$x", flags[2])
        self.assertEqual(line[3][::2], [b"UID", b"FLAGS", b"MODSEQ"])
        self.assertEqual(line[3][5], [modseqs(self.client)[3]])
        say(self.client, b"STORE 3 -FLAGS.SILENT $x")
        self.assertEqual(say(self.client, b"NOOP")[1], [])

    def test_malformed_modifiers_are_refused(self) -> None:
        for rest in (
            b"FLAGS (CHANGEDSINCE)", b"FLAGS ()", b"FLAGS (CHANGEDSINCE x)", b"FLAGS (NEVER 1)",
            b"FLAGS (CHANGEDSINCE 9223372036854775808)", b"FLAGS (CHANGEDSINCE 1",
            b"FLAGS  (CHANGEDSINCE 1)",
        ):  # fmt: skip
            self.assertTrue(say(self.client, b"FETCH 1 " + rest)[0].startswith(b"BAD "), rest)


class Storing(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE, SIMPLE, SIMPLE)
        self.client = self.site.log_in(b"SELECT INBOX (CONDSTORE)")
        self.other = self.site.log_in(b"SELECT INBOX")

    def test_what_has_changed_is_spared_and_shown(self) -> None:
        since = max(modseqs(self.client).values())
        say(self.other, b"STORE 2 +FLAGS.SILENT \\Flagged")
        answer, untagged = say(
            self.client, b"STORE 1:3 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Deleted)" % since
        )
        self.assertTrue(answer.startswith(b"OK [MODIFIED 2] "), answer)
        told = {line[1]: line[3] for line in untagged[:3]}
        self.assertEqual(told[1], [b"MODSEQ", [since + 2]])
        self.assertEqual(told[3], [b"MODSEQ", [since + 2]])
        self.assertEqual(told[2], [b"FLAGS", [b"\\Flagged"], b"MODSEQ", [since + 1]])
        flags = {n: items[b"FLAGS"] for n, items in fetch(self.client, b"1:* FLAGS").items()}
        self.assertEqual(flags, {1: [b"\\Deleted"], 2: [b"\\Flagged"], 3: [b"\\Deleted"]})

    def test_the_uid_form_names_uids(self) -> None:
        uid = fetch(self.client, b"2 UID")[2][b"UID"]
        answer, untagged = say(self.client, b"UID STORE %d (UNCHANGEDSINCE 0) FLAGS ($a)" % uid)
        self.assertTrue(answer.startswith(b"OK [MODIFIED %d] " % uid), answer)
        self.assertEqual(untagged[0][3][4:], [b"UID", uid])
        self.assertEqual(fetch(self.client, b"2 FLAGS"), {2: {b"FLAGS": []}})

    def test_a_plain_store_tells_the_sequence_as_well(self) -> None:
        since = max(modseqs(self.client).values())
        _, untagged = say(self.client, b"STORE 1 +FLAGS $a")
        self.assertEqual(untagged[-1][3], [b"FLAGS", [b"$a"], b"MODSEQ", [since + 1]])

    def test_messages_that_are_gone_are_no_with_those_that_have_changed(self) -> None:
        since = max(modseqs(self.client).values())
        say(self.other, b"STORE 2 +FLAGS.SILENT \\Flagged")
        say(self.other, b"STORE 1 +FLAGS.SILENT \\Deleted")
        say(self.other, b"EXPUNGE")
        answer, _ = say(self.client, b"STORE 1:3 (UNCHANGEDSINCE %d) +FLAGS $a" % since)
        self.assertTrue(answer.startswith(b"NO [MODIFIED 2] "), answer)


class WithoutSequences(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Home(account=Account(INBOX=Mailbox(SIMPLE))).log_in()

    def test_a_mailbox_without_them_says_so_and_refuses_what_needs_them(self) -> None:
        _, untagged = say(self.client, b"SELECT INBOX (CONDSTORE)")
        self.assertIn(b"* OK [NOMODSEQ] Mailbox data.", untagged)
        for command in (
            b"FETCH 1 MODSEQ", b"FETCH 1 FLAGS (CHANGEDSINCE 1)",
            b"STORE 1 (UNCHANGEDSINCE 1) FLAGS ()",
        ):  # fmt: skip
            self.assertTrue(say(self.client, command)[0].startswith(b"BAD "), command)
        _, untagged = say(self.client, b"STORE 1 +FLAGS \\Seen")
        self.assertEqual(untagged[0][3], [b"FLAGS", [b"\\Seen"]])


class Elsewhere(SynchronousTestCase):
    def test_a_mailbox_of_another_server_tells_them_to_who_wants_them(self) -> None:
        both = Both()
        both.put("Team", fill=(SIMPLE, SIMPLE))
        for commands in (
            (b"SELECT Team (CONDSTORE)",), (b"ENABLE CONDSTORE", b"SELECT Team"),
        ):  # fmt: skip
            client = both.log_in(*commands)
            self.assertIn(b"MODSEQ (", client.say(b"b STORE 1 -FLAGS \\Seen"), commands)
        self.assertNotIn(b"MODSEQ (", both.log_in(b"SELECT Team").say(b"b STORE 1 -FLAGS $a"))


class Mirror:
    """A client that keeps count, of flags and modification sequences by UID."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.uids: list[int | None] = []
        self.known: dict[int | None, tuple[frozenset[bytes], int]] = {}
        self.do(b"SELECT INBOX (CONDSTORE)")
        self.do(b"FETCH 1:* (UID FLAGS MODSEQ)")

    def do(self, command: bytes) -> None:
        """Say something, and take in what is told."""
        keeps = command.split()[0] in (b"FETCH", b"STORE", b"SEARCH")
        for line in lines(self.client.say(b"x " + command + b"\r\n")):
            if isinstance(line, list):
                self._take(line, keeps)

    def _take(self, line: list[Any], keeps: bool) -> None:
        if line[2:] == [b"EXISTS"]:
            self.uids += [None] * (line[1] - len(self.uids))
        elif line[2:] == [b"EXPUNGE"]:
            assert not keeps
            del self.uids[line[1] - 1]
        elif line[2:3] == [b"FETCH"]:
            items = dict(zip(line[3][::2], line[3][1::2], strict=True))
            uid = items.get(b"UID", self.uids[line[1] - 1])
            assert self.uids[line[1] - 1] in (None, uid), line
            self.uids[line[1] - 1] = uid
            if b"FLAGS" in items:
                # Every FETCH response with flags has the sequence as well (section 3.2).
                flags = frozenset(items[b"FLAGS"]) - {b"\\Recent"}
                self.known[uid] = (flags, items[b"MODSEQ"][0])


class TwoClients(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1]),
                st.sampled_from(
                    [
                        b"APPEND INBOX {1+}\r\nx",
                        b"STORE 1 +FLAGS \\Deleted",
                        b"STORE * FLAGS ($a)",
                        b"STORE 1:* (UNCHANGEDSINCE 5) +FLAGS ($b)",
                        b"UID STORE 2:4 -FLAGS (\\Deleted $a)",
                        b"FETCH 1 BODY[TEXT]",
                        b"FETCH 1:* (UID FLAGS MODSEQ)",
                        b"MOVE 1 INBOX",
                        b"UID COPY 1:* INBOX",
                        b"UID EXPUNGE 1:3",
                        b"EXPUNGE",
                        b"NOOP",
                        b"IDLE\r\nDONE",
                    ]
                ),
            ),
            max_size=25,
        )
    )
    def test_what_they_are_told_adds_up(self, script: list[tuple[int, bytes]]) -> None:
        site = Site(SIMPLE, SIMPLE, SIMPLE)
        mirrors = [Mirror(site.log_in()) for _ in range(2)]
        for who, command in script:
            mirrors[who].do(command)
        for mirror in mirrors:
            mirror.do(b"NOOP")
            # New messages are told of by their number alone.
            mirror.do(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 2)")
            mirror.do(b"FETCH 1:* (UID)")
        fresh = Mirror(site.log_in())
        for mirror in mirrors:
            self.assertEqual(mirror.uids, fresh.uids)
            known = {uid: mirror.known.get(uid) for uid in mirror.uids}
            self.assertEqual(known, fresh.known)
