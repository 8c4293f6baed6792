"""What becomes of real files of other programs, and that nothing is dropped without a word."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from referrald.backends.http.factory import factory as http_factory
from referrald.backends.ring import factory as ring_factory
from referrald.ctl.homefiles import read_homes
from referrald.ctl.origins import ORIGINS
from referrald.ctl.origins.found import Found, Wishes
from referrald.ctl.origins.writing import FORMS, write
from referrald.model import Home, Security, Server
from tests.backends.support import filled
from tests.ctl.origins.support import FILES, Table, read, read_text, told

A, B, C = (Server(host=f"imap-{name}.example.net") for name in "abc")


class EveryOrigin(SynchronousTestCase):
    @given(st.sampled_from(sorted(ORIGINS)), st.binary(max_size=300))
    def test_any_bytes_are_read_and_written_without_an_error(self, name: str, data: bytes) -> None:
        found = ORIGINS[name].read(data, "file", Wishes(names_there=True))
        for form in FORMS:
            write(found, form)

    @given(st.sampled_from(sorted(FILES.iterdir())), st.data())
    def test_a_real_file_with_damage_is_read_without_an_error(
        self, path: Path, data: st.DataObject
    ) -> None:
        whole = path.read_bytes()
        start = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(start, min(len(whole), start + 40)))
        damaged = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
        for origin in ORIGINS.values():
            write(origin.read(damaged, "file", Wishes()), origin.form)

    @given(st.sampled_from(["popmap", "dovecot-passwd", "director-map"]), st.text(max_size=200))
    def test_every_line_is_a_user_or_told(self, name: str, text: str) -> None:
        lines = [
            line for line in text.encode("utf-8", "ignore").split(b"\n") if line.strip(b"\r\0")
        ]
        found = ORIGINS[name].read(b"\n".join(lines), "file", Wishes())
        known = len(found.homes) + len(found.left_out) + len(found.notes)
        comments = sum(line.startswith(b"#") for line in lines) if name == "dovecot-passwd" else 0
        if name != "director-map":
            self.assertGreaterEqual(known + comments, len(lines))
        self.assertTrue(known or not lines or comments or name == "director-map")

    def test_a_list_that_was_written_is_read_as_it_was(self) -> None:
        for origin, name in (("popmap", "popmap"), ("dovecot-passwd", "passwd")):
            found = read(origin, name, names_there=True)
            for form in ("csv", "json"):
                text = write(found, form)  # type: ignore[arg-type]
                self.assertEqual(read_homes(text, form, "x"), found.homes)  # type: ignore[arg-type]

    def test_what_a_form_has_no_place_for_is_told(self) -> None:
        found = read("cyrus", "mboxlist.json")
        before = len(found.left_out)
        write(found, "csv")
        self.assertEqual(
            [str(each) for each in found.left_out[before:]],
            ["mboxlist.json: mailboxes: csv has no place for 3 mailboxes; say --to table"],
        )
        for origin, name, form, told_ in (
            ("popmap", "popmap", "section", "section has no place for 5 homes; say --to csv"),
            ("director-dump", "director-dump", "json", "json has no place for a section"),
            ("popmap-regex", "popmap.re", "csv", "csv has no place for 8 rules; say --to table"),
        ):
            found = read(origin, name)
            write(found, form)  # type: ignore[arg-type]
            self.assertIn(told_, str(found.left_out[-1]))

    def test_no_more_than_some_problems_are_kept_and_the_rest_is_counted(self) -> None:
        found = read_text("popmap", "x\n" * 10_007)
        self.assertEqual((len(found.left_out), found.omitted), (10_000, 7))


class Passwd(SynchronousTestCase):
    def test_a_real_file(self) -> None:
        found = read("dovecot-passwd", "passwd")
        tls = Server(host="imap-c.example.net", port=993, security=Security.TLS)
        self.assertEqual(
            found.homes,
            {
                "alice": Home(servers=(A,)),
                "bob": Home(servers=(Server(host="imap-b.example.net", port=1143),), user="robert"),
                "carol@example.org": Home(servers=(tls,), user="carol"),
                "dave": Home(),
                "erin": Home(closed="Moved_away."),
                "frank": Home(servers=(A,)),
            },
        )
        self.assertEqual(
            told(found.left_out),
            [
                "8 grace: allow_nets is not supported: it says from where the user may log in",
                '10 ivan: "2001:db8::1" is an IPv6 address, which no referral can carry',
                '11 judy: there is no field "prox"',
            ],
        )
        self.assertIn("9 heidi: has the field fail", told(found.notes)[0])
        self.assertIn("6 users have one there", told(found.notes)[1])

    def test_what_the_operator_wishes_counts(self) -> None:
        found = read(
            "dovecot-passwd", "passwd", obey=True, own_hosts=("imap-a.example.net",),
            security=Security.CLEAR, renamed={"imap-a.example.net": "new.example.net"},
        )  # fmt: skip
        new = Server(host="new.example.net", security=Security.CLEAR)
        self.assertEqual(found.homes["alice"], Home(servers=(new,), how="relay"))
        self.assertEqual(found.homes["frank"], Home())
        self.assertEqual(found.homes["carol@example.org"].how, "refer")

    def test_no_message_has_a_password_in_it(self) -> None:
        found = read_text("dovecot-passwd", "ann:x::::::bob:$6$secret host=a\n")
        self.assertNotIn("secret", str(found.left_out))
        self.assertEqual(len(found.left_out), 1)


class Popmap(SynchronousTestCase):
    def test_a_real_file_and_the_database_made_of_it_say_the_same(self) -> None:
        found = read("popmap", "popmap", names_there=True)
        b = Server(host="imap-b.example.net", port=1143)
        tls = Server(host="imap-a.example.net", port=993, security=Security.TLS)
        homes = {
            "alice": Home(servers=(A,)),
            "bob": Home(servers=(b,), user="robert"),
            "carol@example.org": Home(servers=(C,)),
            "dave": Home(servers=(tls,)),
            "heidi@example.org": Home(servers=(B,), user="hh@example.org"),
        }
        self.assertEqual(found.homes, homes)
        self.assertEqual(read("popmap", "popmap.undone", names_there=True).homes, homes)
        self.assertEqual(
            told(found.left_out),
            [
                '5 erin: "imap-c.example.net # moved in spring": not a host name',
                "6  frank: has a space at an end, which belongs to the name",
                "7 grace: has a colon in the name, which perdition takes for that of a port",
                "9 alice: is there twice, first in line 1",
                "10 ivan: has no colon, so makegdbm refuses it",
                "11 judy: has no host",
            ],
        )

    def test_names_there_are_not_taken_over_unless_that_is_said(self) -> None:
        found = read("popmap", "popmap")
        self.assertEqual({home.user for home in found.homes.values()}, {None})
        self.assertIn("2 lines have a name before the host", told(found.notes)[0])


class PopmapRegex(TestCase):
    def setUp(self) -> None:
        self.found = read("popmap-regex", "popmap.re", names_there=True)

    def test_a_real_file_as_a_table(self) -> Deferred[None]:
        folder = Path(self.mktemp())
        folder.mkdir()
        table = Table(self.found, folder, lowercase=False)
        self.assertEqual(list(table.problems), [])
        b = Server(host="imap-b.example.net", port=1143)
        tls = Server(host="imap-a.example.net", port=993, security=Security.TLS)
        expected: dict[str, Home | None] = {
            "anna": Home(servers=(A,)),
            "Anna": None,
            "Donald": Home(servers=(b,)),
            "donald": None,
            "root": Home(servers=(tls,)),
            "roots": None,
            "x@example.org": Home(servers=(C,), user="x_org"),
            "x@example.com": Home(servers=(C,), user="x+example.com"),
            "with space": Home(servers=(A,)),
            "longer": Home(servers=(B,)),
            "long": None,
            "flimstix": Home(servers=(B,)),
            "totallyflimless": None,
        }
        work = table.look([*expected])
        work.addCallback(
            lambda homes: self.assertEqual(dict(zip(expected, homes, strict=True)), expected)
        )
        return work

    def test_what_is_no_glob_is_told(self) -> None:
        self.assertEqual(
            told(self.found.left_out),
            [
                "11 ^x[[:digit:]]: has a class that names what it is not, or is one of POSIX",
                '12 ^(y.)$: "imap-$1.example.net": not a host name',
                "13 ^z{2}: repeats something that is not any character",
                "14 ^zz$:imap-b.example.net: is not an expression and a server",
            ],
        )
        notes = told(self.found.notes)
        self.assertIn("10 flim: counts only for names that begin so, as with perdition", notes)

    def test_a_name_that_gets_something_in_front_is_left_out(self) -> None:
        found = read_text("popmap-regex", "b(.)d: $1@a.example\n", names_there=True)
        self.assertIn("puts what stands before the match", told(found.left_out)[0])
        self.assertEqual(found.rules, [])


class Director(TestCase):
    def test_a_real_dump_is_a_ring_with_the_same_weights(self) -> None:
        found = read("director-dump", "director-dump", renamed={"127.0.0.13": "c.example.net"})
        (section,) = tomllib.loads(write(found, "section"))["backend"]
        self.assertEqual(
            section,
            {
                "type": "ring",
                "servers": [
                    "127.0.0.11*2", "127.0.0.12*2", "c.example.net",
                    "127.0.0.14*2#shared", "127.0.0.15*4#shared",
                ],
            },
        )  # fmt: skip
        options = filled(ring_factory) | {"servers": tuple(section["servers"])}
        self.assertIn('nobody is in the group "shared"', str(ring_factory.check(options)[0]))
        options["groups"] = ("*@shared.example.org=shared",)
        self.assertEqual(list(ring_factory.check(options)), [])
        self.assertIn("7 doveadm director add ::1 100", told(found.left_out)[0])
        self.assertIn("6 127.0.0.16: has no virtual hosts", told(found.notes)[0])

    def test_a_real_map_is_a_list_of_homes(self) -> None:
        found = read("director-map", "director-map")
        hosts = {user: home.servers[0].host for user, home in found.homes.items()}
        self.assertEqual(
            hosts,
            {
                "alice": "127.0.0.12", "bob": "127.0.0.13", "dora": "127.0.0.11",
                "emil": "127.0.0.13", "fritz@example.org": "127.0.0.13", "carol": "127.0.0.12",
            },
        )  # fmt: skip
        self.assertEqual(told(found.left_out), ["8 <unknown>: is a hash without a name"])

    def test_a_very_long_line_is_told_and_not_searched(self) -> None:
        found = read_text("director-map", "x " + " " * 1_000_000 + "1\n")
        self.assertEqual(told(found.left_out), ["1 line: is no line of doveadm director map"])

    def test_commands_that_add_nothing_are_told(self) -> None:
        found = read_text("director-dump", "doveadm director down a\nrm -rf\n")
        self.assertIn('the command "down" adds no server', told(found.left_out)[0])
        self.assertIn("is no such command", told(found.left_out)[1])


class Nginx(SynchronousTestCase):
    def test_a_real_configuration_is_a_section(self) -> None:
        found = read("nginx", "nginx.conf", security=Security.CLEAR)
        (section,) = tomllib.loads(write(found, "section"))["backend"]
        expected = {
            "type": "http", "dialect": "nginx", "url": "http://127.0.0.1:9000/mail/auth",
            "timeout": 5, "security": "none",
        }  # fmt: skip
        self.assertEqual(section, expected)
        options = filled(http_factory, url=section["url"], dialect="nginx")
        self.assertEqual(list(http_factory.check(options)), [])
        problems = told(found.left_out)
        second = "auth_http: is a second service, or is asked in another way"
        self.assertEqual(problems, [f"13 {second}", f"29 {second}"])
        self.assertIn("28 listen: is for pop3, which stays with nginx", told(found.notes))

    def test_passwords_go_to_no_other_machine_in_the_clear(self) -> None:
        for url, wrong in (
            ("192.0.2.7:9000/auth", "would send passwords in the clear to 192.0.2.7"),
            ("http://unix:/run/x.sock:/auth", "is no address that can be asked"),
            ("http://[::1", "is not a URL"),
            ("http://", "names no host"),
            ("http://$backend/auth", "is no address"),
        ):
            text = f"mail {{ auth_http {url}; server {{ listen 143; }} }}"
            self.assertIn(wrong, told(read_text("nginx", text).left_out)[0])

    def test_a_header_is_sent_to_the_service_as_before_and_shown_nowhere(self) -> None:
        text = (
            "mail { auth_http 127.0.0.1:1/; auth_http_header X-One 1; auth_http_header X-Key 'a b';"
            " server { listen 143; } server { listen 993 ssl; } }"
        )
        found = read_text("nginx", text)
        assert found.section is not None
        self.assertEqual(found.section.keys["header"], "X-Key: a b")
        self.assertEqual(
            told(found.left_out),
            ["1 auth_http_header: is one of several headers, of which one can be sent"],
        )
        found = read_text("nginx", text.replace("X-Key", "Host"))
        self.assertIn("Host has a meaning of its own", told(found.left_out)[1])

    def test_included_files_are_told(self) -> None:
        text = "mail { auth_http 127.0.0.1:1/; include mail.d/*; server { listen 993 ssl; } }"
        found = read_text("nginx", text)
        self.assertEqual(told(found.left_out), ["1 include mail.d/*: is not followed"])
        self.assertIsNotNone(found.section)


class Sql(SynchronousTestCase):
    def section(self, query: str, driver: str = "sqlite", more: str = "", **w: bool) -> Found:
        text = f"driver = {driver}\nconnect = /x.db\npassword_query = {query}\n{more}\n"
        return read_text("dovecot-sql", text, **w)

    def query(self, query: str) -> str:
        found = self.section(query)
        assert found.section is not None, found.left_out
        return str(found.section.keys["home_query"])

    def wrong(self, query: str) -> str:
        found = self.section(query)
        self.assertIsNone(found.section)
        return told(found.left_out)[0]

    def test_variables_become_parameters_and_never_text(self) -> None:
        for text, expected in (
            ("'%u'", ":user"), ("'%Ln'", ":local"), ("'%d'", ":domain"), ("'%n@%d'", ":user"),
            ("'%{user}'", ":user"), ("'%s'", "'imap'"), ("'a%%b'", "('a' || '%' || 'b')"),
            ("'x-%n'", "('x-' || :local)"), ("'it''s'", "'it''s'"),
        ):  # fmt: skip
            found = self.query(f"SELECT host FROM t WHERE u = {text}")
            self.assertIn(f"WHERE u = {expected})", found)

    def test_what_cannot_be_said_is_refused(self) -> None:
        for query, wrong in (
            ("SELECT host FROM t WHERE u = '%w'", "has a variable %w"),
            ("SELECT host FROM t WHERE u = %u", "has a variable outside of quotes"),
            ("SELECT host, allow_nets FROM t", "gives a column allow_nets"),
            ("SELECT host, username FROM t", "changes who the user is"),
            ("SELECT host, login_user FROM t", "changes who the user is"),
            ("SELECT * FROM t", "has a column without a name"),
            ("SELECT host, color FROM t", "gives a column color, which is not understood"),
            ("UPDATE t SET host = 1", "is no SELECT"),
        ):
            self.assertIn(wrong, self.wrong(query))

    def test_another_name_for_the_user_is_the_name_to_use_there(self) -> None:
        for columns, expected in (
            ("destuser", "destuser AS name"),
            ("userid AS user", 'passdb."user" AS name'),
            ("destuser, userid AS user", 'COALESCE(destuser, passdb."user") AS name'),
            ("username, domain", "username || '@' || domain AS name"),
        ):
            found = self.section(f"SELECT {columns}, host FROM t")
            assert found.section is not None
            self.assertIn(f"{expected} FROM (", found.section.keys["home_query"])
            self.assertEqual(len(found.notes), int(columns != "destuser"))

    def test_columns_are_found_behind_functions_and_strings(self) -> None:
        query = "SELECT coalesce(h, 'a, b FROM c') AS host, t.port, password FROM t"
        self.assertIn("SELECT host, port FROM (", self.query(query))

    def test_settings_that_are_not_understood_are_told(self) -> None:
        found = self.section("SELECT host FROM t", more="iterate_query = x\nnew = y")
        self.assertEqual(told(found.left_out), ["5 new: is not understood"])
        self.assertEqual(told(found.notes)[0][:15], "4 iterate_query")

    def test_other_databases_are_told(self) -> None:
        found = self.section("SELECT host FROM t", driver="mysql")
        self.assertIn('1 driver: "mysql" has no backend here', told(found.left_out)[0])

    def test_postgresql_has_its_hosts_in_one_word(self) -> None:
        text = (
            "driver = pgsql\nconnect = host=a host=b dbname=mail user=x maxconns=5\n"
            "password_query = SELECT host, proxy FROM t\n"
        )
        found = read_text("dovecot-sql", text, obey=True)
        assert found.section is not None
        self.assertEqual(found.section.keys["dsn"], "host=a,b dbname=mail user=x")
        self.assertIn("THEN 'relay' END AS login", found.section.keys["home_query"])
