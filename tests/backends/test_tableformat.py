"""The file of a table: what is right becomes records, and all that is wrong is told at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referrald.backends.build import Job, build_here
from referrald.backends.image import DOMAIN
from referrald.model import Home, Security, Server
from tests.backends.support import BackendTestCase, compiled, record, replace, told
from tests.proves import proves

GOOD = """\
[servers.a]
host = "imap-a.example.com"
[servers.b]
host = "IMAP-B.example.com"
port = 1993
security = "tls"
[users]
alice = "a"
Bob = ["a", "b"]
[domains]
"Example.ORG" = "b"
[[patterns]]
match = ["*.Student", "lab-*"]
home = { server = "a", user = "%n" }
[default]
home = "here"
"""

BAD = """\
colour = "red"
[servers.a]
host = "::1"
port = 70000
security = "ssl"
proto = "imap"
[servers.b]
port = 143
[servers."b d"]
host = "h"
[servers]
here = { host = "h" }
c = "h"
[users]
alice = "nowhere"
bob = { servr = "a", ttl = -1 }
" carol" = "a"
dave = "[::1]:143"
[domains]
"@example.org" = "a"
[[patterns]]
home = "a"
[[patterns]]
match = ""
hom = "a"
[default]
hme = "a"
"""


class TableFormat(BackendTestCase):
    def test_what_is_right_becomes_records_and_rules(self) -> None:
        built = compiled("table", self.file(GOOD))
        self.assertEqual(built.outcome.problems, ())
        image = built.image
        a = Server(host="imap-a.example.com")
        b = Server(host="imap-b.example.com", port=1993, security=Security.TLS)
        self.assertEqual(image.home(record(built, "alice").home), Home(servers=(a,)))
        self.assertEqual(image.home(record(built, "bob").home), Home(servers=(a, b)))
        self.assertEqual(image.home(image.find(DOMAIN, "example.org").home), Home(servers=(b,)))
        rules = image.notes["rules"]
        self.assertEqual(rules["patterns"][0][0], ["*.student", "lab-*"])
        self.assertEqual(rules["default"], ["{}", None, False])
        self.assertEqual(image.notes["targets"][1], ["imap-b.example.com", 1993, "tls"])

    def test_weights_of_servers(self) -> None:
        text = '[servers.a]\nhost = "a.example"\nweight = {}\n[users]\nalice = "a"\n'
        built = compiled("table", self.file(text.format(3)))
        (server,) = built.image.home(record(built, "alice").home).servers
        self.assertEqual(server.weight, 3)
        for weight in ("0", "1001", "true", "1.5", '"1"'):
            path = self.file(text.format(weight))
            built = compiled("table", path)
            self.assertEqual(
                told(built.outcome.problems, path), ["3 servers.a.weight: is not a weight"]
            )

    @proves("U4")
    def test_everything_that_is_wrong_is_told_at_once_with_its_line(self) -> None:
        path = self.file(BAD)
        built = compiled("table", path)
        self.assertIsNone(built.image)
        self.assertEqual(
            told(built.outcome.problems, path),
            [
                "1 colour: there is no such key",
                '3 servers.a.host: "::1" is an IPv6 address, which no referral can carry',
                "4 servers.a.port: is not a port",
                "5 servers.a.security: is not a choice",
                "6 servers.a.proto: there is no such key",
                "7 servers.b.host: is missing",
                '9 servers."b d": cannot be the name of a server',
                "12 servers.here: cannot be the name of a server",
                "13 servers.c: is not a table",
                '15 users.alice: there is no server "nowhere"',
                "16 users.bob: servr: there is no such key",
                "16 users.bob: ttl: is not a time",
                '17 users." carol": begins or ends with a space',
                '18 users.dave: "[::1]:143" is an IPv6 address, which no referral can carry',
                '20 domains."@example.org": has an @ in it',
                "21 patterns #1.match: is not a pattern",
                "23 patterns #2.home: is missing",
                "24 patterns #2.match: is not a pattern",
                "25 patterns #2.hom: there is no such key",
                "26 default.home: is missing",
                "27 default.hme: there is no such key",
            ],
        )

    def test_a_file_that_is_no_toml_has_a_line(self) -> None:
        path = self.file("[users]\nalice = \n")
        self.assertIn("2 syntax: ", told(compiled("table", path).outcome.problems, path)[0])
        path = self.file(b"[users]\n# \xff\n")
        self.assertEqual(
            told(compiled("table", path).outcome.problems, path), ["2 syntax: not UTF-8"]
        )
        path = self.file("a = " + "[" * 5000)
        self.assertEqual(
            told(compiled("table", path).outcome.problems, path), [" syntax: nested too deeply"]
        )

    def test_sections_of_another_kind_are_told(self) -> None:
        path = self.file('users = 1\nservers = "x"\ndomains = []\npatterns = {}\ndefault = "a"\n')
        self.assertEqual(
            [
                line.partition(":")[0]
                for line in told(compiled("table", path).outcome.problems, path)
            ],
            ["1 users", "2 servers", "3 domains", "4 patterns", "5 default"],
        )
        for text in ("users_file = 1", 'users_file = ""', "patterns = [1]"):
            self.assertEqual(len(compiled("table", self.file(text)).outcome.problems), 1)

    def test_names_that_differ_only_in_case_are_one_user(self) -> None:
        text = '[users]\nalice = "here"\nAlice = "here"\n'
        path = self.file(text)
        self.assertEqual(
            told(compiled("table", path).outcome.problems, path), [" alice: is there twice"]
        )
        self.assertEqual(compiled("table", path, lowercase=False).image.count, 2)

    def test_an_empty_file_knows_nobody(self) -> None:
        self.assertEqual(compiled("table", self.file("")).image.count, 0)

    def test_a_file_that_cannot_be_read_is_a_problem(self) -> None:
        for path in (self.folder / "missing", self.folder):
            (problem,) = compiled("table", path).outcome.problems
            self.assertEqual(problem.where, str(path))

    @given(st.text(max_size=60))
    def test_any_text_is_a_table_or_has_problems(self, text: str) -> None:
        path = self.folder / "any"
        replace(path, text.encode("utf-8", "surrogatepass"))
        built = build_here(Job(kind="table", options={"file": str(path), "lowercase": True}))
        self.assertEqual(built.image is None, bool(built.outcome.problems))
