from __future__ import annotations

from pathlib import Path
from typing import Any

from referrald.backends.redis import connecting
from referrald.config.checks import is_host
from tests.config.fakes import ConfigTestCase, KeyPair
from tests.proves import proves

CLEAR = {"tls": "none", "allow_cleartext": True}
DRAIN_FORM = '; such as "imap://;AUTH=*@imap2.example.org/" or "imap2.example.org"'


def listener(**keys: Any) -> dict[str, Any]:
    return {"endpoint": "tcp:143"} | CLEAR | keys


class Names(ConfigTestCase):
    def test_host_names_and_ipv4_addresses_are_hosts(self) -> None:
        good = ["h", "imap.example.org", "imap.example.org.", "127.0.0.1", "a-b", "x_y.example"]
        bad = ["", "a b", "-a", "a..b", "::1", "[::1]", "h:143", "é.example", "a" * 64, "a." * 140]
        self.assertEqual([is_host(name) for name in good], [True] * len(good))
        self.assertEqual([is_host(name) for name in bad], [False] * len(bad))

    def test_a_name_that_is_no_host(self) -> None:
        self.assertEqual(
            self.problems_of(server={"name": "imap example", "own_names": ["::1", "a/b"]}),
            [
                '/d/r.toml: server.name: "imap example" is not a host name; '
                'such as "imap.example.org"',
                '/d/r.toml: server.own_names: "a/b" is not a host name; such as "imap.example.org"',
            ],
        )

    def test_networks_of_fronts(self) -> None:
        good = ["127.0.0.0/8", "192.0.2.7", "2001:db8::/64", "::1"]
        self.assertEqual(self.problems_of(server={"name": "h", "trusted": good}), [])
        lines = self.problems_of(server={"name": "h", "trusted": ["192.0.2.7/24", "front.example"]})
        self.assertEqual(
            [line.partition(";")[0] for line in lines],
            [
                '/d/r.toml: server.trusted: "192.0.2.7/24" has bits set behind its mask, '
                "192.0.2.0/24 has not",
                '/d/r.toml: server.trusted: "front.example" is not a network',
            ],
        )


class Listeners(ConfigTestCase):
    def lines(self, *listeners: dict[str, Any], **changes: Any) -> list[str]:
        return self.problems_of(listener=list(listeners), **changes)

    def with_tls(self) -> dict[str, Any]:
        pair = KeyPair()
        self.write(pair.certificate_pem + pair.key_pem, "c.pem")
        return {"certificate": "c.pem"}

    def test_names_and_endpoints_are_unique(self) -> None:
        self.assertEqual(
            self.lines(listener(name="a"), listener(name="a", endpoint="tcp:144"), listener()),
            [
                '/d/r.toml: [[listener]] #2 (a) name: "a" is taken by [[listener]] #1; '
                "choose another",
                '/d/r.toml: [[listener]] #3 endpoint: "tcp:143" is taken by [[listener]] #1; '
                "choose another",
            ],
        )

    def test_an_endpoint_that_is_none(self) -> None:
        self.assertEqual(
            self.lines(listener(endpoint="tpc:143")),
            [
                '/d/r.toml: [[listener]] #1 endpoint: "tpc:143": '
                'there is no endpoint type "tpc"; such as "tcp:143"'
            ],
        )

    def test_an_endpoint_that_is_missing(self) -> None:
        lines = self.lines({"name": "a"})
        self.assertEqual(len(lines), 1)
        self.assertIn("[[listener]] #1 (a) endpoint: is missing; A Twisted endpoint", lines[0])

    def test_tls_needs_a_certificate(self) -> None:
        self.assertEqual(
            self.lines({"endpoint": "tcp:143"}, listener(endpoint="tcp:993", tls="implicit")),
            [
                '/d/r.toml: [[listener]] #1 tls: "starttls" needs a certificate; '
                "add a [tls] section",
                '/d/r.toml: [[listener]] #2 tls: "implicit" needs a certificate; '
                "add a [tls] section",
            ],
        )

    def test_with_a_certificate_all_kinds_of_listener_are_good(self) -> None:
        self.assertEqual(
            self.lines(
                {"endpoint": "tcp:143"},
                {"endpoint": "tcp:993", "tls": "implicit"},
                {"endpoint": f"ssl:994:privateKey={self.path('c.pem')}"},
                listener(endpoint="unix:/run/imap.sock"),
                tls=self.with_tls(),
            ),
            [],
        )

    def test_tls_is_not_set_beside_an_endpoint_that_brings_it(self) -> None:
        tls = self.with_tls()
        endpoint = f"ssl:993:privateKey={self.path('c.pem')}"
        self.assertEqual(
            self.lines({"endpoint": endpoint, "tls": "implicit"}, tls=tls),
            [
                '/d/r.toml: [[listener]] #1 tls: "implicit" on an endpoint that does TLS by '
                "itself; leave tls out, or use a tcp: endpoint"
            ],
        )

    def test_a_listener_through_which_nobody_could_log_in(self) -> None:
        self.assertEqual(
            self.lines({"endpoint": "tcp:143", "tls": "none"}),
            [
                '/d/r.toml: [[listener]] #1 tls: "none" without allow_cleartext: nobody could '
                'log in here; tls = "starttls" or "implicit", or allow_cleartext = true on a '
                "network you trust"
            ],
        )


