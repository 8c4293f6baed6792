"""APPENDLIMIT: how long a message may be is told, and kept to before it comes (RFC 7889)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Limits
from tests.proves import proves
from tests.session.inbox import Home, say
from tests.session.native import OTHER, Site, done
from tests.session.relayed import Both

LIMITS = Limits(literal_authenticated=100, failure_delay=0.0)


def offered(client: Any) -> list[bytes]:
    """Give what is said of the limit."""
    words = client.say(b"x CAPABILITY\r\n").split(b"\r\n")[0].split(b" ")
    return [word for word in words if word.startswith(b"APPENDLIMIT")]


class Told(SynchronousTestCase):
    def test_it_is_that_of_the_store_or_of_the_server_whichever_is_less(self) -> None:
        site = Site()
        account: Any = done(site.store.account("bob"))
        ours = site.house.door.limits.literal_authenticated
        for limit, told in ((None, ours), (1000, 1000), (2 * ours, ours)):
            account.append_limit = limit
            self.assertEqual(offered(site.log_in()), [b"APPENDLIMIT=%d" % told])

    def test_accounts_of_one_server_may_differ(self) -> None:
        site = Site()
        account: Any = done(site.store.account("bob"))
        account.append_limit = 1000
        self.assertEqual(offered(site.log_in()), [b"APPENDLIMIT=1000"])
        self.assertEqual(offered(site.log_in(user=b"carol")), [b"APPENDLIMIT=67108864"])

    def test_it_comes_with_the_answer_to_the_login_and_not_before(self) -> None:
        site = Site(limits=LIMITS)
        client = site.house.connect()
        self.assertNotIn(b"APPENDLIMIT", client.read() + client.say(b"a CAPABILITY\r\n"))
        self.assertIn(b" APPENDLIMIT=100", client.say(b"a LOGIN bob secret\r\n"))

    def test_an_account_of_somebody_elses_has_that_of_the_server(self) -> None:
        self.assertEqual(offered(Home(limits=LIMITS).log_in()), [b"APPENDLIMIT=100"])


@proves("base:DoS limits", "base:APPEND")
class Kept(SynchronousTestCase):
    def test_a_message_of_just_that_size_is_taken(self) -> None:
        for client in (Site(limits=LIMITS).log_in(), Home(limits=LIMITS).log_in()):
            answer = say(client, b"APPEND INBOX {100+}\r\n" + b"x" * 100)[0]
            self.assertTrue(answer.startswith(b"OK "), answer)
            for arguments in (b"{101}\r\n", b"~{101}\r\n", b"{1+}\r\na {101}\r\n"):
                answer = client.say(b"x APPEND INBOX " + arguments)
                self.assertTrue(answer.startswith(b"x NO [TOOBIG] "), answer)
                self.assertEqual(say(client, b"NOOP")[0], b"OK Nothing done.")

    def test_the_limit_of_the_store_is_kept_to(self) -> None:
        site = Site()
        account: Any = done(site.store.account("bob"))
        account.append_limit = 10
        for sent in (b"{11}\r\n", b"{11+}\r\nhello world\r\n"):
            answer = site.log_in().say(b"x APPEND INBOX " + sent)
            self.assertRegex(answer, rb"\Ax NO \[TOOBIG\] [^\r]*\r\n\Z")

    def test_a_longer_one_that_nobody_was_asked_about_ends_the_connection(self) -> None:
        client = Site(limits=LIMITS).log_in()
        answer = client.say(b"x APPEND INBOX {101+}\r\n")
        self.assertTrue(answer.startswith(b"* BYE [TOOBIG] "), answer)
        self.assertTrue(client.closed)

    def test_it_holds_for_mailboxes_elsewhere_as_well(self) -> None:
        both = Both(limits=LIMITS)
        both.put("Team")
        client = both.log_in()
        self.assertIn(b"b NO [TOOBIG] ", client.say(b"b APPEND Team {101}"))
        # They are held in memory, so all of them count together.
        answer = client.say(b"b APPEND Team {60+}\r\n%b {60}" % (b"x" * 60))
        self.assertIn(b"b NO [TOOBIG] ", answer)
        self.assertEqual(both.at(OTHER, "Team"), [])
