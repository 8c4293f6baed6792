"""The plain list of users beside a table."""

from __future__ import annotations

from pathlib import Path

from referrald.backends import usersfile
from referrald.backends.build import Built
from referrald.model import Home, Security, Server
from tests.backends.support import BackendTestCase, compiled, record, told

A = Server(host="a.example")
TABLE = 'users_file = "list"\n[servers.a]\nhost = "a.example"\n[users]\nzoe = "a"\n'


class UsersFiles(BackendTestCase):
    def compiled(self, users: str | bytes) -> tuple[Built, Path]:
        path = self.file(users, "list")
        return compiled("table", self.file(TABLE)), path

    def test_each_line_is_a_name_and_a_home(self) -> None:
        built, _ = self.compiled(
            "# users\n\nalice\ta\r\nbob  a user=%n public_here\nDr. Who\there\n"
            "carol closed Gone: ask us.\ndave\ta,c.example:993\nerin\t a \n"
        )
        image = built.image
        for user, line, home in (
            ("alice", 3, Home(servers=(A,))),
            ("bob", 4, Home(servers=(A,), public_here=True)),
            ("dr. who", 5, Home()),
            ("carol", 6, Home(closed="Gone: ask us.")),
            (
                "dave",
                7,
                Home(servers=(A, Server(host="c.example", port=993, security=Security.TLS))),
            ),
            ("erin", 8, Home(servers=(A,))),
            ("zoe", 0, Home(servers=(A,))),
        ):
            found = record(built, user)
            self.assertEqual((found.line, image.home(found.home)), (line, home), user)
        self.assertEqual(record(built, "bob").user, b"%n")
        self.assertEqual(image.count, 7)

    def test_every_line_that_is_wrong_is_told(self) -> None:
        built, path = self.compiled(
            b"alice\ta\nbob\nbob \ncarol\tnowhere\n\ta\n\xff\ta\ndave\ta x=1 ttl=no\n"
            b"alice\ta\nzoe\there\n" + b"x" * 256 + b"\ta\n"
        )
        self.assertIsNone(built.image)
        self.assertEqual(
            told(built.outcome.problems, path),
            [
                "2 bob: has no home",
                "3 bob: has no home",
                '4 carol: there is no server "nowhere"',
                "5 line: is empty",
                "6 line: not UTF-8",
                "7 dave: x: there is no such key",
                "7 dave: ttl: is not a time",
                "8 alice: is there twice, first in line 1",
                "9 zoe: is there twice",
                f"10 {'x' * 56} …: is longer than 255 bytes",
            ],
        )

    def test_a_list_that_cannot_be_read_is_blamed_on_the_table(self) -> None:
        path = self.file(TABLE)
        built = compiled("table", path)
        self.assertEqual(
            told(built.outcome.problems, path),
            [" users_file: cannot be read: No such file or directory"],
        )
        self.assertEqual(set(built.outcome.files), {str(path), str(self.folder / "list")})

    def test_many_different_homes_are_no_matter(self) -> None:
        self.patch(usersfile, "SPECS_KEPT", 3)
        built, _ = self.compiled("".join(f"u{n}\ta user=x{n % 7}\n" for n in range(40)))
        for number in range(40):
            self.assertEqual(record(built, f"u{number}").user, b"x%d" % (number % 7))
