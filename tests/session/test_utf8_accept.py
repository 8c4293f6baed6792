"""UTF8=ACCEPT: names of mailboxes as UTF-8, in both directions (RFC 6855, RFC 9051 section 5.1)."""

from __future__ import annotations

from unicodedata import normalize

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.arguments import Arguments
from referrald.wire.names import decode_utf8
from referrald.wire.response import mailbox, prefix
from tests.proves import proves
from tests.session.native import Site, done
from tests.session.support import Client
from tests.wire.support import one

COMPOSED, DECOMPOSED = "Entwürfe", normalize("NFD", "Entwürfe")
ENCODED = b"Entw&APw-rfe"


class Names(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(public="")
        self.client = self.site.log_in()

    def say(self, text: str, client: Client | None = None) -> list[str]:
        """Say a line; give the lines of the answer, the tagged one without its words."""
        *lines, last = (client or self.client).ask(b"x " + text.encode())
        words = last.decode().split(" ")
        code = f" {words[2]}" if words[2].startswith("[") else ""
        return [*(line.decode() for line in lines), words[1] + code]

    def enable(self, *names: str) -> None:
        self.say("ENABLE " + " ".join(names or ("UTF8=ACCEPT",)))

    def test_before_enable_names_are_in_utf7_and_utf8_is_no_name(self) -> None:
        self.assertEqual(self.say(f'CREATE "{COMPOSED}"'), ["NO [CANNOT]"])
        self.assertEqual(self.say(f"CREATE {ENCODED.decode()}"), ["OK"])
        listed = self.say('LIST "" E*')
        self.assertEqual(listed, ['* LIST (\\HasNoChildren) "/" Entw&APw-rfe', "OK"])

    @proves("base:mailbox names")
    def test_after_enable_names_are_utf8_in_every_command_and_response(self) -> None:
        self.enable()
        self.assertEqual(self.say(f'CREATE "{COMPOSED}"'), ["OK"])
        line = f'* LIST (\\HasNoChildren) "/" "{COMPOSED}"'
        self.assertEqual(self.say('LIST "" "Entwü%"'), [line, "OK"])
        self.assertEqual(
            self.say(f'STATUS "{COMPOSED}" (MESSAGES)'),
            [f'* STATUS "{COMPOSED}" (MESSAGES 0)', "OK"],
        )
        self.assertEqual(self.say(f'SUBSCRIBE "{COMPOSED}"'), ["OK"])
        self.assertEqual(self.say('LSUB "" E*'), [f'* LSUB () "/" "{COMPOSED}"', "OK"])
        self.assertEqual(self.say(f'RENAME "{COMPOSED}" "Ältere & \\"neue\\""'), ["OK"])
        self.assertEqual(self.say('LIST "" Ä*')[-1], "BAD", "an atom has no 8-bit characters")
        self.assertEqual(
            self.say('LIST "" "Ä*"'),
            ['* LIST (\\HasNoChildren) "/" "Ältere & \\"neue\\""', "OK"],
        )
        self.assertEqual(self.say('SELECT "Ältere & \\"neue\\""')[-1], "OK [READ-WRITE]")
        self.assertEqual(self.say('DELETE "Ältere & \\"neue\\""')[-1], "OK")

    def test_a_literal_holds_a_name_too(self) -> None:
        self.enable()
        raw = COMPOSED.encode()
        self.client.say(b"x CREATE {%d+}\r\n%b\r\n" % (len(raw), raw))
        self.assertEqual(len(self.say(f'LIST "" "{COMPOSED}"')), 2)

    def test_an_ampersand_stands_for_itself_and_is_encoded_for_others(self) -> None:
        self.enable()
        self.say("CREATE R&D")
        self.say("CREATE a&APw-")
        self.assertEqual(
            [line.rpartition(" ")[2] for line in self.say('LIST "" *')[:-1]],
            ["INBOX", "R&D", "a&APw-"],
        )
        other = self.site.log_in()
        listed = self.say('LIST "" *', other)
        self.assertEqual(
            [line.rpartition(" ")[2].strip('"') for line in listed[:-1]],
            ["INBOX", "R&-D", "a&-APw-"],
        )

    def test_what_is_not_utf8_is_bad_and_a_name_that_is_no_net_unicode_is_refused(self) -> None:
        self.enable()
        for answer, names in (
            (b"x BAD ", (b"\xff", b"\xc3", b"\xed\xa0\x80")),
            (b"x NO [CANNOT] ", ("a\x85b".encode(), "\u2028".encode(), "\u2029".encode(), b"a\tb",
                                 b"a\x7f")),
        ):  # fmt: skip
            for raw in names:
                said = self.client.say(b'x CREATE "%b"\r\n' % raw)
                self.assertTrue(said.startswith(answer), (raw, said))
        self.assertEqual(len(self.say('LIST "" *')), 2)

    def test_all_ways_to_write_a_name_mean_the_same_mailbox(self) -> None:
        self.enable()
        self.assertEqual(self.say(f'CREATE "{DECOMPOSED}"'), ["OK"])
        self.assertEqual(self.say(f'CREATE "{COMPOSED}"'), ["NO [ALREADYEXISTS]"])
        line = f'* LIST (\\HasNoChildren) "/" "{COMPOSED}"'
        self.assertEqual(self.say(f'LIST "" "{DECOMPOSED[:6]}*"'), [line, "OK"])
        for command in ("SUBSCRIBE", "UNSUBSCRIBE", "EXAMINE", "SELECT"):
            self.assertTrue(self.say(f'{command} "{DECOMPOSED}"')[-1].startswith("OK"), command)
        raw = DECOMPOSED.encode()
        appended = self.client.say(b'x APPEND "%b" {3+}\r\nabc\r\n' % raw)
        self.assertIn(b"x OK [APPENDUID", appended)
        self.assertIn("OK [COPYUID", self.say(f'COPY 1 "{DECOMPOSED}"')[-1])
        self.assertEqual(
            self.say(f'STATUS "{DECOMPOSED}" (MESSAGES)'),
            [f'* STATUS "{DECOMPOSED}" (MESSAGES 2)', "OK"],
        )
        self.assertEqual(self.say(f'DELETE "{DECOMPOSED}"')[-1], "OK")

    def test_a_mailbox_whose_own_name_is_not_normalised_can_be_reached(self) -> None:
        done(done(self.site.store.account("bob")).create(DECOMPOSED))
        self.enable()
        self.assertEqual(self.say(f'SELECT "{DECOMPOSED}"')[-1], "OK [READ-WRITE]")
        self.assertEqual(self.say(f'DELETE "{DECOMPOSED}"')[-1], "OK")

    def test_another_session_is_not_affected(self) -> None:
        self.enable()
        self.say(f'CREATE "{COMPOSED}"')
        self.assertIn(ENCODED.decode(), "\n".join(self.say('LIST "" *', self.site.log_in())))


class Spelling(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
    def test_what_is_written_reads_back_as_the_same(self, name: str) -> None:
        for form in (mailbox(name, utf8=True), prefix(name, utf8=True)):
            command = one(b"a X %b\r\n" % form)
            command.utf8 = True
            expected = "INBOX" if name.upper() == "INBOX" else name
            self.assertEqual(Arguments(command).mailbox(), expected)

    def test_what_would_end_the_line_is_not_written(self) -> None:
        for name in ("a\r\nb", "a\0", "\ud800"):
            self.assertRaises(ValueError, mailbox, name, utf8=True)
        self.assertRaises(WireError, decode_utf8, b"a\nb")
