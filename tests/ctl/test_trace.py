"""The trace of login referrals, over a network in memory."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from referrald.client import transport
from referrald.client.following import Credentials
from referrald.client.policy import CredentialPolicy
from referrald.ctl.terminal import Refused
from referrald.ctl.trace import Tracer, start_url
from tests.client.net import Net, Scripted
from tests.config.fakes import KeyPair
from tests.ctl.fakes import CtlTestCase
from tests.proves import proves

HELLO = b"* OK [CAPABILITY IMAP4rev1 LOGIN-REFERRALS IDLE] hi"
IN = b"%b OK [CAPABILITY IMAP4rev1 NAMESPACE] in"
PASSWORD = "hunter2"


def refers(url: str, kind: bytes = b"NO") -> bytes:
    return b"%b " + kind + b" [REFERRAL " + url.encode() + b"] go there"


class TraceCase(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.net = Net()
        self.made: dict[str, list[Scripted]] = {}
        self.patch(transport, "connect", self.net.dial)

    def wait(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return self.net.drive(work(self.net.clock))

    def server(self, host: str, port: int = 143, greeting: bytes = HELLO, **answers: bytes) -> None:
        def make() -> Scripted:
            given = {name.upper().encode(): answer for name, answer in answers.items()}
            server = Scripted(greeting, given)
            self.made.setdefault(host, []).append(server)
            return server

        self.net.servers[host, port] = make

    def trace(self, *words: str, start: str = "front.example") -> tuple[int, str]:
        """Run the command; gives exit code and output."""
        self.typed.append(PASSWORD)
        code, out, err = self.run_ctl("trace", start, "--user", "alice", *words)
        self.assertEqual(err, "")
        self.assertNotIn(PASSWORD, out)
        return code, out

    def traced(self, *words: str, start: str = "front.example") -> Any:
        """Run the command; gives the JSON."""
        self.typed.append(PASSWORD)
        code, value = self.run_json("trace", start, "--user", "alice", *words)
        self.assertEqual(code, 0 if value["verdict"] == "fine" else 1)
        self.assertNotIn(PASSWORD, str(value))
        return value

    def ends(self, verdict: str, reason: str, *words: str, start: str = "front.example") -> Any:
        """Expect how it ends; gives the outcomes on the way."""
        value = self.traced(*words, start=start)
        self.assertEqual((value["verdict"], value["reason"]), (verdict, reason))
        for servers in self.made.values():
            self.assertTrue(all(each.transport.other.ended for each in servers))
        return [(step["host"], step["outcome"]) for step in value["steps"]]

    def got_password(self, host: str) -> bool:
        return any(PASSWORD.encode() in line for each in self.made[host] for line in each.seen)


class Fine(TraceCase):
    def test_a_way_is_shown_server_by_server(self) -> None:
        self.server("front.example", login=refers("imap://al%20ice;AUTH=*@home.example:1143/"))
        self.server("home.example", 1143, greeting=b"* OK [CAPABILITY IMAP4rev1] hi", login=IN)
        code, out = self.trace("--allow", "*.example")
        self.assertEqual(code, 0)
        lines = [line.split(maxsplit=7) for line in out.splitlines()]
        self.assertEqual(
            lines[0], ["no", "server", "user", "TLS", "outcome", "ms", "offers", "said"]
        )
        first = lines[1]
        self.assertEqual(first[:5], ["1", "front.example:143", "alice", "yes", "referred"])
        self.assertRegex(first[5], r"\A[0-9]+\Z")
        self.assertEqual(first[6], "LOGIN-REFERRALS")
        self.assertEqual(first[7], "[REFERRAL imap://al%20ice;AUTH=*@home.example:1143/] go there")
        self.assertRegex(out, r"\n2   home\.example:1143  al ice  yes  here      [0-9]+ +-  ")
        self.assertTrue(out.endswith("\n\nfine: logged in at home.example:1143 as al ice\n"))
        self.assertEqual(self.prompts, ["Password of alice: "])

    def test_programs_get_all_of_it(self) -> None:
        self.server("front.example", login=IN)

        async def slow(*where: Any, **more: Any) -> Any:
            self.net.clock.advance(0.25)
            return await self.net.dial(*where, **more)

        self.patch(transport, "connect", slow)
        (step,) = self.traced()["steps"]
        self.assertEqual(
            step,
            {
                "number": 1,
                "host": "front.example",
                "port": 143,
                "user": "alice",
                "tls": True,
                "outcome": "here",
                "said": "[CAPABILITY IMAP4rev1 NAMESPACE] in",
                "milliseconds": 250,
                "capabilities": ["IDLE", "IMAP4REV1", "LOGIN-REFERRALS"],
            },
        )

    def test_the_client_logs_out_everywhere(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/"))
        self.server("home.example", login=IN)
        self.ends("fine", "logged in at home.example:143 as alice", "--allow", "home.example")
        for host in ("front.example", "home.example"):
            self.assertEqual(self.made[host][0].seen[-1], b"LOGOUT")

    def test_mail_that_is_elsewhere_is_told(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/", b"OK"))
        self.ends(
            "fine",
            "logged in at front.example:143 as alice; "
            "the user's own mail is elsewhere: imap://alice;AUTH=*@home.example/",
        )

    def test_a_server_that_asks_for_no_login(self) -> None:
        self.server("front.example", greeting=b"* PREAUTH [CAPABILITY IMAP4rev1] hi root")
        self.ends("fine", "let in at front.example:143 without a login")
        self.assertFalse(self.got_password("front.example"))

    def test_a_greeting_that_says_good_bye_refers_too(self) -> None:
        self.server("front.example", greeting=b"* BYE [REFERRAL imap://;AUTH=*@b.example/] drained")
        self.server("b.example", login=IN)
        self.net.insecure.add("front.example")
        outcomes = self.ends("fine", "logged in at b.example:143 as alice", "--allow", "b.example")
        self.assertEqual(outcomes, [("front.example", "referred"), ("b.example", "here")])
        self.assertEqual(self.made["front.example"][0].seen, [])

    def test_a_token_instead_of_a_password(self) -> None:
        greeting = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi"
        self.server("front.example", greeting=greeting, authenticate=IN)
        self.ends("fine", "logged in at front.example:143 as alice", "--token")
        self.assertEqual(self.prompts, ["Token of alice: "])
        token = b64encode(b"user=alice\x01auth=Bearer hunter2\x01\x01")
        self.assertIn(b"AUTHENTICATE XOAUTH2 " + token, self.made["front.example"][0].seen)

    def test_a_second_url_is_tried_when_the_first_cannot_be_reached(self) -> None:
        urls = "imap://alice;AUTH=*@down.example/ imap://alice;AUTH=*@up.example/"
        self.server("front.example", login=refers(urls))
        self.server("up.example", login=IN)
        value = self.traced("--allow", "*")
        self.assertEqual(value["verdict"], "fine")
        self.assertEqual(
            [(step["outcome"], step["tls"]) for step in value["steps"]],
            [("referred", True), ("unreachable", None), ("here", True)],
        )


class Verdicts(TraceCase):
    @proves("L10")
    def test_a_loop(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@b.example/"))
        self.server("b.example", login=refers("imap://alice;AUTH=*@FRONT.example/"))
        outcomes = self.ends(
            "loop",
            "referred in a circle: alice at front.example:143, alice at b.example:143, "
            "alice at front.example:143",
            "--allow", "b.example",
        )  # fmt: skip
        self.assertEqual(outcomes, [("front.example", "referred"), ("b.example", "referred")])

    @proves("L10")
    def test_too_many_referrals(self) -> None:
        for number in range(12):
            there = refers(f"imap://alice;AUTH=*@h{number + 1}.example/")
            self.server(f"h{number}.example", login=there)
        value = self.traced("--allow", "h*.example", start="h0.example")
        self.assertEqual((value["verdict"], len(value["steps"])), ("too many referrals", 11))
        self.assertIn("more than 10 referrals", value["reason"])

    @proves("L12")
    def test_a_server_without_tls(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@clear.example/"))
        self.server("clear.example", login=IN)
        self.net.insecure.add("clear.example")
        value = self.traced("--allow", "*.example")
        self.assertEqual(
            (value["verdict"], value["reason"]),
            ("weaker TLS", "clear.example:143: the server offers no TLS"),
        )
        self.assertEqual((value["steps"][1]["tls"], value["steps"][1]["outcome"]),
                         (False, "unreachable"))  # fmt: skip
        self.assertIn("IDLE", value["steps"][1]["capabilities"])
        self.assertEqual(self.made["clear.example"][0].seen, [b"LOGOUT"])

    def test_a_server_without_tls_that_is_allowed(self) -> None:
        self.server("front.example", login=IN)
        self.net.insecure.add("front.example")
        value = self.traced("--allow-clear", "front.example")
        self.assertEqual((value["verdict"], value["steps"][0]["tls"]), ("fine", False))

    @proves("L12")
    def test_a_host_that_is_not_allowed(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/"))
        self.server("home.example", login=IN)
        outcomes = self.ends(
            "refused target", "home.example: not an allowed host, gets no password"
        )
        self.assertEqual(outcomes[-1], ("home.example", "forbidden"))
        self.assertNotIn("home.example", self.made)
        _, out = self.trace()
        self.assertIn("\n\nrefused target: home.example: not an allowed host, gets no", out)

    def test_a_login_that_is_refused(self) -> None:
        self.server("front.example", login=b"%b NO [AUTHENTICATIONFAILED] wrong")
        outcomes = self.ends("login refused", "front.example: [AUTHENTICATIONFAILED] wrong")
        self.assertEqual(outcomes, [("front.example", "refused")])

    def test_a_server_that_lets_nobody_log_in(self) -> None:
        self.server("front.example", greeting=b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi")
        code, out = self.trace()
        self.assertEqual(code, 1)
        self.assertIn("  LOGINDISABLED  no way to log in is offered\n", out)
        self.assertFalse(self.got_password("front.example"))

    def test_a_server_that_is_not_there(self) -> None:
        why = "front.example:143: connection refused"
        self.assertEqual(self.ends("cannot be reached", why), [("front.example", "unreachable")])

    def test_a_server_that_breaks_off_in_the_middle_of_a_login(self) -> None:
        self.server("front.example", login=b"* BYE no hunter2 today\r\ngarbage")
        outcomes = self.ends(
            "cannot be reached",
            "front.example:143 answered what is no IMAP: a tag that was never sent",
        )
        self.assertEqual(outcomes, [("front.example", "ended")])

    def test_a_connection_that_fails_before_the_login_gets_no_password(self) -> None:
        self.server("front.example", greeting=b"* OK hi", capability=b"garbage")
        value = self.traced()
        self.assertEqual(value["verdict"], "cannot be reached")
        self.assertEqual(
            [(step["outcome"], step["tls"]) for step in value["steps"]], [("unreachable", None)]
        )
        self.assertFalse(self.got_password("front.example"))

    def test_a_referral_that_cannot_be_followed(self) -> None:
        self.server("front.example", login=refers("http://home.example/"))
        code, out = self.trace()
        self.assertEqual(code, 1)
        self.assertIn(
            "\n\nthe referral cannot be followed: URL 1: not an imap: URL (at offset 0)\n", out
        )

    def test_a_login_that_succeeds_with_a_referral_that_is_wrong_has_succeeded(self) -> None:
        self.server("front.example", login=refers("http://home.example/", b"OK"))
        self.ends("fine", "logged in at front.example:143 as alice")


class WhatServersSay(TraceCase):
    def said(self, words: bytes) -> str:
        self.server("front.example", login=b"%b NO " + words)
        said = self.traced()["steps"][0]["said"]
        self.assertIsInstance(said, str)
        return str(said)

    def test_it_cannot_steer_the_terminal(self) -> None:
        self.assertEqual(self.said(b"a\x1b[2J\xe2\x80\xaeb"), "a\\x1b[2J\\u202eb")

    def test_it_is_cut_after_200_characters(self) -> None:
        self.assertEqual(self.said(b"x" * 200), "x" * 200)
        self.assertEqual(self.said(b"x" * 201), "x" * 197 + "...")

    @proves("S4")
    def test_a_password_that_a_server_repeats_is_blotted_out(self) -> None:
        plain = b64encode(b"\0alice\0hunter2")
        for echo, shown in (
            (b"LOGIN alice hunter2 failed", "LOGIN alice *** failed"),
            (b"AUTHENTICATE PLAIN " + plain + b"?", "AUTHENTICATE PLAIN ***?"),
            (b"PLAIN " + plain.rstrip(b"=") + b".", "PLAIN ***."),
            (b"x" * 180 + b" hunter2 hunter2 hunter2", "x" * 180 + " *** *** ***"),
            (b"see imap://bob:s3cret@h/", "see imap://bob:***@h/"),
            (b"nothing at all", "nothing at all"),
        ):
            self.assertEqual(self.said(echo), shown)
            code, out = self.trace()
            self.assertEqual(code, 1)
            self.assertTrue(out.endswith(f"\nlogin refused: front.example: {shown}\n"), out)

    @proves("S4")
    def test_the_password_is_in_no_repr(self) -> None:
        own = Credentials(user="alice", password=PASSWORD)
        policy = CredentialPolicy(origin="front.example")
        tracer = Tracer(self.net.clock, own, policy, transport.Trust(), 1.0)
        self.assertNotIn(PASSWORD, repr((own, own.words, tracer, tracer._follower)))


class TheCommandLine(TraceCase):
    def refused(self, why: str, *words: str) -> None:
        self.typed.append(PASSWORD)
        self.assertEqual(self.run_ctl("trace", *words), (1, "", f"referralctl: {why}\n"))
        self.assertEqual(self.prompts, [])
        self.assertEqual(self.net.dialled, [])

    def test_where_it_can_begin(self) -> None:
        for text, host, port in (
            ("imap.example.org", "imap.example.org", None),
            ("IMAP.example.org:1143", "imap.example.org", 1143),
            ("imap://a@h.example:993/INBOX", "h.example", 993),
            ("::1", "::1", None),
            ("[::1]:993", "::1", 993),
        ):
            url = start_url(text, "a")
            self.assertEqual((url.host, url.port, url.user, url.mailbox), (host, port, "a", None))

    def test_the_mechanism_of_the_url_counts(self) -> None:
        self.server("front.example", login=IN)
        value = self.traced(start="imap://;AUTH=GSSAPI@front.example/")
        self.assertEqual(value["verdict"], "login refused")
        self.assertIn("GSSAPI", value["reason"])

    def test_the_user_comes_from_the_url_or_the_option(self) -> None:
        self.assertEqual(start_url("imap://bob@h.example/", None).user, "bob")
        self.refused("which user? --user says it, or the URL", "h.example")
        self.refused("which user? --user says it, or the URL", "h.example", "--user", "")
        self.refused(
            "the URL names another user than --user", "imap://bob@h.example/", "--user", "alice"
        )

    def test_what_is_no_server(self) -> None:
        begin = "that is no server to begin at: "
        for text, why in (
            ("imaps://h.example/", "not an imap: URL"),
            ("h.example:0", "not a number from 1 to 65535"),
            ("bob@h.example", "neither an imap:// URL nor a host"),
            ("", "an empty host"),
        ):
            self.refused(begin + why, text, "--user", "alice")

    @proves("S4")
    def test_a_password_in_the_url_is_refused_and_not_repeated(self) -> None:
        self.refused(
            "no password belongs in a URL (a : in a user is written %3A)",
            "imap://alice:hunter2@h.example/",
        )
        for text in ("imap://alice:hun/ter2@h.example/", "alice:hunter2@h.example"):
            self.assertNotIn("ter2", str(self.assertRaises(Refused, start_url, text, "alice")))

    def test_a_user_that_cannot_be_sent(self) -> None:
        self.assertRaises(Refused, start_url, "h.example", "a\udcff")

    def test_a_password_that_cannot_be_sent(self) -> None:
        self.typed.append("a\udcffb")
        self.assertEqual(
            self.run_ctl("trace", "h.example", "--user", "alice"),
            (1, "", "referralctl: the password is not UTF-8\n"),
        )

    def test_the_password_can_be_piped_in(self) -> None:
        self.server("front.example", login=IN)
        code, _, _ = self.run_ctl(
            "trace", "imap://alice@front.example/", piped=f"{PASSWORD}\nmore\n"
        )
        self.assertEqual((code, self.got_password("front.example")), (0, True))

    def test_authorities_are_read_before_anything_is_asked(self) -> None:
        begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
        for text, why in (
            ("nothing", "not a file of PEM certificates"),
            (end, "not a file of PEM certificates"),
            (f"{begin}AAAA\n{end}", "not a file of PEM certificates"),
            ("\u00e9", "not a file of PEM certificates"),
        ):
            path = self.write("ca.pem", text)
            self.refused(f"{path}: {why}", "h.example", "--user", "alice", "--ca", path)
        path = f"{self.directory}/none.pem"
        code, _, err = self.run_ctl("trace", "h.example", "--user", "alice", "--ca", path)
        self.assertEqual((code, self.prompts), (1, []))
        self.assertIn("No such file", err)

    def test_what_is_asked_for_reaches_the_connection(self) -> None:
        given: dict[str, Any] = {}

        async def dial(*where: Any, **more: Any) -> Any:
            given.update(more)
            return await self.net.dial(*where, **more)

        self.patch(transport, "connect", dial)
        self.server("front.example", login=IN)
        pem = KeyPair().certificate_pem.decode("ascii")
        self.traced("--timeout", "2.5", "--ca", self.write("ca.pem", pem))
        self.assertEqual(given["patience"], 2.5)
        self.assertEqual(given["trust"].certificates, (pem.strip(),))
        self.traced()
        self.assertEqual((given["patience"], given["trust"]), (10.0, transport.Trust()))

    def test_a_timeout_is_a_time(self) -> None:
        for text in ("0", "-1", "nan", "inf", "soon"):
            with self.assertRaises(SystemExit) as caught:
                self.run_ctl("trace", "h.example", f"--timeout={text}")
            self.assertEqual(caught.exception.code, 2, text)
