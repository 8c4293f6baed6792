"""Home servers that fail, at every moment of a relayed session: what the client gets, and when."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.interop.homes import GREETING, PLAIN, Caller, Hungup, Script, ScriptedHome
from tests.interop.support import InteropCase, Referrald
from tests.interop.together import MANY, TogetherCase, lives, relaying
from tests.proves import proves

STARTTLS = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"
TIMEOUT = 1.0
# So many answers are waited for: greeting, CAPABILITY, the login. Some more for the load.
BOUND = 4 * TIMEOUT + 6


def hang_up(caller: Caller) -> None:
    """Close at once."""


def hang_up_greeted(caller: Caller) -> None:
    """Greet, and close."""
    caller.greet()


def reset(caller: Caller) -> None:
    """Break the connection off at once."""
    caller.reset()


def silent(caller: Caller) -> None:
    """Never greet."""
    caller.linger()


def binary(caller: Caller) -> None:
    """Greet with what is no text."""
    caller.say(bytes(range(256)) * 4)
    caller.linger()


def web(caller: Caller) -> None:
    """Be another kind of server."""
    caller.say(b"HTTP/1.1 400 Bad Request\r\nServer: none\r\n\r\n<html>\r\n")
    caller.linger()


def endless_line(caller: Caller) -> None:
    """Send a line without an end."""
    while True:
        caller.say(b"* OK " + b"x" * 65_536)


def endless_data(caller: Caller) -> None:
    """Answer everything with data that nobody has asked for, for ever."""
    caller.greet()
    caller.hear()
    while True:
        caller.say(b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 1000)


def large_literal(caller: Caller) -> None:
    """Announce a literal of many bytes within the login."""
    caller.greet()
    caller.hear()
    caller.say(b"* LIST () {99999999}\r\n")
    caller.linger()


def slow_greeting(caller: Caller) -> None:
    """Greet one character at a time, for longer than anybody waits."""
    caller.drip(b"* OK " + b"x" * 500)


def slow_login(caller: Caller) -> None:
    """Leave the login without an answer."""
    caller.greet()
    caller.linger()


def full(caller: Caller) -> None:
    """Greet with good-bye."""
    caller.say(b"* BYE too many connections\r\n")


def no_to_all(caller: Caller) -> None:
    """Refuse each command."""
    caller.say(b"* OK ready\r\n")
    while True:
        caller.answer(caller.hear(), b"NO not today")


def out_of_order(caller: Caller) -> None:
    """Say that it is the server that cannot."""
    caller.greet()
    while True:
        caller.answer(caller.hear(), b"NO [UNAVAILABLE] the disk is away")


def bad_to_all(caller: Caller) -> None:
    """Understand nothing."""
    caller.greet()
    while True:
        caller.answer(caller.hear(), b"BAD what?")


def bye_to_login(caller: Caller) -> None:
    """Say good-bye to a login, and close."""
    caller.greet()
    caller.hear()
    caller.say(b"* BYE going down\r\n")


def wrong_tag(caller: Caller) -> None:
    """Answer what was never asked."""
    caller.greet()
    caller.hear()
    caller.say(b"zzz OK done\r\n")
    caller.linger()


def closes_for_tls(caller: Caller) -> None:
    """Agree to STARTTLS and close."""
    caller.say(STARTTLS)
    caller.answer(caller.hear())


def garbage_for_tls(caller: Caller) -> None:
    """Agree to STARTTLS and go on in the clear."""
    caller.say(STARTTLS)
    caller.answer(caller.hear())
    caller.more()
    caller.say(b"* OK what is it?\r\n")
    caller.linger()


def silent_for_tls(caller: Caller) -> None:
    """Agree to STARTTLS and say no more."""
    caller.say(STARTTLS)
    caller.answer(caller.hear())
    caller.linger()


UNAVAILABLE: tuple[Script, ...] = (
    hang_up, hang_up_greeted, reset, silent, binary, web, endless_line, endless_data,
    large_literal, slow_greeting, slow_login, full, out_of_order, bad_to_all, bye_to_login,
    wrong_tag, closes_for_tls,
    garbage_for_tls, silent_for_tls,
)  # fmt: skip


def in_literal(caller: Caller, part: bytes) -> None:
    """Break off in the middle of a message."""
    caller.admit()
    caller.answer(caller.hear())
    caller.hear()
    caller.say(b"* 1 FETCH (BODY[] {1000}\r\n" + part)


def at_line_end(caller: Caller) -> None:
    """Break off in a message, behind a whole line of it."""
    in_literal(caller, b"Subject: half\r\n")


def in_line(caller: Caller) -> None:
    """Break off in a line of a message."""
    in_literal(caller, b"Subject: ha")


def behind_literal(caller: Caller) -> None:
    """Break off behind a whole message."""
    in_literal(caller, b"x" * 1000 + b")\r\n")


def in_append(caller: Caller) -> None:
    """Take half of the client's literal."""
    caller.admit()
    caller.hear()
    caller.say(b"+ go on\r\n")
    caller.more()


def in_idle(caller: Caller) -> None:
    """Break off while the client waits."""
    caller.admit()
    caller.hear()
    caller.say(b"+ idling\r\n* 1 EXISTS\r\n")
    caller.reset()


def fine(caller: Caller) -> None:
    """Do everything right."""
    caller.admit()
    with contextlib.suppress(Hungup):
        while True:
            caller.answer(caller.hear())


