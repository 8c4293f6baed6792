"""Every server of a configuration looked at, over a network in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from OpenSSL import SSL
from zope.interface import implementer

from referrald.client import transport
from referrald.client.replies import ConnectionEnded
from referrald.client.transport import NotReached, WithoutTls
from referrald.ctl.watching import WatchedTrust
from referrald.interfaces import ITargets
from referrald.mailmodel import MailboxLocation, Replica
from referrald.model import Home, Refer, Refuse, Security, Serve, Server
from referrald.relay.proxyheader import LOCAL
from referrald.routing.policy import PolicySettings
from referrald.testing import MemoryBackend
from tests.client.net import Net, Scripted
from tests.ctl.fakes import CONFIG, CtlTestCase
from tests.proves import proves

HELLO = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE] hi"
HOME = Server(host="home.example")
PASSWORD = "hunter2"


@implementer(ITargets)
class Listing:
    """A backend that names what the test says."""

    def __init__(self, named: Any) -> None:
        self.named = named

    async def targets(self) -> Any:
        if isinstance(self.named, Exception):
            raise self.named
        return self.named


class LiveCase(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.net = Net()
        self.made: dict[str, list[Scripted]] = {}
        self.patch(transport, "connect", self.net.dial)
        self.name(HOME)

    def wait(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return self.net.drive(work(self.net.clock))

    def name(self, *servers: Server) -> None:
        """Have one backend name these servers."""
        self.assembly.backends = [("users", Listing(servers))]

    def server(self, host: str, greeting: bytes = HELLO, port: int = 143, **more: bytes) -> None:
        def make() -> Scripted:
            given = {name.upper().encode(): answer for name, answer in more.items()}
            server = Scripted(greeting, given)
            self.made.setdefault(host, []).append(server)
            return server

        self.net.servers[host, port] = make

    def policy(self, **settings: Any) -> None:
        self.assembly.mailboxes.policy = PolicySettings(**settings)

    def look(self, *words: str) -> Any:
        """Run the command; gives the JSON."""
        code, value = self.run_json("check", "--live", *words)
        self.assertEqual(code, 1 if value["faults"] else 0)
        self.assertNotIn(PASSWORD, str(value))
        for servers in self.made.values():
            self.assertTrue(all(each.transport.other.ended for each in servers))
        return value

    def verdict(self, *words: str) -> tuple[str, str, bool]:
        """Look at one server; gives verdict, reason, and whether that is a fault."""
        (found,) = self.look(*words)["targets"]
        return found["verdict"], found["reason"], found["fault"]


class Verdicts(LiveCase):
    def test_a_server_that_can_be_used_is_fine(self) -> None:
        self.server("home.example")
        (found,) = self.look()["targets"]
        self.assertEqual((found["verdict"], found["fault"]), ("fine", False))
        self.assertEqual((found["host"], found["port"], found["tls"]), (HOME.host, 143, "starttls"))
        self.assertEqual(found["capabilities"], ["AUTH=PLAIN", "IDLE", "IMAP4REV1"])
        self.assertEqual(found["greeting"], "[CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE] hi")
        self.assertEqual(found["named_by"], ["users"])
        # Nobody logs in, and it is left in a polite way.
        self.assertEqual(self.made["home.example"][0].seen, [b"LOGOUT"])

    def test_how_it_is_to_be_secured_reaches_the_connection(self) -> None:
        given: list[Any] = []

        async def dial(*where: Any, **more: Any) -> Any:
            given.append((more["implicit"], more["patience"]))
            return await self.net.dial(*where, **more)

        self.patch(transport, "connect", dial)
        self.name(Server(host="home.example", port=143, security=Security.TLS))
        self.server("home.example")
        (found,) = self.look("--timeout", "2.5")["targets"]
        self.assertEqual((found["tls"], given), ("tls", [(True, 2.5)]))

    def test_one_that_wants_a_proxy_header_gets_one(self) -> None:
        self.server("home.example")
        self.server("other.example")
        self.name(HOME, Server(host="other.example"))
        self.write("r.toml", CONFIG + 'type = "fake"\n[relay]\nproxy = ["HOME.*"]\n')
        self.look()
        self.assertEqual(self.net.announced, [LOCAL, b""])

    def test_one_that_cannot_be_connected_to(self) -> None:
        self.assertEqual(self.verdict(), ("unreachable", "connection refused", True))

    def test_one_that_ends_too_soon(self) -> None:
        self.server("home.example", b"* OK hi", capability=b"* BYE busy")
        self.assertEqual(self.verdict(), ("unreachable", "did not answer within 10 s", True))
        self.server("home.example", b"220 smtp.example")
        verdict, reason, _ = self.verdict()
        self.assertEqual(verdict, "unreachable")
        self.assertIn("answered what is no IMAP", reason)

    def test_one_that_does_not_answer_in_time(self) -> None:
        self.server("home.example", b"* OK hi", capability=b"")
        self.assertEqual(
            self.verdict("--timeout", "3"), ("unreachable", "did not answer within 3 s", True)
        )

    def test_one_that_is_slow_to_say_good_bye_is_fine_all_the_same(self) -> None:
        self.server("home.example", logout=b"")
        (found,) = self.look()["targets"]
        self.assertEqual(found["verdict"], "fine")
        self.assertLess(found["milliseconds"], 1000)

    def test_one_without_tls(self) -> None:
        self.net.insecure.add("home.example")
        self.server("home.example")
        self.assertEqual(self.verdict(), ("no TLS", "the server offers none", True))
        (found,) = self.look()["targets"]
        self.assertEqual(found["tls"], "none")

    def test_one_without_tls_where_that_is_allowed(self) -> None:
        self.net.insecure.add("home.example")
        self.server("home.example")
        self.policy(allow_clear=("*.example",))
        self.assertEqual(self.verdict(), ("fine", "", False))
        self.name(Server(host="home.example", security=Security.CLEAR))
        self.assertEqual(self.verdict(), ("fine", "", False))

    def test_a_starttls_that_comes_to_nothing(self) -> None:
        self.fails(WithoutTls("STARTTLS was refused: NO not now"))
        self.assertEqual(self.verdict(), ("no TLS", "STARTTLS was refused: NO not now", True))

    def fails(self, error: Exception, cause: Exception | None = None) -> None:
        """Have the connection fail, by way of another error."""

        async def dial(*where: Any, **more: Any) -> Any:
            if cause is None:
                raise error
            between = ConnectionEnded("closed the connection")
            between.__cause__ = cause
            raise error from between

        self.patch(transport, "connect", dial)

    @proves("L12")
    def test_a_handshake_that_fails(self) -> None:
        what = [("SSL routines", "", "wrong version number")]
        self.fails(NotReached("home.example:143 closed"), SSL.Error(what))
        self.assertEqual(self.verdict(), ("no TLS", "wrong version number", True))

    @proves("L12")
    def test_a_certificate_that_is_not_believed(self) -> None:
        async def dial(*where: Any, trust: WatchedTrust, **more: Any) -> Any:
            trust.faults.append("has expired")
            raise NotReached("home.example:143 closed")

        self.patch(transport, "connect", dial)
        self.assertEqual(self.verdict(), ("certificate", "has expired", True))

    def test_one_that_refers_on(self) -> None:
        self.server("home.example", b"* BYE [REFERRAL imap://;AUTH=*@new.example/] moved")
        self.assertEqual(self.verdict(), ("refers on", "to new.example", False))
        for url, reason in (
            ("imap://;AUTH=*@evil.test/", "to evil.test, which is not an allowed target"),
            ("imap://;AUTH=*@front.example/", "to front.example, which is this server itself"),
            ("http://x/", "in a way that cannot be followed: URL 1: not an imap: URL"),
        ):
            self.policy(allowed=("*.example",), own_names=[("front.example", 143)])
            self.server("home.example", b"* BYE [REFERRAL %b] moved" % url.encode())
            verdict, said, fault = self.verdict()
            self.assertEqual((verdict, fault), ("refers on", True))
            self.assertTrue(said.startswith(reason), said)

    def test_one_that_turns_clients_away(self) -> None:
        self.server("home.example", b"* BYE too many connections")
        self.assertEqual(self.verdict(), ("turns clients away", "too many connections", True))

    def test_one_that_asks_nobody_who_he_is(self) -> None:
        self.server("home.example", b"* PREAUTH [CAPABILITY IMAP4rev1] hello root")
        self.assertEqual(self.verdict()[0], "lets everyone in")

    def test_this_server_itself_is_not_called(self) -> None:
        self.policy(own_names=[("home.example", 143)])
        self.assertEqual(self.verdict(), ("is this server itself", "", True))
        self.assertEqual(self.net.dialled, [])

    def test_one_that_is_not_allowed_is_not_called(self) -> None:
        self.policy(allowed=("*.test",))
        self.assertEqual(
            self.verdict(), ("not allowed by [referral]", "not an allowed target", True)
        )
        self.policy()
        self.name(Server(host="home.example", security=Security.CLEAR))
        self.assertEqual(
            self.verdict(),
            ("not allowed by [referral]", "without TLS, and not allowed in the clear", True),
        )
        self.assertEqual(self.net.dialled, [])


class WhatIsNeeded(LiveCase):
    def lacks(self, capabilities: bytes) -> str:
        self.server("home.example", b"* OK [CAPABILITY %b] hi" % capabilities)
        verdict, reason, fault = self.verdict()
        self.assertEqual((verdict, fault), ("lacks", True) if reason else ("fine", False))
        return reason

    def test_without_a_relay_any_way_to_log_in_will_do(self) -> None:
        for capabilities, lacking in (
            (b"IMAP4rev1", ""),
            (b"IMAP4rev2", ""),
            (b"IMAP4rev1 LOGINDISABLED AUTH=SCRAM-SHA-256", ""),
            (b"IMAP4rev1 LOGINDISABLED", "any way to log in"),
            (b"IMAP4 IDLE", "IMAP4rev1"),
        ):
            self.assertEqual(self.lacks(capabilities), lacking)

    def test_the_relay_needs_a_login_with_a_password(self) -> None:
        listener = '[[listener]]\nendpoint = "tcp:144"\ntls = "none"\nallow_cleartext = true\n'
        network = '[[network]]\nnetworks = ["192.0.2.0/24"]\n'
        for section in ("[referral]\n", listener, network):
            self.write("r.toml", f'{CONFIG}type = "fake"\n{section}login = "relay"\n')
            self.needs_a_password()
        asks = CONFIG.replace("[auth]\n", "[auth]\nhome = true\n")
        self.write("r.toml", f'{asks}type = "fake"\nhost = "home.example"\n')
        self.needs_a_password()

    def needs_a_password(self) -> None:
        for capabilities, lacking in (
            (b"IMAP4rev1", ""),
            (b"IMAP4rev1 LOGINDISABLED AUTH=PLAIN", ""),
            (
                b"IMAP4rev1 LOGINDISABLED AUTH=SCRAM-SHA-256",
                "a login with a password, which the relay needs",
            ),
        ):
            self.assertEqual(self.lacks(capabilities), lacking)

    def test_a_master_user_needs_plain(self) -> None:
        relay = '[referral]\nlogin = "auto"\n[relay]\nmaster_user = "root"\nmaster_password = "m"\n'
        self.write("r.toml", CONFIG + 'type = "fake"\n' + relay)
        self.assertEqual(self.lacks(b"IMAP4rev1 AUTH=PLAIN"), "")
        self.assertEqual(self.lacks(b"IMAP4rev1"), "AUTH=PLAIN, by which the master user logs in")


class Inventories(LiveCase):
    def named(self) -> list[tuple[str, list[str]]]:
        return [(each["host"], each["named_by"]) for each in self.look()["targets"]]

    def test_each_server_is_looked_at_once_whoever_names_it(self) -> None:
        homes = MemoryBackend({"alice": Home(servers=(HOME,)), "bob": Home(servers=(HOME,))})
        replica = Replica(server=Server(host="shared.example"), name="x")
        homes.set_mailbox("alice", "x", MailboxLocation(replicas=(replica,)))
        self.assembly.backends = [("one", homes), ("two", Listing([HOME, HOME]))]
        found = self.named()
        self.assertEqual(found, [("home.example", ["one", "two"]), ("shared.example", ["one"])])
        self.assertEqual(len(self.net.dialled), 2)

    def test_another_security_is_another_way_in(self) -> None:
        self.name(HOME, Server(host="home.example", security=Security.TLS))
        self.assertEqual(len(self.named()), 2)

    def test_where_a_listener_drains_to_counts_and_needs_no_leave(self) -> None:
        drain = '[[listener]]\nendpoint = "tcp:144"\ntls = "none"\nname = "old"\n'
        drain += 'drain = "imap://;AUTH=*@next.example:993/"\n[referral]\nlogin = "relay"\n'
        self.write("r.toml", CONFIG + 'type = "fake"\n' + drain)
        self.policy(allowed=())
        self.name()
        hello = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=SCRAM-SHA-256] hi"
        self.server("next.example", hello, port=993)
        (found,) = self.look()["targets"]
        self.assertEqual(found["named_by"], ["drain of old"])
        self.assertEqual((found["tls"], found["verdict"]), ("tls", "fine"))

    def test_a_backend_that_cannot_list_its_servers_is_told_of(self) -> None:
        self.assembly.backends = [("plain", object())]
        value = self.look()
        self.assertEqual((value["unlisted"], value["faults"]), (["plain"], 0))
        _, out, _ = self.run_ctl("check", "--live")
        self.assertIn("backend plain: cannot list its servers\n", out)

    def test_a_backend_that_fails_at_it_is_a_fault(self) -> None:
        for named, reason in (
            (OSError("disk on fire"), "OSError: disk on fire"),
            (5, "targets of type int"),
            (["home.example"], "targets() named a server of type str"),
        ):
            self.assembly.backends = [("bad", Listing(named)), ("good", Listing([HOME]))]
            value = self.look()
            self.assertEqual(value["broken"], [{"backend": "bad", "reason": reason}])
            self.assertEqual(len(value["targets"]), 1)

    def test_twenty_are_called_at_a_time(self) -> None:
        hosts = [f"h{number}.example" for number in range(50)]
        for host in hosts:
            self.server(host, b"* OK hi", capability=b"")
        self.name(*(Server(host=host) for host in hosts))
        began: list[float] = []

        async def dial(*where: Any, **more: Any) -> Any:
            began.append(round(self.net.clock.seconds()))
            return await self.net.dial(*where, **more)

        self.patch(transport, "connect", dial)
        self.look("--timeout", "7")
        self.assertEqual([began.count(time) for time in (0, 7, 14)], [20, 20, 10])


class Shown(LiveCase):
    def test_the_table_has_a_row_for_each_and_ends_with_the_count(self) -> None:
        self.name(HOME, Server(host="dead.example", port=993, security=Security.TLS))
        self.server("home.example", HELLO.replace(b"IDLE", b"LOGIN-REFERRALS"))
        code, out, err = self.run_ctl("check", "--live")
        self.assertEqual((code, err), (1, ""))
        heading, home, dead, summary = out.splitlines()
        self.assertRegex(heading, "^server +security +TLS +ms +offers +named by +verdict$")
        self.assertRegex(
            home, r"^home\.example:143 +starttls +starttls +\d+ +LOGIN-REFERRALS +users +fine$"
        )
        self.assertRegex(
            dead, r"^dead\.example:993 +tls +- +\d+ +- +users +unreachable: connection refused$"
        )
        self.assertEqual(summary, "2 servers, 1 fine; 1 fault")

    def test_all_well(self) -> None:
        self.server("home.example")
        code, out, _ = self.run_ctl("check", "--live")
        self.assertEqual((code, out.splitlines()[-1]), (0, "1 server, 1 fine; no faults"))

    def test_no_server_at_all(self) -> None:
        self.name()
        self.assertEqual(self.run_ctl("check", "--live"), (0, "0 servers, 0 fine; no faults\n", ""))

    def test_a_server_does_not_steer_the_terminal(self) -> None:
        self.server("home.example", b"* BYE \xc2\x9b2J")
        _, out, _ = self.run_ctl("check", "--live")
        self.assertTrue(out.replace("\n", "").isprintable(), out)

    def test_a_wrong_file_is_told_of_and_nothing_is_called(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\n[limits]\nline = 1\n')
        code, out, _ = self.run_ctl("check", "--live")
        self.assertEqual((code, self.net.dialled), (1, []))
        self.assertIn("limits.line", out)
        self.assertEqual(self.assembly.steps, [])

    def test_authorities_that_cannot_be_read_are_the_operators_fault(self) -> None:
        path = self.write("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        self.write("r.toml", CONFIG + f'type = "fake"\n[relay]\nca = "{path}"\n')
        code, _, err = self.run_ctl("check", "--live")
        self.assertEqual((code, err), (1, f"referralctl: {path}: not a file of PEM certificates\n"))


class LoggingIn(LiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.assembly.decision = Refer(
            url="imap://al;AUTH=*@home.example/", server=HOME, servers=(HOME,), user="al"
        )
        self.server("home.example", login=b"%b OK in", authenticate=b"%b OK in")

    def log_in(self) -> Sequence[Any]:
        self.typed.append(PASSWORD)
        found: Sequence[Any] = self.look("--user", "Alice")["logins"]
        return found

    def test_the_user_is_logged_in_at_home_under_the_name_there(self) -> None:
        (login,) = self.log_in()
        self.assertEqual((login["verdict"], login["user"]), ("fine", "al"))
        self.assertEqual(login["reason"], "logged in at home.example:143 as al")
        self.assertEqual(self.assembly.logins[0].user, "alice")
        self.assertEqual(self.prompts, ["Password of Alice: "])

    def test_a_proxy_header_comes_before_the_login_too(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\n[relay]\nproxy = ["home.*"]\n')
        self.log_in()
        self.assertEqual(self.net.announced, [LOCAL, LOCAL])

    def test_each_server_of_the_home_is_tried(self) -> None:
        second = Server(host="second.example")
        self.assembly.decision = Refer(url="", server=HOME, servers=(HOME, second), user="al")
        verdicts = [(each["server"], each["verdict"]) for each in self.log_in()]
        self.assertEqual(
            verdicts, [("home.example", "fine"), ("second.example", "cannot be reached")]
        )

    def test_a_password_that_is_refused_is_a_fault_and_not_shown(self) -> None:
        self.server("home.example", authenticate=b"%b NO no " + PASSWORD.encode())
        (login,) = self.log_in()
        self.assertEqual((login["verdict"], login["steps"][0]["said"]), ("login refused", "no ***"))
        self.typed.append(PASSWORD)
        code, out, _ = self.run_ctl("check", "--live", "--user", "alice")
        self.assertEqual(code, 1)
        self.assertIn("login of al at home.example: login refused: ", out)

    def test_a_home_that_refers_is_followed_where_that_is_allowed(self) -> None:
        self.server("home.example", authenticate=b"%b NO [REFERRAL imap://al;AUTH=*@b.example/] x")
        self.server("b.example", authenticate=b"%b OK in")
        self.write("r.toml", CONFIG + 'type = "fake"\n[referral]\nallowed = ["*.example"]\n')
        self.assertEqual([step["host"] for step in self.log_in()[0]["steps"]],
                         ["home.example", "b.example"])  # fmt: skip
        self.write("r.toml", CONFIG + 'type = "fake"\n[referral]\nallowed = ["home.*"]\n')
        self.assertEqual(self.log_in()[0]["verdict"], "refused target")

    def test_a_user_who_is_nobody_or_at_home_here(self) -> None:
        self.assembly.decision = Refuse(code=None, text="No mailbox.", cause="no backend knows")
        (login,) = self.log_in()
        self.assertEqual((login["verdict"], login["reason"]), ("refused", "no backend knows"))
        self.assembly.decision = Serve()
        self.typed.append(PASSWORD)
        value = self.look("--user", "alice")
        self.assertEqual(value["logins"][0]["verdict"], "at home here")

    def test_the_password_can_be_piped_in(self) -> None:
        code, value = self.run_json("check", "--live", "--user", "alice", piped="hunter2\n")
        self.assertEqual((code, value["logins"][0]["verdict"]), (0, "fine"))

    def test_a_user_is_of_no_use_without_live(self) -> None:
        code, _, err = self.run_ctl("check", "--user", "alice")
        self.assertEqual(
            (code, err), (1, "referralctl: --user is for --live: nobody logs in without it\n")
        )
