"""Lines of a passwd-file. What they mean was tried with Dovecot 2.3.19."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referrald.backends import draft, passwdformat
from referrald.backends.build import Built
from referrald.backends.passwdformat import split_password
from tests.backends.support import BackendTestCase, compiled, record, replace, told
from tests.proves import proves

ODD = st.text(st.sampled_from("ab:=% \t\0\r#{}[]%é\ud800"), max_size=25)


class PasswdFormat(BackendTestCase):
    def compiled(self, text: str | bytes, **options: object) -> Built:
        return compiled("passwd-file", self.file(text), **options)

    def problems(self, text: str | bytes) -> list[str]:
        built = self.compiled(text)
        self.assertIsNone(built.image)
        return told(built.outcome.problems, self.folder / "source")

    def password(self, field: str, **options: object) -> tuple[str, str] | None:
        found = record(self.compiled(f"u:{field}\n", **options), "u").password
        return None if found is None else split_password(found)

    def test_fields_may_be_missing(self) -> None:
        built = self.compiled("a\nb:\nc:pw\nd:pw:1:1::/h\ne:pw:::::\nf:pw::::::\ng:pw::::::nologin")
        self.assertEqual(built.image.count, 7)
        homes = [built.image.home(record(built, user).home) for user in "abcdefg"]
        self.assertEqual([home.closed is None for home in homes], [True] * 6 + [False])

    def test_comments_and_empty_lines_do_not_count_but_are_counted(self) -> None:
        built = self.compiled("# one\n\nalice:pw\r\n\r\n#bob:pw\ncarol:pw")
        self.assertEqual([record(built, user).line for user in ("alice", "carol")], [3, 6])
        self.assertEqual(built.image.count, 2)

    def test_user_names_are_taken_as_they_are(self) -> None:
        for user in ("a@b.example", "Upper", "with space", "j\u00fcrgen", "a#b", "%u", "a'b\"c"):
            self.assertEqual(record(self.compiled(f"{user}:pw\n"), user).line, 1)

    def test_a_password_ends_at_its_colon(self) -> None:
        self.assertEqual(self.password("p:w"), ("CRYPT", "p"))

    def test_schemes_are_named_or_that_of_the_option(self) -> None:
        for field, option, scheme, encoded in (
            ("$6$salt$hash", "CRYPT", "CRYPT", "$6$salt$hash"),
            ("hash", "plain", "PLAIN", "hash"),
            ("{PLAIN}pw", "CRYPT", "PLAIN", "pw"),
            ("{plain.hex}7077", "CRYPT", "PLAIN.HEX", "7077"),
            ("{SCRAM-SHA-256}4096,a,b,c", "CRYPT", "SCRAM-SHA-256", "4096,a,b,c"),
            ("{no scheme}x", "CRYPT", "CRYPT", "{no scheme}x"),
            ("abcd[13]", "PLAIN", "CRYPT", "abcd"),
            ("0123[34]", "PLAIN", "PLAIN-MD5", "0123"),
            ("0123[56]", "PLAIN", "DIGEST-MD5", "0123"),
            ("$1$x[34]", "CRYPT", "CRYPT", "$1$x[34]"),
            ("!", "CRYPT", "CRYPT", "!"),
        ):
            self.assertEqual(self.password(field, scheme=option), (scheme, encoded), field)

    def test_an_empty_password_lets_nobody_in(self) -> None:
        for text in ("", "{PLAIN}"):
            self.assertIsNone(self.password(text))
        built = self.compiled("u:::::::nopassword=y\nv\n")
        self.assertIsNone(record(built, "u").password)
        self.assertIsNone(record(built, "v").password)

    def test_a_hash_may_be_any_bytes(self) -> None:
        found = record(self.compiled(b"u:{PLAIN}p\xff\xfe\n"), "u").password
        self.assertEqual(split_password(found)[1].encode("utf-8", "surrogateescape"), b"p\xff\xfe")

    def test_samples_name_every_scheme_the_most_used_first(self) -> None:
        built = self.compiled("a:{PLAIN}x\nb:{SHA}y\nc:{SHA}z\nd:\ne:{X}v:::::: fail\n")
        self.assertEqual(built.image.notes["samples"], [["SHA", "y"], ["PLAIN", "x"]])

    def test_an_empty_field_before_the_extra_fields_is_the_old_form(self) -> None:
        built = self.compiled("a:pw:::::::host=h.example nologin\n")
        self.assertTrue(built.image.home(record(built, "a").home).here)

    def test_extra_fields_may_have_colons(self) -> None:
        built = self.compiled("a:pw::::::nologin reason=a:b:c\n")
        self.assertEqual(built.image.home(record(built, "a").home).closed, "a:b:c")

    def test_every_line_that_is_wrong_is_told_with_its_number(self) -> None:
        text = (
            b"ok:pw\n:pw\n bob:pw\nca\x00rol:pw\n\xff:pw\ndave:pw::::::host=::1\n"
            b"erin:pw::::::\xff\nok:pw\n" + b"x" * 256 + b":pw\nfrank:" + b"p" * 5000 + b"\n"
            b"gail:pw::::::allow_nets=192.0.2.0/24\n"
        )
        self.assertEqual(
            self.problems(text),
            [
                "2 line: is empty",
                "3  bob: begins or ends with a space",
                "4 ca?rol: has a control character in it",
                "5 line: the user name is not UTF-8",
                '6 dave: "::1" is an IPv6 address, which no referral can carry',
                "7 erin: an extra field is not UTF-8",
                "8 ok: is there twice, first in line 1",
                f"9 {'x' * 56} …: is longer than 255 bytes",
                "10 frank: the password field is too long or has a NUL in it",
                "11 gail: allow_nets is not supported: it says from where the user may log in",
            ],
        )

    def test_too_many_problems_are_counted(self) -> None:
        self.patch(draft, "PROBLEMS_KEPT", 3)
        found = self.problems(" x:pw\n" * 10)
        self.assertEqual(found[3:], [" file: has 7 more problems"])

    @proves("S4")
    def test_no_problem_quotes_a_password(self) -> None:
        for line in (
            "u:s3cret\0",
            " u:s3cret",
            "u:s3cret" * 800,
            "u:s3cret::::::x=s3cret",
            # the end of a line was lost
            "u:s3cret::::::nologinv:s3cret::::::nologin",
            "u:s3cret::::::host=hv:s3cret::::::",
            "u:s3cret::::::host=::1v:s3cret::::::",
            "u:s3cret::::::host=h port=143v:s3cret::::::",
            "u:s3cret::::::host=h ssl=yesv:s3cret",
            "u:s3cret::::::host=h destuser=%v:s3cret",
            "u:s3cret::::::host=h destuser=%{v:s3cret",
            'u:s3cret::::::host=h"v:s3cret" port=x',
        ):
            self.assertNotIn("s3cret", "".join(self.problems(line)))

    def test_fields_that_differ_for_each_user_are_no_matter(self) -> None:
        self.patch(passwdformat, "EXTRAS_KEPT", 3)
        built = self.compiled(
            "".join(f"u{n}:pw::::::host=h{n % 7}.example destuser=x{n}\n" for n in range(40))
        )
        for number in range(40):
            found = record(built, f"u{number}")
            self.assertEqual(found.user, b"x%d" % number)
            (server,) = built.image.home(found.home).servers
            self.assertEqual(server.host, f"h{number % 7}.example")

    @given(st.lists(ODD, max_size=6), st.binary(max_size=30))
    def test_any_bytes_are_users_or_problems_with_their_lines(
        self, lines: list[str], rest: bytes
    ) -> None:
        text = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n" + rest
        path = self.folder / "any"
        replace(path, text)
        built = compiled("passwd-file", path)
        self.assertEqual(built.image is None, bool(built.outcome.problems))
        for problem in built.outcome.problems:
            number = int(problem.where.removeprefix(f"{path}:"))
            self.assertLessEqual(number, text.count(b"\n") + 1)

    @given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.booleans(), max_size=12))
    def test_a_bad_line_spoils_the_whole_and_is_the_only_one_told(
        self, users: dict[str, bool]
    ) -> None:
        path = self.folder / "some"
        lines = [f"{user}:pw" if good else f"{user}:pw::::::bogus" for user, good in users.items()]
        replace(path, "\n".join(lines))
        built = compiled("passwd-file", path)
        bad = [number for number, good in enumerate(users.values(), 1) if not good]
        self.assertEqual(
            [problem.where for problem in built.outcome.problems],
            [f"{path}:{number}" for number in bad],
        )
        if not bad:
            self.assertEqual(built.image.count, len(users))
