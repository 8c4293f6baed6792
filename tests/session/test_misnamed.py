"""Names that no mailbox can have: refused with NO, for the command itself is well-formed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.proves import proves
from tests.session.native import Site

NAMES = (
    b"&",
    b"a&b",
    b"&AC8-",
    b"&AC4ALgAv-",
    b"&AA-",
    b"&2AA-",
    b"&AOk",
    b"&AAoA-",
    b'"caf\xc3\xa9"',
)
"""Not the one form that a name has in modified UTF-7 (RFC 3501 section 5.1.3)."""

REFUSED = b"NO [CANNOT] Mailbox name is not in modified UTF-7."


@proves("base:mailbox names")
class Misnamed(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(b"one")
        self.client = self.site.log_in()

    def say(self, command: bytes) -> list[bytes]:
        """Say a command; gives the lines that answer it."""
        return self.client.ask(b"x " + command)

    def test_every_command_with_a_name_refuses_it(self) -> None:
        self.say(b"SELECT INBOX")
        for form in (
            b"STATUS %b (MESSAGES)", b"CREATE %b", b"CREATE %b (USE (\\Sent))", b"DELETE %b",
            b"RENAME %b x", b"RENAME x %b", b"SUBSCRIBE %b", b"UNSUBSCRIBE %b", b"COPY 1 %b",
            b"UID COPY 1 %b", b"MOVE 1 %b", b"UID MOVE 1 %b", b"GETQUOTAROOT %b", b"GETACL %b",
            b"SETACL %b bob lr", b"DELETEACL %b bob", b"LISTRIGHTS %b bob", b"MYRIGHTS %b",
            b"APPEND %b {1+}\r\nx", b"APPEND %b (\\Seen) {1+}\r\nx", b"EXAMINE %b", b"SELECT %b",
            b"SELECT %b (CONDSTORE)",
        ):  # fmt: skip
            for name in NAMES:
                if name.startswith(b'"') and b"+}" in form:
                    continue
                self.assertEqual(self.say(form % name), [b"x " + REFUSED], (form, name))
        self.assertEqual(self.client.session.bad_commands, 0)

    def test_what_is_malformed_before_it_is_bad_all_the_same(self) -> None:
        for command in (b"COPY x &", b"RENAME a", b"STATUS", b"SELECT"):
            self.assertTrue(self.say(command)[-1].startswith(b"x BAD "), command)

    def test_after_a_select_of_one_nothing_is_selected(self) -> None:
        """As after any SELECT that fails (RFC 3501 section 6.3.1)."""
        for command in (b"SELECT &", b"EXAMINE &"):
            self.say(b"SELECT INBOX")
            self.say(command)
            self.assertTrue(self.say(b"FETCH 1 FLAGS")[-1].startswith(b"x BAD "), command)

    def test_other_commands_leave_the_selected_mailbox_as_it_is(self) -> None:
        self.say(b"SELECT INBOX")
        self.say(b"STATUS & (MESSAGES)")
        self.assertEqual(self.say(b"FETCH 1 UID")[-1], b"x OK Fetched.")

    @proves("S1")
    def test_the_message_of_an_append_is_never_taken_for_commands(self) -> None:
        text = b"y CREATE made\r\nz LOGOUT\r\n"
        answer = self.client.say(b"x APPEND & {%d+}\r\n%b\r\n" % (len(text), text))
        self.assertEqual(answer, b"x " + REFUSED + b"\r\n")
        self.assertEqual(self.client.say(b"x APPEND a&b {5}\r\n"), b"x " + REFUSED + b"\r\n")
        self.assertEqual(self.say(b'LIST "" made'), [b"x OK Listed."])

    def test_nothing_is_listed_under_one(self) -> None:
        for command in (
            b"LIST %b *", b"LIST %b %%", b'LIST "" %b', b"LSUB %b *", b'LSUB "" %b',
            b"RLIST %b *", b'RLSUB "" %b', b'LIST (SUBSCRIBED) "" %b', b'LIST %b ""',
            b"LIST (SUBSCRIBED) %b (INBOX *)", b'LIST "" %b RETURN (STATUS (MESSAGES))',
            b'LIST (SUBSCRIBED RECURSIVEMATCH) "" %b', b'LSUB "" %b%%',
        ):  # fmt: skip
            for name in NAMES[:-1]:
                self.assertEqual(self.say(command % name), [b"x OK Listed."], (command, name))
        self.assertEqual(self.client.session.bad_commands, 0)

    def test_of_several_patterns_the_others_match(self) -> None:
        answer = self.say(b'LIST "" (&x INBOX)')
        self.assertEqual(answer[1:], [b"x OK Listed."])
        self.assertTrue(answer[0].endswith(b" INBOX"), answer)

    def test_where_names_are_utf8_it_is_control_characters(self) -> None:
        """And ``&`` stands for itself; what is not UTF-8 is no argument (RFC 6855 section 3)."""
        self.say(b"ENABLE UTF8=ACCEPT")
        refused = b"x NO [CANNOT] A mailbox name takes no control characters."
        for name in (b'"a\xc2\x85b"', b'"\xe2\x80\xa8"', b'"\xe2\x80\xa9"'):
            self.assertEqual(self.say(b"CREATE " + name), [refused])
            self.assertEqual(self.say(b'LIST "" ' + name), [b"x OK Listed."])
        self.assertTrue(self.say(b'CREATE "\xff"')[0].startswith(b"x BAD "))
        self.assertEqual(self.say(b"CREATE a&b"), [b"x OK Mailbox created."])


class Enabled(SynchronousTestCase):
    def test_under_imap4rev2_the_mailbox_that_was_selected_is_closed_aloud(self) -> None:
        client = Site(b"one").log_in(b"ENABLE IMAP4rev2", b"SELECT INBOX")
        answer = client.ask(b'x SELECT "a\xc2\x85"')
        self.assertEqual(answer[0], b"* OK [CLOSED] Previous mailbox closed.")
        self.assertTrue(answer[1].startswith(b"x NO [CANNOT] "), answer)
