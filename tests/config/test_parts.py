from __future__ import annotations

from typing import Any

from twisted.cred.credentials import IAnonymous

from referrald.config import parts
from referrald.interfaces import IBearerToken
from referrald.model import Problem, Security, Server
from tests.config.fakes import ConfigTestCase, FakeFactory
from tests.proves import proves


class Backends(ConfigTestCase):
    def lines(self, *backends: dict[str, Any]) -> list[str]:
        return self.problems_of(backend=list(backends))

    def test_an_unknown_type(self) -> None:
        self.assertEqual(
            self.lines({"name": "users", "type": "tabel"}),
            [
                '/d/r.toml: [[backend]] #1 (users) type: there is no backend type "tabel"; '
                'did you mean "table"?'
            ],
        )

    def test_names_are_unique_and_a_type_is_the_name_when_left_out(self) -> None:
        self.assertEqual(
            self.lines({"type": "fake"}, {"type": "fake"}, {"name": "b", "type": "fake"}),
            ['/d/r.toml: [[backend]] #2 name: "fake" is taken by [[backend]] #1; choose another'],
        )

    def test_a_value_that_its_type_does_not_take(self) -> None:
        self.assertEqual(
            self.lines({"type": "fake", "share": "half"}),
            ['/d/r.toml: [[backend]] #1 share: "half" is not a number; digits without quotes'],
        )

    def test_what_a_type_finds_wrong_is_passed_on(self) -> None:
        self.factory.found = [Problem(where="users.toml:3", key="home", wrong="is empty")]
        self.assertEqual(self.lines({"type": "fake"}), ["users.toml:3: home: is empty"])

    def test_a_type_is_not_asked_about_keys_that_are_wrong(self) -> None:
        self.factory.fault = RuntimeError("asked")
        self.assertEqual(
            self.lines({"type": "fake", "host": 5}),
            ["/d/r.toml: [[backend]] #1 host: 5 is not text; put it in quotes"],
        )

    def test_a_type_that_fails_is_a_problem(self) -> None:
        self.factory.fault = RuntimeError("no\nluck")
        self.assertEqual(
            self.lines({"type": "fake"}),
            ["/d/r.toml: [[backend]] #1 type: its check failed: RuntimeError: no luck"],
        )


@proves("L9")
class Loops(ConfigTestCase):
    def lines(self, *servers: Server, **changes: Any) -> list[str]:
        self.factory.servers = list(servers)
        return self.problems_of(**changes)

    def loop(self, server: str) -> str:
        return (
            f'/d/r.toml: [[backend]] #1 home: "{server}" is this server itself, so that a '
            "referral would be a loop; name the server where the mail is, or make the home local"
        )

    def test_a_target_that_is_one_of_our_own_names_is_a_configuration_error(self) -> None:
        self.assertEqual(
            self.lines(
                Server(host="IMAP.example.org."),
                Server(host="old.example.org", port=993),
                Server(host="home.example.org"),
                server={"own_names": ["old.example.org"]},
            ),
            [self.loop("IMAP.example.org."), self.loop("old.example.org:993")],
        )

    def test_a_target_that_is_a_listener_of_ours_is_a_configuration_error(self) -> None:
        here = {"endpoint": "tcp:1143:interface=192.0.2.1", "tls": "none", "allow_cleartext": True}
        self.assertEqual(
            self.lines(
                Server(host="192.0.2.1", port=1143),
                Server(host="imap.example.org", port=1143),
                listener=[here],
            ),
            [self.loop("192.0.2.1:1143"), self.loop("imap.example.org:1143")],
        )

    def test_another_server_at_our_name_is_no_loop(self) -> None:
        self.assertEqual(self.lines(Server(host="imap.example.org", port=10143)), [])

    @proves("U4")
    def test_a_target_without_a_name_is_a_configuration_error(self) -> None:
        self.assertEqual(
            self.lines(Server(host="2001:db8::1")),
            [
                '/d/r.toml: [[backend]] #1 home: "2001:db8::1" is an IPv6 address, which no '
                "referral can carry; give the server a name"
            ],
        )


