"""Relayed logins of clients whose password and home are known: all that goes for others, too."""

from __future__ import annotations

from typing import Any

import attrs

from referrald.model import Refer, Security, Server
from referrald.relay.connector import RelayConnector
from referrald.relay.settings import RelaySettings
from referrald.session.choosing import Choosing
from referrald.session.programs import Programs
from referrald.session.shortcut import Shortcut, ShortLogin
from tests.client.net import NetReach
from tests.session.relaycase import AWAY, LOGIN, Decided, RelayCase, Wire
from tests.session.support import House, Passwords
from tests.session.test_relayed_ends import Ends
from tests.session.test_relaying import Relaying

CLEAR = tuple(
    Server(host=host, security=Security.CLEAR) for host in ("home.example", "second.example")
)


class Known:
    """Knows one password for everybody."""

    right = b"secret"
    name = ""

    def known(self, user: str, password: bytes) -> str | None:
        return (self.name or user) if password == self.right else None


class Lives(Decided):
    """A router that remembers what it always says."""

    storm = False
    counted = 0

    def known(self, user: str, peer: str) -> Refer | None:
        decision = self.decision
        return None if self.storm or not isinstance(decision, Refer) else decision

    def relayed(self) -> None:
        self.counted += 1


class ShortcutCase(RelayCase):
    """A front door that has seen everybody before, and homes that speak in the clear."""

    def connect(self, **changes: Any) -> Wire:
        if isinstance(self.decision, Refer):
            count = len(self.decision.servers)
            self.decision = attrs.evolve(self.decision, server=CLEAR[0], servers=CLEAR[:count])
        self.settings = attrs.evolve(self.settings, allow_clear=("*.example",))
        relay = RelayConnector(self.net.clock, self.settings, reach=NetReach(self.net))
        self.router = Lives(self.decision)
        self.known = Known()
        changes.setdefault("choosing", Choosing(how=self.how, follow=Programs(self.follow)))
        changes.setdefault("shortcut", Shortcut(self.known, self.router, relay))
        self.house = House(router=self.router, relay=relay, **changes)
        return Wire(self.net, self.house)


class RelayingByTheShortcut(ShortcutCase, Relaying):
    # What comes in one piece with the answer is read before anybody acts on that.
    at_the_end = b"* OK late\r\n* OK [ALERT] in\r\n"

    def test_a_password_that_is_no_utf_8_goes_home_as_it_came(self) -> None:
        Known.right, before = b"bl\xe9ub", Known.right
        self.addCleanup(setattr, Known, "right", before)
        super().test_a_password_that_is_no_utf_8_goes_home_as_it_came()


class EndsAfterTheShortcut(ShortcutCase, Ends):
    pass


