"""PHP's Horde client as a script: it misreads referrals, and has to end relayed all the same.

After a referral it takes the user from the URL as it stands there, percent-encoded, but stays with
the address that it knows, and logs in there again.
"""

from __future__ import annotations

import re
import socket
from base64 import b64encode

from tests.interop.support import PATIENCE, SUBJECT, Dovecot, InteropCase, Referrald
from tests.proves import proves

HOST = "127.0.0.1"
USER = "bob@example.org"
IDENT = '("name" "Horde/IMAP")'
_URL = re.compile(r"\[REFERRAL imap://([^;@/]*)[^@]*@[^/\]]*/\]")


class Horde:
    """Logs in, at one and the same address, as often as it is referred."""

    def __init__(self, port: int, *, ident: str = "", sasl: bool = False) -> None:
        self.port = port
        self.ident = ident
        self.sasl = sasl
        self.logins: list[str] = []

    def open(self, user: str, password: str, most: int = 5) -> str:
        """Go on until there is no referral any more; gives the last answer."""
        while len(self.logins) < most:
            self.logins.append(user)
            answer = self.log_in(user, password)
            found = _URL.search(answer)
            if found is None:
                return answer
            self.say("LOGOUT")
            self.file.close()
            # So far so good, but this is the name as the URL has it.
            user = found[1]
        return answer

    def log_in(self, user: str, password: str) -> str:
        """Connect and log in; gives the tagged answer."""
        raw = socket.create_connection((HOST, self.port), timeout=PATIENCE)
        self.file = raw.makefile("rwb")
        raw.close()
        self.file.readline()
        if self.ident:
            self.say(f"ID {self.ident}")
        if not self.sasl:
            return self.say(f'LOGIN "{user}" "{password}"')
        self.file.write(b"x AUTHENTICATE LOGIN\r\n")
        for text in (user, password):
            self.file.flush()
            self.file.readline()
            self.file.write(b64encode(text.encode()) + b"\r\n")
        return self.tagged()

    def say(self, line: str) -> str:
        """Send a command; gives the tagged answer."""
        self.file.write(f"x {line}\r\n".encode())
        return self.tagged()

    def tagged(self) -> str:
        """Read on to the tagged answer; what comes before it is kept in ``before``."""
        self.file.flush()
        self.before = ""
        while (line := self.file.readline().decode()) and not line.startswith("x "):
            self.before += line
        return line.removeprefix("x ")


class HordeIsRelayed(InteropCase):
    def start(self, how: str) -> tuple[Referrald, Dovecot]:
        home = self.start_home([(USER, "secret")])
        users = f"{USER}:{{PLAIN}}secret::::::host={HOST} port={home.port} nologin\n"
        lines = f'login = "{how}"\nallow_clear = ["{HOST}"]\nfollow = ["horde*"]\n'
        return self.start_referrald(users, f"[referral]\n{lines}"), home

    def reads_mail(self, client: Horde) -> None:
        self.addCleanup(client.file.close)
        self.assertTrue(client.say("SELECT INBOX").startswith("OK "))
        client.say("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        self.assertIn(SUBJECT, client.before)
        client.say("LOGOUT")

    @proves("L3")
    def test_one_that_is_taken_for_a_follower_is_relayed_at_its_second_login(self) -> None:
        for sasl in (False, True):
            # Another front door each time: one would know who has just been sent away.
            front, home = self.start("auto")
            client = Horde(front.port, ident=IDENT, sasl=sasl)
            answer = client.open(USER, "secret")
            self.assertTrue(answer.startswith("OK "), answer)
            self.assertEqual(client.logins, [USER, "bob%40example.org"])
            self.reads_mail(client)
            front.wait_for_log(f'user="{USER}" mech=LOGIN .*result=relayed')
            self.assertIn(f"user=<{USER}>", home.log)

    def test_one_that_is_not_is_relayed_at_its_first(self) -> None:
        front, _ = self.start("auto")
        client = Horde(front.port)
        self.assertTrue(client.open(USER, "secret").startswith("OK "))
        self.assertEqual(client.logins, [USER])
        self.reads_mail(client)

    def test_the_password_has_to_be_right_the_second_time_too(self) -> None:
        front, _ = self.start("auto")
        Horde(front.port, ident=IDENT).open(USER, "secret", most=1)
        other = Horde(front.port, ident=IDENT)
        answer = other.open("bob%40example.org", "wrong")
        self.addCleanup(other.file.close)
        self.assertTrue(answer.startswith("NO [AUTHENTICATIONFAILED]"), answer)

    def test_where_nobody_is_relayed_it_is_refused_and_makes_no_storm(self) -> None:
        front, _ = self.start("refer")
        client = Horde(front.port, ident=IDENT)
        answer = client.open(USER, "secret")
        self.addCleanup(client.file.close)
        self.assertTrue(answer.startswith("NO [AUTHENTICATIONFAILED]"), answer)
        self.assertEqual(client.logins, [USER, "bob%40example.org"])