class Checkers(ConfigTestCase):
    def lines(self, **auth: Any) -> list[str]:
        return self.problems_of(auth=auth)

    def test_a_string_of_twisted_cred_is_tried(self) -> None:
        self.assertEqual(self.lines(checkers=["memory:me:hush"]), [])

    def test_an_unknown_type_of_checker(self) -> None:
        self.assertEqual(
            self.lines(checkers=["memry:me:hush"]),
            [
                '/d/r.toml: auth.checkers #1: there is no checker type "memry"; '
                'did you mean "memory"?'
            ],
        )

    def test_a_string_that_is_not_taken_is_not_shown(self) -> None:
        self.assertEqual(
            self.lines(checkers=["memory:me:hush", "memory:hush"]),
            [
                '/d/r.toml: auth.checkers #2: "memory" does not take what follows the colon '
                "(InvalidAuthArgumentString); twistd referrald --help-auth-type memory shows "
                "the form"
            ],
        )

    def test_a_checker_that_no_imap_client_can_satisfy(self) -> None:
        self.assertEqual(
            self.lines(checkers=["anonymous"]),
            [
                '/d/r.toml: auth.checkers #1: "anonymous" takes nothing that an IMAP client can '
                "present; remove it"
            ],
        )

    def test_a_backend_that_is_not_there(self) -> None:
        self.assertEqual(
            self.lines(backends=["fakes"]),
            ['/d/r.toml: auth.backends: there is no backend "fakes"; did you mean "fake"?'],
        )

    def test_a_domain_is_given_without_its_at_sign(self) -> None:
        self.assertEqual(
            self.lines(default_domain="@example.org"),
            ['/d/r.toml: auth.default_domain: has an @ in it; such as "example.org"'],
        )

    def test_an_unknown_mechanism(self) -> None:
        self.assertEqual(
            self.lines(mechanisms=["CRAM-MD5"])[0].partition("; ")[0],
            '/d/r.toml: auth.mechanisms: "CRAM-MD5" is not known',
        )

    def test_home_servers_can_be_asked_instead(self) -> None:
        self.factory.servers = [Server(host="home.example")]
        self.assertEqual(
            self.lines(home=True, home_cache="1m", backends=[], mechanisms=["XOAUTH2"]), []
        )

    def test_home_servers_that_nobody_names(self) -> None:
        self.assertEqual(
            self.lines(home=True),
            [
                "/d/r.toml: auth.home: no backend names a home server to ask; "
                "name one in a [[backend]]"
            ],
        )
        for cannot_tell in (None, lambda factory, options: None):
            self.patch(FakeFactory, "targets", cannot_tell)
            self.assertEqual(self.lines(home=True), [])

    def test_home_servers_without_tls(self) -> None:
        self.factory.servers = [
            Server(host=host, security=Security.CLEAR) for host in ("a.example", "b.test")
        ]
        wanted = {"auth": {"home": True}, "referral": {"allow_clear": ["*.EXAMPLE"]}}
        self.assertEqual(
            self.problems_of(**wanted),
            [
                '/d/r.toml: [[backend]] #1 home: "b.test" has no TLS, so that no password is tried '
                "there; name it in referral.allow_clear, or give it TLS"
            ],
        )
        self.assertEqual(self.problems_of(), [])

    def test_remembering_without_asking(self) -> None:
        self.assertEqual(
            self.lines(home_cache="1m"),
            ["/d/r.toml: auth.home_cache: is of no use where no home is asked; set home = true"],
        )

    def test_mechanisms_without_sasl(self) -> None:
        self.assertEqual(
            self.lines(mechanisms=["PLAIN"], sasl=False),
            [
                "/d/r.toml: auth.mechanisms: are of no use with sasl = false; "
                "leave one of the two out"
            ],
        )

    def test_mechanisms_that_lack_what_they_need(self) -> None:
        self.assertEqual(
            self.lines(mechanisms=["PLAIN", "OAUTHBEARER", "EXTERNAL"]),
            [
                '/d/r.toml: auth.mechanisms: "OAUTHBEARER" has nobody to ask; '
                "add [auth.introspection]",
                '/d/r.toml: auth.mechanisms: "EXTERNAL" needs client certificates; '
                "set tls.client_ca",
            ],
        )

    def test_a_checker_of_tokens_is_somebody_to_ask(self) -> None:
        class Checker:
            credentialInterfaces = (IBearerToken, IAnonymous)

        self.patch(parts, "makeChecker", lambda description: Checker())
        self.assertEqual(self.lines(checkers=["oauth:x"], mechanisms=["XOAUTH2"]), [])

    def test_nobody_could_log_in(self) -> None:
        self.assertEqual(
            self.lines(backends=[]),
            [
                "/d/r.toml: auth.backends: is empty, and there is no checker: nobody could log "
                "in; leave it out to use every backend that keeps passwords"
            ],
        )
        self.assertEqual(self.lines(backends=[], checkers=["memory:me:hush"]), [])

    def test_an_unknown_extension(self) -> None:
        self.assertEqual(
            self.problems_of(extensions={"use": ["nothing-like-it"]}),
            ['/d/r.toml: extensions.use: there is no extension "nothing-like-it"'],
        )