@proves("L6", "L9")
class Draining(ConfigTestCase):
    def drained(self, drain: str) -> Any:
        """Load with one drained listener; gives its URL, or the problem's text."""
        text = '[server]\nname = "imap.example.org"\nown_names = ["old.example.org"]\n'
        text += f'[[listener]]\nendpoint = "tcp:143"\ntls = "none"\ndrain = "{drain}"\n'
        loaded = self.load(text + '[[backend]]\ntype = "fake"\n')
        if loaded.config is None:
            lead = f"{self.file}: [[listener]] #1 drain: "
            return [str(problem).removeprefix(lead) for problem in loaded.problems]
        return loaded.config.listeners[0].drain

    def test_a_host_becomes_a_url_with_any_mechanism(self) -> None:
        self.assertEqual(self.drained("imap2.example.org"), "imap://;AUTH=*@imap2.example.org/")
        self.assertEqual(self.drained("192.0.2.7:1143"), "imap://;AUTH=*@192.0.2.7:1143/")

    def test_a_url_is_taken_as_it_is(self) -> None:
        for url in ("imap://;AUTH=*@imap2.example.org/", "imap://;AUTH=PLAIN@h:1143/"):
            self.assertEqual(self.drained(url), url)

    def test_a_listener_that_drains_needs_no_way_to_log_in(self) -> None:
        self.assertIsInstance(self.drained("imap2.example.org"), str)

    def test_a_url_without_a_mechanism_would_invite_anonymous(self) -> None:
        self.assertEqual(
            self.drained("imap://imap2.example.org/"),
            [
                '"imap://imap2.example.org/" has no ;AUTH=, so that clients would log in as '
                "anonymous" + DRAIN_FORM
            ],
        )

    def test_a_url_with_a_user_would_be_for_one_alone(self) -> None:
        self.assertEqual(
            self.drained("imap://alice;AUTH=*@h/"),
            ['"imap://alice;AUTH=*@h/" names a user, for everyone' + DRAIN_FORM],
        )

    def test_a_url_of_a_mailbox(self) -> None:
        self.assertEqual(
            self.drained("imap://;AUTH=*@h/INBOX"),
            ['"imap://;AUTH=*@h/INBOX" names more than a server' + DRAIN_FORM],
        )

    @proves("U4")
    def test_an_ipv6_address(self) -> None:
        self.assertEqual(
            self.drained("imap://;AUTH=*@[2001:db8::1]/"),
            [
                '"imap://;AUTH=*@[2001:db8::1]/" has an IPv6 address, which no referral can carry'
                + DRAIN_FORM
            ],
        )
        self.assertEqual(
            self.drained("2001:db8::1"),
            ['"2001:db8::1": neither a URL nor a host' + DRAIN_FORM],
        )

    def test_what_is_no_url(self) -> None:
        (line,) = self.drained("http://imap2.example.org/")
        self.assertTrue(line.startswith('"http://imap2.example.org/": '), line)
        self.assertTrue(line.endswith(DRAIN_FORM), line)

    def test_a_port_that_is_none(self) -> None:
        (line,) = self.drained("imap2.example.org:99999")
        self.assertTrue(line.startswith('"imap2.example.org:99999": '), line)

    def test_draining_to_ourselves(self) -> None:
        for name in ("imap.example.org", "OLD.example.org"):
            url = f"imap://;AUTH=*@{name.lower()}/"
            self.assertEqual(
                self.drained(name), [f'"{url}" leads back to this server; name another server']
            )