LATER: tuple[Script, ...] = (
    at_line_end, in_line, behind_literal, in_append, in_idle, no_to_all, fine,
)  # fmt: skip


class HomeFaults(TogetherCase):
    """Each user lives at a server that fails in one way; the user is called after it."""

    front: Referrald
    greeting = GREETING

    @classmethod
    def start(cls, servers: InteropCase) -> None:
        """Start all homes, and one front door for all of them."""
        homes = {
            each.__name__: ScriptedHome(servers, each, cls.greeting)
            for each in (*UNAVAILABLE, *LATER)
        }
        users = "".join(lives(name, home.port) for name, home in homes.items())
        extra = f'{relaying()}{MANY}[relay]\ntimeout = "{TIMEOUT}s"\n'
        cls.front = servers.start_referrald(users, extra)

    def client(self, user: str) -> tuple[socket.socket, bytes]:
        """Log in; give the connection and the answer."""
        raw = self.front.connect()
        raw.settimeout(BOUND)
        self.addCleanup(raw.close)
        raw.sendall(b"a LOGIN %b secret\r\n" % user.encode())
        return raw, self.line(raw)

    def line(self, raw: socket.socket) -> bytes:
        """Read a line."""
        line = b""
        while not line.endswith(b"\n"):
            piece = raw.recv(1)
            self.assertTrue(piece, line)
            line += piece
        return line

    def ask(self, raw: socket.socket, command: bytes) -> bytes:
        """Send a command; give the line that comes."""
        raw.sendall(command + b"\r\n")
        return self.line(raw)

    def rest(self, raw: socket.socket) -> bytes:
        """Read until the connection ends, in good order."""
        left = b""
        while piece := raw.recv(65_536):
            left += piece
        return left

    @proves("S1")
    def test_all_that_goes_wrong_before_the_login_is_unavailable_in_bounded_time(self) -> None:
        waiting = {}
        for script in UNAVAILABLE:
            raw = self.front.connect()
            self.addCleanup(raw.close)
            raw.sendall(b"a LOGIN %b secret\r\n" % script.__name__.encode())
            waiting[script.__name__] = raw
        began = time.monotonic()
        # While they all wait, others are served.
        self.assertIn(b"a OK", self.client("fine")[1])
        answers = {name: self.line(raw) for name, raw in waiting.items()}
        took = time.monotonic() - began
        wrong = {
            name: answer for name, answer in answers.items()
            if not answer.startswith(b"a NO [UNAVAILABLE] ")
        }  # fmt: skip
        self.assertEqual(wrong, {})
        self.assertLess(took, BOUND)
        # The connections are still good for another try, and the log has the reason of each.
        for name, raw in waiting.items():
            self.assertEqual(self.ask(raw, b"b NOOP")[:4], b"b OK", name)
            self.assertRegex(self.front.wait_for_log(f'user="{name}"'), r'cause=".+"')

    def test_a_home_that_refuses_is_a_failed_login(self) -> None:
        raw, answer = self.client("no_to_all")
        self.assertIn(b"a NO [AUTHENTICATIONFAILED]", answer)
        self.assertEqual(self.ask(raw, b"b NOOP")[:4], b"b OK")

    def test_a_message_that_breaks_off_ends_the_connection_and_nothing_is_put_into_it(self) -> None:
        for script, part in ((at_line_end, b"Subject: half\r\n"), (in_line, b"Subject: ha")):
            raw, answer = self.client(script.__name__)
            self.assertIn(b"a OK", answer)
            self.assertIn(b"b OK", self.ask(raw, b"b SELECT INBOX"))
            self.assertIn(b"FETCH", self.ask(raw, b"c FETCH 1 BODY[]"))
            self.assertEqual(self.rest(raw), part)

    def test_behind_a_whole_message_the_reason_is_given(self) -> None:
        raw, _ = self.client("behind_literal")
        self.ask(raw, b"b SELECT INBOX")
        self.ask(raw, b"c FETCH 1 BODY[]")
        self.assertRegex(self.rest(raw), rb"x{1000}\)\r\n\* BYE [^\r\n]+\r\n\Z")

    def test_good_bye_is_said_in_the_middle_of_append_and_of_idle(self) -> None:
        raw, _ = self.client("in_append")
        self.assertEqual(self.ask(raw, b"b APPEND INBOX {100000}"), b"+ go on\r\n")
        raw.sendall(b"x" * 50_000)
        self.assertRegex(self.rest(raw), rb"\A\* BYE [^\r\n]+\r\n\Z")
        raw, _ = self.client("in_idle")
        self.assertEqual(self.ask(raw, b"b IDLE"), b"+ idling\r\n")
        self.assertRegex(self.rest(raw), rb"\A(\* 1 EXISTS\r\n)?\* BYE [^\r\n]+\r\n\Z")

    def test_it_was_all_told_in_the_log(self) -> None:
        raw, _ = self.client("in_idle")
        self.ask(raw, b"b IDLE")
        self.rest(raw)
        self.front.wait_for_log(r"in_idle relayed to .* bytes to the client")
        self.assertNotIn("secret", self.front.log)
        self.assertNotIn("Traceback", self.front.log)


class HomeFaultsOnTheShortWay(HomeFaults):
    """The same with servers that offer all that a relay wants at once."""

    greeting = PLAIN
