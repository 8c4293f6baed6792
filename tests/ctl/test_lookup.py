from __future__ import annotations

import attrs

from referrald.config.settings import LogSection
from referrald.ctl.assembly import quiet
from referrald.errors import Unavailable
from referrald.model import Home, Login, Refer, Refuse, Security, Server
from tests.ctl.fakes import CtlTestCase, Found

HOME1 = Server(host="home1.example.org", port=993, security=Security.TLS)
HOME2 = Server(host="home2.example.org")


class Lookup(CtlTestCase):
    def refer(self) -> None:
        self.assembly.decision = Refer(
            url="imap://al;AUTH=*@home1.example.org:993/", server=HOME1, source="users"
        )
        self.assembly.found = Found(
            home=Home(servers=(HOME1, HOME2), user="al", ttl=90), source="users", age=12.5,
            cached=True,
        )  # fmt: skip

    def test_a_referral_is_shown_with_where_it_comes_from(self) -> None:
        self.refer()
        self.assertEqual(
            self.run_ctl("lookup", "Alice"),
            (
                0,
                "user        alice\n"
                "decision    refer\n"
                "url         imap://al;AUTH=*@home1.example.org:993/\n"
                "backend     users\n"
                "home        home1.example.org:993 (tls), home2.example.org (starttls)\n"
                "user there  al\n"
                "cached      yes\n"
                "age         12.5\n"
                "ttl         90s\n",
                "",
            ),
        )
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_programs_get_the_same_as_json(self) -> None:
        self.refer()
        code, value = self.run_json("lookup", "alice")
        self.assertEqual((code, value["url"]), (0, "imap://al;AUTH=*@home1.example.org:993/"))
        self.assertEqual((value["age"], value["ttl"], value["cached"]), (12.5, 90, True))
        self.assertEqual(
            value["home"], ["home1.example.org:993 (tls)", "home2.example.org (starttls)"]
        )

    def test_a_user_who_is_here(self) -> None:
        self.assembly.found = Found(home=Home(), source="users")
        code, out, _ = self.run_ctl("lookup", "alice")
        self.assertEqual(code, 0)
        self.assertIn("decision  serve\nbackend   users\nhome      here\n", out)
        self.assertIn("ttl       1m\n", out)

    def test_a_user_whom_nobody_knows(self) -> None:
        self.assembly.decision = Refuse(code="AUTHENTICATIONFAILED", text="No.", cause="unknown")
        code, out, _ = self.run_ctl("lookup", "nobody")
        self.assertEqual(code, 1)
        self.assertIn("code      AUTHENTICATIONFAILED\ntext      No.\ncause     unknown\n", out)
        self.assertIn("home      unknown\n", out)
        self.assertIn("ttl       10s\n", out)

    def test_backends_that_are_down_leave_only_the_decision(self) -> None:
        self.assembly.down = Unavailable("users: timeout")
        self.assembly.decision = Refuse(code="UNAVAILABLE", text="Later.", cause="users: timeout")
        code, value = self.run_json("lookup", "alice")
        self.assertEqual(
            (code, value),
            (
                1,
                {
                    "user": "alice",
                    "decision": "refuse",
                    "code": "UNAVAILABLE",
                    "text": "Later.",
                    "cause": "users: timeout",
                },
            ),
        )

    def test_the_client_comes_with_tls_unless_said_otherwise(self) -> None:
        for words in ([], ["--secure"], ["--clear"]):
            self.run_ctl("lookup", "alice", *words)
        self.assertEqual(
            self.assembly.logins,
            [
                Login(user="alice", secure=True),
                Login(user="alice", secure=True),
                Login(user="alice", secure=False),
            ],
        )

    def test_a_name_that_nobody_can_have(self) -> None:
        self.assertEqual(
            self.run_ctl("lookup", ""),
            (1, "", "referralctl: no user can have that name: empty or too long\n"),
        )
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_nothing_is_written_to_the_servers_login_file(self) -> None:
        self.run_ctl("lookup", "alice")
        config = self.assembly.config
        assert config is not None
        self.assertTrue(config.log.logins.endswith("/logins.log"))
        self.assertEqual(quiet(config), attrs.evolve(config, log=LogSection(logins="twisted")))