class Shared(ConfigTestCase):
    def shared(self, **given: Any) -> list[str]:
        lines = self.problems_of(shared=given)
        return [line.removeprefix("/d/r.toml: shared.") for line in lines]

    def test_a_server_is_all_that_is_needed(self) -> None:
        for given in ({}, {"servers": []}, {"servers": ["redis://127.0.0.1:6380"]}):
            self.assertEqual(self.shared(**given), [])

    def test_settings_for_no_server_are_a_mistake(self) -> None:
        said = self.shared(username="imap", password="hush")
        self.assertEqual([line.partition(":")[0] for line in said], ["password", "username"])
        self.assertNotIn("hush", "".join(said))

    def test_all_that_is_wrong_with_the_connection_is_told_at_once(self) -> None:
        said = self.shared(servers=["redis.example.org"], username="imap", key="x")
        self.assertEqual([line.partition(":")[0] for line in said], ["servers", "username", "key"])

    def test_without_the_library_it_says_what_to_install(self) -> None:
        self.patch(connecting, "find_spec", lambda name: None)
        (line,) = self.shared(servers=["redis://127.0.0.1"])
        self.assertIn("referrald[redis]", line)
        self.assertEqual(self.shared(), [])


class TheRest(ConfigTestCase):
    def introspection(self, url: str) -> list[str]:
        return self.problems_of(auth={"introspection": {"url": url}})

    def test_tokens_do_not_travel_in_the_clear(self) -> None:
        self.assertEqual(
            self.introspection("http://id.example.org/introspect"),
            ["/d/r.toml: auth.introspection.url: tokens would travel in the clear; https://…"],
        )
        for url in ("https://id.example.org/i", "http://127.0.0.1:8080/i", "http://[::1]/i"):
            self.assertEqual(self.introspection(url), [], url)

    def test_what_is_no_web_address(self) -> None:
        for url in (
            "id.example.org",
            "ftp://h/",
            "https://user:hush@h/",
            "https:///x",
            "http://[h/",
            "https://é.example/",
            "https://h:x/",
        ):
            self.assertEqual(
                self.introspection(url),
                [
                    "/d/r.toml: auth.introspection.url: is not a web address; "
                    '"https://HOST/…", without a user or password'
                ],
            )

    def test_a_log_file_needs_a_directory(self) -> None:
        self.assertEqual(self.problems_of(log={"logins": "logins.log"}), [])
        self.assertEqual(
            self.problems_of(log={"logins": "logs/logins.log"}),
            ["/d/r.toml: log.logins: there is no directory /d/logs; make it first"],
        )


class Served(ConfigTestCase):
    def test_a_level_that_all_share_needs_a_store(self) -> None:
        self.assertEqual(
            self.problems_of(serve={"public": "Public"}),
            [
                "/d/r.toml: serve.public: there is no store to keep it in; "
                'store = "maildir", or leave public out'
            ],
        )
        self.assertEqual(self.problems_of(serve={"public": "Public", "store": "memory"}), [])

    def test_it_is_one_level_and_nobodys_own(self) -> None:
        for name in ("Public/", "a/b", " a"):
            (line,) = self.problems_of(serve={"public": name, "store": "memory"})
            self.assertIn("is not one level of names", line)
        (line,) = self.problems_of(serve={"public": "inbox", "store": "memory"})
        self.assertIn("INBOX is everyone's own", line)

    def root(self, root: str) -> list[str]:
        found = self.problems_of(serve={"store": "maildir", "root": root})
        return [line.removeprefix("/d/r.toml: serve.root: ").partition(";")[0] for line in found]

    def test_mail_on_disk_needs_a_place_of_its_own_for_each_user(self) -> None:
        self.assertEqual(self.root(""), ["is missing"])
        self.assertEqual(self.root("/%d/%x"), ['"%x" stands for nothing'])
        self.assertEqual(self.root("/%d/50%"), ['"%" stands for nothing'])
        self.assertEqual(self.root("/%d/mail"), ["is the same for all users"])
        self.assertEqual(self.root("mail/%u"), ["there is no directory /d/mail"])
        self.assertEqual([self.root(good) for good in ("/%d/%n", "%u", "/mail-%n")], [[], [], []])

    def shared(self, **more: str) -> list[str]:
        found = self.problems_of(serve={"store": "maildir", "root": "/mail/%u", **more})
        lead = "/d/r.toml: serve."
        return [
            line.removeprefix(lead).partition(";")[0] for line in found if "root: there" not in line
        ]

    def test_what_is_shared_on_disk_needs_files(self) -> None:
        self.assertEqual(
            self.shared(public="Public"), ["public_root: is missing", "rights: is missing"]
        )
        self.assertEqual(self.shared(others="Others"), ["rights: is missing"])
        for key in ("public_root", "rights"):
            files = {"public_root": "/p", "rights": "/r"}
            for path in ("/mail/x", "/mail/x/y"):
                self.assertEqual(
                    self.shared(public="Public", **(files | {key: path})),
                    [f"{key}: {path} would be the mail of a user as well"],
                )
        self.assertEqual(self.shared(public="Public", public_root="/p", rights="/r"), [])
        self.assertEqual(self.shared(others="Others", rights="/mail2/x/r"),
                         ["rights: there is no directory /mail2/x"])  # fmt: skip

    def test_public_mailboxes_are_not_those_of_other_users(self) -> None:
        (line,) = self.shared(public="X", others="X", public_root="/p", rights="/r")
        self.assertEqual(line, "others: is the same as public")
        for name in ("a/b", "inbox"):
            self.assertEqual(len(self.shared(others=name, rights="/r")), 1)


