from __future__ import annotations

import io
from contextlib import redirect_stderr

import attrs

from referrald.config.settings import LogSection
from referrald.ctl.assembly import quiet
from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation, ReferMailbox, Replica
from referrald.model import Home, Login, Refer, Refuse, Security, Serve, Server
from referrald.routing.policy import PolicySettings
from tests.ctl.fakes import CONFIG, CtlTestCase, Found
from tests.proves import proves

CHOICES = f"""{CONFIG}type = "fake"

[[listener]]
endpoint = "tcp:144"
tls = "none"
allow_cleartext = true
login = "refer"

[[network]]
networks = ["10.0.0.0/8"]
login = "relay"

[referral]
login = "auto"
follow = ["alpine/2*"]
"""

HOME1 = Server(host="home1.example.org", port=993, security=Security.TLS)
HOME2 = Server(host="home2.example.org")


class Lookup(CtlTestCase):
    def refer(self) -> None:
        self.assembly.decision = Refer(
            url="imap://al;AUTH=*@home1.example.org:993/", server=HOME1, source="users"
        )
        self.assembly.found = Found(
            home=Home(servers=(HOME1, HOME2), user="al", ttl=90), source="users", age=12.5,
            kept=90.0, cached=True,
        )  # fmt: skip

    def test_a_referral_is_shown_with_where_it_comes_from(self) -> None:
        self.refer()
        self.assertEqual(
            self.run_ctl("lookup", "Alice"),
            (
                0,
                "user        alice\n"
                "decision    refer\n"
                "how         refer\n"
                "said by     referral.login\n"
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

    def chosen(self, *words: str) -> tuple[str, str, str | None]:
        """Give what is done, who said so, and the first word of what that means."""
        _, value = self.run_json("lookup", "alice", *words)
        said = value["carried out"]
        return value["how"], value["said by"], said and said.partition(":")[0]

    def test_what_becomes_of_it_is_the_choice_of_listener_network_and_program(self) -> None:
        self.refer()
        self.write("r.toml", CHOICES)
        for words, expected in (
            ([], ("auto", "referral.login", "relayed")),
            (["--program", "Alpine/2.26"], ("auto", "referral.login", "referred")),
            (["--program", "Alpine/1.0"], ("auto", "referral.login", "relayed")),
            (["--listener", "tcp:144"], ("refer", "listener tcp:144", None)),
            (["--from", "10.1.2.3"], ("relay", "network 10.0.0.0/8", "relayed")),
            (["--from", "::ffff:10.1.2.3", "--listener", "tcp:144"],
             ("relay", "network 10.0.0.0/8", "relayed")),
            (["--from", "192.0.2.7"], ("auto", "referral.login", "relayed")),
        ):  # fmt: skip
            self.assertEqual(self.chosen(*words), expected, words)
        self.assertEqual(
            self.assembly.logins[-2],
            Login(user="alice", secure=True, peer="::ffff:10.1.2.3", listener="tcp:144"),
        )

    def test_the_backends_word_about_the_user_counts_most(self) -> None:
        self.refer()
        self.assembly.decision = attrs.evolve(self.assembly.decision, how="refer")  # type: ignore[type-var]
        self.write("r.toml", CHOICES)
        self.assertEqual(self.chosen("--from", "10.1.2.3"), ("refer", "backend", None))

    def test_a_login_without_a_password_is_told_of_where_that_matters(self) -> None:
        self.refer()
        master = '[relay]\nmaster_user = "m"\nmaster_password = "x"\n'
        for more, told in (("", True), (master, False)):
            self.write("r.toml", CHOICES + more)
            _, value = self.run_json("lookup", "alice")
            self.assertEqual("password is not known" in value["carried out"], told)

    def test_listeners_and_addresses_that_are_none(self) -> None:
        self.assertEqual(
            self.run_ctl("lookup", "alice", "--listener", "x"),
            (1, "", 'referralctl: there is no listener "x"; there are: tcp:143\n'),
        )
        with redirect_stderr(io.StringIO()) as told:
            self.assertRaises(SystemExit, self.run_ctl, "lookup", "alice", "--from", "h.example")
        self.assertIn("argument --from: 'h.example' is not an address", told.getvalue())

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

    def test_a_user_who_is_held(self) -> None:
        self.assembly.found = Found(home=Home(held=True), source="users")
        self.assembly.decision = Refuse(code="UNAVAILABLE", text="Later.", cause="held", held=True)
        code, out, _ = self.run_ctl("lookup", "alice")
        self.assertEqual(code, 1)
        self.assertRegex(out, r"\nheld +yes\n")

    def test_a_user_whom_nobody_knows(self) -> None:
        self.assembly.decision = Refuse(code="AUTHENTICATIONFAILED", text="No.", cause="unknown")
        self.assembly.found = Found(kept=10.0)
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
                Login(user="alice", secure=True, listener="tcp:143"),
                Login(user="alice", secure=True, listener="tcp:143"),
                Login(user="alice", secure=False, listener="tcp:143"),
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


URL1 = "imap://al;AUTH=*@home1.example.org:993/Team/Plans"
URL2 = "imap://alice;AUTH=*@home2.example.org/Plans"
AT1 = Replica(server=HOME1, name="Team/Plans", user="al")
AT2 = Replica(server=HOME2, name="Plans")
REFERRED = f"NO [REFERRAL {URL1} {URL2}] That mailbox is on another server: home1.example.org:993."
NO_COUNTS = "NO Counts of a mailbox on another server are not told here."
NO_SUCH = "NO [NONEXISTENT] There is no such mailbox."


SERVED = "served through this connection; without a password or token "


class LookupOfAMailbox(CtlTestCase):
    def remote(self, name: str = "Plans", *, personal: bool = False) -> None:
        mailboxes = self.assembly.mailboxes
        mailboxes.decisions[name] = ReferMailbox(
            urls=(URL1, URL2), replicas=(AT1, AT2), source="shared", personal=personal
        )
        if not personal:
            mailboxes.locations.known[name] = MailboxLocation(replicas=(AT1, AT2), source="shared")

    def settings(self, text: str) -> None:
        self.write("r.toml", f'{CONFIG}type = "fake"\n\n[referral]\n{text}\n')

    @proves("M2", "M14")
    def test_a_referral_is_shown_with_all_its_urls_and_what_clients_are_told(self) -> None:
        self.remote()
        self.assertEqual(
            self.run_ctl("lookup", "Alice", "--mailbox", "Plans"),
            (
                0,
                "user        alice\n"
                "mailbox     Plans\n"
                "login       serve\n"
                "decision    refer\n"
                f"urls        {URL1}, {URL2}\n"
                "servers     home1.example.org:993 (tls), home2.example.org (starttls)\n"
                "name there  Team/Plans, Plans\n"
                "user there  al\n"
                "backend     shared\n"
                "ttl         1m\n"
                f"asked       {REFERRED}\n"
                f"unasked     relay: {SERVED}{REFERRED}\n"
                f"STATUS      false: {NO_COUNTS}\n",
                "",
            ),
        )
        self.assertEqual(self.assembly.mailboxes.locations.asked, [("alice", "Plans")])
        self.assertEqual(self.assembly.steps, ["start", "stop"])

    def test_programs_get_lists(self) -> None:
        self.remote()
        code, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual((code, value["urls"], value["ttl"]), (0, [URL1, URL2], 60))
        self.assertEqual(value["name there"], ["Team/Plans", "Plans"])

    def test_what_clients_are_told_is_as_configured(self) -> None:
        self.remote()
        self.settings('mailboxes = "say"\nstatus = true')
        _, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(value["asked"], REFERRED)
        self.assertEqual(value["unasked"], f"say: {REFERRED}")
        self.assertEqual(value["STATUS"], f"true: {REFERRED}")

    def test_one_that_is_hidden_does_not_exist(self) -> None:
        self.remote()
        self.settings('mailboxes = "hide"')
        _, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(value["unasked"], f"hide: {NO_SUCH}")

    def test_where_all_of_the_mail_is_every_client_is_told(self) -> None:
        self.remote("INBOX", personal=True)
        self.assembly.decision = Refer(url="imap://h/", server=HOME1, authenticated=True)
        code, value = self.run_json("lookup", "alice", "--mailbox", "inBox")
        self.assertEqual((code, value["mailbox"], value["personal"]), (0, "INBOX", True))
        self.assertEqual(value["login"], "refer, and serve what is public here")
        self.assertEqual(value["unasked"], f"relay: {SERVED}{REFERRED}")
        self.assertNotIn("ttl", value)

    def test_a_mailbox_that_is_here(self) -> None:
        self.assembly.mailboxes.decisions["Entwürfe"] = Serve(source="users")
        self.assertEqual(
            self.run_ctl("lookup", "alice", "--mailbox", "Entwürfe"),
            (
                0,
                "user      alice\nmailbox   Entwürfe\nlogin     serve\ndecision  serve\n"
                "backend   users\n",
                "",
            ),
        )

    def test_a_mailbox_that_is_moving_is_refused(self) -> None:
        mailboxes = self.assembly.mailboxes
        mailboxes.locations.known["Plans"] = MailboxLocation(moving=True, ttl=5)
        mailboxes.decisions["Plans"] = Refuse(
            code="INUSE", text="Wait.", cause="mailbox Plans is being moved", source="shared"
        )
        code, out, _ = self.run_ctl("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(code, 1)
        self.assertIn(
            "decision  refuse\ncode      INUSE\ntext      Wait.\n"
            "cause     mailbox Plans is being moved\nbackend   shared\n", out,
        )  # fmt: skip
        self.assertIn("moving    yes\nttl       5s\n", out)
        self.assertNotIn("asked", out)

    def test_a_backend_may_have_a_time_of_its_own(self) -> None:
        self.write("r.toml", CONFIG + 'type = "fake"\ncache_found = "7m"\n')
        locations = self.assembly.mailboxes.locations
        locations.known["Plans"] = MailboxLocation(moving=True, source="users")
        _, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(value["ttl"], 420)

    def test_a_mailbox_that_is_moving_can_be_referred_already(self) -> None:
        self.remote()
        self.assembly.mailboxes.locations.known["Plans"] = MailboxLocation(
            replicas=(AT1, AT2), moving=True
        )
        code, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual((code, value["decision"], value["moving"]), (0, "refer", True))

    @proves("M11")
    def test_servers_that_nobody_may_be_sent_to_are_shown_with_the_reason(self) -> None:
        self.remote()
        self.assembly.mailboxes.policy = PolicySettings(own_names=[("HOME2.example.org", 143)])
        _, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(value["left out"], ["home2.example.org (starttls): this server itself"])

    def test_backends_that_are_down_leave_the_refusal(self) -> None:
        mailboxes = self.assembly.mailboxes
        mailboxes.locations.down = Unavailable("shared: timeout")
        mailboxes.decisions["Plans"] = Refuse(
            code="UNAVAILABLE", text="Later.", cause="shared: timeout"
        )
        code, value = self.run_json("lookup", "alice", "--mailbox", "Plans")
        self.assertEqual(
            (code, value),
            (
                1,
                {
                    "user": "alice",
                    "mailbox": "Plans",
                    "login": "serve",
                    "decision": "refuse",
                    "code": "UNAVAILABLE",
                    "text": "Later.",
                    "cause": "shared: timeout",
                    "backend": None,
                },
            ),
        )

    def test_who_cannot_log_in_gets_no_mailbox_either(self) -> None:
        for refusal, shown in (
            (Refuse(code=None, text="No.", cause="unknown"), "refuse: unknown"),
            (Refuse(code=None, text="No."), "refuse: No."),
        ):
            self.assembly.decision = refusal
            code, value = self.run_json("lookup", "nobody", "--mailbox", "Plans")
            self.assertEqual((code, value["login"], value["decision"]), (1, shown, "serve"))

    def test_a_login_that_is_referred_is_shown_and_is_no_refusal(self) -> None:
        self.assembly.decision = Refer(url="imap://h/", server=HOME1)
        code, value = self.run_json("lookup", "alice", "--clear", "--mailbox", "INBOX")
        self.assertEqual((code, value["login"]), (0, "refer"))
        self.assertEqual([each.secure for each in self.assembly.logins], [False])

    def test_names_that_no_mailbox_can_have(self) -> None:
        for name, why in (("", "it is empty"), ("a\nb", "NUL, CR or LF"), ("\udcff", "")):
            code, out, err = self.run_ctl("lookup", "alice", "--mailbox", name)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1))
            self.assertIn("no mailbox can have that name: ", err)
            self.assertIn(why, err)
        self.assertEqual(self.assembly.steps, [])
