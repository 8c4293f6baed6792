"""The ready grammars: the arguments of each command, in every form they can be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire import grammar, response
from referrald.wire.arguments import Arguments
from referrald.wire.reader import Command
from tests.proves import proves
from tests.wire.support import one, read


def parse(reading: Callable[[Command], Any], text: bytes) -> Any:
    """Read a command whose name and arguments are ``text``."""
    return reading(one(b"a " + text + b"\r\n"))


class GrammarCase(SynchronousTestCase):
    def refuses(self, reading: Callable[[Command], Any], *texts: bytes) -> None:
        for text in texts:
            self.assertRaises(WireError, parse, reading, text)


class WithoutArguments(GrammarCase):
    def test_nothing_may_follow_not_even_a_space(self) -> None:
        self.assertEqual(parse(grammar.no_args, b"NOOP"), ())
        self.refuses(grammar.no_args, b"NOOP ", b"NOOP x", b"NOOP {1+}\r\na")


def slowly(command: Command) -> tuple[bytes, bytes] | str:
    """Read LOGIN with the cursor alone."""
    arguments = Arguments(command)
    try:
        user = arguments.astring()
        arguments.space()
        password = arguments.astring()
        arguments.end()
    except WireError as error:
        return error.public
    return user, password


def quickly(command: Command) -> tuple[bytes, bytes] | str:
    """Read LOGIN as the session does."""
    try:
        return grammar.login(command)
    except WireError as error:
        return error.public


class Login(GrammarCase):
    @proves("S3", "base:quoted strings", "base:literals", "base:LITERAL+")
    def test_all_forms_give_the_same(self) -> None:
        for text in (
            *(b"fred pw", b'"fred" pw', b'fred "pw"', b'"fred" "pw"', b"{4}\r\nfred {2}\r\npw"),
            *(b"{4+}\r\nfred {2+}\r\npw", b'"fred" {2+}\r\npw', b"{4+}\r\nfred pw"),
        ):
            self.assertEqual(parse(grammar.login, b"login " + text), (b"fred", b"pw"), text)

    @proves("base:quoted strings")
    def test_every_password_can_be_sent(self) -> None:
        for text, password in (
            (rb'"p\"w"', b'p"w'),
            (rb'"p\\w"', b"p\\w"),
            (b'""', b""),
            (b"{0+}\r\n", b""),
            (b'"p w"', b"p w"),
            (b'"p\xc3\xb6w"', b"p\xc3\xb6w"),
            (b'"p\xf6w"', b"p\xf6w"),
            (b"{4+}\r\np\r\nw", b"p\r\nw"),
            (b"p]w", b"p]w"),
            (b'"{4+}"', b"{4+}"),
            (b'"nil"', b"nil"),
        ):
            self.assertEqual(parse(grammar.login, b"LOGIN fred " + text), (b"fred", password))

    def test_wrong_logins_are_refused(self) -> None:
        self.refuses(
            grammar.login,
            *(b"LOGIN", b"LOGIN ", b"LOGIN fred", b"LOGIN fred ", b"LOGIN fred  pw"),
            *(b"LOGIN fred pw ", b"LOGIN fred pw x", b"LOGIN (fred) pw", b'LOGIN "fred""pw"'),
            *(
                b"LOGIN *@my-name.com pw",
                b"LOGIN {4+}\r\nfred{2+}\r\npw",
                b"LOGIN fred ~{2+}\r\npw",
            ),
        )

    @proves("S3")
    @settings(deadline=None)
    @given(st.lists(st.sampled_from([b"a", b" ", b'"', b"\\", b"]", b"(", b"*", b"\xe9", b"nil"])))
    def test_the_short_way_and_the_long_way_are_one_grammar(self, parts: list[bytes]) -> None:
        for event in read(b"a LOGIN " + b"".join(parts) + b"\r\n"):
            if isinstance(event, Command):
                self.assertEqual(quickly(event), slowly(event))

    @proves("S3")
    @settings(deadline=None)
    @given(st.binary(), st.binary(), st.booleans(), st.booleans())
    def test_any_two_strings_come_through(
        self, user: bytes, password: bytes, first_literal: bool, second_literal: bool
    ) -> None:
        user, password = user.replace(b"\0", b""), password.replace(b"\0", b"")
        forms = (
            response.literal(user) if first_literal else response.astring(user),
            response.literal(password) if second_literal else response.astring(password),
        )
        command = one(b"a LOGIN " + b" ".join(forms) + b"\r\n")
        self.assertEqual(grammar.login(command), (user, password))
        self.assertEqual(slowly(command), (user, password))


class Authenticate(GrammarCase):
    @proves("base:SASL-IR", "S3")
    def test_the_initial_response_stays_base64(self) -> None:
        for text, result in (
            (b"plain", ("PLAIN", None)),
            (b"PLAIN =", ("PLAIN", b"")),
            (b"PLAIN AG5sAHB3", ("PLAIN", b"AG5sAHB3")),
            (b"SCRAM-SHA-256 biws", ("SCRAM-SHA-256", b"biws")),
            (b"XOAUTH2 ab+/ab==", ("XOAUTH2", b"ab+/ab==")),
        ):
            self.assertEqual(parse(grammar.authenticate, b"AUTHENTICATE " + text), result)

    def test_what_is_no_base64_is_refused(self) -> None:
        self.refuses(
            grammar.authenticate,
            *(
                b"AUTHENTICATE",
                b"AUTHENTICATE ",
                b"AUTHENTICATE PLAIN ",
                b"AUTHENTICATE PLAIN ====",
            ),
            *(b"AUTHENTICATE PLAIN abc", b"AUTHENTICATE PLAIN ab=c", b"AUTHENTICATE PLAIN a b c d"),
            *(b'AUTHENTICATE PLAIN "abcd"', b"AUTHENTICATE PLAIN a-_c", b'AUTHENTICATE "PLAIN"'),
            *(b"AUTHENTICATE PLAIN abcd abcd", b"AUTHENTICATE PLAIN {4+}\r\nabcd"),
        )


class Identify(GrammarCase):
    def test_fields_are_read_with_names_in_lower_case(self) -> None:
        for text, result in (
            (b"NIL", None),
            (b"()", {}),
            (b'("Name" "mutt" "version" NIL)', {"name": "mutt", "version": None}),
            (b'("name" {4+}\r\nm\xff\r\n)', {"name": "m\ufffd\r\n"}),
        ):
            self.assertEqual(parse(grammar.id_, b"ID " + text), (result,))

    @proves("S2")
    def test_more_than_the_rfc_allows_for_is_refused(self) -> None:
        pairs = [b'"f%d" "v"' % number for number in range(31)]
        self.assertEqual(len(parse(grammar.id_, b"ID (" + b" ".join(pairs[:30]) + b")")[0]), 30)
        self.refuses(
            grammar.id_,
            *(b"ID", b"ID ", b'ID "NIL"', b"ID x", b'ID ("a")', b'ID ("a" "b" "c")', b"ID NIL x"),
            *(b"ID (" + b" ".join(pairs) + b")", b'ID ("a" "1" "A" "2")', b'ID ("a" "b"'),
            *(b'ID ("' + b"f" * 31 + b'" "v")', b'ID ("f" "' + b"v" * 1025 + b'")'),
        )


class Mailboxes(GrammarCase):
    @proves("S3", "base:mailbox names", "base:literals")
    def test_names_come_decoded_in_any_form(self) -> None:
        for text in (b"&AOk-", b'"&AOk-"', b"{5}\r\n&AOk-", b"{5+}\r\n&AOk-"):
            self.assertEqual(parse(grammar.mailbox, b"SELECT " + text), ("é",))
        self.assertEqual(parse(grammar.mailbox_pair, b"RENAME inbox {1+}\r\nb"), ("INBOX", "b"))
        self.refuses(grammar.mailbox, b"SELECT", b"SELECT ", b"SELECT a b", b"SELECT &AC8-")
        self.refuses(grammar.mailbox_pair, b"RENAME a", b"RENAME a b c")

    def test_create_may_name_special_uses(self) -> None:
        self.assertEqual(parse(grammar.create, b"CREATE a"), ("a", ()))
        read = parse(grammar.create, b"CREATE {1+}\r\na (use (\\sent \\TRASH))")
        self.assertEqual(read, ("a", ("\\Sent", "\\Trash")))
        self.assertEqual(parse(grammar.create, b"CREATE a (USE ())"), ("a", ()))
        # A store may know it; that is not for the grammar to say.
        self.assertEqual(parse(grammar.create, b"CREATE a (USE (\\New))"), ("a", ("\\New",)))
        self.refuses(
            grammar.create, b"CREATE", b"CREATE a ()", b"CREATE a (USE)",
            b"CREATE a (FOR (\\Sent))", b"CREATE a (USE (Sent))",
            b"CREATE a (USE (\\Sent)) b", b"CREATE a (USE (\\Sent)",
        )  # fmt: skip

    def test_status_items_come_in_upper_case(self) -> None:
        self.assertEqual(
            parse(grammar.status, b"STATUS {1+}\r\na (messages UNSEEN)"),
            ("a", ("MESSAGES", "UNSEEN")),
        )
        self.refuses(grammar.status, b"STATUS a", b"STATUS a ()", b"STATUS a MESSAGES")

    def test_enable_names_capabilities(self) -> None:
        self.assertEqual(parse(grammar.enable, b"ENABLE a B=c"), (("A", "B=C"),))
        self.refuses(grammar.enable, b"ENABLE", b"ENABLE ", b"ENABLE a ", b'ENABLE "a"')


class Messages(GrammarCase):
    def test_copy_store_fetch_and_search(self) -> None:
        messages, name = parse(grammar.copy, b"COPY 1:3 &AOk-")
        self.assertEqual((str(messages), name), ("1:3", "é"))
        messages, items = parse(
            grammar.fetch, b"FETCH * (FLAGS BODY[HEADER.FIELDS ({4+}\r\nFrom)])"
        )
        self.assertEqual((str(messages), items), ("*", b'(FLAGS BODY[HEADER.FIELDS ("From")])'))
        self.assertEqual(
            parse(grammar.search, b"SEARCH FROM {2+}\r\na( SEEN"), (b'FROM "a(" SEEN',)
        )
        self.refuses(grammar.copy, b"COPY a b", b"COPY 1", b"COPY 1 a b")
        self.refuses(grammar.fetch, b"FETCH 1", b"FETCH 1 ", b"FETCH x FLAGS")
        self.refuses(grammar.search, b"SEARCH", b"SEARCH ")

    @proves("base:STORE")
    def test_store_takes_flags_and_nothing_else(self) -> None:
        for text, result in (
            (b"1 FLAGS ()", ("", False, (), None)),
            (b"1 +FLAGS (\\Deleted)", ("+", False, ("\\Deleted",), None)),
            (b"1 -flags.silent \\seen a", ("-", True, ("\\Seen", "a"), None)),
            (b"1 (UnchangedSince 0) FLAGS a", ("", False, ("a",), 0)),
            (b"1 (UNCHANGEDSINCE 9223372036854775807) FLAGS a", ("", False, ("a",), 2**63 - 1)),
        ):
            self.assertEqual(parse(grammar.store, b"STORE " + text)[1:], result)
        self.refuses(
            grammar.store,
            *(
                b"STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS a",
                b"STORE 1 () FLAGS a",
                b"STORE 1 (UNCHANGEDSINCE) FLAGS a",
                b"STORE 1 (CHANGEDSINCE 1) FLAGS a",
                b"STORE 1 (UNCHANGEDSINCE 1)FLAGS a",
                b"STORE 1 (UNCHANGEDSINCE -1) FLAGS a",
            ),
            *(b"STORE 1 BOGUS (a)", b"STORE 1 *FLAGS (a)", b"STORE 1 FLAGS", b"STORE 1 FLAGS "),
            *(b"STORE 1 FLAGS (\\Recent)", b"STORE 1 FLAGS (a) b", b"STORE a FLAGS (a)"),
        )

    def test_uid_is_followed_by_a_command_of_its_own(self) -> None:
        (inner,) = parse(grammar.uid, b"UID copy 1:3 {1+}\r\nx")
        self.assertEqual((inner.tag, inner.name), (b"a", b"COPY"))
        self.assertEqual(str(grammar.copy(inner)[0]), "1:3")
        (bare,) = parse(grammar.uid, b"UID EXPUNGE")
        self.assertEqual(grammar.no_args(bare), ())
        self.assertRaises(
            WireError, grammar.no_args, parse(grammar.uid, b"UID EXPUNGE{1+}\r\na")[0]
        )
        self.refuses(grammar.uid, b"UID", b"UID ", b'UID "COPY" 1 a', b"UID  COPY 1 a")
