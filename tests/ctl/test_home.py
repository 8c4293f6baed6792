"""``referralctl home`` on an SQLite file."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from referrald.backends.sql.sqlite import factory
from referrald.routing.policy import PolicySettings
from referrald.testing import MemoryBackend
from tests.backends.support import filled
from tests.ctl.fakes import CtlTestCase

DOCS = Path(__file__).parents[2] / "docs"


class HomeTestCase(CtlTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.directory) / "homes.db"
        self.assembly.backends = [("homes", self.backend()), ("memory", MemoryBackend())]

    def backend(self, name: str = "homes.db") -> Any:
        path = str(Path(self.directory) / name)
        return factory.build(filled(factory, database=path), Clock())

    def home(self, *words: str, piped: str | None = None) -> str:
        """Run a command that goes well; gives what it prints."""
        code, out, err = self.run_ctl("home", *words, piped=piped)
        self.assertEqual((code, err), (0, ""))
        return out

    def refused(self, *words: str, piped: str | None = None) -> str:
        """Run a command that does not; gives what it says."""
        code, out, err = self.run_ctl("home", *words, piped=piped)
        self.assertEqual((code, out), (1, ""))
        return err

    def users(self, *words: str) -> dict[str, Any]:
        _, value = self.run_json("home", "list", *words)
        return {each.pop("user"): each for each in value["users"]}


class Changing(HomeTestCase):
    def test_users_get_a_home(self) -> None:
        out = self.home("set", "alice", "Bob", "--to", "a.example,b.example:1143/none")
        self.assertEqual(
            out,
            "user   from  to\n"
            "alice  -     a.example,b.example:1143/none\n"
            "bob    -     a.example,b.example:1143/none\n"
            "2 users changed\n",
        )
        home = {"servers": "a.example,b.example:1143/none"}
        self.assertEqual(self.users(), {"alice": home, "bob": home})

    def test_a_home_has_all_that_can_be_said(self) -> None:
        self.home(
            "set", "alice", "--to", "a*2,b", "--name", "robert", "--auth", "plain", "--ttl", "5",
            "--login", "relay", "--held", "--spread", "--public-here",
        )  # fmt: skip
        self.home("set", "bob", "--closed", "Gone.")
        self.assertEqual(
            self.users(),
            {
                "alice": {
                    "servers": "a*2,b", "name": "robert", "auth": "PLAIN", "ttl": 5.0,
                    "login": "relay", "held": True, "spread": True, "public_here": True,
                },
                "bob": {"servers": "here", "closed": "Gone."},
            },
        )  # fmt: skip

    def test_a_dry_run_changes_nothing(self) -> None:
        out = self.home("set", "alice", "--to", "a", "--dry-run")
        self.assertTrue(out.endswith("1 users would change\n"))
        self.assertEqual(self.users(), {})

    def test_a_home_where_nobody_could_be_sent_to_is_refused_and_taken_anyway(self) -> None:
        self.assembly.mailboxes.policy = PolicySettings(
            own_names=[("me.example", 143)], allowed=("*.example",), allow_clear=("c.example",)
        )
        for to, said in (
            ("a.examp1e", "a.examp1e: not an allowed target"),
            ("b.example/none", "b.example: without TLS, and not allowed in the clear"),
            ("me.example", "me.example: this server itself"),
        ):
            err = self.refused("set", "alice", "bob", "--to", to)
            self.assertIn(f'"alice" and 1 more could not log in: {said} (see [referral]', err)
            self.assertEqual(err.count("\n"), 1)
            self.refused("set", "alice", "--to", to, "--held", "--dry-run")
        self.home("set", "alice", "--to", "here")
        self.home("set", "alice", "--to", "c.example/none")
        self.home("set", "alice", "--to", "a.examp1e,a.example")
        self.home("set", "bob", "--to", "a.examp1e", "--anyway")
        self.assertEqual(self.users("bob"), {"bob": {"servers": "a.examp1e"}})

    def test_a_file_with_homes_where_nobody_could_be_sent_to_is_refused_whole(self) -> None:
        self.assembly.mailboxes.policy = PolicySettings(allowed=("*.example",))
        rows = [f"u{n},{'m.example' if n % 2 else f'n{n}.test'}" for n in range(10)]
        path = self.write("homes.csv", "\n".join(["user,servers", *rows, "z,here", ""]))
        err = self.refused("import", path)
        self.assertIn('"u0" and 4 more could not log in: n0.test: not', err)
        self.assertIn("; and 2 more (see [referral]", err)
        self.assertEqual(self.users(), {})
        self.assertIn("11 users changed", self.home("import", path, "--anyway"))

    def test_users_are_held_moved_and_let_go(self) -> None:
        self.home("set", "alice", "--to", "a")
        self.home("hold", "alice")
        self.assertEqual(list(self.users("--held")), ["alice"])
        self.assertIn("a held", self.home("set", "alice", "--to", "b"))
        self.assertEqual(self.users("--held"), {})
        self.home("hold", "alice")
        self.assertIn("b held", self.home("release", "alice"))
        self.home("rm", "alice")
        self.assertEqual(self.users(), {})

    def test_users_come_from_a_file_too(self) -> None:
        self.home("set", "alice", "--users", "-", "--to", "a", piped="bob\n\n carol \r\n")
        self.assertEqual(list(self.users()), ["alice", "bob", "carol"])
        users = self.write("users", "bob\ncarol\n")
        self.home("rm", "--users", users)
        self.assertEqual(list(self.users()), ["alice"])

    def test_what_cannot_be_is_refused_in_one_line(self) -> None:
        self.home("set", "alice", "--to", "a")
        for words, said in (
            (("set", "alice"), "give either --to or --closed"),
            (("set", "alice", "--to", "a", "--closed", "x"), "give either --to or --closed"),
            (("set", "--to", "a"), "no user is named"),
            (("set", "alice", "--to", "::1"), "is an IPv6 address"),
            (("set", "alice", "--to", "a:0"), '"0" is not a port'),
            (("set", "alice", "--to", "a", "--ttl", "soon"), "ttl is not a time"),
            (("set", "", "--to", "a"), "no user can have that name"),
            (("hold", "alice", "nobody"), "there is nobody called nobody"),
            (("rm", "nobody"), "there is nobody called nobody"),
            (("list", "nobody"), "there is nobody called nobody"),
            (("hold", "alice", "-b", "memory"), "there is no writable backend memory"),
            (("history", "--limit", "0"), "--limit is at least 1"),
        ):
            err = self.refused(*words)
            self.assertIn(said, err)
            self.assertEqual(err.count("\n"), 1)
        self.assertEqual(self.users(), {"alice": {"servers": "a"}})

    def test_many_changes_are_shown_to_programs_only(self) -> None:
        users = self.write("users", "".join(f"u{n}\n" for n in range(50)))
        out = self.home("set", "--users", users, "--to", "a", "-n")
        self.assertIn("… and 30 more\n50 users would change\n", out)
        code, value = self.run_json("home", "set", "--users", users, "--to", "a")
        self.assertEqual((code, value["changed"], len(value["changes"])), (0, 50, 50))
        self.assertEqual(value["dry_run"], False)

    def test_a_name_cannot_steer_the_terminal(self) -> None:
        self.home("set", "a\u202eb", "--to", "a")
        self.assertNotIn("\u202e", self.home("list"))


class WhichBackend(HomeTestCase):
    def test_there_has_to_be_one(self) -> None:
        self.assembly.backends = [("memory", MemoryBackend())]
        self.assertIn("writable: none is", self.refused("list"))

    def test_of_two_one_has_to_be_named(self) -> None:
        self.assembly.backends.append(("second", self.backend("second.db")))
        self.assertIn("writable: homes, second", self.refused("list"))
        self.home("set", "alice", "--to", "a", "-b", "second")
        self.assertEqual(list(self.users("-b", "second")), ["alice"])
        self.assertEqual(self.users("-b", "homes"), {})


class Files(HomeTestCase):
    def test_what_was_exported_can_be_imported(self) -> None:
        self.home("set", "alice", "--to", "a", "--name", "x, y")
        self.home("set", "bob", "--closed", 'say "bye"')
        before = self.users()
        for name in ("homes.csv", "homes.json"):
            path = str(Path(self.directory) / name)
            self.home("export", path)
            self.home("rm", "alice", "bob")
            self.home("import", path)
            self.assertEqual(self.users(), before)

    def test_an_import_leaves_others_alone_unless_it_is_all(self) -> None:
        self.home("set", "alice", "bob", "--to", "a")
        path = self.write("homes.csv", "user,servers\nalice,b\n")
        self.assertIn("1 users changed", self.home("import", path))
        self.assertEqual(list(self.users()), ["alice", "bob"])
        self.assertIn("bob   a     -\n1 users would", self.home("import", path, "--all", "-n"))
        self.home("import", path, "--all")
        self.assertEqual(list(self.users()), ["alice"])

    def test_a_file_with_a_mistake_changes_nothing(self) -> None:
        path = self.write("homes.csv", "user,servers\nalice,b\nbob,::1\n")
        self.assertIn("homes.csv:3: bob", self.refused("import", path))
        path = self.write("homes.csv", "user,servers\nalice,b\nAlice,c\n")
        self.assertIn("the same user", self.refused("import", path))
        self.assertEqual(self.users(), {})

    def test_standard_input_and_output_are_files_too(self) -> None:
        self.home("import", "-", "--as", "json", piped='[{"user": "alice", "host": "a"}]')
        self.assertEqual(
            self.home("export", "-"),
            "user,servers,name,auth,public_here,login,spread,closed,held,ttl\nalice,a,,,,,,,,\n",
        )
        self.assertEqual(
            json.loads(self.home("export", "-", "--as", "json")),
            [{"user": "alice", "servers": "a"}],
        )

    def test_ten_thousand_users_move_in_one_transaction(self) -> None:
        rows = "".join(f"user{n:05},a.example\n" for n in range(10_000))
        path = self.write("homes.csv", "user,servers\n" + rows)
        self.assertIn("10000 users changed", self.home("import", path, "--why", "begin"))
        path = self.write("homes.csv", "user,servers\n" + rows.replace("a.ex", "b.ex"))
        self.assertIn("10000 users changed", self.home("import", path, "--why", "move"))
        _, value = self.run_json("home", "history", "--limit", "10001")
        times = {each["time"] for each in value["history"] if each["why"] == "move"}
        self.assertEqual(len(times), 1)
        self.assertEqual(len(self.users("--server", "b.example")), 10_000)

    def test_a_difference_says_who_would_move_and_how_many_where(self) -> None:
        old = self.write("old.csv", "user,servers\nalice,a\nbob,a\ncarol,c\ndave,a\n")
        new = self.write(
            "new.json", '[{"user":"alice","servers":"b"},{"user":"bob","servers":"b"},'
            '{"user":"carol","servers":"c"},{"user":"erin","servers":"b"}]',
        )  # fmt: skip
        self.assertEqual(
            self.home("diff", old, new),
            "user   from  to\nalice  a     b\nbob    a     b\ndave   a     -\nerin   -     b\n\n"
            "users  from  to\n2      a     b\n1      a     -\n1      -     b\n",
        )
        self.assertEqual(self.home("diff", old, old), "no difference\n")
        code, value = self.run_json("home", "diff", old, new)
        self.assertEqual((code, value["changed"]), (0, 4))


class History(HomeTestCase):
    def test_it_says_when_who_why_and_what(self) -> None:
        self.home("set", "alice", "bob", "--to", "a", "--who", "ann", "--why", "first")
        self.home("set", "alice", "--to", "b", "--who", "bea", "--why", "full\ndisk")
        out = self.home("history", "alice")
        self.assertRegex(
            out,
            r"time +who  user   from  to  why\n\S+Z  bea  alice  a     b   full\\ndisk\n"
            r"\S+Z  ann  alice  -     a   first\n",
        )
        self.assertEqual(self.home("history", "--limit", "1").count("\n"), 2)

    def test_who_runs_the_command_is_in_it_also_behind_sudo(self) -> None:
        self.patch(os, "environ", {"SUDO_USER": "ann", "LOGNAME": "root"})
        self.home("set", "alice", "--to", "a")
        _, value = self.run_json("home", "history")
        self.assertEqual(value["history"][0]["who"], "ann")


class ThePage(HomeTestCase):
    def test_every_command_of_the_page_about_moving_does_what_it_says(self) -> None:
        page = (DOCS / "howto" / "move-users.md").read_text(encoding="utf-8")
        commands = [
            shlex.split(line)[3:]
            for line in page.splitlines()
            if line.startswith("$ referralctl home ")
        ]
        self.assertGreater(len(commands), 10)
        self.home("set", "alice", "bob", "carol", "--to", "a.example.net")
        self.write("wave1", "alice\nbob\n")
        self.write("next.csv", "user,servers\nalice,c.example.net\n")
        for words in commands:
            self.home(*(self.path_of(word) for word in words))
        self.assertEqual(
            self.users(),
            {"alice": {"servers": "c.example.net"}, "bob": {"servers": "b.example.net"}},
        )

    def path_of(self, word: str) -> str:
        """Give the files of the page a folder of their own."""
        is_file = word == "wave1" or word.endswith(".csv")
        return str(Path(self.directory) / word) if is_file else word