class Choices(ConfigTestCase):
    def networks(self, *each: list[str]) -> list[str]:
        """Name networks in one entry after another; gives the problems."""
        return self.problems_of(network=[{"networks": nets, "login": "relay"} for nets in each])

    def test_networks_and_addresses(self) -> None:
        self.assertEqual(self.networks(["10.0.0.0/8", "192.0.2.7"], ["2001:db8::/32", "::1"]), [])
        self.assertEqual(self.networks(["10.1.0.0/16"], ["10.0.0.0/8"]), [])
        self.assertEqual(self.networks(["10.0.0.0/8", "10.1.0.0/16"]), [])

    def test_what_is_no_network(self) -> None:
        lead = "/d/r.toml: [[network]] #1 networks:"
        for text, wrong in (
            ("10.0.0.1/8", '"10.0.0.1/8" has bits set behind its mask, 10.0.0.0/8 has not'),
            ("example.org", '"example.org" is not a network'),
        ):
            self.assertEqual(
                self.networks([text]),
                [f'{lead} {wrong}; such as "192.0.2.0/28" or "2001:db8::/64"'],
            )
        self.assertEqual(self.networks([]), [f'{lead} is empty; such as ["10.0.0.0/8"]'])

    def test_what_an_earlier_entry_leaves_nothing_of(self) -> None:
        self.assertEqual(
            self.networks(["10.0.0.0/8"], ["192.0.2.0/24", "::ffff:10.1.0.0/112"]),
            [
                '/d/r.toml: [[network]] #2 networks: "::ffff:10.1.0.0/112" lies within '
                '"10.0.0.0/8" of [[network]] #1, so that it never counts; '
                "put the smaller network first, or leave it out"
            ],
        )

    def test_an_entry_says_both(self) -> None:
        lines = self.problems_of(network=[{"networks": ["10.0.0.0/8"]}, {"login": "auto"}])
        self.assertEqual(len(lines), 2)
        self.assertIn("[[network]] #1 login: is missing", lines[0])
        self.assertIn("[[network]] #2 networks: is missing", lines[1])

    def test_programs_have_a_name(self) -> None:
        good = ["alpine", "alpine/2.2*", "K-9 Mail", "one/two"]
        self.assertEqual(self.problems_of(referral={"follow": good, "one_url": good}), [])
        for entry in ("/2.2", "alpine/", " "):
            for key in ("follow", "one_url"):
                self.assertEqual(
                    self.problems_of(referral={key: [entry]}),
                    [
                        f'/d/r.toml: referral.{key}: "{entry}" is not a program; '
                        '"alpine" or "alpine/2.2*"'
                    ],
                )

    def test_the_authorities_count_though_nobody_is_relayed_by_configuration(self) -> None:
        # A backend may say so of a user at any time.
        (line,) = self.problems_of(relay={"ca": "/none.pem"}, referral={"login": "refer"})
        self.assertIn("relay.ca: /none.pem: cannot be read", line)


class Relayed(ConfigTestCase):
    def test_authorities_have_to_be_there(self) -> None:
        pair, folder = KeyPair(), Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "ca.pem").write_bytes(pair.certificate_pem)
        (folder / "key.pem").write_bytes(pair.key_pem)
        self.assertEqual(self.problems_of(relay={"ca": str(folder / "ca.pem")}), [])
        (line,) = self.problems_of(relay={"ca": "/none.pem"})
        self.assertIn("relay.ca: /none.pem: cannot be read: No such file", line)
        (line,) = self.problems_of(relay={"ca": str(folder / "key.pem")})
        self.assertIn("there is no certificate in it", line)

    def test_a_master_user_has_a_password(self) -> None:
        (line,) = self.problems_of(relay={"master_user": "root"})
        self.assertIn("relay.master_password: is missing", line)
        (line,) = self.problems_of(relay={"master_password": "x"})
        self.assertIn("relay.master_user: is missing", line)
        self.assertEqual(
            self.problems_of(relay={"master_user": "root", "master_password": "x"}), []
        )