class Taken(ShortcutCase):
    """Who takes the shortcut, and who does not."""

    def short(self, line: bytes = LOGIN, **changes: Any) -> bool:
        """Log in; say whether that began by the shortcut."""
        self.serve("home.example", authenticate=b"")
        client = self.connect(**changes)
        client.say(b"a " + line, wait=0.1)
        short = isinstance(client.session._work, ShortLogin)
        client.ours.loseConnection()
        client.say()
        return short

    def test_who_is_known_is_counted_once_and_needs_no_reader(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b"a " + LOGIN)
        self.assertEqual(self.router.counted, 1)
        self.assertEqual(self.results(), [("relayed", "home.example:143")])
        self.assertIsNone(client.session.reader)
        self.assertEqual(client.session.user, "alice")

    def test_in_whatever_case_and_quotes(self) -> None:
        self.assertTrue(self.short())
        self.assertTrue(self.short(b'login "alice" "secret"'))

    def test_by_plain_in_one_line_too_and_after_other_commands(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b'i ID ("name" "Bird")', b"c CAPABILITY")
        answer = client.say(b"a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==", b"b NOOP")
        self.assertTrue(answer.endswith(b"Logged in.\r\nb OK done\r\n"), answer)
        self.assertEqual(self.made[0].seen, [b"AUTHENTICATE PLAIN AGFsAHNlY3JldA==", b"NOOP"])
        (event,) = self.house.logins
        self.assertEqual((event.mechanism, event.user), ("PLAIN", "alice"))
        self.assertEqual(self.router.counted, 1)
        self.assertTrue(self.short(b"AUTHENTICATE PLAIN YWxpY2UAYWxpY2UAc2VjcmV0"))

    def test_not_by_plain_where_something_about_it_is_unusual(self) -> None:
        for response in (
            b"Ym9iAGFsaWNlAHNlY3JldA==",  # as bob, with the password of alice
            b"YWxpY2UAc2VjcmV0", b"AGEAYgBj", b"%%%", b"=",
            b"QUxJQ0UAYWxpY2UAc2VjcmV0",  # as ALICE
        ):  # fmt: skip
            self.assertFalse(self.short(b"AUTHENTICATE PLAIN " + response), response)
        self.assertFalse(self.short(b"AUTHENTICATE PLAIN"))
        self.assertFalse(
            self.short(b"AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==",
                       authenticator=Passwords(("LOGIN",)))
        )  # fmt: skip
        self.assertEqual(self.router.counted, 0)

    def test_not_by_plain_with_a_name_for_which_somebody_else_was_let_in(self) -> None:
        self.serve("home.example", authenticate=b"")
        client = self.connect()
        self.known.name = "bob"
        client.say(b"a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==", wait=0.1)
        self.assertNotIsInstance(client.session._work, ShortLogin)

    def test_not_who_has_come_through_too_many_proxies(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.say(b'i ID ("x-proxy-ttl" "1")')
        self.assertIn(b"a NO [UNAVAILABLE]", client.say(b"a " + LOGIN))
        self.assertEqual((self.router.counted, self.net.dialled), (0, []))

    def test_not_with_a_password_that_was_never_right(self) -> None:
        self.assertFalse(self.short(b"LOGIN alice wrong"))
        self.assertEqual(self.net.dialled, [])

    def test_not_where_credentials_may_not_travel(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.session.secure = False
        self.assertIn(b"a NO [PRIVACYREQUIRED]", client.say(b"a " + LOGIN))
        self.assertEqual(self.net.dialled, [])

    def test_not_who_lives_here_or_comes_back_too_often(self) -> None:
        self.assertTrue(self.short())
        self.serve("home.example", authenticate=b"")
        client = self.connect()
        self.router.storm = True
        client.say(b"a " + LOGIN, wait=0.1)
        self.assertNotIsInstance(client.session._work, ShortLogin)

    def test_not_who_is_to_be_referred(self) -> None:
        self.assertFalse(self.short(choosing=Choosing(how="refer")))
        self.decision = attrs.evolve(AWAY, how="refer")
        self.assertFalse(self.short())
        self.assertEqual(self.net.dialled, [])

    def test_not_a_program_that_follows_where_those_are_referred(self) -> None:
        choosing = Choosing(how="auto", follow=Programs(("Alpine",)))
        self.assertTrue(self.short(choosing=choosing))
        client = self.connect(choosing=choosing)
        self.house.door.habits.note("alice", client.session.peer_host, {"name": "Alpine"})
        self.assertIn(b"a NO [REFERRAL ", client.say(b"a " + LOGIN))

    def test_not_to_servers_that_are_told_of_clients(self) -> None:
        self.settings = RelaySettings(allowed=("*.example",), told=("home.example",))
        self.assertFalse(self.short())

    def test_a_login_of_an_extension_is_its_own(self) -> None:
        self.serve("home.example")
        client = self.connect()
        seen: list[Any] = []

        async def login(session: Any, user: bytes, password: bytes) -> bytes:
            seen.append((user, password))
            return b"OK mine\r\n"

        table = self.house.door.table
        usual = table.find("unauth", b"LOGIN")
        table._specs["unauth", b"LOGIN"] = attrs.evolve(usual, handler=login, quick=None)
        self.assertEqual(client.say(b"a " + LOGIN), b"a OK mine\r\n")
        self.assertEqual((seen, self.net.dialled), ([(b"alice", b"secret")], []))

    def test_a_home_that_knows_another_password_by_now(self) -> None:
        self.serve("home.example", authenticate=b"%b NO [AUTHENTICATIONFAILED] no")
        client = self.connect()
        self.assertIn(b"a NO [AUTHENTICATIONFAILED]", client.say(b"a " + LOGIN))
        self.assertEqual(self.results(), [("refused", "")])
        self.assertFalse(client.lost)

    def test_a_login_of_an_extension_may_ask_for_more_lines(self) -> None:
        client = self.connect()

        async def login(session: Any, user: bytes, password: bytes) -> bytes:
            session.write(b"+ more\r\n")
            return b"OK %b\r\n" % await session.read_line()

        table = self.house.door.table
        usual = table.find("unauth", b"LOGIN")
        table._specs["unauth", b"LOGIN"] = attrs.evolve(usual, handler=login, quick=None)
        self.assertEqual(client.say(b"a " + LOGIN), b"+ more\r\n")
        self.assertEqual(client.say(b"42"), b"a OK 42\r\n")

    def test_a_client_that_goes_on_meanwhile_is_read_by_home(self) -> None:
        self.serve("home.example", authenticate=b"")
        client = self.connect()
        client.say(b"a " + LOGIN, wait=0.1)
        client.say(b"b SELECT x", wait=0.1)
        self.made[0].transport.write(b"a1 OK [CAPABILITY IMAP4rev1] in\r\n")
        answer = client.say()
        self.assertTrue(answer.endswith(b"Logged in.\r\nb OK done\r\n"), answer)
